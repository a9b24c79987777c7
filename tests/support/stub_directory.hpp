// A directory server inside the test: answers as a directory does, and misbehaves in every way a script can say.
#pragma once
#include "support/stub_connection.hpp"
#include "support/tcp_listener.hpp"

#include <array>
#include <atomic>

namespace understudy::test {

struct stub_options {
  std::optional<tls_files> tls = {};  ///< enables StartTLS
  bool ldaps = false;                 ///< TLS from the first byte, in place of StartTLS
  /// Who may bind, by DN. Empty: everybody, with any password.
  std::map<std::string, std::string> passwords = {};
  /// Another loopback address than 127.0.0.1, and the port there: that of another stub, so that a name may have both.
  std::string address = {};
  std::uint16_t port = 0;
};

/// What a stub noted of one bind.
struct bind_note {
  std::uint64_t connection = 0;
  std::string dn, password;
  int code = 0;
  bool encrypted = false;
};

/// Listens on a port of 127.0.0.1 and serves on a thread of its own, from the constructor to the destructor. All
/// members are thread-safe and may be called while clients are connected; responders and predicates run on the stub's
/// thread.
///
/// Left alone it accepts every bind (or those of `passwords`), answers "(uid=X)" with the entry uid=X,ou=people,
/// dc=example,dc=com, other searches with the entry of their base, the base "" with a rootDSE, compares with true,
/// writes with success, who-am-i with the bound identity.
class stub_directory : private stub_connection::host {
 public:
  static constexpr int forever = stub_script::forever;
  using rule_id = stub_script::rule_id;
  using generator = std::function<std::vector<entry>(const directory_request&)>;

  explicit stub_directory(stub_options with = {});
  ~stub_directory() override;

  std::uint16_t port() const noexcept { return listener_->port(); }
  std::string url() const;  ///< ldap:// or ldaps:// and 127.0.0.1:port

  // --- The script. The newest rule that fits decides, for the next `times` requests.

  /// Requests of that kind are answered like this.
  rule_id on(operation kind, reply answer, int times = forever);
  rule_id on(operation kind, responder answer, int times = forever);
  rule_id when(request_predicate fits, responder answer, int times = forever);
  /// Requests of that kind are answered as usual, but delivered like this.
  rule_id disturb(operation kind, delivery how, int times = forever);
  /// As disturb(), for every kind.
  rule_id disturb_all(delivery how, int times = forever);
  void forget(rule_id id) { script_.remove(id); }
  /// Back to good behaviour.
  void forget_rules() { script_.clear(); }
  /// What it answers when no rule fits; for responders that change a part of it.
  reply usual(const directory_request& request) const;
  /// Searches (but for the rootDSE) find what `entries` returns, or exactly these.
  void set_entries(generator entries);
  void set_entries(std::vector<entry> entries);
  /// Replaces the passwords.
  void set_passwords(std::map<std::string, std::string> passwords);
  /// Certificates from now on; for new sessions.
  void set_tls(const tls_files& from);
  /// What TLS does from now on.
  void set_handshake(handshake how);

  // --- Connections.

  /// Closes the listening socket and every connection, as a killed server would. Connects are refused.
  void stop();
  /// Listens again, on the same port.
  void start();
  /// As SIGSTOP: connects succeed, nothing is read, accepted or sent.
  void pause();
  void resume();
  /// Connects are not answered any more (full backlog), open connections go on. start() ends that.
  void ignore_connects();
  /// Newcomers beyond `most` open connections are accepted and ended at once, before anything is read: as by a server
  /// out of descriptors, or, with 0, a balancer without backends. Empty: everybody stays.
  void limit_connections(std::optional<std::size_t> most, ending how = ending::close);
  /// New connections are reset as soon as they are accepted.
  void reset_newcomers(bool on);
  /// What clients send on the connections that are open now is lost in the kernel, unacknowledged, ends too: as behind
  /// a cable that was pulled out. New connections work. The dark ones stay open here until end_dark().
  void go_dark();
  void end_dark();
  /// Sends so many bytes a second, one at a time, on every connection, TLS handshakes included; 0: at full speed again.
  void set_pace(std::size_t bytes_a_second);
  void close_all();
  void reset_all();
  void send_to_all(const std::string& bytes);
  /// Says goodbye on every connection; then closes them.
  void notice_of_disconnection(int code = 52, const std::string& diagnostic = "going down");

  // --- What was seen.

  std::uint64_t count(operation kind) const;
  std::uint64_t connections() const;  ///< accepted since the beginning
  /// When each connection was accepted, the first 100 000.
  std::vector<std::chrono::steady_clock::time_point> arrivals() const;
  std::uint64_t open_connections() const;  ///< open now
  /// The most that were open at once, counted whenever a connection's first request comes: those that the client has
  /// closed do not count, even when their end was not read yet.
  std::uint64_t most_open_connections() const { return most_open_; }
  /// The most at once that were accepted and had not been answered anything yet.
  std::uint64_t most_beginning_connections() const { return most_beginning_; }
  std::uint64_t protocol_errors() const;  ///< bytes from clients that were no LDAP
  std::vector<bind_note> binds() const;
  /// Requests in the order of their coming, the first 100 000.
  std::vector<directory_request> requests() const;
  std::vector<directory_request> requests(operation kind) const;
  /// Whom each open connection is bound as, by its number.
  std::map<std::uint64_t, std::string> identities() const;
  /// True when these bytes came unencrypted (within the first MiB of such bytes).
  bool saw_in_clear(const std::string& bytes) const;

 private:
  reply decide(const directory_request& request) override;
  void saw_plain(std::string_view bytes) override;
  void broke_protocol() override;
  void ended(std::uint64_t number) override;

  void admit(int fd);
  reply usual_search(const directory_request& request) const;
  reply usual_bind(const directory_request& request) const;
  void note(const directory_request& request, const reply& answer);
  void note_first_request(stub_connection& from);
  void for_each(const std::function<void(stub_connection&)>& act);

  stub_script script_;
  mutable std::mutex guard_;  ///< of everything down to the loop
  generator entries_;
  std::map<std::string, std::string> passwords_;
  std::shared_ptr<ssl_ctx_st> tls_;
  handshake handshake_ = handshake::complete;
  std::array<std::uint64_t, operation_count> counts_{};
  std::vector<bind_note> binds_;
  std::vector<directory_request> requests_;
  std::map<std::uint64_t, std::string> identities_;
  std::vector<std::chrono::steady_clock::time_point> arrivals_;
  std::string plain_;

  std::atomic<std::uint64_t> accepted_{0}, open_{0}, most_open_{0}, most_beginning_{0}, protocol_errors_{0};
  const bool ldaps_;
  event_loop loop_;
  // On the loop's thread:
  std::optional<std::size_t> most_connections_;
  ending beyond_ = ending::close;
  std::size_t pace_ = 0;
  std::map<std::uint64_t, std::shared_ptr<stub_connection>> connections_;
  std::unique_ptr<tcp_listener> listener_;
};

}  // namespace understudy::test
