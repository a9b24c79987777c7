// Names are looked up once for all who ask, answered by the deadline, and an old answer is better than none.
#include "understudy/runtime/platform/resolver.hpp"
#include "runtime/hand_timers.hpp"
#include "understudy/runtime/platform/addresses.hpp"

#include <netinet/in.h>
#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

std::vector<socket_address> literals(const std::vector<std::string>& hosts) {
  std::vector<socket_address> result;
  for (auto& host : hosts) result.push_back(*literal_address(host, 0));
  return result;
}

std::vector<std::string> texts(const std::vector<socket_address>& addresses) {
  std::vector<std::string> result;
  for (auto& a : addresses) result.push_back(a.text);
  return result;
}

struct looking_up : test::by_hand {
  std::vector<std::string> known{"192.0.2.1"};  ///< what the next look-up finds; empty: fails
  int look_ups = 0;
  std::map<std::uint64_t, resolution> told;
  caf::actor asker = own(system.spawn([this]() -> caf::behavior {
    return {
        [this](resolved_atom, std::uint64_t number, const resolution& found) {
          BOOST_TEST(!told.count(number));
          told[number] = found;
        },
        [this](resolved_atom, std::uint64_t number, const service_answer& found) { told_services[number] = found; }};
  }));
  std::map<std::uint64_t, service_answer> told_services;
  std::unique_ptr<name_resolver> names = std::make_unique<name_resolver>(
      system, clock, timers, workers,
      [this](const std::string&) -> resolution {
        ++look_ups;
        if (known.empty()) return {{}, std::make_shared<failure>()};
        return {literals(known), nullptr};
      },
      [](const std::string& name) {
        return service_answer{{{"of." + name, 389, 0, 0}}, 60s, {}};
      });

  ~looking_up() {
    workers->hold(false);
    run();
    names.reset();
    BOOST_TEST(timers->timers() == 0U);
  }
  void ask(std::uint64_t number, const std::string& host = "ldap.example.com", std::uint16_t port = 389) {
    names->resolve(host, port, now() + 3s, asker.address(), number);
  }
  std::vector<std::string> answer(std::uint64_t number) {
    BOOST_REQUIRE(told.count(number));
    return texts(told[number].addresses);
  }
};

using list = std::vector<std::string>;

}  // namespace

BOOST_AUTO_TEST_CASE(literal_addresses_are_recognised) {
  BOOST_TEST(literal_address("192.0.2.7", 389)->text == "192.0.2.7:389");
  BOOST_TEST(literal_address("2001:db8::1", 636)->text == "[2001:db8::1]:636");
  BOOST_TEST(literal_address("[2001:db8::1]", 636)->text == "[2001:db8::1]:636");
  BOOST_TEST(literal_address("/run/slapd/ldapi", 0)->text == "/run/slapd/ldapi");
  BOOST_TEST(literal_address("/run/slapd/ldapi", 0)->family == AF_UNIX);
  BOOST_TEST(!literal_address("ldap.example.com", 389));
  BOOST_TEST(!literal_address("", 389));
  BOOST_TEST(!literal_address("/" + std::string(200, 'x'), 0));
}

BOOST_AUTO_TEST_CASE(families_alternate_beginning_with_the_systems_choice) {
  const auto order = interleave(literals({"2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3"}));
  BOOST_TEST(texts(order) == (list{"[2001:db8::1]:0", "192.0.2.1:0", "[2001:db8::2]:0", "192.0.2.2:0", "192.0.2.3:0"}),
             boost::test_tools::per_element());
  BOOST_TEST(texts(with_port(order, 389))[0] == "[2001:db8::1]:389");
  BOOST_TEST(interleave({}).empty());
}

BOOST_FIXTURE_TEST_CASE(a_literal_needs_no_look_up, looking_up) {
  ask(1, "192.0.2.9", 636);
  run();
  BOOST_TEST(answer(1) == list{"192.0.2.9:636"});
  BOOST_TEST(look_ups == 0);
}

