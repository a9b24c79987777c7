// Who may bind as the service, and when: an untried secret goes alone, a refused one goes nowhere, so that no account
// is ever locked by us. Pure: time comes in, answers to askers come out.
#pragma once
#include "understudy/messages/event.hpp"

#include <algorithm>
#include <deque>
#include <map>

namespace understudy::internal {

/// How patient the gate is.
struct gate_options {
  duration retry = seconds{900};       ///< a refused secret is tried again after that (recovery.credential_retry)
  duration silence = seconds{1};       ///< a bind unanswered for so long keeps other servers' waiting no longer
  duration turn = seconds{5};          ///< how long the bind of an untried secret keeps its own server's others waiting
  duration renewed_turn = seconds{1};  ///< the same, of one that was accepted before
  duration fresh = seconds{10};        ///< how long after an accepted bind others go without waiting for each other
  std::size_t refusals = 3;  ///< so many different secrets may be refused within `retry` before even a new one waits
};

/// What an asker is told: a version to bind with, or why it may not.
struct gate_answer {
  std::uint64_t ticket = 0;
  std::uint64_t version = 0;  ///< 0: refused
  failure_ptr refusal;
};
using gate_answers = std::vector<gate_answer>;

/// Verdicts on secrets, keyed by (bind DN, bytes): servers with the same credentials share one verdict, wherever their
/// secrets come from. An account is one bind DN with one source of its secret.
class credential_gate {
 public:
  using account_id = std::size_t;

  explicit credential_gate(gate_options options) : options_(options) {}

  /// The number of the secret that `version` is of; one that was first seen later has a higher number.
  static std::uint64_t secret_of(std::uint64_t version) noexcept;

  /// `source`: where its secret comes from, for people ("password_file /run/secrets/ldap"); `read_again`: how often it
  /// is read while refused, zero for one that cannot change.
  account_id add_account(std::string bind_dn, std::string source, duration read_again);
  /// The account is no longer used; its number may be given to another. Who waits with it is told so.
  gate_answers drop_account(account_id account, time_point now);
  void configure(const gate_options& options) { options_ = options; }
  /// The account's secret from now on; the same bytes change nothing. Askers who wait go on with the new one.
  gate_answers set_secret(account_id account, const secret& value, time_point now);
  /// One who is about to bind to `server`, with a number of its own; answered here or by a later call, by `deadline`
  /// at the latest. The account has a secret.
  gate_answers ask(std::uint64_t ticket, account_id account, server_id server, time_point deadline, time_point now);
  /// What became of a bind. `wall`: now, for people. Unknown versions are ignored.
  gate_answers on_verdict(const credential_verdict& verdict, time_point now, wall_time wall);
  /// By command: forget that the account's secret was refused.
  void retry_now(account_id account);
  /// Turns and waits that have ended by now.
  gate_answers tick(time_point now);

  /// When tick() has something to do.
  std::optional<time_point> next_tick() const;
  /// True while the account's secret is one that was refused and not accepted since.
  bool refused(account_id account) const;
  bool any_refused() const;
  /// When the account's refused secret may be tried again; nothing when it may be tried now.
  std::optional<time_point> retry_at(account_id account, time_point now) const;

 private:
  enum class standing : std::uint8_t { untried, trying, accepted, refused };

  struct asker {
    std::uint64_t ticket = 0;
    account_id account = 0;
    server_id server = 0;
    time_point deadline{};
  };

  // A bind under way whose verdict has not come.
  struct turn {
    std::uint64_t number = 0;
    server_id server = 0;
    time_point silent_at{};  // it keeps other servers' askers waiting no longer
    time_point until{};      // … nor its own server's
  };

  // One secret of one bind DN and what is known of it. While it is tried, a server that says nothing must not keep the
  // others from being bound to: each server gets one bind at a time, the next one when those before are silent.
  struct trial {
    std::string bind_dn;
    secret value;
    standing state = standing::untried;
    bool was_accepted = false;
    bool was_refused = false;
    time_point accepted_at{};
    std::vector<turn> turns;
    std::uint64_t last_turn = 0;
    std::map<server_id, std::uint64_t> last_turn_of;  // since the secret was last accepted or refused
    time_point refused_at{};
    wall_time refused_wall{};
    failure_ptr refusal;
    std::deque<asker> waiting;
  };

  // A secret that an account was given to bind with. Refused, or under way and perhaps refused soon, it counts against
  // the account; also when the account has got another secret since.
  struct attempt {
    std::uint64_t number = 0;
    time_point under_way_until{};
    time_point refused_until{};

    time_point counts_until() const noexcept { return std::max(under_way_until, refused_until); }
  };

  struct account {
    std::string bind_dn;
    std::string source;
    duration read_again{};
    std::uint64_t current = 0;  // number of its trial; 0: none yet
    bool used = true;
    std::vector<attempt> attempts;
  };

  std::uint64_t find_or_add(const std::string& bind_dn, const secret& value);
  void drop_unused(time_point now);
  void admit(const asker& who, time_point now, gate_answers& out);
  void let_go(std::uint64_t number, trial& t, const asker& who, time_point counts_until, gate_answers& out);
  void give_turn(std::uint64_t number, trial& t, const asker& who, time_point now, gate_answers& out);
  static time_point busy_until(const trial& t) noexcept;
  static time_point may_go_at(const trial& t, server_id server) noexcept;
  void next_turns(trial& t, time_point now, gate_answers& out);
  void accept(std::uint64_t number, trial& t, time_point now, gate_answers& out);
  void refuse(std::uint64_t number, trial& t, const credential_verdict& verdict, time_point now, wall_time wall,
              gate_answers& out);
  static std::vector<attempt>::iterator attempt_of(account& a, std::uint64_t number);
  static void forgive(account& a);
  void forget_unanswered(std::uint64_t number);
  std::optional<time_point> blocked_until(const account& a, time_point now) const;
  failure_ptr refusal_of(const account& a, const trial& t, time_point now) const;
  failure_ptr too_many_refusals(const account& a, time_point until, time_point now) const;
  failure_ptr waited_too_long(const account& a) const;
  failure_ptr replaced(const account& a) const;

  gate_options options_;
  std::vector<account> accounts_;
  std::map<std::uint64_t, trial> trials_;
  std::uint64_t last_number_ = 0;
};

}  // namespace understudy::internal
