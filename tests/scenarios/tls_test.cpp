// Scenarios 35 to 38: servers that do not prove who they are get no credential, and certificates that prove who we are.
#include "scenarios/pool_rig.hpp"
#include "scenarios/scenario.hpp"

#include <openssl/ssl.h>
#include <boost/test/unit_test.hpp>

#include "support/certificates.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

enum class start : std::uint8_t { ldaps, start_tls };
constexpr start both_ways[] = {start::ldaps, start::start_tls};

/// What is wrong with a server, and how that is said.
struct fault {
  certificate_files shows;
  std::string reason;
  std::string host = "127.0.0.1";
  std::function<void(connection_info&)> settings = [](connection_info&) {};
  int max_version = 0;
};

class tls_pair {
 public:
  const certificate_set certificates;

  tls_files good() const { return {certificates.server.certificate, certificates.server.key}; }

  stub_options serve(const certificate_files& with, start how, int max_version = 0) const {
    stub_options o;
    o.tls = tls_files{with.certificate, with.key};
    o.tls->max_version = max_version;
    o.ldaps = how == start::ldaps;
    return o;
  }

  connection_info reach(const fault_gate& gate, start how, const fault& flaw, int priority = 1) const {
    auto info = server_at(gate.port(), priority);
    info.host = flaw.host;
    info.use_ssl = how == start::ldaps;
    info.use_tls = how == start::start_tls;
    info.ca_cert_path = certificates.ca.certificate();
    flaw.settings(info);
    return info;
  }

  /// A manager of that server alone does not connect, for that reason.
  void check_reason(const connection_info& info, const std::string& reason) const {
    auto all = quick_settings({info});
    all.recovery.auto_reconnect = false;
    connection_manager alone(all);
    const auto result = alone.connect();
    BOOST_TEST(!result.connected);
    BOOST_TEST(result.connection_error.find("ssl_error") == 0u, result.connection_error);
    BOOST_TEST(result.connection_error.find(reason) != std::string::npos, result.connection_error);
    const auto asked = alone.try_search(search_for("(uid=user1)"), {2s});
    BOOST_TEST(!asked);
    // Whether the breaker has opened by now or not: the cause is what is caught.
    for (int i = 0; i < 8; ++i) BOOST_CHECK_THROW(alone.search(search_for("(uid=user1)"), {2s}), ssl_error);
    const auto refused = alone.try_search(search_for("(uid=user1)"), {2s});
    BOOST_TEST(refused.code() == errc::breaker_open, why(refused));
    BOOST_TEST(refused.error()->cause_code == errc::ssl_error, why(refused));
    alone.disconnect();
  }

  /// A has that fault, B is good: nobody is told the password but B, under cover.
  void check_refused(const fault& flaw, start how) const {
    stub_directory a(serve(flaw.shows, how, flaw.max_version)), b(serve(certificates.server, how));
    const fault_gate to_a(a.port()), to_b(b.port());
    check_reason(reach(to_a, how, flaw), flaw.reason);
    fault none = flaw;
    connection_manager manager(quick_settings({reach(to_a, how, flaw), reach(to_b, how, none, 2)}));
    const auto result = manager.connect();
    BOOST_TEST_REQUIRE(result.connected, result.connection_error << result.auth_error);
    for (int i = 0; i < 20; ++i) {
      const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
      BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
      BOOST_TEST(answer->server == flaw.host + ":" + std::to_string(to_b.port()));
    }
    BOOST_TEST(eventually([&] {
                 return server_in(manager.snapshot(), to_a.port()).last_error.find(flaw.reason) != std::string::npos;
               }),
               server_in(manager.snapshot(), to_a.port()).last_error);
    BOOST_TEST(a.binds().empty());
    // Mended, it is told the password as well; but only now, and not in clear.
    a.set_tls(good());
    end_scenario(manager, {{to_a, a}, {to_b, b}});
    for (auto* stub : {&a, &b}) {
      BOOST_TEST(!stub->binds().empty());
      for (const auto& bind : stub->binds()) BOOST_TEST(bind.encrypted);
      BOOST_TEST(!stub->saw_in_clear(admin_password));
    }
    BOOST_TEST(!to_a.saw(admin_password));
    BOOST_TEST(!to_b.saw(admin_password));
  }
};

