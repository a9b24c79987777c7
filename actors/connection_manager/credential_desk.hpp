// Where connections ask for the service's credentials: sources of secrets, read when a bind needs them and every minute
// while refused, in front of the gate that says who may bind. Pure: time and readings come in, answers and reads come
// out.
#pragma once
#include "understudy/actors/connection_manager/credential_gate.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/config/secret_source.hpp"
#include "understudy/config/settings.hpp"

namespace understudy::internal {

/// One asker's answer: what to bind with, or why it may not.
struct desk_answer {
  std::uint64_t ticket = 0;
  credential value;
  failure_ptr refusal;
};

/// One server, and where the password for it comes from.
struct desk_server {
  server_id id = 0;
  connection_info info;
};

/// A source to read; tell read_done() of every one, with its number.
struct desk_read {
  std::uint64_t number = 0;
  connection_info source;
};

/// What is to be done now.
struct desk_actions {
  std::vector<desk_answer> answers;
  std::vector<desk_read> reads;
  std::vector<std::uint64_t> unwanted;  ///< running reads whose source is no longer configured, by number
};

/// How sources are read.
struct desk_timing {
  duration read_timeout = seconds{10};  ///< after that, askers are told; the read itself may still come to an end
  duration read_again = seconds{60};    ///< while the secret is refused
  duration fresh = seconds{1};          ///< a reading serves that long without another
  duration fresh_command = seconds{5};  ///< the same, of a command while its secret is refused
};

/// The accounts of all servers. Servers with the same bind DN and the same source are one account; verdicts are shared
/// further, by bind DN and bytes (credential_gate).
class credential_desk {
 public:
  explicit credential_desk(const gate_options& gate, const desk_timing& timing = {});
  credential_desk(const credential_desk&) = delete;
  credential_desk& operator=(const credential_desk&) = delete;

  /// The servers from now on. What is known of accounts that go on being used stays; who waits for another is told.
  desk_actions set_servers(const std::vector<desk_server>& servers, time_point now);
  void configure(const gate_options& gate) { gate_.configure(gate); }
  /// How long who is about to bind to `server` is kept waiting at most: as long as its `timeout`, or 5 s where that is
  /// shorter; zero when it needs no credentials.
  duration patience_of(server_id server) const;

  /// One who is about to bind to `server`; an answer with its `ticket` comes now or later, by `deadline` at the latest.
  desk_actions ask(std::uint64_t ticket, server_id server, time_point deadline, time_point now);
  desk_actions on_verdict(const credential_verdict& verdict, time_point now, wall_time wall);
  desk_actions read_done(std::uint64_t number, const secret_reading& found, time_point now);
  /// By command: a refused secret of that server is tried again.
  void resume(server_id server);
  desk_actions tick(time_point now);
  std::optional<time_point> next_tick() const;

  bool any_refused() const { return gate_.any_refused(); }

 private:
  struct asker {
    std::uint64_t ticket = 0;
    server_id server = 0;
    time_point deadline{};
  };

  struct account {
    std::size_t number = 0;  // at the gate
    connection_info info;    // of one of its servers
    std::vector<server_id> servers;
    secret value;
    std::string problem;  // of the last reading
    bool constant = false;
    std::uint64_t reading = 0;  // number of the running read; 0: none
    time_point overdue{};       // when it keeps its askers no longer
    std::optional<time_point> read_at;
    std::optional<time_point> next_read;  // while refused
    std::vector<asker> waiting;
  };
  using server_accounts = std::map<server_id, std::size_t>;  // a server that needs no bind is not in it

  static bool same_source(const connection_info& a, const connection_info& b);
  account& account_for(const desk_server& server, const server_accounts& before, time_point now);
  void drop_unused(time_point now, desk_actions& out);
  account* account_of(server_id server);
  gate_answers take(account& a, const secret_reading& found, time_point now);
  void read(account& a, time_point now, desk_actions& out);
  void admit(account& a, const asker& who, time_point now, desk_actions& out);
  void admit_waiting(account& a, time_point now, desk_actions& out);
  void drop_overdue(account& a, time_point now, desk_actions& out);
  void settle(const gate_answers& answers, desk_actions& out);
  void watch_refusals(time_point now, desk_actions& out);
  bool may_use_last_reading(const account& a, time_point now) const;
  failure_ptr unreadable(const account& a) const;

  desk_timing timing_;
  credential_gate gate_;
  std::map<std::size_t, account> accounts_;  // by number at the gate
  server_accounts of_server_;
  std::map<server_id, duration> patience_;
  std::map<std::uint64_t, std::size_t> asked_;  // tickets at the gate, and their accounts
  std::uint64_t last_read_ = 0;
};

}  // namespace understudy::internal
