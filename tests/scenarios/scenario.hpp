// What scenarios share: settings that make waits short, load that counts its outcomes, and the check that ends each.
#pragma once
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/fault_gate.hpp"
#include "support/leak_check.hpp"
#include "support/print.hpp"
#include "support/slapd.hpp"
#include "support/stub_directory.hpp"
#include "understudy/config/settings_from.hpp"
#include "understudy/runtime/connection_manager.hpp"

#include <atomic>
#include <map>
#include <mutex>

namespace understudy::test {

using namespace internal;

/// A server for the service "cn=admin", in order of preference.
connection_info server_at(std::uint16_t port, int priority = 1);

/// Settings for these servers with the intervals of detection and repair made short; what a scenario states in figures
/// (suspicion after 1 s …) is left as it is.
settings quick_settings(std::vector<connection_info> servers);

/// Nothing finds out what a server does but the requests themselves, however slow the machine is.
void probe_nobody(settings& all);
/// The same; and a breaker that opens stays open until its server is taken out and put back by hand.
void stay_open_until_put_back(settings& all);

/// For a stub that speaks TLS and shows the server's certificate: from the start (`ldaps`), or after StartTLS.
stub_options stub_with_tls(const certificate_set& certificates, bool ldaps);

search_request search_for(std::string filter, std::string base = directory_suffix);
modify_request replace_description(std::string dn, std::string value);

/// "127.0.0.1:port", as results and snapshots name servers.
std::string name_of(std::uint16_t port);
const server_snapshot& server_in(const runtime_snapshot& all, std::uint16_t port);

/// Why there is no result; empty when there is one.
std::string why(const outcome& answer);

/// What a scenario runs on: a connection_manager, or a runtime of the test's own (bare_runtime.hpp).
struct running {
  directory& calls;
  std::function<runtime_snapshot()> snapshot;
  std::function<bool()> stop;

  running(connection_manager& manager)
      : calls(manager),
        snapshot([&manager] { return manager.snapshot(); }),
        stop([&manager] { return manager.disconnect(); }) {}
  running(directory& c, std::function<runtime_snapshot()> s, std::function<bool()> e)
      : calls(c), snapshot(std::move(s)), stop(std::move(e)) {}
};

/// Keeps a number of requests under way until stopped, and counts what became of each.
class background_load {
 public:
  using maker = std::function<request_ptr(int number)>;
  background_load(directory& to, int in_flight, maker make = {}, duration timeout = seconds{20});
  /// Stops and waits for what is under way.
  ~background_load();
  background_load(const background_load&) = delete;
  background_load& operator=(const background_load&) = delete;

  /// Sends nothing new and waits until every request has had its outcome; false when one never gets it.
  bool finish();
  std::uint64_t requests() const;
  std::uint64_t outcomes() const;
  std::uint64_t succeeded() const;
  std::map<errc, std::uint64_t> failures() const;
  /// Successes by server since the last call of forget().
  std::map<std::string, std::uint64_t> by_server() const;
  void forget();
  /// The longest that one request took.
  duration longest() const;
  /// Every success since the last call of forget(), in the order of their coming.
  struct served {
    std::string server;
    time_point began, ended;
  };
  std::vector<served> history() const;
  /// One failure, described; empty when there was none.
  std::string example() const;

 private:
  void send();
  void note(const outcome& answer, time_point began);

  directory& to_;
  maker make_;
  duration timeout_;
  mutable std::mutex guard_;
  bool stopping_ = false;
  int number_ = 0;
  std::uint64_t requests_ = 0, outcomes_ = 0, succeeded_ = 0;
  std::map<errc, std::uint64_t> failures_;
  std::map<std::string, std::uint64_t> by_server_;
  std::vector<served> history_;
  duration longest_{};
  std::string example_;
};

/// A server as an outsider sees it: what the runtime says of it is held against this.
struct witness {
  std::uint16_t port = 0;  ///< as the runtime knows it
  /// Connections that the server itself counts as open (without the test's own).
  std::function<std::uint64_t()> open_connections;

  witness(stub_directory& server);
  witness(slapd& server);
  /// A server behind a gate.
  witness(const fault_gate& gate, const witness& behind)
      : port(gate.port()), open_connections(behind.open_connections) {}
};

/// What check_recovery() and end_scenario() check, as sentences; empty when everything is well. They wait.
std::vector<std::string> recovery_problems(const running& it, const std::vector<witness>& servers);
std::vector<std::string> stop_problems(const running& it, const std::vector<witness>& servers);

/// When a scenario's faults are gone: the first of `servers`, the preferred one, serves again with its breaker closed,
/// no request is left, every lease is accounted for, and every server (in its own count: cn=Monitor's, or the stub's)
/// has just the connections that the runtime says it has.
void check_recovery(const running& it, const std::vector<witness>& servers);

/// The end of every scenario: check_recovery(), then disconnect(), after which no server may see a connection. What the
/// process holds (/proc: descriptors, sockets, threads) is a leak_guard's to check, declared before everything else.
void end_scenario(const running& it, const std::vector<witness>& servers);

}  // namespace understudy::test
