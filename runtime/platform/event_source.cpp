// Messages of poller and resolver as calls: see event_source.hpp.
#include "understudy/runtime/platform/event_source.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_config.hpp>
#include <caf/actor_system.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/sec.hpp>

namespace understudy::internal {
namespace {

class event_actor final : public caf::monitorable_actor {
 public:
  event_actor(caf::actor_config& config, event_handlers handlers)
      : caf::monitorable_actor(config), on_(std::move(handlers)) {}

  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit*) override {
    const auto& content = message->content();
    if (message->mid.is_request())
      bounce(message, caf::sec::unexpected_message);
    else if (on_.on_tick && content.match_elements<tick_atom, std::uint64_t>())
      on_.on_tick();
    else if (on_.on_ready && content.match_elements<io_atom, std::uint64_t, std::uint32_t>())
      on_.on_ready(content.get_as<std::uint64_t>(1), content.get_as<std::uint32_t>(2));
    else if (on_.on_resolved && content.match_elements<resolved_atom, std::uint64_t, resolution>())
      on_.on_resolved(content.get_as<std::uint64_t>(1), content.get_as<resolution>(2));
  }

 private:
  event_handlers on_;
};

}  // namespace

void event_source::start(caf::actor_system& system, std::shared_ptr<poller_port> poller, event_handlers handlers) {
  caf::actor_config config;
  actor_ = caf::make_actor<event_actor, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system, config,
                                                               std::move(handlers));
  timer_.emplace(std::move(poller), address());
}

void event_source::stop() noexcept {
  timer_.reset();
  actor_ = nullptr;
}

caf::actor_addr event_source::address() const { return caf::actor_cast<caf::actor_addr>(actor_); }

}  // namespace understudy::internal
