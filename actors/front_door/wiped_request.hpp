// Requests with passwords in them: their bytes are overwritten before their memory is given back.
#pragma once
#include "understudy/messages/request.hpp"

namespace understudy::internal {

/// Overwrites the bytes of the operation, as many as there are.
void overwrite(opaque_request& done) noexcept;

/// A shared request of `asked`, overwritten when its last holder lets go.
request_ptr make_wiped_request(opaque_request asked);

}  // namespace understudy::internal
