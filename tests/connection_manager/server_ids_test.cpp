// Numbers of servers: kept by place, never used twice.
#include "understudy/actors/connection_manager/server_ids.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;

namespace {

connection_info at(std::string host, std::uint16_t port = 389) {
  connection_info info;
  info.host = std::move(host);
  info.port = port;
  return info;
}

using ids = std::vector<server_id>;

}  // namespace

BOOST_AUTO_TEST_CASE(a_place_keeps_its_number_whatever_else_changes) {
  server_ids roster;
  BOOST_TEST(roster.number({at("a"), at("b")}) == (ids{0, 1}), boost::test_tools::per_element());
  auto changed = at("B");
  changed.priority = 7;
  changed.use_tls = true;
  BOOST_TEST(roster.number({changed, at("c"), at("a")}) == (ids{1, 2, 0}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(another_port_is_another_place_and_a_uri_says_the_same_as_host_and_port) {
  server_ids roster;
  connection_info by_uri;
  by_uri.uri = "ldap://a:1389";
  connection_info by_path;
  by_path.uri = "ldapi://%2Frun%2Fldapi";
  BOOST_TEST(roster.number({at("a"), by_uri, by_path}) == (ids{0, 1, 2}), boost::test_tools::per_element());
  BOOST_TEST(roster.number({at("a", 1389), by_path}) == (ids{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(who_left_comes_back_as_another) {
  server_ids roster;
  roster.number({at("a"), at("b")});
  roster.number({at("a")});
  BOOST_TEST(roster.number({at("b"), at("a")}) == (ids{2, 0}), boost::test_tools::per_element());
}
