// The reference's examples of connection_info: construction, validation, conversion, sources of settings.
#include "reference_api/servers.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/problem.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(connection_info_constructor_has_the_documented_defaults) {
  const connection_info info{};
  BOOST_TEST(info.port == 389);
  BOOST_TEST(info.bind_dn.empty());
  BOOST_TEST(info.password.empty());
  BOOST_TEST(!info.use_ssl);
  BOOST_TEST(!info.use_tls);
  BOOST_TEST((info.timeout == 30s));
  BOOST_TEST(info.max_retries == 3);
  BOOST_TEST((info.retry_delay == 1s));
  BOOST_TEST(info.pool_size == 10);
  BOOST_TEST(info.max_pool_size == 50);
  BOOST_TEST((info.pool_timeout == 60s));
  BOOST_TEST(info.validate_cert);
  BOOST_TEST(info.ca_cert_path.empty());
  BOOST_TEST(info.client_cert_path.empty());
  BOOST_TEST(info.client_key_path.empty());
}

BOOST_AUTO_TEST_CASE(connection_info_validate) {
  connection_info info;
  info.host = "ldap.example.com";
  info.port = 389;
  info.bind_dn = "cn=admin,dc=example,dc=com";
  info.password = "password";
  BOOST_TEST(info.validate().valid);
  BOOST_TEST(info.validate().schema_errors.empty());

  info.host.clear();
  info.use_ssl = info.use_tls = true;
  const ldap_validation_result found = info.validate();
  BOOST_TEST(!found.valid);
  BOOST_TEST(found.schema_errors.size() >= 2u);
}

BOOST_AUTO_TEST_CASE(connection_info_to_dict) {
  connection_info info;
  info.host = "ldap.example.com";
  info.password = "password";
  const auto config_dict = info.to_dict();
  BOOST_TEST(config_dict.at("host") == "ldap.example.com");
  BOOST_TEST(config_dict.at("port") == 389);
  BOOST_TEST(config_dict.at("password") == "***");
  BOOST_TEST(config_dict.dump().find("\"password\":\"password\"") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(connection_info_from_dict) {
  const auto info = connection_info::from_dict({{"host", "ldap.example.com"},
                                                {"port", 389},
                                                {"bind_dn", "cn=admin,dc=example,dc=com"},
                                                {"password", "password"}});
  BOOST_TEST(info.host == "ldap.example.com");
  BOOST_TEST(info.port == 389);
  BOOST_TEST(info.bind_dn == "cn=admin,dc=example,dc=com");
  BOOST_TEST(info.password.reveal() == "password");
  BOOST_CHECK_THROW(connection_info::from_dict({{"host", "x"}, {"password", "***"}}), config_error);
}

BOOST_AUTO_TEST_CASE(connection_info_example_usage) {
  connection_info basic;
  basic.host = "ldap.example.com";
  basic.bind_dn = "cn=admin,dc=example,dc=com";
  basic.password = "admin_password";
  BOOST_TEST(basic.validate().valid);

  const reference_server server;
  connection_info secure = basic;
  secure.host = "ldaps.example.com";
  secure.port = 636;
  secure.use_ssl = true;
  secure.ca_cert_path = server.ca_file();
  BOOST_TEST(secure.validate().valid);
  secure.ca_cert_path = "/path/to/ca.crt";
  BOOST_TEST(!secure.validate().valid, "an unreadable CA file is found before the first connection");

  connection_info fast = basic;
  fast.pool_size = 20;
  fast.max_pool_size = 100;
  fast.timeout = 60s;
  BOOST_TEST(fast.validate().valid);
}

BOOST_AUTO_TEST_CASE(environment_based_configuration) {
  const reference_server server;
  ::setenv("LDAP_HOST", "127.0.0.1", 1);
  ::setenv("LDAP_PORT", std::to_string(server.port()).c_str(), 1);
  ::setenv("LDAP_BIND_DN", "cn=admin,dc=example,dc=com", 1);
  ::setenv("LDAP_PASSWORD", "secret", 1);
  const auto file = server.folder() / "env.toml";
  std::ofstream(file) << "[ldap]\n"
                         "host = \"${LDAP_HOST:-localhost}\"\n"
                         "port = \"${LDAP_PORT:-389}\"\n"
                         "bind_dn = \"${LDAP_BIND_DN}\"\n"
                         "password = \"${LDAP_PASSWORD}\"\n"
                         "pool_size = 5\n"
                         "max_pool_size = 10\n";
  auto manager = connection_manager::from_file(file.string());
  BOOST_TEST(manager.connect().connected);
  BOOST_TEST(manager.whoami() == "dn:cn=admin,dc=example,dc=com");
}

BOOST_AUTO_TEST_CASE(configuration_from_file) {
  const reference_server server;
  const auto file = server.folder() / "ldap_config.json";
  std::ofstream(file) << nlohmann::json{{"ldap",
                                         {{"host", "127.0.0.1"},
                                          {"port", server.port()},
                                          {"bind_dn", "cn=admin,dc=example,dc=com"},
                                          {"password", "secret"}}}};
  nlohmann::json config_data;
  std::ifstream(file) >> config_data;
  connection_manager from_dict(connection_info::from_dict(config_data.at("ldap")));
  BOOST_TEST(from_dict.connect().connected);
  auto from_file = connection_manager::from_file(file.string());
  BOOST_TEST(from_file.connect().connected);
}

BOOST_AUTO_TEST_CASE(ssl_tls_configuration) {
  const reference_server server;
  for (auto info : {server.ldaps_info(), server.starttls_info()}) {
    BOOST_TEST(info.validate().valid);
    connection_manager manager(info);
    const auto result = manager.connect();
    BOOST_TEST(result.connected, result.connection_error);
    BOOST_TEST(result.encryption.substr(0, 4) == "TLSv");
  }
  auto unknown_ca = server.ldaps_info();
  unknown_ca.ca_cert_path.clear();
  manager_options once;
  once.auto_reconnect = false;
  connection_manager refused(unknown_ca, once);
  const auto result = refused.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.connection_error.find("certificate") != std::string::npos, result.connection_error);
}

BOOST_AUTO_TEST_CASE(client_certificate_authentication) {
  const reference_server server;
  auto info = server.ldaps_info();
  info.client_cert_path = server.client_certificate_file();
  info.client_key_path = server.client_key_file();
  // As the example has it: without a name to bind as, the certificate says who it is.
  info.bind_dn.clear();
  info.password = {};
  BOOST_TEST(info.validate().valid);
  connection_manager manager(info);
  const auto result = manager.connect();
  BOOST_TEST(result.connected, result.connection_error);
  BOOST_TEST(result.auth_method == "external");
  BOOST_TEST(manager.whoami() == "dn:cn=service");
  info.client_key_path.clear();
  BOOST_TEST(!info.validate().valid, "a certificate without its key");
}

BOOST_AUTO_TEST_CASE(password_security) {
  const reference_server server;
  ::setenv("LDAP_PASSWORD", "secret", 1);
  auto from_environment = server.info();
  from_environment.password = secret{std::getenv("LDAP_PASSWORD")};
  BOOST_TEST(connection_manager(from_environment).connect().connected);

  auto from_callback = server.info();
  from_callback.password = {};
  from_callback.password_callback = [] { return std::string{"secret"}; };
  connection_manager manager(from_callback);
  BOOST_TEST(manager.connect().connected);
  BOOST_TEST(manager.whoami() == "dn:cn=admin,dc=example,dc=com");
}
