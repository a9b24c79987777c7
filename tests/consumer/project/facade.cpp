// An outsider's C++17 program on the facade: settings, validation, filters, a server that does not answer.
#include <iostream>
#include <understudy/understudy.hpp>

static_assert(__cplusplus == 201703L, "the facade is C++17");

namespace {

int failures = 0;

void expect(bool holds, const char* claim) {
  if (holds) return;
  std::cerr << "not so: " << claim << "\n";
  ++failures;
}

// Port 1 of loopback refuses at once.
understudy::settings unreachable() {
  understudy::settings all;
  understudy::connection_info server;
  server.host = "127.0.0.1";
  server.port = 1;
  all.servers.push_back(server);
  all.recovery.reconnect_attempts = 1;
  all.log.level = understudy::log_level::error;
  return all;
}

void check_configuration() {
  expect(understudy::load_toml("[ldap]\nhost = \"localhost\"\n", "a").ok(), "a small configuration loads");
  expect(!understudy::load_toml("[ldap]\nhots = \"localhost\"\n", "a").ok(), "a mistyped key is found");
  understudy::connection_info info;
  expect(!info.validate().valid, "a server needs a host");
}

void check_texts() {
  expect(understudy::filter::equal("uid", "*)(uid=*") == "(uid=\\2a\\29\\28uid=\\2a)", "filters are escaped");
  expect(understudy::dn::rdn("cn", "a,b") != "cn=a,b", "DNs are escaped");
}

void check_runtime() {
  understudy::connection_manager manager(unreachable());
  const auto state = manager.connect();
  expect(!state.connected, "nobody listens on port 1");
  expect(!state.connection_error.empty(), "the error says so");
  try {
    manager.search("dc=example,dc=com", "(uid=a)");
    expect(false, "a search without a server throws");
  } catch (const understudy::ldap_exception& e) {
    expect(e.code() != understudy::errc::none, "the exception has a code");
  }
  manager.disconnect();
}

}  // namespace

int main() {
  check_configuration();
  check_texts();
  check_runtime();
  return failures;
}
