// Who may bind as the service, with which secret and when: secrets are read when a bind needs them, an untried one goes
// alone, a refused one goes nowhere, so that no account is ever locked by us. Pure: time and readings come in, answers
// and reads come out.
#pragma once
#include "understudy/actors/ports/cluster_port.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/secret_source.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/event.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace understudy::internal {

/// How patient the guard is, and how it reads sources.
struct bind_lockout_options {
  /// A refused secret is tried again after that.
  duration retry = recovery_settings{}.credential_retry;
  /// A bind unanswered for so long keeps other servers' waiting no longer.
  duration silence = breaker_settings{}.suspect_after;
  /// How long the bind of an untried secret keeps its own server's others waiting.
  duration turn = failover_settings{}.failover_timeout;
  duration renewed_turn = breaker_settings{}.suspect_after;  ///< the same, of one that was accepted before
  /// How long after an accepted bind `fresh_silence` holds in place of `silence`.
  duration fresh_verdict = seconds{10};
  duration fresh_silence = milliseconds{100};  ///< zero for a server whose last bind was left unanswered
  std::size_t refusals = 3;  ///< so many different secrets may be refused within `retry` before even a new one waits

  /// Then askers go with the last secret, if that was accepted; the read goes on.
  duration slow_reading = breaker_settings{}.suspect_after;
  duration read_timeout = seconds{10};  ///< after that, askers are told; the read itself may still come to an end
  duration read_again = seconds{60};    ///< between readings while the secret is refused
  duration fresh_reading = seconds{1};  ///< a reading serves that long without another
  duration fresh_command = seconds{5};  ///< the same, of a command while its secret is refused
  /// A source is read again so often at most because somebody presents another password than it gave; what has to be
  /// run for it, every `read_again`.
  duration look_again = seconds{1};

  bool shares = false;  ///< other nodes are told of refusals, and tell theirs
  /// A secret that was refused elsewhere waits longer than `retry` by that: who was refused tries it first.
  duration after_others = seconds{5};
};

/// The answer to one request to bind: what to bind with, or why not.
struct bind_permission {
  std::uint64_t request_id = 0;
  credential value;
  failure_ptr refusal;
};

/// One server, and where the password for it comes from.
struct guarded_server {
  server_id id = 0;
  connection_info info;
};

/// A source to read; tell read_done() of every one, with its number.
struct secret_read {
  std::uint64_t number = 0;
  connection_info source;
};

/// A secret whose fingerprint is wanted; tell fingerprint_done() of every one, with its number. Takes a tenth of a
/// second of a worker.
struct wanted_fingerprint {
  std::uint64_t number = 0;
  std::string identity;
  secret value;
};

/// What is to be done now.
struct bind_lockout_actions {
  std::vector<bind_permission> answers;
  std::vector<secret_read> reads;
  std::vector<std::uint64_t> unwanted;  ///< running reads whose source is no longer configured, by number
  std::vector<wanted_fingerprint> fingerprints;
};

/// Servers with the same bind DN and the same source of its secret are one account; verdicts are shared further, by
/// bind DN and bytes, wherever the bytes come from.
class bind_lockout_guard {
 public:
  explicit bind_lockout_guard(const bind_lockout_options& options) : options_(options) {}
  bind_lockout_guard(const bind_lockout_guard&) = delete;
  bind_lockout_guard& operator=(const bind_lockout_guard&) = delete;

  /// The servers from now on. What is known of accounts that go on being used stays; who waits for another is told.
  bind_lockout_actions set_servers(const std::vector<guarded_server>& servers, time_point now);
  void configure(const bind_lockout_options& options) { options_ = options; }
  /// How long who is about to bind to `server` is kept waiting at most: as long as its `timeout`, or 5 s where that is
  /// shorter; zero when it needs no credentials.
  duration patience_of(server_id server) const;

