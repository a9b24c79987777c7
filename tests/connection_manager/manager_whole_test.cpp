// The manager with its real children, on virtual time; only the connections are made up: what they would bind with and
// what became of it.
#include "support/virtual_runtime.hpp"
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/actor_registry.hpp>
#include <caf/stateful_actor.hpp>

using namespace understudy;
using namespace understudy::test;
using std::chrono::minutes;

namespace {

using kind = connection_event::kind;

/// What all made-up connections share.
struct directory_world {
  std::string password = "right";
  int binds = 0;   ///< on any server
  int opened = 0;  ///< connections, bound or not
  bool mute_drain = false;
};

struct made_up_state {
  explicit made_up_state(connection_actor::stateful_pointer<made_up_state> owner) : self(owner) {}

  connection_actor::behavior_type start(connection_spec what, directory_world* around) {
    spec = std::move(what);
    world = around;
    be_quiet(*self);
    ++world->opened;
    if (const auto gate = caf::actor_cast<connection_manager_actor>(spec.gate)) {
      self->request(gate, seconds{40}, credential_atom_v, spec.context->id)
          .then([this](const credential& given) { bind(given); },
                [this](caf::error& e) { say(kind::failed, failure_of(e)); });
    }
    return make_behavior();
  }

  void bind(const credential& given) {
    ++world->binds;
    credential_verdict v;
    v.server = spec.context->id;
    v.version = given.version;
    const bool right = given.password.reveal() == world->password;
    v.what = right ? credential_verdict::kind::accepted : credential_verdict::kind::refused;
    if (!right) {
      failure f;
      f.code = errc::authentication_failed;
      f.where = stage::bind;
      f.ldap_code = 49;
      f.server = spec.context->name;
      f.message = "refused";
      v.cause = std::make_shared<const failure>(std::move(f));
    }
    if (const auto gate = caf::actor_cast<connection_manager_actor>(spec.gate)) self->send(gate, credential_atom_v, v);
    say(right ? kind::ready : kind::failed, v.cause);
  }

  void say(kind what, failure_ptr cause) {
    connection_event event{spec.id, what, std::move(cause)};
    if (spec.kind == connection_kind::probe) {
      if (const auto owner = caf::actor_cast<health_monitor_actor>(spec.owner)) self->send(owner, event_atom_v, event);
    } else if (const auto owner = caf::actor_cast<pool_actor>(spec.owner)) {
      self->send(owner, event_atom_v, event);
    }
  }

  connection_actor::behavior_type make_behavior() {
    return {
        [this](perform_atom, const call&) {
          ++spec.gauge->completed;
          auto r = std::make_shared<result>();
          r->server = spec.context->name;
          return r;
        },
        [](perform_atom, lease_id, const call&) { return std::make_shared<result>(); },
        [](stream_atom, lease_id, const call&, std::uint64_t, std::uint32_t) { return std::make_shared<result>(); },
        [](credit_atom, lease_id, std::uint64_t, std::uint32_t) {},
        [](cancel_atom, const cancel_token_ptr&) {},
        [](lease_atom, lease_id) {},
        [this](reset_atom, lease_id) { say(kind::ready, nullptr); },
        [this](drain_atom) {
          if (!world->mute_drain) say(kind::closed, nullptr);
        },
        [this](close_atom) {
          if (!world->mute_drain) say(kind::closed, nullptr);
        },
        [this](removed_atom) { self->quit(); },
        [this](check_atom, time_point) {
          probe_report r;
          r.server = spec.context->id;
          r.ok = true;
          return r;
        },
        [](status_atom) { return connection_snapshot{}; },
        [](io_atom, std::uint64_t, std::uint32_t) {},
        [](tick_atom, std::uint64_t) {},
        [](flush_atom) {},
        [](resolved_atom, std::uint64_t, const resolution&) {},
    };
  }

  connection_actor::stateful_pointer<made_up_state> self;
  connection_spec spec;
  directory_world* world = nullptr;
};

connection_actor::behavior_type made_up(connection_actor::stateful_pointer<made_up_state> self, connection_spec spec,
                                        directory_world* world) {
  return self->state.start(std::move(spec), world);
}

struct whole : virtual_runtime {
  whole() {
    for (int i = 1; i <= 3; ++i) {
      connection_info info;
      info.host = "ldap" + std::to_string(i);
      info.priority = i;
      info.bind_dn = "cn=service";
      info.password_file = "/run/secret";
      all.servers.push_back(info);
    }
    all.pool.preload_connections = true;
  }
  ~whole() {
    caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
    manager = nullptr;
    run();
    BOOST_TEST(poller->timers() == 0U);
  }

  void begin() {
    const auto settings_now = std::make_shared<const settings>(all);
    auto parts = make_manager_parts(settings_now, env, [this](caf::actor_system& sys, connection_spec spec) {
      return sys.spawn(made_up, std::move(spec), &world);
    });
    parts.read_secret = [this](const connection_info&, milliseconds) -> secret_reading {
      return {secret{std::string_view{in_file}}, {}};
    };
    manager = spawn_connection_manager(system, settings_now, env, std::move(parts));
    advance(seconds{1});
  }

  answer<result_ptr> search(duration patience = seconds{3}) {
    call c;
    c.what = std::make_shared<const request>(request{search_request{}, {}});
    c.deadline = now() + patience;
    const auto found = virtual_runtime::start<result_ptr>(manager, perform_atom_v, c);
    advance(patience + milliseconds{100});
    return *found;
  }

  runtime_snapshot status() { return *ask<runtime_snapshot>(manager, status_atom_v).value; }

  settings all;
  std::string in_file = "right";
  directory_world world;
  connection_manager_actor manager;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(right_password_serves_from_the_preferred_server, whole) {
  begin();
  const auto found = search();
  BOOST_REQUIRE(found.ok());
  BOOST_TEST((*found.value)->server == "ldap1:389");
  const auto now = status();
  BOOST_TEST((now.active_priority == std::optional{1}));
  BOOST_TEST(now.servers.size() == 3U);
  BOOST_TEST(!now.credentials_refused);
}

BOOST_FIXTURE_TEST_CASE(wrong_password_of_pools_and_probes_costs_one_bind, whole) {
  in_file = "wrong";
  begin();
  BOOST_TEST(world.binds == 1);
  const auto found = search();
  BOOST_TEST((found.code() == errc::authentication_failed));
  BOOST_TEST(status().credentials_refused);
  advance(minutes{14});
  BOOST_TEST(world.binds == 1);
  advance(minutes{46});
  BOOST_TEST(world.binds <= 5);  // one each credential_retry
  BOOST_TEST(world.binds >= 4);
  in_file = "right";
  advance(seconds{70});
  BOOST_TEST(search().ok());
  BOOST_TEST(!status().credentials_refused);
}

BOOST_FIXTURE_TEST_CASE(drain_of_the_whole_is_clean, whole) {
  begin();
  search();
  const auto done = virtual_runtime::start<bool>(manager, drain_atom_v, now() + seconds{10});
  advance(seconds{11});
  BOOST_REQUIRE(done->ok());
  BOOST_TEST(*done->value);
  BOOST_TEST(system.registry().running() == 0U);
}

BOOST_FIXTURE_TEST_CASE(drain_with_mute_connections_ends_in_time, whole) {
  begin();
  world.mute_drain = true;
  const auto done = virtual_runtime::start<bool>(manager, drain_atom_v, now() + seconds{2});
  advance(seconds{2} + milliseconds{500});
  BOOST_REQUIRE(done->ok());
  BOOST_TEST(!*done->value);
  run();
  BOOST_TEST(system.registry().running() == 0U);
}
