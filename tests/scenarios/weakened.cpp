// How each mechanism is taken away: by settings, by what connections are made of, or by who stands between actors.
#include "scenarios/weakened.hpp"

#include "understudy/actors/connection_manager/connection_manager_actor.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/default_factories.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/make_actor.hpp>
#include <caf/monitorable_actor.hpp>
#include <caf/send.hpp>

namespace understudy::test {

using namespace internal;
namespace {

class interposed final : public caf::monitorable_actor {
 public:
  interposed(caf::strong_actor_ptr behind, interception take)
      : caf::monitorable_actor(caf::actor_config{}.add_flag(0)), behind_(std::move(behind)), take_(std::move(take)) {}

  void enqueue(caf::mailbox_element_ptr message, caf::execution_unit* where) override {
    if (take_(*message, behind_)) return;
    if (behind_)
      behind_->enqueue(std::move(message), where);
    else
      bounce(message);
  }

 private:
  caf::strong_actor_ptr behind_;
  interception take_;
};

/// The part `Value` of a message (`Atom`, Value); null when it is another message.
template <class Atom, class Value>
Value* part_of(caf::mailbox_element& message) {
  auto& content = message.content();
  const bool fits =
      content.match_elements<caf::atom_value, Value>() && content.get_as<caf::atom_value>(0) == Atom::value;
  return fits ? &content.get_mutable_as<Value>(1) : nullptr;
}

/// Answers a request as if the one it was sent to had.
template <class Value>
void answer_to(const caf::strong_actor_ptr& asker, caf::message_id request, Value answer) {
  if (asker) asker->enqueue(caf::make_mailbox_element(nullptr, request.response_id(), {}, std::move(answer)), nullptr);
}

template <class Handle>
Handle in_front_of(caf::actor_system& system, const Handle& behind, interception take) {
  return caf::actor_cast<Handle>(interpose(system, caf::actor_cast<caf::strong_actor_ptr>(behind), std::move(take)));
}

// ---- what stands in front of actors ----

bool swallow_suspicion(caf::mailbox_element& message, const caf::strong_actor_ptr&) {
  return part_of<suspect_atom, server_id>(message) != nullptr;
}

bool strip_generation(caf::mailbox_element& message, const caf::strong_actor_ptr&) {
  if (auto* report = part_of<report_atom, outcome_report>(message)) report->generation = 0;
  return false;
}

bool strip_deadline(caf::mailbox_element& message, const caf::strong_actor_ptr&) {
  constexpr std::chrono::hours endless{24};
  if (auto* order = part_of<perform_atom, call>(message)) order->deadline += endless;
  if (auto* wish = part_of<lease_atom, lease_request>(message)) wish->deadline += endless;
  return false;
}

/// Asks for the lease in the name of an actor that lives as long as the test.
interception borrow_for_others(caf::actor_system& system, const std::shared_ptr<prop_room>& props) {
  return [&system, weak = std::weak_ptr(props)](caf::mailbox_element& message, const caf::strong_actor_ptr& behind) {
    auto* wish = part_of<lease_atom, lease_request>(message);
    const auto room = weak.lock();
    if (wish == nullptr || !room) return false;
    auto clerk = [asker = message.sender, id = message.mid, pool = caf::actor_cast<pool_actor>(behind),
                  wish = *wish](caf::event_based_actor* self) -> caf::behavior {
      self->request(pool, caf::infinite, lease_atom_v, wish)
          .then([=](const lease_grant& grant) { answer_to(asker, id, grant); },
                [=](caf::error& why) { answer_to(asker, id, why); });
      return {[](int) {}};
    };
    room->keep(caf::actor_cast<caf::strong_actor_ptr>(system.spawn(clerk)));
    return true;
  };
}

/// Gives the password to whoever asks and hears no verdict.
interception give_to_everybody(const connection_info& server) {
  return [server](caf::mailbox_element& message, const caf::strong_actor_ptr&) {
    if (part_of<credential_atom, server_id>(message) != nullptr)
      answer_to(message.sender, message.mid, credential{server.bind_dn, server.password, 1});
    return true;
  };
}

// ---- what connections are made of ----

connection_spec with_context(connection_spec spec, const std::function<void(server_context&)>& change) {
  auto context = std::make_shared<server_context>(*spec.context);
  change(*context);
  spec.context = std::move(context);
  return spec;
}

void repeat_everything(server_context& context) {
  auto env = std::make_shared<environment>(*context.env);
  env->may_repeat = [](const any_operation&) { return true; };
  context.env = std::move(env);
}

connection_factory connections_without(without missing, const std::shared_ptr<prop_room>& props) {
  const auto make = default_connections();
  switch (missing) {
    case without::redispatch:
      return [make](caf::actor_system& system, connection_spec spec) {
        return make(system, with_context(std::move(spec), [](server_context& c) { c.server.max_retries = 0; }));
      };
    case without::safe_to_repeat:
      return [make](caf::actor_system& system, connection_spec spec) {
        return make(system, with_context(std::move(spec), repeat_everything));
      };
    case without::bind_lockout_guard:
      return [make, props](caf::actor_system& system, connection_spec spec) {
        auto gate = interpose(system, nullptr, give_to_everybody(spec.context->server));
        spec.manager = caf::actor_cast<caf::actor_addr>(gate);
        props->keep(std::move(gate));
        return make(system, std::move(spec));
      };
    default:
      return make;
  }
}

// ---- what the manager starts ----

manager_factory manager_without(without missing, const std::shared_ptr<prop_room>& props) {
  return [=](caf::actor_system& system, settings_ptr all, environment_ptr env, connection_factory connections) {
    auto parts = make_manager_dependencies(all, env, std::move(connections));
    const auto front_breaker = [&](interception take) {
      parts.breaker = [make = parts.breaker, take](caf::actor_system& s) { return in_front_of(s, make(s), take); };
    };
    const auto front_pools = [&](interception take) {
      parts.pool = [make = parts.pool, take](caf::actor_system& s, server_context_ptr context,
                                             const caf::actor_addr& breaker, const caf::actor_addr& gate) {
        return in_front_of(s, make(s, std::move(context), breaker, gate), take);
      };
    };
    if (missing == without::suspicion) front_breaker(swallow_suspicion);
    if (missing == without::generation_numbers) front_breaker(strip_generation);
    if (missing == without::waiters_deadlines) front_pools(strip_deadline);
    if (missing == without::lease_monitor) front_pools(borrow_for_others(system, props));
    return spawn_connection_manager(system, std::move(all), std::move(env), std::move(parts));
  };
}

settings_ptr settings_without(without missing, settings all) {
  if (missing == without::damping) {
    all.failover.hold_down = duration::zero();
    all.breaker.open_cap = all.breaker.open_base;
  }
  if (missing == without::make_before_break)
    for (auto& server : all.servers) server.max_pool_size = server.pool_size;
  return std::make_shared<const settings>(std::move(all));
}

}  // namespace

caf::strong_actor_ptr interpose(caf::actor_system& system, caf::strong_actor_ptr behind, interception take) {
  auto front = caf::make_actor<interposed, caf::strong_actor_ptr>(system.next_actor_id(), system.node(), &system,
                                                                  behind, std::move(take));
  if (behind)
    behind->get()->attach_functor([weak = caf::actor_cast<caf::weak_actor_ptr>(front)](const caf::error& reason) {
      if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(weak))
        static_cast<interposed*>(alive->get())->cleanup(caf::error{reason}, nullptr);
    });
  return front;
}

prop_room::~prop_room() {
  for (const auto& actor : actors_) caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::kill);
}

void prop_room::keep(caf::strong_actor_ptr actor) {
  const std::lock_guard lock(guard_);
  actors_.push_back(std::move(actor));
}

weakened_directory::weakened_directory(settings all, without missing) {
  runtime_options options;
  options.connections = connections_without(missing, props_);
  options.manager = manager_without(missing, props_);
  stage_ = std::make_unique<runtime>(settings_without(missing, std::move(all)), std::move(options));
}

weakened_directory::~weakened_directory() {
  props_.reset();
  stage_.reset();
}

outcome weakened_directory::perform(request_ptr request, const call_options& options) {
  return stage_->client().perform(std::move(request), options);
}

void weakened_directory::start(request_ptr request, completion done, const call_options& options, executor where) {
  stage_->client().start(std::move(request), std::move(done), options, std::move(where));
}

server_snapshot weakened_directory::server(server_id id) const {
  auto now = stage_->snapshot(seconds{20});
  if (!now) throw std::runtime_error("no snapshot: " + describe(*now.error));
  return now.value->servers.at(id);
}

}  // namespace understudy::test
