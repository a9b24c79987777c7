// The bind lockout guard at work: promises of those who ask, reads on workers, a timer, lines in the log.
#pragma once
#include "understudy/actors/connection_manager/manager_dependencies.hpp"
#include "understudy/actors/connection_manager/manager_messages.hpp"
#include "understudy/actors/ports/actor_timer.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::internal {

/// A part of the manager's state. Every promise given to it is answered: with a credential, a refusal, or by close().
class credential_service {
 public:
  using promise = caf::typed_response_promise<credential>;
  using claim_promise = caf::typed_response_promise<service_claim>;

  credential_service(manager_interface::pointer self, environment_ptr env, const settings& all, secret_reader read);
  credential_service(const credential_service&) = delete;
  credential_service& operator=(const credential_service&) = delete;

  /// The servers and the settings from now on.
  void set_servers(const std::vector<guarded_server>& servers, const settings& all);
  void ask(server_id server, promise answer);
  void on_verdict(const credential_verdict& verdict);
  /// Whether these are the service's own. A password that is not the known one has the source looked at first, now and
  /// then. While no bind has told yet, the servers are probed, which tells: a hung one must not have clients refused
  /// that another one would let in. When no server answers, nobody waits.
  void check_claim(const std::string& bind_dn, const secret& password, claim_promise answer);
  void read_done(std::uint64_t number, const secret_reading& found);
  /// By command: a refused secret of that server is tried again.
  void resume(server_id server);
  /// What other nodes know of the service's secrets.
  void on_refused_elsewhere(const std::vector<refused_secret>& all);
  void fingerprint_done(std::uint64_t number, const std::string& fingerprint);
  /// True when the timer was its own.
  bool on_tick(std::uint64_t timer);
  /// Answers everyone who waits with `draining`; nothing is read any more.
  void close();
  bool any_refused() const { return guard_.any_refused(); }
  /// What that server said of the password when it accepted it last, or empty.
  std::string warning(server_id server) const;

 private:
  /// One who waits until other nodes were heard.
  struct early_request {
    server_id server = 0;
    promise answer;
    time_point until{};
  };

  /// One whose password may be right once the source is read, or a bind with it is accepted.
  struct open_claim {
    std::string bind_dn;
    secret password;
    claim_promise answer;
    time_point since{}, until{};
  };

  void settle_claims();
  void have_secret_tried(time_point now);
  void secret_was_tried(bool nobody_answers, time_point began);
  void begin(server_id server, promise answer);
  void admit_early();
  void end_waits_for_nodes(time_point now);
  void note_decision();
  void carry_out(const bind_lockout_actions& todo);
  void start_read(const secret_read& wanted);
  void start_fingerprint(const wanted_fingerprint& wanted);
  void share_refusals();
  void note_standing();
  void note_warning(const credential_verdict& verdict);
  void arm();

  manager_interface::pointer self_;
  environment_ptr env_;
  secret_reader read_;
  bind_lockout_guard guard_;
  std::map<std::uint64_t, promise> waiting_;
  std::vector<early_request> early_;
  time_point nodes_heard_by_ = time_point::min();  // then nobody waits for other nodes any more …
  bool undecided_ = false;                         // … and none of them for this one, which is told when that is over
  time_point undecided_until_ = time_point::max();
  bool knows_servers_ = false;  // DNS may list them, which takes its time
  std::uint64_t last_request_id_ = 0;
  // What the workers read for us; a read is wanted for as long as its mark is here.
  std::map<std::uint64_t, std::shared_ptr<const std::uint64_t>> running_;
  std::vector<open_claim> claims_;
  bool trying_secret_ = false;
  time_point next_try_ = time_point::min();
  bool nobody_answers_ = false;  // the last try found; holds until the next one
  bool closed_ = false;
  bool refused_before_ = false;
  failure_ptr last_refusal_;
  std::vector<refused_secret> shared_;  // with other nodes
  std::map<server_id, password_warning> warnings_;
  std::map<std::string, bool> warned_;  // by bind DN: that it is restricted
  actor_timer timer_;
};

}  // namespace understudy::internal
