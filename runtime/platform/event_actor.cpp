// See event_actor.hpp.
#include "understudy/runtime/platform/event_actor.hpp"

#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/make_actor.hpp>
#include <caf/sec.hpp>

namespace understudy::internal {
namespace {

using ready_handler = std::function<void(poller_port::io_id, std::uint32_t)>;

class event_actor final : public caf::monitorable_actor {
 public:
  event_actor(caf::actor_config& config, std::function<void()> on_tick, ready_handler on_ready)
      : caf::monitorable_actor(config), on_tick_(std::move(on_tick)), on_ready_(std::move(on_ready)) {}

  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit*) override {
    const auto& content = message->content();
    if (message->mid.is_request()) {
      bounce(message, caf::sec::unexpected_message);
    } else if (content.match_elements<tick_atom, std::uint64_t>()) {
      on_tick_();
    } else if (on_ready_ && content.match_elements<io_atom, std::uint64_t, std::uint32_t>()) {
      on_ready_(content.get_as<std::uint64_t>(1), content.get_as<std::uint32_t>(2));
    }
  }

 private:
  std::function<void()> on_tick_;
  ready_handler on_ready_;
};

}  // namespace

caf::strong_actor_ptr make_event_actor(caf::actor_system& system, std::function<void()> on_tick,
                                       ready_handler on_ready) {
  caf::actor_config config;
  return caf::make_actor<event_actor, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system, config,
                                                             std::move(on_tick), std::move(on_ready));
}

}  // namespace understudy::internal
