// An actor that exists to own a timer: see tick_actor.hpp.
#include "understudy/runtime/platform/tick_actor.hpp"

#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>

namespace understudy::internal {
namespace {

class tick_actor final : public caf::monitorable_actor {
 public:
  tick_actor(caf::actor_config& config, std::function<void()> on_tick)
      : caf::monitorable_actor(config), on_tick_(std::move(on_tick)) {}

  void enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) override {
    if (what->mid.is_request())
      bounce(what, caf::sec::unexpected_message);
    else if (what->content().match_elements<tick_atom, std::uint64_t>())
      on_tick_();
  }

 private:
  std::function<void()> on_tick_;
};

}  // namespace

caf::strong_actor_ptr make_tick_actor(caf::actor_system& system, std::function<void()> on_tick) {
  caf::actor_config config;
  return caf::make_actor<tick_actor, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system, config,
                                                            std::move(on_tick));
}

}  // namespace understudy::internal
