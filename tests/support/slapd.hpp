// A throwaway slapd: a real directory server for one test, with a small tree, faults and independent counters.
#pragma once
#include "support/child_process.hpp"
#include "support/free_port.hpp"

#include <cstdint>
#include <functional>
#include <memory>

struct ldap;

namespace understudy::test {

inline constexpr const char* directory_suffix = "dc=example,dc=com";
inline constexpr const char* people_dn = "ou=people,dc=example,dc=com";
inline constexpr const char* admin_dn = "cn=admin,dc=example,dc=com";
inline constexpr const char* admin_password = "secret";

/// "uid=user7,ou=people,dc=example,dc=com", its password "password7".
std::string user_dn(int number);
std::string user_password(int number);

/// How a throwaway slapd is set up; the defaults are a plain server with ten users.
struct slapd_options {
  /// Users uid=user0 … with cn, sn, mail and userPassword.
  int users = 10;
  int mail_values = 1;         ///< values of `mail` of each user; all but the first are "userK.N@example.com"
  bool utf8_values = false;    ///< each user has a second cn "Jürgen Łukasz 山田 K"
  bool binary_values = false;  ///< each user has a jpegPhoto: all_bytes()
  std::size_t long_value = 0;  ///< bytes of each user's `description`; 0: none
  /// Certificate, key and CA (PEM files): enables StartTLS, and ldaps:// on a port of its own.
  std::filesystem::path certificate = {}, key = {}, ca = {};
  std::string verify_client = "never";  ///< TLSVerifyClient: never, allow, try, demand
  bool ldapi = false;                   ///< also listens on a Unix socket
  int idle_timeout = 0;                 ///< seconds after which idle connections are closed; 0: never
  /// Items of `overlay retcode` below ou=retcodes, each as in slapo-retcode(5): "\"cn=Busy\" 51". Empty: no overlay.
  std::vector<std::string> retcode_items = {};
  std::vector<std::string> global_config = {};    ///< lines before the databases (modules, authz-regexp …)
  std::vector<std::string> database_config = {};  ///< lines of the main database (access, limits, overlays …)
  std::string extra_ldif = {};                    ///< entries added to the tree
};

/// The 256 byte values in order.
std::string all_bytes();

/// What cn=Monitor counted since the server's start, without what this fixture did itself.
struct slapd_counters {
  std::uint64_t binds = 0, unbinds = 0, searches = 0, compares = 0, modifies = 0, modify_dns = 0, adds = 0, deletes = 0,
                abandons = 0, extended = 0;
  std::uint64_t connections_total = 0, connections_current = 0;
};

/// One open connection as the server sees it.
struct slapd_connection {
  std::string identity;  ///< the DN it is bound as; empty: anonymous
  std::uint64_t operations = 0;
};

/// A slapd of its own on 127.0.0.1, started by the constructor and gone with this object. One thread uses it at a time,
/// except for the ports, the URLs, pause(), resume() and kill9().
class slapd {
 public:
  explicit slapd(slapd_options with = {});
  ~slapd();
  slapd(const slapd&) = delete;
  slapd& operator=(const slapd&) = delete;

  /// Starts it on the ports it had before, and waits until it answers; throws std::runtime_error with slapd's own words
  /// when it does not.
  void start();
  /// Ends it politely (SIGTERM).
  void stop();
  void kill9();
  void pause();   ///< SIGSTOP: the kernel still accepts connections, nobody answers
  void resume();  ///< SIGCONT
  void restart();
  bool running() const;
  pid_t pid() const;

  std::uint16_t port() const noexcept { return ports_->plain.number(); }
  std::uint16_t tls_port() const noexcept { return ports_->tls.number(); }
  std::string url() const;        ///< ldap://127.0.0.1:port
  std::string ldaps_url() const;  ///< ldaps://127.0.0.1:tls_port
  std::string ldapi_url() const;  ///< ldapi://%2Fpath
  const std::filesystem::path& folder() const noexcept { return folder_.path(); }

  /// Reads cn=Monitor; throws when the server does not answer within five seconds.
  slapd_counters counters();
  /// Every open connection but our own.
  std::vector<slapd_connection> connections();
  /// Changes the tree as its administrator, by LDIF change records or entries to add. Counts as another client would.
  void change(const std::string& ldif);
  /// An attribute's values, read as administrator; empty when there is no such entry or attribute.
  std::vector<std::string> values(const std::string& dn, const std::string& attribute);

 private:
  struct port_set {
    reserved_port plain, tls;
  };
  struct own_use {
    std::uint64_t connections = 0;  ///< each with one bind
    std::uint64_t searches = 0;
  };

  void write_config() const;
  void load_tree() const;
  bool try_start();
  bool connect_as_admin();
  ldap* admin();
  void forget_admin();
  bool has_tls() const { return !options_.certificate.empty(); }
  void each_entry(
      const std::string& base, int scope, const std::string& filter, const std::vector<std::string>& attributes,
      const std::function<void(const std::string& dn, const std::vector<std::vector<std::string>>&)>& visit);

  slapd_options options_;
  temporary_folder folder_;
  std::unique_ptr<port_set> ports_ = std::make_unique<port_set>();
  std::unique_ptr<child_process> process_;
  ldap* admin_ = nullptr;
  own_use own_;
};

}  // namespace understudy::test