  /// Somebody is about to bind to `server`; an answer with this `request_id` comes now or later, by `deadline` at the
  /// latest.
  bind_lockout_actions ask(std::uint64_t request_id, server_id server, time_point deadline, time_point now);
  /// What became of a bind. `wall`: now, for people. Unknown versions are ignored. `unknown` without a cause: nothing
  /// was sent, who asked had left; that costs its server no turn.
  bind_lockout_actions on_verdict(const credential_verdict& verdict, time_point now, wall_time wall);
  bind_lockout_actions read_done(std::uint64_t number, const secret_reading& found, time_point now);
  /// By command: a refused secret of that server is tried again.
  void resume(server_id server, time_point now);
  /// The secrets that are refused elsewhere, all of them. One of ours that is among them is held back as if it had been
  /// refused here, unless it was accepted here since; one that is not any more is tried again.
  bind_lockout_actions set_refused_elsewhere(std::vector<refused_secret> all, time_point now);
  /// The answer to a wanted fingerprint; empty when it could not be had: then that secret is compared with none.
  bind_lockout_actions fingerprint_done(std::uint64_t number, std::string fingerprint, time_point now);
  /// What is refused here, for other nodes. What was replaced by another secret meanwhile stays in it, until it is
  /// accepted or would be tried again: other nodes may still have it.
  std::vector<refused_secret> refused_here(time_point now);
  /// Turns, waits and pauses between readings that have ended by now.
  bind_lockout_actions tick(time_point now);

  /// When tick() has something to do; time_point::max(): never.
  time_point next_tick() const;
  /// Whether a name and a password that somebody presents are the service's own: names are compared as DNs, passwords
  /// in a time that does not depend on their bytes. A secret that the directory refuses proves nothing; one that was
  /// accepted counts until the one that replaced it in its source is accepted.
  service_claim check_claim(std::string_view bind_dn, const secret& password) const;
  /// Somebody presents another password for that name: its source may have been changed since it was read.
  bind_lockout_actions look_again(std::string_view bind_dn, time_point now);
  /// True while a source of that name is being read.
  bool is_reading(std::string_view bind_dn) const;
  /// True when a bind will tell what to say of that password, and none has yet: it is what the source says now in place
  /// of a secret that was accepted, or none was accepted or refused so far.
  bool is_undecided(std::string_view bind_dn, const secret& password) const;
  /// True while a secret is one that was refused and not accepted since.
  bool any_refused() const;
  /// True when every secret that would be tried here was accepted, or refused in a way that others can be told.
  bool all_decided() const;

 private:
  using account_id = std::uint64_t;
  using secret_id = std::uint64_t;

  struct bind_request {
    std::uint64_t request_id = 0;
    account_id account = 0;
    server_id server = 0;
    time_point deadline{};
  };

  // A secret that an account was given to bind with. Refused, or under way and perhaps refused soon, it counts against
  // the account; also when the account has got another secret since.
  struct attempt {
    secret_id secret = 0;
    time_point under_way_until{};
    time_point refused_until{};

    time_point counts_until() const noexcept { return std::max(under_way_until, refused_until); }
  };

  struct account {
    connection_info info;  // of one of its servers
    std::vector<server_id> servers;
    // What the source says: 0 nothing yet, else that trial, whose value is the only copy, however often it is read.
    secret_id current = 0;
    secret replaced;  // was accepted, and is no longer what the source says; until the current one is accepted
    std::vector<attempt> attempts;
    std::string problem;  // of the last reading
    bool constant = false;
    std::uint64_t reading = 0;  // number of the running read; 0: none
    time_point slow_at{};       // when it keeps those no longer for whom an accepted secret is there
    time_point overdue{};       // … nor anybody else
    bool hung_before = false;   // the last read was slow and brought nothing: the next one keeps nobody either
    std::optional<time_point> read_at, looked_again_at;
    time_point next_read = time_point::max();  // while refused
    std::vector<bind_request> waiting;         // for a reading
  };

  enum class standing : std::uint8_t { untried, trying, accepted, refused };

  // A bind under way whose verdict has not come.
  struct turn {
    std::uint64_t number = 0;
    server_id server = 0;
    time_point silent_at{};    // it keeps other servers' requests waiting no longer
    time_point until{};        // … nor its own server's
    std::uint64_t before = 0;  // the turn that its server had before it
  };

  // One secret of one identity and what is known of it. While it is tried, a server that says nothing must not keep the
  // others from being bound to: each server gets one bind at a time, the next one when those before are silent.
  struct trial {
    std::string identity;
    secret value;
    standing state = standing::untried;
    bool was_accepted = false;
    bool was_refused = false;
    time_point accepted_at{};
    std::vector<turn> turns;
    std::uint64_t last_turn = 0;
    // Turns up to that one keep nobody waiting: they began before it was accepted.
    std::uint64_t last_turn_accepted = 0;
    std::map<server_id, std::uint64_t> last_turn_of;  // since the secret was last accepted or refused
    time_point refused_at{};
    wall_time refused_wall{};
    failure_ptr refusal;
    bool elsewhere = false;            // where that was
    std::deque<bind_request> waiting;  // for a verdict, or for the fingerprint

