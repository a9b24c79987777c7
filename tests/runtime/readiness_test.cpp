// Readiness: one rule, and what it says in every situation of a service.
#include "understudy/runtime/client/readiness.hpp"

#include "understudy/runtime/state_json.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

server_snapshot server_of(const std::string& host, int priority) {
  server_snapshot s;
  s.host = host;
  s.port = 389;
  s.priority = priority;
  return s;
}
/// Nothing has been heard from it.
server_snapshot untried(server_snapshot s) {
  s.untried = true;
  s.serving = true;
  return s;
}
/// Connected, and answering.
server_snapshot well(server_snapshot s) {
  s.pool.now.idle = 2;
  s.pool.opened = 2;
  s.serving = s.priority == 1;
  return s;
}
/// Nothing to do, so nothing is open.
server_snapshot at_rest(server_snapshot s) {
  s.pool.opened = s.pool.closed = 3;
  s.serving = s.priority == 1;
  return s;
}
server_snapshot broken(server_snapshot s, std::string why, breaker_state breaker, server_state state) {
  s.breaker = breaker;
  s.state = state;
  s.last_error = std::move(why);
  s.serving = false;
  return s;
}
server_snapshot refused(server_snapshot s) {
  return broken(std::move(s), "connection refused", breaker_state::open, server_state::down);
}
/// Its connections are open, as nobody has closed them.
server_snapshot hung(server_snapshot s, breaker_state breaker) {
  auto made = broken(well(std::move(s)), "did not answer a probe in time", breaker, server_state::down);
  made.serving = breaker == breaker_state::half_open;
  return made;
}
server_snapshot recovering(server_snapshot s) {
  return broken(well(std::move(s)), "connection refused", breaker_state::half_open, server_state::suspect);
}
server_snapshot suspended(server_snapshot s) {
  return broken(well(std::move(s)), "", breaker_state::suspended, server_state::suspended);
}
server_snapshot suspect(server_snapshot s) {
  s = well(std::move(s));
  s.state = server_state::suspect;
  return s;
}
/// Somebody waits there in vain.
server_snapshot silent(server_snapshot s) {
  s = at_rest(std::move(s));
  s.state = server_state::suspect;
  return s;
}

runtime_snapshot both(server_snapshot (*how)(server_snapshot)) {
  runtime_snapshot all;
  all.servers = {how(server_of("ldap1", 1)), how(server_of("ldap2", 2))};
  return all;
}
runtime_snapshot of(server_snapshot first, server_snapshot second) {
  runtime_snapshot all;
  all.servers = {std::move(first), std::move(second)};
  return all;
}
runtime_snapshot credentials_refused(runtime_snapshot all) {
  all.credentials_refused = true;
  return all;
}

const auto first = server_of("ldap1", 1), second = server_of("ldap2", 2);

}  // namespace

BOOST_AUTO_TEST_CASE(readiness_is_evidence) {
  auto catalog = well(second);
  catalog.global_catalog = true;
  const struct {
    const char* situation;
    runtime_snapshot all;
    bool draining, ready, all_failed;
    std::string said;  ///< why not, or the summary of who is ready
  } rows[] = {
      {"before DNS has answered", {}, false, false, false, "DNS has listed no server yet"},
      {"before start", both(untried), false, false, false, "no server has answered yet"},
      {"the first contact", of(well(first), untried(second)), false, true, false,
       "requests go to ldap1:389; 1 of 2 servers can be used"},
      {"the first contact is the second server's", of(refused(first), well(second)), false, true, false,
       "1 of 2 servers can be used"},
      {"all well", both(well), false, true, false, "requests go to ldap1:389; 2 of 2 servers can be used"},
      {"nothing to do", both(at_rest), false, true, false, "requests go to ldap1:389; 2 of 2 servers can be used"},
      {"all refused", both(refused), false, false, true, "no server can be used"},
      {"all hung, both open", of(hung(first, breaker_state::open), hung(second, breaker_state::open)), false, false,
       true, "no server can be used"},
      {"all hung, one is tried again", of(hung(first, breaker_state::half_open), hung(second, breaker_state::open)),
       false, false, true, "no server can be used"},
      {"all hung, both are tried again",
       of(hung(first, breaker_state::half_open), hung(second, breaker_state::half_open)), false, false, true,
       "no server can be used"},
      {"one answers again", of(recovering(first), refused(second)), false, true, true, "1 of 2 servers can be used"},
      {"a suspicion is not proved yet", of(suspect(first), refused(second)), false, true, false,
       "requests go to ldap1:389; 1 of 2 servers can be used"},
      {"who waits there gets no connection", of(silent(first), refused(second)), false, false, false,
       "no server can be used"},
      {"all suspended", both(suspended), false, false, true, "no server can be used"},
      {"one suspended", of(suspended(first), well(second)), false, true, false, "1 of 2 servers can be used"},
      {"drained", both(well), true, false, false, "draining"},
      {"drained while nothing serves", both(refused), true, false, true, "draining"},
      {"a wrong service password, from the start", credentials_refused(both(untried)), false, false, false,
       "the directory refuses the service's own bind"},
      {"a wrong service password, and nothing is open any more", credentials_refused(both(at_rest)), false, false,
       false, "the directory refuses the service's own bind"},
      {"a wrong service password, and what is bound serves", credentials_refused(both(well)), false, true, false,
       "requests go to ldap1:389; 2 of 2 servers can be used"},
      {"a global catalog takes look-ups alone", of(refused(first), catalog), false, false, false,
       "no server can be used"},
  };
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.situation) {
      const auto found = readiness_of(row.all, row.draining);
      BOOST_TEST(found.ready == row.ready);
      BOOST_TEST(found.all_failed == row.all_failed);
      BOOST_TEST((row.ready ? found.summary : found.why_not) == row.said);
      BOOST_TEST(found.why_not.empty() == row.ready);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_summary_says_of_each_server_why_it_cannot_be_used) {
  BOOST_TEST(readiness_of(of(refused(first), untried(second)), false).summary ==
             "no server can be used (ldap1:389: connection refused; ldap2:389: no answer yet)");
  BOOST_TEST(readiness_of(both(suspended), false).summary ==
             "no server can be used (ldap1:389: suspended by command; ldap2:389: suspended by command)");
}

BOOST_AUTO_TEST_CASE(a_server_is_told_alike_in_lines_and_in_json) {
  const auto check = [](const server_snapshot& server, const std::string& line, const char* state, bool usable,
                        bool serving) {
    const auto all = of(server, refused(second));
    BOOST_TEST(readiness_line(all.servers[0], all) == line);
    const auto json = to_json(all).at("servers").at(0);
    BOOST_TEST(json.at("state") == state);
    BOOST_TEST(json.at("usable") == usable);
    BOOST_TEST(json.at("serving") == serving);
    BOOST_TEST(to_json(all).at("active_priority").is_null() != serving);
  };
  check(untried(first), "[-] ldap1:389: not tried yet, breaker closed", "not tried yet", false, false);
  check(well(first), "[+] ldap1:389: healthy, breaker closed, serving", "healthy", true, true);
  check(refused(first), "[-] ldap1:389: down, breaker open (connection refused)", "down", false, false);
  check(hung(first, breaker_state::half_open),
        "[-] ldap1:389: down, breaker half_open (did not answer a probe in time)", "down", false, false);
  auto degraded = well(first);
  degraded.warning = "the password must be changed";
  check(degraded, "[+] ldap1:389: degraded, breaker closed, serving", "degraded", true, true);
}
