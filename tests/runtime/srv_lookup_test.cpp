// SRV records over the wire: what the resolver library brings from a name server, and messages that make no sense.
#include "understudy/runtime/platform/srv_lookup.hpp"
#include "support/name_server.hpp"
#include "understudy/runtime/platform/custom_resolver.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

constexpr int name_error = 3, refused = 5;  // RCODEs of RFC 1035
const std::string service = "_ldap._tcp.example.com";

service_answer read(const std::string& message) {
  return read_service_message(reinterpret_cast<const unsigned char*>(message.data()), message.size());
}

/// A question as a resolver sends it.
std::string question() {
  std::string text("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  text += std::string(
      "\x05_ldap\x04_tcp\x07"
      "example\x03"
      "com\x00\x00\x21\x00\x01",
      29);
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(records_come_from_the_name_server) {
  name_server dns;
  dns.answer({{"ldap1.example.com", 389, 10, 60}, {"LDAP2.example.com.", 1389, 20, 0}}, 120);
  const auto found = system_srv_lookup(service, dns.address());
  BOOST_TEST(found.problem == "");
  BOOST_REQUIRE(found.records.size() == 2U);
  BOOST_TEST(found.records[0].target == "ldap1.example.com");
  BOOST_TEST(found.records[0].port == 389);
  BOOST_TEST(found.records[0].priority == 10);
  BOOST_TEST(found.records[0].weight == 60);
  BOOST_TEST(found.records[1].target == "LDAP2.example.com");
  BOOST_TEST(found.records[1].port == 1389);
  BOOST_TEST((found.ttl == seconds{120}));
  BOOST_TEST(dns.questions() == 1U);
}

BOOST_AUTO_TEST_CASE(the_root_as_target_is_a_dot) {
  name_server dns;
  dns.answer({{".", 0, 0, 0}}, 60);
  const auto found = system_srv_lookup(service, dns.address());
  BOOST_REQUIRE(found.records.size() == 1U);
  BOOST_TEST(found.records[0].target == ".");
}

BOOST_AUTO_TEST_CASE(more_records_than_fit_into_a_small_message_are_read) {
  name_server dns;
  std::vector<service_record> many;
  for (std::uint16_t i = 0; i < 50; ++i) many.push_back({"ldap" + std::to_string(i) + ".example.com", 389, i, 0});
  dns.answer(many, 60);
  BOOST_TEST(system_srv_lookup(service, dns.address()).records.size() == 50U);
}

BOOST_AUTO_TEST_CASE(what_went_wrong_is_said) {
  name_server dns;
  dns.answer({}, 60);
  BOOST_TEST(system_srv_lookup(service, dns.address()).problem == "the name has no SRV records");
  dns.answer({}, 60, name_error);
  BOOST_TEST(system_srv_lookup(service, dns.address()).problem == "the name does not exist");
  dns.answer({}, 60, refused);
  const auto nobody = system_srv_lookup(service, dns.address());
  BOOST_TEST(!nobody.problem.empty());
  BOOST_TEST(nobody.records.empty());
  dns.answer({{"a.example.com", 389, 0, 0}}, 60);
  dns.talk_nonsense(true);
  const auto nonsense = system_srv_lookup(service, dns.address());
  BOOST_TEST(!nonsense.problem.empty());
  BOOST_TEST(nonsense.records.empty());
}

BOOST_AUTO_TEST_CASE(a_message_cut_off_anywhere_or_with_any_byte_changed_is_survived) {
  const auto whole = name_server_message(question(), {{"a.example.com", 389, 1, 2}, {"b.example.com", 390, 3, 4}}, 60);
  BOOST_REQUIRE(read(whole).records.size() == 2U);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto found = read(whole.substr(0, length));
    BOOST_TEST(found.records.empty());
    BOOST_TEST(!found.problem.empty());
  }
  for (std::size_t at = 0; at < whole.size(); ++at)
    for (const char value : {'\x00', '\x01', '\x3f', '\x7f', '\xc0', '\xff'}) {
      auto changed = whole;
      changed[at] = value;
      const auto found = read(changed);
      BOOST_TEST((found.problem.empty() != found.records.empty()));
    }
}

BOOST_AUTO_TEST_CASE(records_of_other_types_are_skipped) {
  auto message = name_server_message(question(), {{"a.example.com", 389, 1, 2}, {"b.example.com", 390, 3, 4}}, 60);
  // The type of the first answer: after header, question and the pointer to its name.
  message[question().size() + 3] = 5;
  const auto found = read(message);
  BOOST_REQUIRE(found.records.size() == 1U);
  BOOST_TEST(found.records[0].target == "b.example.com");
}

BOOST_AUTO_TEST_CASE(look_ups_of_ones_own_may_throw_and_talk_nonsense) {
  const auto addresses = address_lookup([](const std::string& host) -> std::vector<std::string> {
    if (host == "fine") return {"192.0.2.1", "2001:db8::1"};
    if (host == "odd") return {"not an address"};
    throw std::runtime_error("the phone book is lost");
  });
  BOOST_TEST(addresses("fine").addresses.size() == 2U);
  BOOST_TEST(addresses("odd").error->message.find("'not an address' is no address") != std::string::npos);
  BOOST_TEST(addresses("else").error->message.find("the phone book is lost") != std::string::npos);
  BOOST_TEST((addresses("else").error->where == stage::resolve));
  const auto services = srv_lookup([](const std::string&) -> service_answer { throw std::runtime_error("lost"); });
  BOOST_TEST(services(service).problem == "lost");
}