BOOST_FIXTURE_TEST_CASE(one_look_up_answers_all_who_wait_each_with_its_port, looking_up) {
  workers->hold(true);
  ask(1);
  ask(2, "ldap.example.com", 636);
  run();
  BOOST_TEST(told.empty());
  workers->hold(false);
  run();
  BOOST_TEST(look_ups == 1);
  BOOST_TEST(answer(1) == list{"192.0.2.1:389"});
  BOOST_TEST(answer(2) == list{"192.0.2.1:636"});
}

BOOST_FIXTURE_TEST_CASE(a_fresh_answer_serves_again_and_an_old_one_is_looked_up_anew, looking_up) {
  ask(1);
  run();
  ask(2);
  run();
  BOOST_TEST(look_ups == 1);
  pass(name_resolver::fresh_for);
  known = {"192.0.2.2", "2001:db8::2"};
  ask(3);
  run();
  BOOST_TEST(look_ups == 2);
  BOOST_TEST(answer(3) == (list{"192.0.2.2:389", "[2001:db8::2]:389"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(the_old_answer_serves_when_a_refresh_fails, looking_up) {
  ask(1);
  run();
  pass(1h);
  known.clear();
  ask(2);
  run();
  BOOST_TEST(look_ups == 2);
  BOOST_TEST(answer(2) == list{"192.0.2.1:389"});
  BOOST_TEST(!told[2].error);
}

BOOST_FIXTURE_TEST_CASE(a_name_that_was_never_found_is_an_error, looking_up) {
  known.clear();
  ask(1);
  run();
  BOOST_TEST(told[1].addresses.empty());
  BOOST_TEST((told[1].error != nullptr));
}

BOOST_FIXTURE_TEST_CASE(a_look_up_that_hangs_is_answered_at_the_deadline, looking_up) {
  workers->hold(true);
  ask(1);
  pass(3s - 1ms);
  BOOST_TEST(told.empty());
  pass(1ms);
  BOOST_REQUIRE(told.count(1));
  BOOST_TEST((told[1].error && told[1].error->code == errc::connection_timeout));
  BOOST_TEST((told[1].error->where == stage::resolve));
  workers->hold(false);
  run();
  ask(2);
  run();
  BOOST_TEST(answer(2) == list{"192.0.2.1:389"});
}

BOOST_FIXTURE_TEST_CASE(the_old_answer_serves_at_the_deadline_when_a_refresh_hangs, looking_up) {
  ask(1);
  run();
  pass(1h);
  workers->hold(true);
  ask(2);
  pass(3s);
  BOOST_TEST(answer(2) == list{"192.0.2.1:389"});
  workers->hold(false);
}

BOOST_FIXTURE_TEST_CASE(busy_workers_are_an_error_at_once_unless_an_answer_is_known, looking_up) {
  workers->refuse(true);
  ask(1);
  run();
  BOOST_TEST((told[1].error && told[1].error->code == errc::local_resources));
  workers->refuse(false);
  ask(2);
  run();
  pass(1h);
  workers->refuse(true);
  ask(3);
  run();
  BOOST_TEST(answer(3) == list{"192.0.2.1:389"});
}

BOOST_AUTO_TEST_CASE(the_system_knows_localhost_and_not_an_invalid_name) {
  const auto local = name_resolver::system_lookup("localhost");
  BOOST_TEST(!local.addresses.empty());
  const auto none = name_resolver::system_lookup("no-such-host.invalid");
  BOOST_TEST(none.addresses.empty());
  BOOST_REQUIRE((none.error != nullptr));
  BOOST_TEST((none.error->where == stage::resolve));
}

BOOST_FIXTURE_TEST_CASE(service_records_are_looked_up_on_a_worker, looking_up) {
  workers->hold(true);
  names->find_services("_ldap._tcp.example.com", asker.address(), 1);
  run();
  BOOST_TEST(told_services.empty());
  workers->hold(false);
  run();
  BOOST_REQUIRE(told_services.count(1));
  BOOST_TEST(told_services[1].records.at(0).target == "of._ldap._tcp.example.com");
  workers->refuse(true);
  names->find_services("_ldap._tcp.example.com", asker.address(), 2);
  run();
  BOOST_TEST(told_services[2].problem == "too many name look-ups wait already");
}
