// Roles that groups stand for.
#include "understudy/messages/role_map.hpp"

#include <boost/test/unit_test.hpp>
#include <stdexcept>

using namespace understudy;

namespace {

using words = std::vector<std::string>;

user_group group(const std::string& name, const std::string& below = "ou=groups,dc=example,dc=com") {
  return {"cn=" + name + "," + below, name};
}

}  // namespace

BOOST_AUTO_TEST_CASE(rules_make_roles_of_groups) {
  const role_map map({role_rule::by_prefix("db_"),
                      role_rule::by_name("cn=Admins, ou=groups, dc=example,dc=com", "admin"),
                      role_rule::by_name("staff", "reader"), role_rule::by_rdn("ou=apps,dc=example,dc=com"),
                      role_rule::by_pattern("team-([a-z]+)-(rw|ro)", "$2:$1")});
  const auto found = map.map({group("DB_write"), group("admins"), group("Staff"), group("team-blue-rw"),
                              group("deploy", "OU=Apps,dc=example,dc=com"), group("choir"), group("db_"),
                              group("xteam-blue-rw"), group("deep", "ou=x,ou=apps,dc=example,dc=com")});
  BOOST_TEST(found.roles == (words{"admin", "deploy", "reader", "rw:blue", "write"}), boost::test_tools::per_element());
  BOOST_TEST(found.ignored == (words{"choir", "db_", "xteam-blue-rw", "deep"}), boost::test_tools::per_element());
  BOOST_TEST(found.unknown.empty());
}

BOOST_AUTO_TEST_CASE(a_rule_for_a_dn_is_not_for_a_group_whose_name_reads_like_it) {
  const role_map map{{role_rule::by_name("cn=admins,ou=groups,dc=x", "admin")}, {}};
  const std::string name = "cn=admins,ou=groups,dc=x";
  BOOST_TEST(map.map({{"cn=cn\\=admins\\,ou\\=groups\\,dc\\=x,ou=lists,dc=x", name}}).roles.empty());
  BOOST_TEST(map.map({{name, "admins"}}).roles.size() == 1u);
}

BOOST_AUTO_TEST_CASE(roles_that_the_service_does_not_have_are_a_result) {
  const role_map map({role_rule::by_prefix("db_")}, {"read", "write"});
  const auto found = map.map({group("db_read"), group("db_owner"), group("db_read")});
  BOOST_TEST(found.roles == words{"read"}, boost::test_tools::per_element());
  BOOST_TEST(found.unknown == words{"owner"}, boost::test_tools::per_element());
  BOOST_TEST(map.map({}).roles.empty());
}

BOOST_AUTO_TEST_CASE(rules_that_cannot_be_used_are_refused_and_long_names_are_not_matched) {
  BOOST_CHECK_THROW(role_map({role_rule::by_pattern("(", "x")}), std::invalid_argument);
  BOOST_CHECK_THROW(role_map({role_rule::by_prefix("")}), std::invalid_argument);
  const role_map map({role_rule::by_pattern("a+", "x")});
  BOOST_TEST(map.map({group(std::string(256, 'a'))}).roles == words{"x"}, boost::test_tools::per_element());
  BOOST_TEST(map.map({group(std::string(100000, 'a'))}).roles.empty());
}