/// A server that knows who we are by our certificate.
connection_info certified(const slapd& directory, const certificate_set& certificates) {
  connection_info info;
  info.host = "localhost";
  info.port = directory.tls_port();
  info.use_ssl = true;
  info.ca_cert_path = certificates.ca.certificate().string();
  info.client_cert_path = certificates.client.certificate.string();
  info.client_key_path = certificates.client.key.string();
  return info;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(scenario_35_an_expired_certificate_gets_no_credential, tls_pair) {
  leak_guard leaks;
  for (const auto how : both_ways) check_refused({certificates.expired, "certificate has expired"}, how);
}

BOOST_FIXTURE_TEST_CASE(scenario_35_a_certificate_of_an_unknown_authority_gets_no_credential, tls_pair) {
  leak_guard leaks;
  for (const auto how : both_ways)
    check_refused({certificates.of_other_ca, "unable to get local issuer certificate"}, how);
}

BOOST_FIXTURE_TEST_CASE(scenario_35_a_certificate_for_another_name_gets_no_credential, tls_pair) {
  leak_guard leaks;
  for (const auto how : both_ways) {
    check_refused({certificates.wrong_name, "IP address mismatch"}, how);
    check_refused({certificates.wrong_name, "hostname mismatch", "localhost"}, how);
  }
}

BOOST_FIXTURE_TEST_CASE(scenario_35_a_revoked_certificate_gets_no_credential, tls_pair) {
  leak_guard leaks;
  const auto with_list = [this](connection_info& info) { info.crl_path = certificates.crl; };
  for (const auto how : both_ways)
    check_refused({certificates.revoked, "certificate revoked", "127.0.0.1", with_list}, how);
}

BOOST_FIXTURE_TEST_CASE(scenario_35_a_protocol_below_the_minimum_gets_no_credential, tls_pair) {
  leak_guard leaks;
  const auto only_1_3 = [](connection_info& info) { info.tls_min_version = tls_version::v1_3; };
  for (const auto how : both_ways) {
    check_refused({certificates.server,
                   "does not speak TLS 1.2 or newer",
                   "127.0.0.1",
                   {[](connection_info&) {}},
                   TLS1_1_VERSION},
                  how);
    check_refused({certificates.server, "does not speak TLS 1.3 or newer", "127.0.0.1", only_1_3, TLS1_2_VERSION}, how);
  }
}

BOOST_FIXTURE_TEST_CASE(scenario_35_without_a_current_revocation_list_nobody_is_trusted, tls_pair) {
  leak_guard leaks;
  stub_directory a(serve(certificates.server, start::ldaps));
  const fault_gate gate(a.port());
  const auto list = certificates.folder / "current.crl";
  const auto use = [&](const std::filesystem::path& from) { std::filesystem::copy_file(from, list); };
  fault what{certificates.server, {}, "127.0.0.1", [&](connection_info& info) { info.crl_path = list; }};
  BOOST_TEST(!reach(gate, start::ldaps, what).validate().valid);

  use(certificates.ca.revocation_list({}, -1h));
  check_reason(reach(gate, start::ldaps, what), "CRL has expired (revocation lists: crl_path " + list.string() + ")");
  std::filesystem::remove(list);
  use(certificates.other_ca.revocation_list({}));
  check_reason(reach(gate, start::ldaps, what), "unable to get certificate CRL");
  std::filesystem::remove(list);
  certificates.folder.write("current.crl", "no list at all");
  BOOST_TEST(!reach(gate, start::ldaps, what).validate().valid);

  // It disappears under a manager that was content with it, and comes back.
  std::filesystem::remove(list);
  use(certificates.ca.revocation_list({}));
  auto all = quick_settings({reach(gate, start::ldaps, what)});
  // No connection of the monitor's may be on its way when the list goes.
  all.failover.health_check_interval = all.pool.health_check_interval = 600s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  BOOST_TEST_REQUIRE(at_rest(manager, gate.port(), all.pool.min_connections));
  const auto binds = a.binds().size();
  std::filesystem::remove(list);
  a.close_all();
  BOOST_TEST(eventually([&] {
               const auto said = server_in(manager.snapshot(), gate.port()).last_error;
               return said.find(list.string() + "\" cannot be read: No such file") != std::string::npos;
             }),
             server_in(manager.snapshot(), gate.port()).last_error);
  BOOST_TEST(a.binds().size() == binds);
  use(certificates.ca.revocation_list({}));
  end_scenario(manager, {{gate, a}});
  BOOST_TEST(!gate.saw(admin_password));
}

BOOST_FIXTURE_TEST_CASE(scenario_36_start_tls_refused_or_stripped_never_falls_back_to_plain_text, tls_pair) {
  leak_guard leaks;
  // Refused; and agreed to by somebody who then speaks plain text.
  const std::string agreed{"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14};
  for (const bool stripped : {false, true}) {
    stub_directory a(serve(certificates.server, start::start_tls)), b(serve(certificates.server, start::start_tls));
    const fault_gate to_a(a.port()), to_b(b.port());
    if (stripped)
      a.disturb(operation::start_tls, {.raw = agreed + agreed});
    else
      a.on(operation::start_tls, reply{{.code = result_code::protocol_error}, {}});
    const fault none{certificates.server, {}};
    connection_manager manager(
        quick_settings({reach(to_a, start::start_tls, none), reach(to_b, start::start_tls, none, 2)}));
    BOOST_TEST_REQUIRE(manager.connect().connected);
    for (int i = 0; i < 10; ++i) {
      const auto answer = manager.try_search(search_for("(uid=user1)"), {20s});
      BOOST_TEST_REQUIRE(static_cast<bool>(answer), why(answer));
    }
    BOOST_TEST(a.binds().empty());
    BOOST_TEST(!to_a.saw(admin_password));
    a.forget_rules();
    end_scenario(manager, {{to_a, a}, {to_b, b}});
    BOOST_TEST(!to_a.saw(admin_password));
  }
}

BOOST_AUTO_TEST_CASE(scenario_37_certificates_replaced_on_disk_are_picked_up_without_a_restart) {
  leak_guard leaks;
  certificate_set certificates;
  slapd_options with;
  with.certificate = certificates.server.certificate;
  with.key = certificates.server.key;
  with.ca = certificates.ca.certificate();
  with.verify_client = "demand";
  slapd directory{with};
  const auto put = [&](const char* name, const std::filesystem::path& from) {
    std::filesystem::copy_file(from, certificates.folder / name, std::filesystem::copy_options::overwrite_existing);
    return (certificates.folder / name).string();
  };
  auto all = quick_settings({certified(directory, certificates)});
  auto& info = all.servers.front();
  info.ca_cert_path = put("trusted.pem", certificates.ca.certificate());
  info.client_cert_path = put("own.crt", certificates.client.certificate);
  info.client_key_path = put("own.key", certificates.client.key);
  all.pool.max_lifetime = 1s;
  connection_manager manager(all);
  BOOST_TEST_REQUIRE(manager.connect().connected);
  const auto shown = [&] {
    const auto who = manager.try_whoami({10s});
    return who ? who->response_value.value_or("") : why(who);
  };
  BOOST_TEST(shown() == "dn:cn=service");
  const auto renewed = certificates.ca.issue("renewed", {"renewed", {}, {}});
  put("own.key", renewed.key);
  put("own.crt", renewed.certificate);
  BOOST_TEST(eventually([&] { return shown() == "dn:cn=renewed"; }, 60s), shown());
  // Another authority: what it did not sign is refused, and the connections that there are serve until it is back.
  put("trusted.pem", certificates.other_ca.certificate());
  BOOST_TEST(eventually(
      [&] {
        const auto seen = server_in(manager.snapshot(), directory.tls_port());
        return (seen.last_error + seen.pool.last_error).find("certificate") != std::string::npos;
      },
      60s));
  put("trusted.pem", certificates.ca.certificate());
  BOOST_TEST(eventually([&] { return shown() == "dn:cn=renewed"; }, 60s), shown());
  BOOST_TEST(manager.disconnect());
}

// The reference's "Client Certificate Authentication".
BOOST_AUTO_TEST_CASE(scenario_38_a_client_certificate_logs_in_and_who_am_i_shows_it) {
  leak_guard leaks;
  certificate_set certificates;
  slapd_options with;
  with.certificate = certificates.server.certificate;
  with.key = certificates.server.key;
  with.ca = certificates.ca.certificate();
  with.verify_client = "demand";
  slapd directory{with};
  connection_manager manager(quick_settings({certified(directory, certificates)}));
  const auto connected = manager.connect();
  BOOST_TEST_REQUIRE(connected.connected, connected.connection_error + connected.auth_error);
  BOOST_TEST(connected.auth_method == "external");
  const auto who = manager.try_whoami({10s});
  BOOST_TEST_REQUIRE(static_cast<bool>(who), why(who));
  BOOST_TEST(who->response_value.value_or("") == "dn:cn=service");
  // A lease that bound as somebody else comes back as the certificate.
  {
    auto held = manager.get_connection();
    BOOST_TEST(static_cast<bool>(held.try_bind({user_dn(1), secret{user_password(1)}}, {10s})));
    BOOST_TEST(held.release());
  }
  auto next = manager.get_connection();
  const auto again = next.try_whoami({10s});
  BOOST_TEST_REQUIRE(static_cast<bool>(again), why(again));
  BOOST_TEST(again->response_value.value_or("") == "dn:cn=service");
  BOOST_TEST(next.release());
  BOOST_TEST(manager.disconnect());
}
