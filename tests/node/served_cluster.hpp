// Several `understudy serve` before one directory, as nodes of one cluster, with a gate on each link between two.
#pragma once
#include "remote_client.hpp"
#include "support/child_process.hpp"
#include "support/fault_gate.hpp"
#include "support/stub_directory.hpp"

#include <set>
#include <thread>

namespace understudy::test {

/// How they are configured.
struct served_cluster_options {
  std::size_t nodes = 3;
  std::uint32_t budget = 10;  ///< 0: there is none
  std::string pool = "min_connections = 1\nmax_connections = 12\nmax_in_flight = 1\n";
  std::string sections = {};           ///< more of them, on each node
  std::vector<std::string> more = {};  ///< lines of `[ldap]`, a node each; none: nothing more
  std::string node = {};               ///< lines of `[node]`, on each node
};

/// Node i is called "127.0.0.(11+i)"; it listens on 127.0.0.1, others reach it there through a gate of their own.
class served_cluster {
 public:
  /// Each with its certificate, and not started yet. `strangers`: peers in each configuration that no process is.
  explicit served_cluster(served_cluster_options with = {}, const std::vector<std::string>& strangers = {});
  ~served_cluster();
  served_cluster(const served_cluster&) = delete;
  served_cluster& operator=(const served_cluster&) = delete;

  std::size_t size() const noexcept { return nodes_.size(); }
  static std::string name_of(std::size_t node) { return "127.0.0." + std::to_string(11 + node); }
  static certificate_files certificate_for(const std::string& name);

  /// Waits until it says that.
  void start(std::size_t node, const std::string& then = "service: ready");
  void start_all();
  /// Writes the configuration of that node again, with another budget.
  void write(std::size_t node, std::uint32_t budget);
  child_process& process(std::size_t node) { return *nodes_[node].process; }
  const certificate_files& shown(std::size_t node) const { return nodes_[node].shown; }
  std::uint16_t port(std::size_t node) const { return nodes_[node].port.number(); }
  std::string error_output(std::size_t node) const { return nodes_[node].process->error_output(); }
  /// Waits until it says that; fails the test when it does not.
  bool says(std::size_t node, const std::string& part, std::chrono::milliseconds limit = patience) const;
  std::size_t times(std::size_t node, const std::string& part) const;
  /// What `understudy status --node` prints of it.
  std::string status(std::size_t node, bool json) const;
  /// What it answers to who asks for its state; nothing when it does not answer.
  std::optional<runtime_snapshot> state(std::size_t node);
  /// The state of the budget there; zeros when it does not answer.
  budget_snapshot budget(std::size_t node);
  /// Waits until each of `nodes` sees each other one of them.
  bool connected(const std::set<std::size_t>& nodes, std::chrono::milliseconds limit = patience);
  /// Waits until it sees that other one, or does not.
  bool sees(std::size_t node, std::size_t other, bool connected, std::chrono::milliseconds limit = patience);

  /// Nothing passes between that node and the others any more.
  void cut_off(std::size_t node);
  /// Everything does again; links that lost something end.
  void heal();

  /// All end as a service manager ends them, with 0, and leave nothing at the directory.
  void stop_all();

  stub_directory directory;

 private:
  struct process_place {
    reserved_port port;
    certificate_files shown;
    std::unique_ptr<child_process> process;
    std::unique_ptr<test_node> asker;
  };
  struct gated_way {
    std::size_t dials = 0, answers = 0;
    std::unique_ptr<fault_gate> at;
  };

  std::string config_of(std::size_t node, std::uint32_t budget) const;
  std::filesystem::path file_of(std::size_t node) const;

  const served_cluster_options with_;
  const std::vector<std::string> strangers_;
  temporary_folder folder_;
  std::vector<process_place> nodes_;
  std::vector<gated_way> gates_;
};

/// Callers of one node, each of whom asks again as soon as it is answered; from the construction to stop().
class steady_load {
 public:
  steady_load(std::uint16_t port, int callers);
  ~steady_load() { stop(); }
  steady_load(const steady_load&) = delete;
  steady_load& operator=(const steady_load&) = delete;

  void stop();
  int answered() const { return answered_; }
  int failed() const { return failed_; }
  std::string first_failure() const;
  /// Waits for so many more answers.
  bool goes_on(int more = 20);

 private:
  remote_client client_;
  std::atomic<bool> enough_{false};
  std::atomic<int> answered_{0}, failed_{0};
  mutable std::mutex mutex_;
  std::string first_failure_;
  std::vector<std::thread> callers_;
};

}  // namespace understudy::test
