// Servers from DNS as a setting: where it may stand, what it contradicts, how it is written.
#include "config/config_text.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/rules.hpp"
#include "understudy/config/settings_from.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::internal::config;
using namespace understudy::test;

namespace {

std::string problems_of(const std::string& text) {
  std::string all;
  for (const auto& each : load_toml(text, "f").problems) all += describe(each) + "\n";
  return all;
}

connection_info from_dns() {
  connection_info info;
  info.srv = "_ldap._tcp.example.com";
  return info;
}

const std::string both = ": contradicts srv, whose records say it; remove one of the two\n";

}  // namespace

BOOST_AUTO_TEST_CASE(srv_stands_for_all_servers) {
  const auto loaded = load_toml("[ldap]\nsrv = \"_ldaps._tcp.example.com\"\nuse_ssl = true\ntimeout = 3\n", "f");
  BOOST_REQUIRE(loaded.ok());
  BOOST_REQUIRE(loaded.value.servers.size() == 1U);
  BOOST_TEST(loaded.value.servers[0].srv == "_ldaps._tcp.example.com");
  BOOST_TEST(loaded.value.servers[0].use_ssl);
  BOOST_TEST(server_name(loaded.value.servers[0]) == "_ldaps._tcp.example.com");
  BOOST_TEST(validate(loaded.value).empty());
}

BOOST_AUTO_TEST_CASE(names_of_services) {
  for (const auto* good : {"_ldap._tcp.example.com", "_ldap._tcp.example.com.", "_ldap._tcp.dc._msdcs.example.com",
                           "_ldap._tcp.localdomain"})
    BOOST_TEST(check_service(good).empty(), good);
  for (const auto* bad : {"", "example.com", "_ldap.example.com", "_ldap._tcp", "_ldap._tcp.", "ldap.tcp.example.com",
                          "_._tcp.example.com", "_ldap._tcp._x", "_ldap._tcp.exa mple.com", "_ldap._tcp.a:389"})
    BOOST_TEST(!check_service(bad).empty(), bad);
}

BOOST_AUTO_TEST_CASE(srv_contradicts_what_its_records_say) {
  const std::string srv = "[ldap]\nsrv = \"_ldap._tcp.example.com\"\n";
  BOOST_TEST(problems_of(srv + "host = \"a\"\n") == "f:3:1: ldap.host" + both);
  BOOST_TEST(problems_of(srv + "uri = \"ldap://a\"\n") == "f:3:1: ldap.uri" + both);
  BOOST_TEST(problems_of(srv + "port = 389\n") == "f:3:1: ldap.port" + both);
  BOOST_TEST(problems_of(srv + "priority = 2\n") == "f:3:1: ldap.priority" + both);
  BOOST_TEST(problems_of(srv + "weight = 2\n") == "f:3:1: ldap.weight" + both);
  BOOST_TEST(problems_of("[ldap]\nsrv = \"example.com\"\n") ==
             "f:2:1: ldap.srv: must name a service and a domain, as _ldap._tcp.example.com, not \"example.com\"\n");
}

BOOST_AUTO_TEST_CASE(srv_stands_in_ldap_and_alone) {
  BOOST_TEST(problems_of("[ldap]\nsrv = \"_ldap._tcp.example.com\"\n[[ldap.servers]]\nhost = \"a\"\n") ==
             "f:2:1: ldap.srv: stands beside [[ldap.servers]]; give servers there, or one directly in [ldap]\n");
  BOOST_TEST(problems_of("[[ldap.servers]]\nsrv = \"_ldap._tcp.example.com\"\n") ==
             "f:2:1: ldap.servers[0].srv: stands for all servers: it belongs in [ldap], without [[ldap.servers]]\n");
  connection_info other;
  other.host = "a";
  const auto found = validate(settings_from({from_dns(), other}));
  BOOST_REQUIRE(!found.empty());
  BOOST_TEST(found.front().key.find(".srv") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(srv_made_in_code_is_checked_by_the_same_rules) {
  BOOST_TEST(from_dns().validate().valid);
  BOOST_TEST(validate(settings_from({from_dns()})).empty());
  auto wrong = from_dns();
  wrong.host = "a";
  wrong.port = 1389;
  BOOST_TEST(wrong.validate().schema_errors.size() == 2U);
}

BOOST_AUTO_TEST_CASE(srv_is_written_without_what_the_records_say) {
  const auto dict = from_dns().to_dict();
  BOOST_TEST(dict["srv"] == "_ldap._tcp.example.com");
  BOOST_TEST(!dict.contains("host"));
  BOOST_TEST(!dict.contains("port"));
  BOOST_TEST(connection_info::from_dict(dict).srv == from_dns().srv);
  const auto again = load_toml(to_toml(settings_from({from_dns()})), "f");
  BOOST_REQUIRE(again.ok());
  BOOST_TEST(again.value.servers[0].srv == from_dns().srv);
  BOOST_TEST(load_json(to_json(settings_from({from_dns()})).dump(), "f").ok());
  connection_info plain;
  plain.host = "a";
  BOOST_TEST(!plain.to_dict().contains("srv"));
  BOOST_TEST(!plain.to_dict().contains("weight"));
  plain.weight = 3;
  BOOST_TEST(connection_info::from_dict(plain.to_dict()).weight == 3);
}
