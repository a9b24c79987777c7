// Scenario 48: settings of libldap's, in files and variables, change nothing of ours.
#include "scenarios/scenario.hpp"

#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "support/certificates.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// A user with an ldap.conf, two .ldaprc and LDAP* variables that would ruin everything. libldap reads them once in the
/// life of a process: before this, nothing may have called it.
class hostile_environment {
 public:
  hostile_environment() {
    // Left out: KEEPALIVE_…, at which libldap 2.5.13 itself crashes, in whatever program.
    const std::string lines =
        "SIZELIMIT 1\nTIMELIMIT 1\nDEREF always\nBASE dc=elsewhere\nURI ldap://192.0.2.1\n"
        "BINDDN cn=nobody\nNETWORK_TIMEOUT 1\nTIMEOUT 1\nREFERRALS on\n"
        "TLS_REQCERT never\nTLS_CRLCHECK none\nTLS_CACERT " +
        certificates.other_ca.certificate().string() + "\n";
    // Who we are is taken from a user's own file only.
    const auto own = lines + "TLS_CERT " + certificates.client.certificate.string() + "\nTLS_KEY " +
                     certificates.client.key.string() + "\n";
    set("LDAPCONF", folder.write("ldap.conf", lines));
    std::filesystem::create_directory(folder / "home");
    std::filesystem::create_directory(folder / "work");
    for (const auto* file : {"home/.ldaprc", "home/ldaprc", "work/ldaprc"}) folder.write(file, own);
    set("HOME", folder / "home");
    std::filesystem::current_path(folder / "work");
    set("LDAPSIZELIMIT", "1");
    set("LDAPTIMELIMIT", "1");
    set("LDAPDEREF", "always");
    set("LDAPBASE", "dc=elsewhere");
    set("LDAPURI", "ldap://192.0.2.1");
    set("LDAPREFERRALS", "on");
    set("LDAPTLS_REQCERT", "never");
    set("LDAPTLS_CACERT", certificates.other_ca.certificate());
    set("LDAPTLS_CERT", certificates.client.certificate);
    set("LDAPTLS_KEY", certificates.client.key);
  }
  ~hostile_environment() {
    std::filesystem::current_path(before_);
    for (const auto& [name, value] : variables_) value ? ::setenv(name, value->c_str(), 1) : ::unsetenv(name);
  }
  hostile_environment(const hostile_environment&) = delete;
  hostile_environment& operator=(const hostile_environment&) = delete;

  temporary_folder folder;
  certificate_set certificates;

 private:
  void set(const char* name, const std::string& value) {
    const char* old = std::getenv(name);
    variables_.emplace_back(name, old != nullptr ? std::optional<std::string>{old} : std::nullopt);
    ::setenv(name, value.c_str(), 1);
  }

  std::filesystem::path before_ = std::filesystem::current_path();
  std::vector<std::pair<const char*, std::optional<std::string>>> variables_;
};

/// A server with that certificate does not get so far as to see a credential.
void check_refused(const connection_info& info, const stub_directory& server, const std::string& reason) {
  auto all = quick_settings({info});
  all.recovery.auto_reconnect = false;
  connection_manager refused(all);
  const auto result = refused.connect();
  BOOST_TEST(!result.connected);
  BOOST_TEST(result.connection_error.find(reason) != std::string::npos, result.connection_error);
  BOOST_TEST(!server.saw_in_clear(admin_password));
  BOOST_TEST(server.binds().empty());
  refused.disconnect();
}

connection_info encrypted(const stub_directory& server) {
  auto info = server_at(server.port());
  info.use_tls = true;
  return info;
}

stub_options serve(const certificate_files& with) {
  stub_options o;
  o.tls = tls_files{with.certificate, with.key};
  return o;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(scenario_48_settings_of_libldap_change_no_limits_and_no_results, hostile_environment) {
  leak_guard leaks;
  stub_directory a;
  connection_manager manager(quick_settings({server_at(a.port())}));
  BOOST_TEST_REQUIRE(manager.connect().connected);
  a.set_entries(std::vector<entry>(20, entry{"uid=x,dc=example,dc=com", {{"uid", {"x"}}}}));
  BOOST_TEST(manager.search(directory_suffix, "(uid=x)").size() == 20u);
  BOOST_TEST(manager.search("", "(objectClass=*)").size() == 20u);
  for (const auto& request : a.requests(operation::search)) {
    BOOST_TEST(request.size_limit == 0);
    BOOST_TEST(request.time_limit == 0);
    BOOST_TEST((request.deref == dereference::never));
    BOOST_TEST(request.dn != "dc=elsewhere");
  }
  for (const auto& bind : a.binds()) BOOST_TEST(bind.dn == admin_dn);
  // Slower than TIMEOUT and NETWORK_TIMEOUT.
  a.disturb(operation::compare, {.delay = 1500ms}, 1);
  const auto slow = manager.try_compare({user_dn(1), "sn", "x"}, {20s});
  BOOST_TEST(static_cast<bool>(slow), why(slow));
  // Followed, it would lead nowhere.
  a.on(operation::search, reply{{.code = result_code::referral, .referrals = {"ldap://127.0.0.1:1/"}}, {}}, 1);
  const auto referred = manager.try_search(search_for("(uid=y)"), {20s});
  BOOST_TEST(referred.code() == errc::ldap_error, why(referred));
  BOOST_TEST(referred.error()->ldap_code == result_code::referral);
  a.set_entries(stub_directory::generator{});
  end_scenario(manager, {a});
}

BOOST_FIXTURE_TEST_CASE(scenario_48_settings_of_libldap_change_no_check_of_certificates, hostile_environment) {
  leak_guard leaks;
  stub_directory good(serve(certificates.server)), untrusted(serve(certificates.of_other_ca));
  auto info = encrypted(untrusted);
  info.ca_cert_path = certificates.ca.certificate();
  check_refused(info, untrusted, "unable to get local issuer certificate");
  // The system's authorities count then, not LDAPTLS_CACERT's.
  info.ca_cert_path.clear();
  check_refused(info, untrusted, "unable to get local issuer certificate");

  auto demanding_options = serve(certificates.server);
  demanding_options.tls->client_ca = certificates.ca.certificate();
  demanding_options.tls->client_required = true;
  stub_directory demanding(demanding_options);
  info = encrypted(demanding);
  info.ca_cert_path = certificates.ca.certificate();
  check_refused(info, demanding, "certificate required");

  info = encrypted(good);
  info.ca_cert_path = certificates.ca.certificate();
  connection_manager manager(quick_settings({info}));
  BOOST_TEST(manager.connect().connected);
  end_scenario(manager, {good});
}
