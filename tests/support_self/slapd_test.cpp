// The throwaway slapd: answers, counts, fails and comes back.
#include "support/slapd.hpp"

#include <ldap.h>

#include <boost/test/unit_test.hpp>

using namespace understudy::test;

namespace {

/// A stock connection, bound as given; `code` is the bind's outcome.
struct stock_client {
  LDAP* handle = nullptr;
  int code = 0;

  explicit stock_client(const std::string& url, const std::string& dn = {}, std::string password = {}) {
    ldap_initialize(&handle, url.c_str());
    const int version = LDAP_VERSION3;
    const timeval limit{1, 0};
    ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(handle, LDAP_OPT_NETWORK_TIMEOUT, &limit);
    ldap_set_option(handle, LDAP_OPT_TIMEOUT, &limit);
    berval credentials{password.size(), password.data()};
    code = ldap_sasl_bind_s(handle, dn.c_str(), LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr);
  }
  ~stock_client() { ldap_unbind_ext(handle, nullptr, nullptr); }

  /// How many entries match below the suffix; -1 on an error.
  int count(const std::string& filter, const std::string& base = directory_suffix) {
    LDAPMessage* found = nullptr;
    code = ldap_search_ext_s(handle, base.c_str(), LDAP_SCOPE_SUBTREE, filter.c_str(), nullptr, 0, nullptr, nullptr,
                             nullptr, 0, &found);
    const int entries = code == LDAP_SUCCESS ? ldap_count_entries(handle, found) : -1;
    ldap_msgfree(found);
    return entries;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(slapd_answers_and_counts_exactly) {
  slapd server;
  BOOST_TEST(server.counters().connections_total == 0u);
  {
    stock_client client(server.url(), user_dn(3), user_password(3));
    BOOST_TEST(client.code == LDAP_SUCCESS);
    BOOST_TEST(client.count("(uid=user*)") == 10);
    BOOST_TEST(client.count("(uid=user7)") == 1);
    const auto connections = server.connections();
    BOOST_REQUIRE(connections.size() == 1u);
    BOOST_TEST(connections[0].identity == user_dn(3));
  }
  const auto counted = server.counters();
  BOOST_TEST(counted.binds == 1u);
  BOOST_TEST(counted.searches == 2u);
  BOOST_TEST(counted.connections_total == 1u);
  BOOST_TEST(eventually([&] { return server.counters().connections_current == 0; }));
  BOOST_TEST(server.counters().unbinds == 1u);
  BOOST_TEST(server.counters().searches == 2u);
}

BOOST_AUTO_TEST_CASE(slapd_refuses_a_wrong_password) {
  slapd server;
  BOOST_TEST(stock_client(server.url(), user_dn(1), "wrong").code == LDAP_INVALID_CREDENTIALS);
  BOOST_TEST(server.counters().binds == 1u);
}

BOOST_AUTO_TEST_CASE(slapd_comes_back_on_the_same_port) {
  slapd server;
  const auto port = server.port();
  server.kill9();
  BOOST_TEST(!server.running());
  BOOST_TEST(stock_client(server.url()).code == LDAP_SERVER_DOWN);
  server.start();
  BOOST_TEST(server.port() == port);
  BOOST_TEST(stock_client(server.url(), user_dn(1), user_password(1)).code == LDAP_SUCCESS);
  server.stop();
  BOOST_TEST(stock_client(server.url()).code == LDAP_SERVER_DOWN);
  server.restart();
  BOOST_TEST(stock_client(server.url()).code == LDAP_SUCCESS);
}

BOOST_AUTO_TEST_CASE(a_paused_slapd_connects_but_does_not_answer) {
  slapd server;
  server.pause();
  BOOST_TEST(stock_client(server.url(), user_dn(1), user_password(1)).code == LDAP_TIMEOUT);
  server.resume();
  BOOST_TEST(stock_client(server.url(), user_dn(1), user_password(1)).code == LDAP_SUCCESS);
}

BOOST_AUTO_TEST_CASE(slapd_has_the_values_asked_for) {
  slapd_options with;
  with.users = 2;
  with.utf8_values = with.binary_values = true;
  with.mail_values = 3;
  with.long_value = 1 << 20;
  slapd server(with);
  BOOST_TEST(server.values(user_dn(1), "mail").size() == 3u);
  BOOST_TEST(server.values(user_dn(1), "cn").at(1) == "Jürgen Łukasz 山田 1");
  BOOST_TEST((server.values(user_dn(1), "jpegPhoto").at(0) == all_bytes()));
  BOOST_TEST(server.values(user_dn(1), "description").at(0).size() == with.long_value);
  BOOST_TEST(server.values(user_dn(2), "mail").empty());
}

BOOST_AUTO_TEST_CASE(slapd_listens_on_a_unix_socket) {
  slapd_options with;
  with.ldapi = true;
  slapd server(with);
  BOOST_TEST(stock_client(server.ldapi_url(), user_dn(1), user_password(1)).code == LDAP_SUCCESS);
}

BOOST_AUTO_TEST_CASE(slapd_returns_codes_by_configuration) {
  slapd_options with;
  with.retcode_items = {"\"cn=Busy\" 51", "\"cn=Unavailable\" 52"};
  slapd server(with);
  stock_client client(server.url());
  client.count("(objectClass=*)", "cn=Busy,ou=retcodes,dc=example,dc=com");
  BOOST_TEST(client.code == LDAP_BUSY);
  client.count("(objectClass=*)", "cn=Unavailable,ou=retcodes,dc=example,dc=com");
  BOOST_TEST(client.code == LDAP_UNAVAILABLE);
}

BOOST_AUTO_TEST_CASE(slapd_takes_changes) {
  slapd server;
  server.change("dn: " + user_dn(1) + "\nchangetype: modify\nreplace: userPassword\nuserPassword: new\n");
  BOOST_TEST(stock_client(server.url(), user_dn(1), "new").code == LDAP_SUCCESS);
  BOOST_TEST(stock_client(server.url(), user_dn(1), user_password(1)).code == LDAP_INVALID_CREDENTIALS);
}

BOOST_AUTO_TEST_CASE(slapd_closes_idle_connections_when_told_to) {
  slapd_options with;
  with.idle_timeout = 1;
  slapd server(with);
  stock_client client(server.url());
  BOOST_TEST(client.count("(uid=user1)") == 1);
  BOOST_TEST(eventually([&] { return server.counters().connections_current == 0; }));
  BOOST_TEST(client.count("(uid=user1)") == -1);
}
