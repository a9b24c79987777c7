// The arithmetic of the backoff.
#include "understudy/actors/ports/backoff.hpp"

namespace understudy::internal {

duration backoff::fail(const random_source& random) {
  ++failures_;
  return up_to(ceiling(), random);
}

}  // namespace understudy::internal
