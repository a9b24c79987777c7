// Who is in, and what came of what clients asked: counted, listed, bounded.
#include "understudy/actors/front_door/client_registry.hpp"
#include "session_messages.hpp"
#include "understudy/messages/ldap_protocol.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

struct settable_clock final : clock_port {
  time_point now() const override { return at; }
  wall_time wall_now() const override { return {}; }
  time_point at{seconds{1000}};
};

struct rig {
  runtime_snapshot look() {
    runtime_snapshot now;
    registry->fill(now);
    return now;
  }
  std::shared_ptr<settable_clock> clock = std::make_shared<settable_clock>();
  std::shared_ptr<client_registry> registry = std::make_shared<client_registry>(clock);
};

}  // namespace

BOOST_AUTO_TEST_CASE(clients_are_listed_while_they_are_in) {
  rig r;
  auto door = r.registry->open("127.0.0.1:0");
  door->set_address("127.0.0.1:389");
  auto client = r.registry->enter(door, "192.0.2.7:51312");
  r.clock->at += 3s;
  client->identity = client_standing::user;
  client->pending = 2;
  client->parked = true;
  client->operations = 9;
  door->turned_away();
  auto now = r.look();
  BOOST_TEST_REQUIRE(now.clients.size() == 1U);
  BOOST_TEST(now.clients[0].address == "192.0.2.7:51312");
  BOOST_TEST(now.clients[0].listener == "127.0.0.1:389");
  BOOST_TEST((now.clients[0].identity == client_standing::user));
  BOOST_TEST(now.clients[0].pending == 2U);
  BOOST_TEST(now.clients[0].parked);
  BOOST_TEST(now.clients[0].operations == 9U);
  BOOST_TEST((now.clients[0].age == 3s));
  BOOST_TEST_REQUIRE(now.client_listeners.size() == 1U);
  BOOST_TEST(now.client_listeners[0].clients == 1U);
  BOOST_TEST(now.client_listeners[0].turned_away == 1U);
  // A listener that is gone is listed until its last client has gone.
  door = nullptr;
  BOOST_TEST(r.look().client_listeners.size() == 1U);
  client = nullptr;
  now = r.look();
  BOOST_TEST(now.clients.empty());
  BOOST_TEST(now.client_listeners.empty());
}

BOOST_AUTO_TEST_CASE(of_many_clients_those_are_told_that_wait_and_then_the_oldest) {
  rig r;
  const auto door = r.registry->open("127.0.0.1:389");
  std::vector<std::shared_ptr<client_record>> all;
  for (std::size_t i = 0; i < client_registry::most_told + 100; ++i)
    all.push_back(r.registry->enter(door, "client " + std::to_string(i)));
  all.back()->pending = 1;
  const auto now = r.look();
  BOOST_TEST(now.clients.size() == client_registry::most_told);
  BOOST_TEST(now.client_listeners[0].clients == all.size());
  BOOST_TEST(now.clients.front().address == all.back()->address);
  BOOST_TEST(now.clients[1].address == "client 0");
}

BOOST_AUTO_TEST_CASE(operations_are_counted_by_kind_identity_and_class_of_result) {
  rig r;
  const auto door = r.registry->open("127.0.0.1:389");
  door->ended(opaque_request::search, client_standing::service, 0);
  door->ended(opaque_request::search, client_standing::service, 10);
  door->ended(opaque_request::search, client_standing::service, 32);
  door->ended(opaque_request::search, client_standing::user, abandoned_code);
  door->ended(request_tag::bind, client_standing::anonymous, 49);
  door->ended(0x42, client_standing::proxied, 51);
  const auto now = r.look();
  std::string text;
  for (const auto& each : now.client_listeners.at(0).operations)
    text += each.operation + ' ' + std::string{to_string(each.identity)} + ' ' + std::string{to_string(each.ended)} +
            ' ' + std::to_string(each.count) + '\n';
  BOOST_TEST(text ==
             "bind anonymous refused 1\n"
             "search service success 2\n"
             "search service negative 1\n"
             "search user abandoned 1\n"
             "other proxied failed 1\n");
}

BOOST_AUTO_TEST_CASE(a_session_tells_of_every_operation_once_how_it_ended) {
  const time_point now{seconds{1000}};
  client_session session{
      {"192.0.2.1", true, false, false}, std::make_shared<client_rules>(), std::make_shared<bind_limiter>(), now};
  std::vector<session_number> forwarded, judged;
  const auto look = [&] {
    for (const auto& action : session.take_actions()) {
      if (const auto* asked = std::get_if<session_action::forward>(&action)) forwarded.push_back(asked->number);
      if (const auto* asked = std::get_if<session_action::check_claim>(&action)) judged.push_back(asked->number);
    }
  };
  const auto told = [&] {
    std::string text;
    session.each_ended([&](const ended_operation& each) {
      text += std::to_string(each.tag) + ' ' + std::string{to_string(each.identity)} + ' ' + std::to_string(each.code) +
              '\n';
    });
    return text;
  };
  // Refused here, taken as the service, answered, abandoned by the client, and given up by its next bind.
  session.on_message(search_of(1, "dc=example"), now);
  BOOST_TEST(told() == "99 anonymous 53\n");
  session.on_message(bind_message(2, "cn=service", "secret"), now);
  look();
  session.claim_checked(judged.at(0), service_claim::right, now);
  BOOST_TEST(told() == "96 service 0\n");
  for (int id = 3; id < 6; ++id) session.on_message(search_of(id, "dc=example"), now);
  look();
  BOOST_TEST(told() == "");
  result none;
  none.code = 32;
  session.answered(forwarded.at(0), none, now);
  BOOST_TEST(told() == "99 service 32\n");
  session.on_message(abandon_message(7, 4), now);
  BOOST_TEST(told() == "99 service -1\n");
  session.on_message(bind_message(8, "cn=service", "wrong"), now);
  BOOST_TEST(told() == "99 service -1\n");
  look();
  session.claim_checked(judged.at(1), service_claim::wrong, now);
  BOOST_TEST(told() == "96 anonymous 49\n");
}

BOOST_AUTO_TEST_CASE(names_that_no_directory_has_are_remembered_as_one) {
  bind_limiter limiter;
  const time_point now{seconds{1000}};
  for (int i = 0; i < 200; ++i) limiter.refused("", "sasl:" + std::string(60'000, 'a') + std::to_string(i), now);
  BOOST_TEST(!limiter.allows_name(std::string(2'000, 'b'), now));
  BOOST_TEST(limiter.allows_name(std::string(1'000, 'b'), now));
}
