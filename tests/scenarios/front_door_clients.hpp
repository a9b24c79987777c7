// A front door in this process, and clients of it that know nothing but its URL.
#pragma once
#include "scenarios/bare_runtime.hpp"
#include "support/child_process.hpp"

#include <list>
#include <thread>

namespace understudy::test {

/// `all` with a listener for LDAP clients at any free port of 127.0.0.1.
settings with_front_door(settings all, client_listener_settings door = {});

/// A runtime that serves the LDAP clients of its settings, and has been answered by a directory.
class served_clients {
 public:
  /// Fails the test when no server answers, unless nobody waits for that.
  explicit served_clients(settings all, bool wait = true);

  bare_runtime& get() noexcept { return runtime_; }
  std::string uri() const;  ///< ldap://127.0.0.1:port
  /// Waits until nobody is in any more.
  bool all_gone() const;
  /// Starts one of OpenLDAP's programs there, bound as `dn` (empty: not bound).
  child_process::options command(std::vector<std::string> words, const std::string& dn = admin_dn,
                                 const std::string& password = admin_password, const std::string& input = {}) const;
  program_result run(std::vector<std::string> words, const std::string& dn = admin_dn,
                     const std::string& password = admin_password, const std::string& input = {}) const {
    return run_program(command(std::move(words), dn, password, input));
  }

 private:
  mutable bare_runtime runtime_;
};

/// ldapsearch, which connects, binds, asks and goes, over and over; and programs in Python with python3-ldap and
/// python3-ldap3, where those are installed, which ask on one connection. All of them bind as cn=admin.
class asking_clients {
 public:
  explicit asking_clients(std::string uri);
  /// Stops them.
  ~asking_clients() { stop(); }
  asking_clients(const asking_clients&) = delete;
  asking_clients& operator=(const asking_clients&) = delete;

  /// Waits until each of them has been answered `more` times, from now on.
  bool go_on(std::size_t more = 20) const;
  /// Lets each finish what it does; false when one of them hangs.
  bool stop();
  /// What was no success, a line each; of all.
  std::vector<std::string> failures() const;
  /// The same as one text, for messages.
  std::string failures_text() const;

 private:
  /// Answers so far, by client.
  std::vector<std::size_t> answers() const;
  void ask(std::size_t number);

  const std::string uri_;
  temporary_folder folder_;
  mutable std::mutex guard_;
  std::vector<std::size_t> found_;
  std::vector<std::string> failures_;
  bool stopping_ = false;
  std::list<child_process> programs_;
  std::vector<std::thread> threads_;
};

}  // namespace understudy::test
