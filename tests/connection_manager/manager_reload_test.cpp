// Other settings for a running manager, on virtual time: who is started, told, drained, and what nobody is told.
#include "manager_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

struct reloading : manager_fixture {
  reloading() { start(); }
  ~reloading() {
    if (breaker_kept) breaker_kept = nullptr;
  }

  answer<reload_report> reload(start_token_ptr token = nullptr) {
    return ask<reload_report>(manager, reload_atom_v, settings_ptr{std::make_shared<const settings>(all)},
                              std::move(token));
  }
  reload_report reloaded() {
    auto done = reload();
    BOOST_REQUIRE(done.ok());
    return *done.value;
  }
  connection_info another(std::string host, int priority = 1) {
    auto info = all.servers.front();
    info.host = std::move(host);
    info.priority = priority;
    return info;
  }
  std::vector<server_id> routed() const {
    std::vector<server_id> ids;
    for (const auto& s : children.breaker.table) ids.push_back(s.context->id);
    return ids;
  }
  static std::size_t told(const script& s, std::string_view message) {
    return static_cast<std::size_t>(std::count(s.told.begin(), s.told.end(), message));
  }

  circuit_breaker_actor breaker_kept;
};

using ids = std::vector<server_id>;
using names = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_new_server_gets_a_new_number_and_nobody_is_restarted, reloading) {
  const auto kept = children.running[0];
  all.servers.insert(all.servers.begin(), another("ldap0", 5));
  const auto report = reloaded();
  BOOST_TEST(report.added == names{"ldap0:389"}, boost::test_tools::per_element());
  BOOST_TEST(report.removed.empty());
  BOOST_TEST(report.changed.empty());
  BOOST_TEST(routed() == (ids{2, 0, 1}), boost::test_tools::per_element());
  BOOST_TEST(children.pools[2].started == 1);
  BOOST_TEST(children.pools[0].started == 1);
  BOOST_TEST(children.breaker.started == 1);
  BOOST_TEST(children.monitor.started == 1);
  BOOST_TEST((children.breaker.table[1].pool == kept));
  BOOST_TEST(told(children.monitor, "servers 3") == 1U);
  BOOST_TEST(*ask<std::uint32_t>(manager, cleanup_atom_v, server_id{2}).value == 22U);
  BOOST_TEST(*ask<std::uint32_t>(manager, cleanup_atom_v, server_id{0}).value == 20U);
}

BOOST_FIXTURE_TEST_CASE(a_removed_server_is_drained_and_then_ended, reloading) {
  children.pools[0].drain = script::drain_mode::mute;
  const auto old = children.running[0].address();
  all.servers.erase(all.servers.begin());
  BOOST_TEST(reloaded().removed == names{"ldap1:389"}, boost::test_tools::per_element());
  BOOST_TEST(routed() == ids{1}, boost::test_tools::per_element());
  BOOST_TEST(told(children.pools[0], "removed") == 1U);
  BOOST_TEST(ask<runtime_snapshot>(manager, status_atom_v).value->servers.size() == 1U);
  // Who still holds a connection of it can give it back.
  BOOST_TEST(*ask<bool>(manager, release_atom_v, server_id{0}, lease_id{7}).value);
  tell(children.running[0], load_atom_v, connection_id{0});
  children.running.erase(0);
  run();
  children.pools[0].drains.clear();
  run();
  BOOST_TEST(log->contains("a server that was taken out is drained server=ldap1:389"));
  BOOST_TEST((caf::actor_cast<caf::strong_actor_ptr>(old) == nullptr));
  BOOST_TEST((ask<bool>(manager, release_atom_v, server_id{0}, lease_id{7}).code() == errc::invalid_lease));
}

BOOST_FIXTURE_TEST_CASE(a_removed_server_that_does_not_finish_is_cut_off, reloading) {
  children.pools[0].drain = script::drain_mode::mute;
  all.limits.drain_timeout = seconds{3};
  all.servers.erase(all.servers.begin());
  reloaded();
  advance(seconds{3});
  BOOST_TEST(!log->contains("cut off"));
  advance(seconds{1});
  BOOST_TEST(log->contains("a server that was taken out was cut off"));
  BOOST_TEST((ask<bool>(manager, release_atom_v, server_id{0}, lease_id{7}).code() == errc::invalid_lease));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_comes_back_is_another_one, reloading) {
  const auto before = all;
  all.servers.pop_back();
  reloaded();
  all = before;
  reloaded();
  BOOST_TEST(routed() == (ids{0, 2}), boost::test_tools::per_element());
  BOOST_TEST(children.pools[2].started == 1);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_changed_when_who_asked_has_given_up, reloading) {
  const auto token = std::make_shared<start_token>();
  BOOST_TEST(token->give_up());
  all.servers.pop_back();
  BOOST_TEST((reload(token).code() == errc::cancelled));
  BOOST_TEST(routed() == (ids{0, 1}), boost::test_tools::per_element());
  BOOST_TEST(told(children.monitor, "servers 1") == 0U);
}

