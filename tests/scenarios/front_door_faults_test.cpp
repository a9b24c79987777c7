// Scenarios 1, 2, 3, 7, 8, 10, 20, 27 as LDAP clients of a front door see them, which know one URL and nothing else.
#include "scenarios/front_door_clients.hpp"
#include "support/port_of.hpp"
#include "support/raw_client.hpp"
#include "understudy/runtime/client/client.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

// As programs of OpenLDAP end with them; 49 would send a user away who did nothing wrong.
constexpr int time_limit_exceeded = 3, busy = 51, unavailable = 52, other = 80;

settings settings_for(std::uint16_t preferred, std::uint16_t second) {
  return with_front_door(quick_settings({server_at(preferred, 1), server_at(second, 2)}));
}

server_snapshot seen(served_clients& door, std::uint16_t port) { return server_in(door.get().snapshot(), port); }

std::vector<std::string> search_for_a_user() { return {"ldapsearch", "-LLL", "-b", directory_suffix, "(uid=user1)"}; }

program_result change_description(const served_clients& door) {
  return door.run({"ldapmodify"}, admin_dn, admin_password,
                  "dn: " + user_dn(1) + "\nchangetype: modify\nreplace: description\ndescription: once\n\n");
}

/// `break_it` while clients ask, `mend_it` afterwards: not one of them is told of it.
void check_no_read_fails(slapd& a, slapd& b, const std::function<void()>& break_it,
                         const std::function<void()>& mend_it) {
  served_clients door(settings_for(a.port(), b.port()));
  asking_clients clients(door.uri());
  BOOST_TEST_REQUIRE(clients.go_on(), clients.failures_text());
  break_it();
  BOOST_TEST(eventually([&] { return seen(door, a.port()).breaker != breaker_state::closed; }));
  BOOST_TEST(clients.go_on(), clients.failures_text());
  mend_it();
  BOOST_TEST(clients.go_on(), clients.failures_text());
  BOOST_TEST(clients.stop());
  BOOST_TEST(clients.failures().empty(), clients.failures_text());
  BOOST_TEST(door.all_gone());
  end_scenario(door.get(), {a, b});
}

}  // namespace

// Until one bind of the service was answered it is not known who may come in as the service. Another server answers it.
BOOST_AUTO_TEST_CASE(scenario_01_through_the_front_door_a_server_that_hangs_before_start_refuses_nobody) {
  leak_guard leaks;
  slapd a, b;
  a.pause();
  {
    served_clients door(settings_for(a.port(), b.port()), false);
    for (const bool right : {true, false, true}) {
      const auto came = door.run({"ldapwhoami"}, admin_dn, right ? admin_password : "wrong");
      BOOST_TEST(came.status == (right ? 0 : 49), came.error_output);
    }
    a.resume();
    BOOST_TEST(door.all_gone());
    end_scenario(door.get(), {a, b});
  }
}

BOOST_AUTO_TEST_CASE(scenario_01_through_the_front_door_a_paused_server_fails_no_read) {
  leak_guard leaks;
  slapd a, b;
  check_no_read_fails(
      a, b, [&] { a.pause(); }, [&] { a.resume(); });
}