    bool shared = false;                                         // may be compared with what other nodes were refused
    std::string fingerprint;                                     // empty: not known …
    bool asked_for_fingerprint = false, no_fingerprint = false;  // … yet, or at all
    time_point overruled_at{};  // by command: what was refused elsewhere before does not count
  };
  using server_accounts = std::map<server_id, account_id>;  // a server that needs no bind is not in it

  static bool is_of(const account& a, const std::string& comparable_name);
  static bool same_source(const connection_info& a, const connection_info& b);
  account_id account_for(const guarded_server& server, const server_accounts& before, time_point now,
                         bind_lockout_actions& out);
  void drop_unused_accounts(time_point now, bind_lockout_actions& out);

  // The reading of sources.
  bool may_use_last_reading(const account& a, time_point now) const;
  time_point wait_for_reading_ends(const account& a) const;
  void read(account& a, time_point now, bind_lockout_actions& out);
  void take(account_id id, const secret_reading& found, time_point now, bind_lockout_actions& out);
  void admit(const bind_request& request, time_point now, bind_lockout_actions& out);
  void admit_waiting(account& a, time_point now, bind_lockout_actions& out);
  void end_waits_for_reading(account& a, time_point now, bind_lockout_actions& out);
  void watch_refusals(time_point now, bind_lockout_actions& out);

  // Verdicts on secrets.
  secret_id find_or_add_trial(const std::string& identity, const secret& value, bool shared);
  void drop_unused_trials(time_point now);
  void set_secret(account_id id, const secret& value, time_point now, bind_lockout_actions& out);
  void end_turns_and_waits(time_point now, bind_lockout_actions& out);
  void decide(const bind_request& request, time_point now, bind_lockout_actions& out);
  void permit(secret_id id, trial& t, const bind_request& request, time_point counts_until, bind_lockout_actions& out);
  void start_turn(secret_id id, trial& t, const bind_request& request, time_point now, bind_lockout_actions& out);
  void note_answer(server_id server, time_point now);
  static std::optional<turn> take_turn(trial& t, std::uint64_t version, secret_id id);
  static time_point busy_until(const trial& t) noexcept;
  static time_point may_go_at(const trial& t, server_id server) noexcept;
  void next_turns(trial& t, time_point now, bind_lockout_actions& out);
  void accept(secret_id id, trial& t, time_point now, bind_lockout_actions& out);
  void refuse(secret_id id, trial& t, const credential_verdict& verdict, time_point now, wall_time wall,
              bind_lockout_actions& out);
  void hold_back(secret_id id, trial& t, time_point until, time_point now, bind_lockout_actions& out);
  time_point retried_at(const trial& t) const noexcept;

  // What other nodes know.
  bool is_refused_elsewhere(const trial& t) const;
  bool lacks_fingerprint(const trial& t) const;
  void want_fingerprint(secret_id id, trial& t, bind_lockout_actions& out);
  void compare(secret_id id, trial& t, time_point now, bind_lockout_actions& out);
  void note_refused_here(secret_id id, std::string fingerprint);

  static std::vector<attempt>::iterator attempt_of(account& a, secret_id id);
  duration silence_of(const trial& t, server_id server, time_point now) const;
  static void clear_refusals(account& a);
  void forget_unanswered(secret_id id);
  std::optional<time_point> retry_at(const account& a, time_point now) const;
  std::optional<time_point> blocked_until(const account& a, time_point now) const;

  // What is said to those who may not bind.
  failure_ptr unreadable(const account& a) const;
  failure_ptr refusal_of(const account& a, const trial& t, time_point now) const;
  failure_ptr too_many_refusals(const account& a, time_point blocked_until, time_point now) const;
  static failure_ptr waited_too_long(const account& a);
  static failure_ptr no_longer_configured(const account& a);

  bind_lockout_options options_;
  std::map<account_id, account> accounts_;
  std::map<secret_id, trial> trials_;  // one that was first seen later has a higher number
  server_accounts of_server_;
  std::map<server_id, duration> patience_;
  std::set<server_id> unanswered_;  // servers whose last turn brought no verdict
  account_id last_account_ = 0;
  secret_id last_secret_ = 0;
  std::uint64_t last_read_ = 0;
  std::vector<refused_secret> elsewhere_;
  std::vector<refused_secret> here_;                  // with their fingerprints
  std::map<secret_id, refused_secret> here_without_;  // … and those that wait for it
};

}  // namespace understudy::internal
