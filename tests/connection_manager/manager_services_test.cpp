// Servers that DNS lists, in a manager on virtual time: the first answer, changes, failures, what requests are told.
#include "manager_fixture.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using std::chrono::hours;

namespace {

constexpr const char* service = "_ldap._tcp.example.com";

service_answer listing(std::vector<service_record> records) { return {std::move(records), seconds{60}, {}}; }

struct discovering : manager_fixture {
  discovering() : manager_fixture(1) {
    all.servers[0].host.clear();
    all.servers[0].srv = service;
  }
  /// The names of the servers that the breaker knows, with their numbers.
  std::vector<std::string> routed() const {
    std::vector<std::string> found;
    for (const auto& s : children.breaker.table) found.push_back(std::to_string(s.context->id) + " " + s.context->name);
    return found;
  }
  void reload() {
    const settings_ptr next = std::make_shared<const settings>(all);
    BOOST_TEST(ask<reload_report>(manager, reload_atom_v, next, start_token_ptr{}).ok());
  }
};

using names = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_CASE(records_become_servers, discovering) {
  resolver->set_services(service, listing({{"b.example.com.", 1389, 20, 1}, {"a.example.com.", 389, 10, 7}}));
  start();
  BOOST_TEST(routed() == (names{"0 a.example.com:389", "1 b.example.com:1389"}), boost::test_tools::per_element());
  BOOST_TEST(children.breaker.table[0].context->server.weight == 7);
  BOOST_TEST(children.breaker.table[0].context->server.bind_dn == "cn=service");
  BOOST_TEST((*ask<credential>(manager, credential_atom_v, server_id{1}).value).password.reveal() == "hunter2");
}

BOOST_FIXTURE_TEST_CASE(the_first_question_for_the_router_waits_for_the_first_answer, discovering) {
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  resolver->hold(true);
  start();
  const auto router = virtual_runtime::start<circuit_breaker_actor>(manager, router_atom_v);
  advance(seconds{4});
  BOOST_TEST(!router->done());
  resolver->release();
  run();
  BOOST_REQUIRE(router->ok());
  BOOST_TEST(routed().size() == 1U);
  router->value.reset();
}

BOOST_FIXTURE_TEST_CASE(a_name_server_that_hangs_keeps_nobody_waiting_for_long, discovering) {
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  resolver->hold(true);
  start();
  const auto router = virtual_runtime::start<circuit_breaker_actor>(manager, router_atom_v);
  advance(seconds{5});
  BOOST_TEST(router->ok());
  router->value.reset();
  BOOST_REQUIRE((children.breaker.no_server_reason != nullptr));
  BOOST_TEST(children.breaker.no_server_reason->message.find("no answer within 5 s") != std::string::npos);
  advance(hours{1});
  BOOST_TEST(resolver->look_ups(service) == 1);  // one that hangs is enough
  resolver->release();
  run();
  BOOST_TEST(routed().size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(without_an_answer_requests_are_told_why_and_it_goes_on_trying, discovering) {
  start();
  BOOST_TEST(routed().empty());
  BOOST_REQUIRE((children.breaker.no_server_reason != nullptr));
  BOOST_TEST((children.breaker.no_server_reason->code == errc::no_server));
  BOOST_TEST(children.breaker.no_server_reason->message.find(service) != std::string::npos);
  BOOST_TEST(children.breaker.no_server_reason->message.find("is not known") != std::string::npos);
  advance(hours{1});
  BOOST_TEST(resolver->look_ups(service) > 55);
  BOOST_TEST(resolver->look_ups(service) < 80);
  BOOST_TEST(log->count("could not be used") == 1U);
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  advance(seconds{70});
  BOOST_TEST(routed() == names{"0 a.example.com:389"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_refresh_adds_and_removes_and_leaves_the_rest_alone, discovering) {
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}, {"b.example.com", 389, 0, 0}}));
  start();
  const auto kept = children.running[1];
  resolver->set_services(service, listing({{"b.example.com", 389, 3, 0}, {"c.example.com", 389, 0, 0}}));
  advance(seconds{70});
  BOOST_TEST(routed() == (names{"2 c.example.com:389", "1 b.example.com:389"}), boost::test_tools::per_element());
  BOOST_TEST((children.breaker.table[1].pool == kept));
  BOOST_TEST(children.breaker.table[1].context->server.priority == 3);
  BOOST_TEST((children.pools[0].told == names{"removed"}));
}

BOOST_FIXTURE_TEST_CASE(the_same_records_again_change_nothing, discovering) {
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  start();
  advance(hours{1});
  BOOST_TEST(resolver->look_ups(service) >= 50);
  BOOST_TEST(children.pools[0].told.empty());
  BOOST_TEST(children.breaker.told == (names{"servers 0", "servers 1"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_failed_or_empty_refresh_keeps_the_servers, discovering) {
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  start();
  resolver->set_services(service, listing({}));
  advance(hours{2});
  resolver->set_services(service, {{}, {}, "no name server answered"});
  advance(hours{2});
  BOOST_TEST(routed() == names{"0 a.example.com:389"}, boost::test_tools::per_element());
  BOOST_TEST(log->count("the servers stay as they are") == 1U);
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  advance(seconds{70});
  BOOST_TEST(log->count("can be used again") == 1U);
}

BOOST_FIXTURE_TEST_CASE(when_every_server_is_down_it_looks_for_others_at_once, discovering) {
  resolver->set_services(service, {{{"a.example.com", 389, 0, 0}}, seconds{3600}, {}});
  start();
  advance(seconds{60});
  BOOST_TEST(resolver->look_ups(service) == 1);
  BOOST_TEST((children.breaker.finder == manager.address()));
  resolver->set_services(service, {{{"b.example.com", 389, 0, 0}}, seconds{3600}, {}});
  tell(manager, discover_atom_v);
  BOOST_TEST(resolver->look_ups(service) == 2);
  BOOST_TEST(routed() == names{"1 b.example.com:389"}, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_reload_may_turn_to_dns_and_back, discovering) {
  const auto from_dns = all;
  all.servers[0].srv.clear();
  all.servers[0].host = "fixed";
  start();
  BOOST_TEST(routed() == names{"0 fixed:389"}, boost::test_tools::per_element());
  const auto fixed = all;
  all = from_dns;
  reload();
  BOOST_TEST(routed() == names{"0 fixed:389"}, boost::test_tools::per_element());  // until DNS has answered
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}}));
  advance(seconds{5});
  BOOST_TEST(routed() == names{"1 a.example.com:389"}, boost::test_tools::per_element());
  all.servers[0].password = secret{"hunter2 the second"};
  reload();
  BOOST_TEST(routed() == names{"1 a.example.com:389"}, boost::test_tools::per_element());
  BOOST_TEST(children.pools[1].context->server.password.reveal() == "hunter2 the second");
  all = fixed;
  reload();
  BOOST_TEST(routed() == names{"2 fixed:389"}, boost::test_tools::per_element());
  const auto asked = resolver->look_ups(service);
  advance(hours{3});
  BOOST_TEST(resolver->look_ups(service) == asked);
}

BOOST_FIXTURE_TEST_CASE(records_that_cannot_be_used_are_told_once, discovering) {
  resolver->set_services(service, listing({{"a.example.com", 389, 0, 0}, {"no host", 389, 0, 0}}));
  start();
  advance(hours{1});
  BOOST_TEST(log->count("an SRV record is not used") == 1U);
  BOOST_TEST(routed().size() == 1U);
}
