// Starting, stopping and asking a throwaway slapd.
#include "support/slapd.hpp"

#include "support/slapd_tree.hpp"

#include <ldap.h>
#include <signal.h>

#include <map>
#include <stdexcept>

namespace understudy::test {
namespace {

constexpr std::chrono::seconds start_limit{30};
constexpr timeval answer_limit{5, 0};
constexpr int start_attempts = 5;

std::string percent_encoded(const std::string& path) {
  std::string text;
  for (const char c : path) text += c == '/' ? std::string("%2F") : std::string(1, c);
  return text;
}

[[noreturn]] void fail(const std::string& attempt, int code) {
  throw std::runtime_error("slapd fixture: " + attempt + ": " + ldap_err2string(code));
}

using message_holder = std::unique_ptr<LDAPMessage, decltype(&ldap_msgfree)>;

std::vector<std::string> values_of(LDAP* handle, LDAPMessage* entry, const std::string& attribute) {
  std::vector<std::string> values;
  berval** found = ldap_get_values_len(handle, entry, attribute.c_str());
  for (int i = 0; found != nullptr && found[i] != nullptr; ++i) values.emplace_back(found[i]->bv_val, found[i]->bv_len);
  if (found != nullptr) ldap_value_free_len(found);
  return values;
}

std::uint64_t number(const std::vector<std::string>& values) { return values.empty() ? 0 : std::stoull(values[0]); }

}  // namespace

slapd::slapd(slapd_options with) : options_(std::move(with)) {
  std::filesystem::create_directory(folder_ / "data");
  write_config();
  load_tree();
  for (int attempt = 1; attempt < start_attempts; ++attempt) {
    if (try_start()) return;
    ports_ = std::make_unique<port_set>();  // Somebody took the port in spite of the reservation: try others.
  }
  start();
}

slapd::~slapd() { forget_admin(); }

void slapd::write_config() const {
  folder_.write("slapd.conf", slapd_config(options_, folder_.path()));
  folder_.write("tree.ldif", slapd_tree(options_));
}

void slapd::load_tree() const {
  const auto done =
      run_program({{"slapadd", "-q", "-f", folder_ / "slapd.conf", "-l", folder_ / "tree.ldif"}, {}, {}, {}},
                  std::chrono::minutes{1});
  if (done.status != 0) throw std::runtime_error("slapadd failed: " + done.error_output);
}

void slapd::start() {
  if (!try_start()) throw std::runtime_error("slapd did not start: " + (process_ ? process_->error_output() : ""));
}

bool slapd::try_start() {
  forget_admin();
  process_.reset();
  std::string urls = url();
  if (has_tls()) urls += " " + ldaps_url();
  if (options_.ldapi) urls += " " + ldapi_url();
  // "-d 0" keeps it in the foreground, as our child. It must not see the machine's LDAP settings.
  process_ = std::make_unique<child_process>(
      child_process::options{{"slapd", "-d", "0", "-f", folder_ / "slapd.conf", "-h", urls}, {}, {"LDAPNOINIT=1"}, {}});
  own_ = {};
  return eventually([this] { return !process_->running() || connect_as_admin(); }, start_limit) && process_->running();
}

void slapd::stop() {
  forget_admin();
  if (!process_) return;
  process_->resume();
  process_->send_signal(SIGTERM);
  if (!process_->wait()) process_->kill9();
  process_.reset();
}

void slapd::kill9() {
  process_->kill9();
  process_->wait();
}

void slapd::pause() { process_->stop(); }
void slapd::resume() { process_->resume(); }

void slapd::restart() {
  stop();
  start();
}

bool slapd::running() const { return process_ && process_->running(); }
pid_t slapd::pid() const { return process_ ? process_->pid() : 0; }
std::string slapd::url() const { return "ldap://127.0.0.1:" + std::to_string(port()); }
std::string slapd::ldaps_url() const { return "ldaps://127.0.0.1:" + std::to_string(tls_port()); }
std::string slapd::ldapi_url() const { return "ldapi://" + percent_encoded(folder_ / "ldapi"); }

/// False while the server refuses connections. Later answers are waited for: the listening socket is there before the
/// server serves.
bool slapd::connect_as_admin() {
  LDAP* handle = nullptr;
  if (ldap_initialize(&handle, url().c_str()) != LDAP_SUCCESS) return false;
  const int version = LDAP_VERSION3;
  const timeval limit{static_cast<time_t>(start_limit.count()), 0};
  ldap_set_option(handle, LDAP_OPT_PROTOCOL_VERSION, &version);
  ldap_set_option(handle, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  ldap_set_option(handle, LDAP_OPT_TIMEOUT, &limit);
  std::string password = admin_password;
  berval credentials{password.size(), password.data()};
  const int code = ldap_sasl_bind_s(handle, admin_dn, LDAP_SASL_SIMPLE, &credentials, nullptr, nullptr, nullptr);
  if (code != LDAP_SUCCESS) {
    ldap_unbind_ext(handle, nullptr, nullptr);
    return false;
  }
  ldap_set_option(handle, LDAP_OPT_TIMEOUT, &answer_limit);
  admin_ = handle;
  ++own_.connections;
  return true;
}

ldap* slapd::admin() {
  if (admin_ == nullptr && !connect_as_admin()) throw std::runtime_error("slapd fixture: no connection");
  return admin_;
}

void slapd::forget_admin() {
  if (admin_ != nullptr) ldap_unbind_ext(admin_, nullptr, nullptr);
  admin_ = nullptr;
}

void slapd::each_entry(
    const std::string& base, int scope, const std::string& filter, const std::vector<std::string>& attributes,
    const std::function<void(const std::string&, const std::vector<std::vector<std::string>>&)>& visit) {
  std::vector<char*> names;
  for (const auto& name : attributes) names.push_back(const_cast<char*>(name.c_str()));
  names.push_back(nullptr);
  const auto search = [&](LDAPMessage** found) {
    timeval limit = answer_limit;
    return ldap_search_ext_s(admin(), base.c_str(), scope, filter.c_str(), names.data(), 0, nullptr, nullptr, &limit, 0,
                             found);
  };
  LDAPMessage* found = nullptr;
  int code = search(&found);
  if (code == LDAP_SERVER_DOWN) {  // Closed for being idle.
    forget_admin();
    code = search(&found);
  }
  const message_holder answer(found, &ldap_msgfree);
  ++own_.searches;
  if (code == LDAP_NO_SUCH_OBJECT) return;
  if (code != LDAP_SUCCESS) fail("search below " + base, code);
  for (LDAPMessage* e = ldap_first_entry(admin_, answer.get()); e != nullptr; e = ldap_next_entry(admin_, e)) {
    const std::unique_ptr<char, decltype(&ldap_memfree)> dn(ldap_get_dn(admin_, e), &ldap_memfree);
    std::vector<std::vector<std::string>> values;
    for (const auto& name : attributes) values.push_back(values_of(admin_, e, name));
    visit(dn.get(), values);
  }
}

slapd_counters slapd::counters() {
  std::map<std::string, std::uint64_t> at;  // By first RDN, which is unique where it matters.
  each_entry(
      "cn=Operations,cn=Monitor", LDAP_SCOPE_ONELEVEL, "(objectClass=*)", {"monitorOpInitiated"},
      [&](const std::string& dn, const auto& values) { at[dn.substr(3, dn.find(',') - 3)] = number(values[0]); });
  const std::uint64_t own_searches = own_.searches;  // The server counted the search itself, but not what follows.
  each_entry(
      "cn=Connections,cn=Monitor", LDAP_SCOPE_ONELEVEL, "(monitorCounter=*)", {"monitorCounter"},
      [&](const std::string& dn, const auto& values) { at[dn.substr(3, dn.find(',') - 3)] = number(values[0]); });
  slapd_counters c;
  c.binds = at["Bind"] - own_.connections;
  c.unbinds = at["Unbind"];
  c.searches = at["Search"] - own_searches;
  c.compares = at["Compare"];
  c.modifies = at["Modify"];
  c.modify_dns = at["Modrdn"];
  c.adds = at["Add"];
  c.deletes = at["Delete"];
  c.abandons = at["Abandon"];
  c.extended = at["Extended"];
  c.connections_total = at["Total"] - own_.connections;
  c.connections_current = at["Current"] - 1;
  return c;
}

std::vector<slapd_connection> slapd::connections() {
  std::vector<slapd_connection> all;
  bool own_seen = false;
  each_entry("cn=Connections,cn=Monitor", LDAP_SCOPE_ONELEVEL, "(monitorConnectionNumber=*)",
             {"monitorConnectionAuthzDN", "monitorConnectionOpsReceived", "monitorConnectionNumber"},
             [&](const std::string&, const auto& values) {
               const std::string identity = values[0].empty() ? std::string{} : values[0][0];
               // Ours came first and is never given up while the server runs.
               if (!own_seen && identity == admin_dn) {
                 own_seen = true;
                 return;
               }
               all.push_back({identity, number(values[1])});
             });
  return all;
}

void slapd::change(const std::string& ldif) {
  const auto done = run_program({{"ldapmodify", "-a", "-x", "-H", url(), "-D", admin_dn, "-y",
                                  folder_.write("password", admin_password), "-f", folder_.write("change.ldif", ldif)},
                                 {},
                                 {"LDAPNOINIT=1"},
                                 {}});
  if (done.status != 0) throw std::runtime_error("slapd fixture: change: " + done.error_output);
}

std::vector<std::string> slapd::values(const std::string& dn, const std::string& attribute) {
  std::vector<std::string> found;
  each_entry(dn, LDAP_SCOPE_BASE, "(objectClass=*)", {attribute},
             [&](const std::string&, const auto& values) { found = values[0]; });
  return found;
}

}  // namespace understudy::test