BOOST_AUTO_TEST_CASE(scenario_01_through_the_front_door_a_write_caught_by_a_pause_is_unknown_at_its_deadline) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = settings_for(a.port(), b.port());
  probe_nobody(all);
  all.limits.operation_timeout = 2s;
  served_clients door(all);
  a.disturb(operation::modify, {.silent = true});
  const auto told = change_description(door);
  BOOST_TEST(told.status == other, told.error_output);
  BOOST_TEST(a.count(operation::modify) == 1u);
  BOOST_TEST(b.count(operation::modify) == 0u);
  a.forget_rules();
  BOOST_TEST(change_description(door).status == 0);
  end_scenario(door.get(), {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_02_through_the_front_door_a_killed_server_fails_no_read) {
  leak_guard leaks;
  slapd a, b;
  check_no_read_fails(
      a, b, [&] { a.kill9(); }, [&] { a.start(); });
}

BOOST_AUTO_TEST_CASE(scenario_02_through_the_front_door_a_who_am_i_cut_off_is_asked_of_another_one) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = settings_for(a.port(), b.port());
  all.servers.back().role = server_role::read_only;
  served_clients door(all);
  a.disturb(operation::whoami, {.silent = true, .then = ending::reset});
  const auto told = door.run({"ldapwhoami"});
  BOOST_TEST(told.status == 0, told.error_output);
  BOOST_TEST(told.output == std::string{"dn:"} + admin_dn + "\n");
  BOOST_TEST(b.count(operation::whoami) == 1u);
  a.forget_rules();
  end_scenario(door.get(), {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_02_through_the_front_door_a_write_cut_off_is_unknown_and_not_sent_twice) {
  leak_guard leaks;
  stub_directory a, b;
  served_clients door(settings_for(a.port(), b.port()));
  a.disturb(operation::modify, {.silent = true, .then = ending::reset});
  const auto told = change_description(door);
  BOOST_TEST(told.status == other, told.error_output);
  BOOST_TEST(a.count(operation::modify) + b.count(operation::modify) == 1u);
  a.forget_rules();
  end_scenario(door.get(), {a, b});
}

BOOST_AUTO_TEST_CASE(without_the_front_door_clients_are_told_that_their_server_was_killed) {
  leak_guard leaks;
  slapd a;
  asking_clients clients(a.url());
  BOOST_TEST_REQUIRE(clients.go_on(), clients.failures_text());
  BOOST_TEST(clients.failures().empty(), clients.failures_text());
  a.kill9();
  BOOST_TEST(eventually([&] { return !clients.failures().empty(); }));
  a.start();
  BOOST_TEST(clients.go_on(), clients.failures_text());
  BOOST_TEST(clients.stop());
}

BOOST_AUTO_TEST_CASE(scenario_03_through_the_front_door_a_server_stopped_politely_fails_no_read) {
  leak_guard leaks;
  slapd a, b;
  check_no_read_fails(
      a, b, [&] { a.stop(); }, [&] { a.start(); });
}

BOOST_AUTO_TEST_CASE(scenario_07_through_the_front_door_a_server_that_answers_no_bind_fails_no_read) {
  leak_guard leaks;
  stub_directory a, b;
  a.disturb(operation::bind, {.silent = true});
  auto all = settings_for(a.port(), b.port());
  all.servers.front().timeout = 700ms;
  served_clients door(all);
  for (int i = 0; i < 5; ++i) {
    const auto found = door.run(search_for_a_user());
    BOOST_TEST(found.status == 0, found.error_output);
    BOOST_TEST(found.output.find("dn: uid=user1") != std::string::npos, found.output);
  }
  // A user's bind is sent to who can be reached.
  BOOST_TEST(door.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0);
  a.forget_rules();
  end_scenario(door.get(), {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_07_through_the_front_door_tls_that_does_not_begin_or_end_fails_no_read) {
  leak_guard leaks;
  certificate_set certificates;
  for (const bool ldaps : {false, true}) {
    stub_directory a(stub_with_tls(certificates, ldaps)), b;
    if (ldaps)
      a.set_handshake(handshake::ignore);
    else
      a.disturb(operation::start_tls, {.silent = true});
    auto all = settings_for(a.port(), b.port());
    auto& first = all.servers.front();
    first.timeout = 700ms;
    first.use_ssl = ldaps;
    first.use_tls = !ldaps;
    first.ca_cert_path = certificates.ca.certificate();
    served_clients door(all);
    for (int i = 0; i < 5; ++i) {
      const auto found = door.run(search_for_a_user());
      BOOST_TEST(found.status == 0, found.error_output);
    }
    a.forget_rules();
    a.set_handshake(handshake::complete);
    end_scenario(door.get(), {a, b});
  }
}

BOOST_AUTO_TEST_CASE(scenario_07_through_the_front_door_a_users_bind_without_an_answer_is_no_refusal) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = settings_for(a.port(), b.port());
  all.limits.operation_timeout = 2s;
  served_clients door(all);
  const auto unanswered = [](const directory_request& r) { return r.kind == operation::bind && r.dn == user_dn(1); };
  a.when(unanswered, [](const directory_request&) { return reply{{}, {.silent = true}}; });
  const auto told = door.run({"ldapwhoami"}, user_dn(1), user_password(1));
  BOOST_TEST((told.status == other || told.status == busy), told.status << ": " << told.error_output);
  const auto binds = a.binds();
  const auto sent =
      std::count_if(binds.begin(), binds.end(), [](const bind_note& seen_bind) { return seen_bind.dn == user_dn(1); });
  BOOST_TEST(sent == 1);
  // Nobody else waits for it.
  BOOST_TEST(door.run(search_for_a_user()).status == 0);
  a.forget_rules();
  BOOST_TEST(eventually([&] { return door.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0; }));
  end_scenario(door.get(), {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_08_through_the_front_door_a_server_that_is_busy_fails_no_read) {
  leak_guard leaks;
  stub_directory a, b;
  auto all = settings_for(a.port(), b.port());
  stay_open_until_put_back(all);
  all.servers[0].max_pool_size = all.servers[0].pool_size;  // it grows for nobody
  served_clients door(all);
  BOOST_TEST_REQUIRE(eventually([&] { return seen(door, a.port()).pool.now.idle >= 2u; }));
  const auto connections = a.connections();
  a.on(operation::search, reply{{.code = result_code::busy}, {}});
  for (int i = 0; i < 8; ++i) {
    const auto found = door.run(search_for_a_user());
    BOOST_TEST(found.status == 0, found.error_output);
  }
  BOOST_TEST(seen(door, a.port()).breaker_opened == 1u);
  BOOST_TEST(a.connections() == connections);
  a.forget_rules();
  auto& client = door.get().get().client();
  const auto& manager = door.get().get().manager();
  BOOST_TEST_REQUIRE(static_cast<bool>(client.ask<bool>(manager, patience, suspend_atom_v, server_id{0}, 0u)));
  BOOST_TEST_REQUIRE(static_cast<bool>(client.ask<bool>(manager, patience, resume_atom_v, server_id{0})));
  end_scenario(door.get(), {a, b});
}

BOOST_AUTO_TEST_CASE(scenario_10_through_the_front_door_all_servers_down_is_said_at_once_and_ends_by_itself) {
  leak_guard leaks;
  stub_directory a, b, c;
  auto all = with_front_door(quick_settings({server_at(a.port(), 1), server_at(b.port(), 1), server_at(c.port(), 2)}));
  // Who is told only at the deadline is not told within the test's patience.
  all.limits.operation_timeout = 10min;
  all.recovery.auto_recovery = false;
  all.recovery.reconnect_attempts = 0;
  served_clients door(all);
  a.stop();
  b.stop();
  BOOST_TEST(door.run(search_for_a_user()).status == 0);
  c.stop();
  BOOST_TEST(eventually([&] { return door.run(search_for_a_user()).status == unavailable; }));
  for (int i = 0; i < 5; ++i) {
    BOOST_TEST(door.run(search_for_a_user()).status == unavailable);
    BOOST_TEST(change_description(door).status == unavailable);
    BOOST_TEST(door.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == unavailable);
  }
  // The service's password is known here, and refused here, whatever the directory does.
  BOOST_TEST(door.run(search_for_a_user(), admin_dn, "wrong").status == 49);
  c.start();
  BOOST_TEST(eventually([&] { return door.run(search_for_a_user()).status == 0; }));
  b.start();
  a.start();
  for (auto* other_one : {&a, &b})
    BOOST_TEST(eventually([&] { return seen(door, other_one->port()).breaker == breaker_state::closed; }));
  BOOST_TEST(door.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0);
  for (const auto& problem : stop_problems(door.get(), {a, b, c})) BOOST_ERROR(problem);
}

BOOST_AUTO_TEST_CASE(scenario_20_through_the_front_door_who_finds_the_queue_full_is_told_busy_at_once) {
  leak_guard leaks;
  stub_directory a;
  auto server = server_at(a.port());
  server.pool_size = 2;
  server.max_pool_size = 4;
  auto all = with_front_door(quick_settings({server}));
  probe_nobody(all);
  all.pool.max_in_flight = 1;
  all.pool.max_waiters = 2;
  all.limits.operation_timeout = 10min;
  served_clients door(all);
  BOOST_TEST_REQUIRE(eventually([&] { return seen(door, a.port()).pool.now.idle >= 2u; }));
  a.pause();
  // New ones are made until somebody waits whom none of them can serve.
  std::list<child_process> waiting;
  BOOST_TEST_REQUIRE(eventually([&] {
    if (waiting.size() < 12) waiting.emplace_back(door.command(search_for_a_user()));
    return seen(door, a.port()).pool.now.waiters == 2u;
  }));
  const auto told = door.run(search_for_a_user());
  BOOST_TEST(told.status == busy, told.error_output);
  a.resume();
  // The first ones are served; those that came when two were waiting were told.
  std::size_t served = 0;
  for (auto& client : waiting) {
    const auto status = client.wait();
    BOOST_TEST((status == 0 || status == busy), status.value_or(-1) << ": " << client.error_output());
    served += status == 0 ? 1 : 0;
  }
  BOOST_TEST(served >= 4u);
  end_scenario(door.get(), {a});
}

BOOST_AUTO_TEST_CASE(scenario_20_through_the_front_door_who_waits_is_told_at_the_deadline) {
  leak_guard leaks;
  stub_directory a;
  auto server = server_at(a.port());
  server.pool_size = 1;
  server.max_pool_size = 3;
  auto all = with_front_door(quick_settings({server}));
  probe_nobody(all);
  all.pool.max_in_flight = 1;
  all.limits.operation_timeout = 1s;
  served_clients door(all);
  a.pause();
  std::list<child_process> waiting;
  for (int i = 0; i < 8; ++i) waiting.emplace_back(door.command(search_for_a_user()));
  for (auto& client : waiting) {
    const auto status = client.wait();
    BOOST_TEST((status == time_limit_exceeded || status == busy), status.value_or(-1) << ": " << client.error_output());
  }
  a.resume();
  BOOST_TEST(eventually([&] { return door.run(search_for_a_user()).status == 0; }));
  end_scenario(door.get(), {a});
}

BOOST_AUTO_TEST_CASE(scenario_27_through_the_front_door_a_stop_with_mute_servers_tells_everybody) {
  leak_guard leaks;
  stub_directory a;
  auto all = with_front_door(quick_settings({server_at(a.port())}));
  probe_nobody(all);
  all.limits.operation_timeout = 10min;
  served_clients door(all);
  const auto is_asked = [](const directory_request& r) { return r.filter == "(uid=user1)" || r.dn == user_dn(1); };
  a.when(is_asked, [](const directory_request&) { return reply{{}, {.silent = true}}; });
  std::list<child_process> waiting;
  for (int i = 0; i < 4; ++i) waiting.emplace_back(door.command(search_for_a_user()));
  waiting.emplace_back(door.command({"ldapwhoami"}, user_dn(1), user_password(1)));
  const auto address = door.uri();
  raw_client idle(port_of(address));
  idle.send(bind_message(1, admin_dn, admin_password));
  BOOST_TEST(decode_answer(idle.read_message()).code == 0);
  // All have been asked for what they want: who comes later is refused.
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto sent = a.requests();
    return std::count_if(sent.begin(), sent.end(), is_asked) == 5;
  }));
  door.get().get().stop(1s);
  for (auto& client : waiting) {
    const auto status = client.wait();
    BOOST_TEST_REQUIRE(status.has_value(), "it hangs: " << client.error_output());
    BOOST_TEST((*status == unavailable || *status == other), *status << ": " << client.error_output());
  }
  const auto goodbye = decode_answer(idle.read_message());
  BOOST_TEST(goodbye.id == 0);
  BOOST_TEST(goodbye.code == unavailable);
  BOOST_TEST(idle.read_message().empty());
  BOOST_TEST(eventually([&] { return a.open_connections() == 0; }));
}
