// One server's settings: validation, conversion, and whole settings made of several.
#include "config/config_text.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/settings_from.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

connection_info plain(const std::string& host = "ldap.example.com") {
  connection_info info;
  info.host = host;
  return info;
}

std::string errors_of(const connection_info& info) { return joined(info.validate().schema_errors); }

std::string refusal(const nlohmann::json& data) {
  try {
    connection_info::from_dict(data);
  } catch (const config_error& error) {
    return error.what();
  }
  return {};
}

}  // namespace

BOOST_AUTO_TEST_CASE(validate_reports_everything_at_once) {
  connection_info info;
  info.port = 0;
  info.use_ssl = true;
  info.use_tls = true;
  info.bind_dn = "cn=x";
  info.timeout = 0s;
  BOOST_TEST(!info.validate().valid);
  BOOST_TEST(
      errors_of(info) ==
      "port: must be 1 to 65535, not 0\n"
      "timeout: must be 1ms to 1h, not 0s\n"
      "host: is required: the name or address of the server, or uri\n"
      "use_tls: contradicts use_ssl: that is TLS from the first byte, StartTLS begins in plain text; choose one\n"
      "bind_dn: needs a password: set password, password_file or password_command\n");
}

BOOST_AUTO_TEST_CASE(validate_accepts_every_source_of_the_password) {
  auto info = plain();
  info.bind_dn = "cn=x";
  info.password_callback = [] { return std::string{"p"}; };
  BOOST_TEST(errors_of(info) == "");
  info.password = secret{"p"};
  BOOST_TEST(errors_of(info) == "password_callback: is a second source of the password beside password; give one\n");
  info.password_callback = nullptr;
  info.password = secret{"***"};
  BOOST_TEST(errors_of(info).find("is a mask") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(validate_compares_a_uri_with_what_was_changed) {
  connection_info info;
  info.uri = "ldaps://b:77";
  BOOST_TEST(errors_of(info) == "");
  info.port = 78;
  info.host = "c";
  BOOST_TEST(errors_of(info) ==
             "host: contradicts uri, which names \"b\"; remove one of the two\n"
             "port: contradicts uri; remove one of the two\n");
}

BOOST_AUTO_TEST_CASE(to_dict_shows_the_reference_fields_and_masks_the_password) {
  auto info = plain();
  info.bind_dn = "cn=x";
  info.password = secret{"hunter2"};
  const auto dict = info.to_dict();
  BOOST_TEST(dict == nlohmann::json({{"host", "ldap.example.com"},
                                     {"port", 389},
                                     {"bind_dn", "cn=x"},
                                     {"password", "***"},
                                     {"use_ssl", false},
                                     {"use_tls", false},
                                     {"timeout", 30},
                                     {"max_retries", 3},
                                     {"retry_delay", 1},
                                     {"pool_size", 10},
                                     {"max_pool_size", 50},
                                     {"pool_timeout", 60},
                                     {"validate_cert", true},
                                     {"ca_cert_path", nullptr},
                                     {"client_cert_path", nullptr},
                                     {"client_key_path", nullptr},
                                     {"priority", 1},
                                     {"role", "read_write"}}),
             dict.dump());
  BOOST_TEST(info.to_toml().find("hunter2") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(dicts_and_toml_read_back_the_same) {
  auto info = plain();
  info.port = 1000;
  info.timeout = 1500ms;
  info.role = server_role::read_only;
  info.bind_dn = "cn=${x}";
  info.password_file = "/dev/null";
  info.crl_path = "/dev/null";
  info.tls_min_version = tls_version::v1_3;
  BOOST_TEST(info.to_dict()["crl_path"] == "/dev/null");
  BOOST_TEST(info.to_dict()["tls_min_version"] == "1.3");
  BOOST_TEST(connection_info::from_dict(info.to_dict()).to_dict() == info.to_dict());
  BOOST_TEST(connection_info::from_toml(info.to_toml()).to_dict() == info.to_dict());
  BOOST_TEST(connection_info::from_dict(info.to_dict()).bind_dn == "cn=${x}");
  info.uri = "ldapi://%2Frun%2Fldapi";
  info.port = 0;
  info.host = "/run/ldapi";
  BOOST_TEST(connection_info::from_dict(info.to_dict()).to_dict() == info.to_dict());
  BOOST_TEST(connection_info::from_toml(info.to_toml()).host == "/run/ldapi");
}

BOOST_AUTO_TEST_CASE(from_dict_accepts_what_the_reference_shows) {
  const auto info = connection_info::from_dict({{"host", "ldap.example.com"},
                                                {"port", 389},
                                                {"bind_dn", "cn=admin,dc=example,dc=com"},
                                                {"password", "password"},
                                                {"retry_delay", 1.5},
                                                {"ca_cert_path", nullptr},
                                                {"timeout", 60}});
  BOOST_TEST(info.password.reveal() == "password");
  BOOST_TEST((info.retry_delay == 1500ms));
  BOOST_TEST((info.timeout == 60s));
  BOOST_TEST(info.pool_size == 10);
  BOOST_TEST(info.validate().valid);
  BOOST_TEST(connection_info::from_dict({{"host", "a"}, {"use_ssl", true}}).port == 636);
}

BOOST_AUTO_TEST_CASE(from_dict_reports_every_problem) {
  BOOST_TEST(refusal({{"hots", "a"}, {"port", "x"}, {"password", "***"}, {"timeout", -1}}) ==
             "host: is required: the name or address of the server, or uri\n"
             "/hots: hots: unknown key; the nearest known key is \"host\"\n"
             "/password: password: \"***\" is a mask, not a secret: dumps of a configuration hide secrets; give the "
             "secret itself, password_file or password_command\n"
             "/port: port: must be an integer, not a string\n"
             "/timeout: timeout: must be 1ms to 1h, not -1s");
  BOOST_TEST(refusal(nlohmann::json::array()) == "must be a table of settings, not an array");
  BOOST_TEST(refusal(nullptr) == "must be a table of settings, not null");
  BOOST_TEST(refusal({{"ldap", {{"host", "a"}}}, {"host", "a"}}) == "/ldap: ldap: unknown key");
}

BOOST_AUTO_TEST_CASE(from_toml_reports_places) {
  try {
    connection_info::from_toml("host = \"a\"\nport = 0\n");
    BOOST_ERROR("accepted a bad port");
  } catch (const config_error& error) {
    BOOST_TEST(std::string{error.what()} == "2:1: port: must be 1 to 65535, not 0");
  }
}

BOOST_AUTO_TEST_CASE(from_dict_takes_variables_as_files_do) {
  ::setenv("UNDERSTUDY_TEST_PASSWORD", "hunter2", 1);
  const auto info =
      connection_info::from_dict({{"host", "a"}, {"bind_dn", "cn=x"}, {"password", "${UNDERSTUDY_TEST_PASSWORD}"}});
  ::unsetenv("UNDERSTUDY_TEST_PASSWORD");
  BOOST_TEST(info.password.reveal() == "hunter2");
}

BOOST_AUTO_TEST_CASE(settings_from_one_server_use_its_pool_numbers) {
  auto info = plain();
  info.pool_size = 20;
  info.max_pool_size = 100;
  info.pool_timeout = 7s;
  const auto all = settings_from({info});
  BOOST_TEST(all.server_pools);
  BOOST_TEST(all.pool.min_connections == 20);
  BOOST_TEST(pool_for(all, all.servers[0]).max_connections == 100);
  BOOST_TEST((pool_for(all, all.servers[0]).timeout == 7s));
  BOOST_TEST(all.servers[0].priority == 1);
  BOOST_TEST(pool_for(settings_from({plain()}), plain()).min_connections == 10);
}

BOOST_AUTO_TEST_CASE(settings_from_several_servers_keep_their_order) {
  const auto same = settings_from({plain("a"), plain("b"), plain("c")});
  BOOST_TEST(same.servers[0].priority == 1);
  BOOST_TEST(same.servers[1].priority == 2);
  BOOST_TEST(same.servers[2].priority == 3);
  auto second = plain("b");
  second.priority = 7;
  const auto chosen = settings_from({plain("a"), second, plain("c")});
  BOOST_TEST(chosen.servers[0].priority == 1);
  BOOST_TEST(chosen.servers[1].priority == 7);
  BOOST_TEST(chosen.servers[2].priority == 1);
}

BOOST_AUTO_TEST_CASE(settings_from_completes_uris) {
  connection_info info;
  info.uri = "ldaps://b";
  const auto all = settings_from({info});
  BOOST_TEST(all.servers[0].host == "b");
  BOOST_TEST(all.servers[0].port == 636);
  BOOST_TEST(all.servers[0].use_ssl);
  BOOST_TEST(joined(lines_of(validate(all))) == "");
  BOOST_TEST(completed(all).servers[0].port == 636);
}

BOOST_AUTO_TEST_CASE(a_hand_filled_pool_counts_unless_told_otherwise) {
  settings all;
  all.servers = {plain()};
  all.pool.min_connections = 2;
  BOOST_TEST(pool_for(all, all.servers[0]).min_connections == 2);
  all.pool.min_connections = 5;
  all.pool.max_connections = 3;
  BOOST_TEST(pool_for(all, all.servers[0]).min_connections == 3);
  all.server_pools = true;
  BOOST_TEST(pool_for(all, all.servers[0]).min_connections == 10);
}

BOOST_AUTO_TEST_CASE(use_ssl_without_a_port_means_636_in_code_as_in_a_file) {
  auto info = plain("a");
  info.use_ssl = true;
  BOOST_TEST(server_name(info) == "a:636");
  BOOST_TEST(settings_from({info}).servers[0].port == 636);
  // Who wants ldaps at 389 can say so.
  info.host.clear();
  info.uri = "ldaps://a:389";
  BOOST_TEST(settings_from({info}).servers[0].port == 389);
  const auto file = from_toml("[ldap]\nhost = \"a\"\nport = 389\nuse_ssl = true\n");
  BOOST_TEST(file.ok());
  BOOST_TEST(completed(file.value).servers[0].port == 389);
  BOOST_TEST(server_name(file.value.servers[0]) == "a:389");
}

BOOST_AUTO_TEST_CASE(contradictions_survive_completion) {
  auto info = plain("c");
  info.uri = "ldaps://b:77";
  BOOST_TEST(joined(lines_of(validate(completed(settings_from({info}))))) ==
             "ldap.servers[0].host: contradicts uri, which names \"b\"; remove one of the two\n");
}

BOOST_AUTO_TEST_CASE(a_bad_uri_is_left_for_validate) {
  connection_info info;
  info.uri = "nonsense";
  const auto all = settings_from({info});
  BOOST_TEST(joined(lines_of(validate(all))) == "ldap.servers[0].uri: must begin with ldap://, ldaps:// or ldapi://\n");
}