BOOST_FIXTURE_TEST_CASE(nobody_gives_up_what_has_begun, reloading) {
  const auto token = std::make_shared<start_token>();
  all.servers.pop_back();
  BOOST_TEST(reload(token).ok());
  BOOST_TEST(!token->give_up());
  BOOST_TEST(routed() == ids{0}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_changed_server_keeps_its_pool_and_is_told, reloading) {
  all.servers[1].priority = 9;
  all.servers[1].role = server_role::read_only;
  all.pool.max_connections = 77;
  const auto report = reloaded();
  BOOST_TEST(report.changed == names{"ldap2:389"}, boost::test_tools::per_element());
  BOOST_TEST(children.pools[1].started == 1);
  BOOST_REQUIRE((children.pools[1].context != nullptr));
  BOOST_TEST(children.pools[1].context->server.priority == 9);
  BOOST_TEST(children.pools[0].context->all->pool.max_connections == 77);
  BOOST_TEST(children.breaker.table[1].context->server.priority == 9);
  BOOST_TEST((children.breaker.table[1].context->server.role == server_role::read_only));
}

BOOST_FIXTURE_TEST_CASE(options_that_take_a_restart_keep_their_value_and_are_named, reloading) {
  all.limits.max_requests = 5;
  all.limits.drain_timeout = seconds{1};
  all.log.file = "/elsewhere";
  const auto report = reloaded();
  BOOST_TEST(report.needs_restart == (names{"limits.max_requests", "log.file"}), boost::test_tools::per_element());
  BOOST_TEST(children.pools[0].context->all->limits.max_requests == limit_settings{}.max_requests);
  BOOST_TEST((children.pools[0].context->all->limits.drain_timeout == seconds{1}));
  BOOST_TEST(log->contains("needs_restart=limits.max_requests, log.file"));
}

BOOST_FIXTURE_TEST_CASE(credentials_follow_the_servers, reloading) {
  BOOST_TEST((*ask<credential>(manager, credential_atom_v, server_id{1}).value).password.reveal() == "hunter2");
  tell(manager, credential_atom_v, credential_verdict{1, 1, credential_verdict::kind::unknown, nullptr});
  all.servers.erase(all.servers.begin());
  all.servers[0].password = secret{"rotated"};
  all.servers.push_back(another("ldap3"));
  all.servers[1].password = secret{"third"};
  reloaded();
  BOOST_TEST((*ask<credential>(manager, credential_atom_v, server_id{1}).value).password.reveal() == "rotated");
  BOOST_TEST((*ask<credential>(manager, credential_atom_v, server_id{2}).value).password.reveal() == "third");
}

BOOST_FIXTURE_TEST_CASE(a_breaker_that_ends_after_a_reload_finds_the_numbers_as_they_are, reloading) {
  all.servers.erase(all.servers.begin());
  all.servers.push_back(another("ldap3"));
  reloaded();
  breaker_kept = *ask<circuit_breaker_actor>(manager, router_atom_v).value;
  crash(breaker_kept);
  BOOST_TEST(children.breaker.started == 2);
  BOOST_TEST(routed() == (ids{1, 2}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_draining_manager_takes_no_other_settings, reloading) {
  children.pools[0].drain = script::drain_mode::mute;
  const auto done = virtual_runtime::start<bool>(manager, drain_atom_v, now() + seconds{5});
  run();
  BOOST_TEST((reload().code() == errc::draining));
  tell(children.running[0], load_atom_v, connection_id{0});
  BOOST_TEST(done->ok());
}

BOOST_FIXTURE_TEST_CASE(a_stop_waits_for_servers_that_are_leaving_too, reloading) {
  children.pools[0].drain = script::drain_mode::mute;
  all.servers.erase(all.servers.begin());
  reloaded();
  const auto done = virtual_runtime::start<bool>(manager, drain_atom_v, now() + seconds{5});
  run();
  BOOST_TEST(!done->done());
  for (connection_id i = 0; i < children.pools[0].drains.size(); ++i)
    caf::anon_send(children.running[0], load_atom_v, i);
  run();
  BOOST_REQUIRE(done->ok());
  BOOST_TEST(*done->value);
}

BOOST_FIXTURE_TEST_CASE(a_leaving_pool_that_ends_is_no_defect, reloading) {
  children.pools[0].drain = script::drain_mode::mute;
  all.servers.erase(all.servers.begin());
  reloaded();
  crash(children.running[0]);
  BOOST_TEST(children.pools[0].started == 1);
  BOOST_TEST(!log->contains("a pool ended and is replaced"));
  BOOST_TEST(log->contains("was cut off"));
}
