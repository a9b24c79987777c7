// Rounds and backoff: see dial_order.hpp.
#include "understudy/runtime/platform/dial_order.hpp"

namespace understudy::internal {
namespace {

constexpr seconds lasts{10};

}  // namespace

bool dial_order::failed(time_point now) {
  due_ = now;
  if (++tried_ < nodes_) {
    node_ = (node_ + 1) % nodes_;
    return false;
  }
  // A new round begins with the one that is preferred.
  tried_ = node_ = 0;
  due_ = now + backoff_.fail(random_);
  return true;
}

void dial_order::lost(time_point now) {
  due_ = now;
  if (now - linked_at_ >= lasts) {
    backoff_.succeed();
    tried_ = 0;
  }
  failed(now);
}

}  // namespace understudy::internal
