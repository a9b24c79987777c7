// A deleter that overwrites.
#include "understudy/actors/front_door/wiped_request.hpp"

#include <cstring>

namespace understudy::internal {

void overwrite(opaque_request& done) noexcept { ::explicit_bzero(done.protocol_op.data(), done.protocol_op.size()); }

request_ptr make_wiped_request(opaque_request asked) {
  return {new request{any_operation{std::move(asked)}, {}}, [](request* done) {
            overwrite(std::get<opaque_request>(done->op));
            delete done;
          }};
}

}  // namespace understudy::internal
