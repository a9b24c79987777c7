// Two directory servers, some nodes before them, services that use the nodes: see demo_nodes.hpp.
#include "understudy/tools/demo_nodes.hpp"

#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/demo_script.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace understudy::cli {
namespace {

constexpr int server_count = 2, callers_each = 3;

using clock = std::chrono::steady_clock;

/// `understudy serve`, with a listener of this machine alone.
class demo_node {
 public:
  /// Returns when somebody can come in. Throws std::runtime_error when it does not start.
  demo_node(std::string name, const std::filesystem::path& folder, const std::string& directory)
      : name_(std::move(name)), port_(demo_ports) {
    const auto file = folder / (name_ + ".toml");
    write_file(file, directory + "\n[node]\nname = \"" + name_ + "\"\n\n[[node.listeners]]\naddress = \"" + address() +
                         "\"\npermission = \"read\"\ninsecure_loopback = true\n");
    process_.emplace(std::vector<std::string>{"/proc/self/exe", "serve", "-c", file}, folder / (name_ + ".log"));
    process_->wait_until([this] { return accepts_connections(port_.number()); });
  }
  const std::string& name() const noexcept { return name_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_.number()); }
  void kill() { process_.reset(); }

 private:
  const std::string name_;
  const loopback_port port_;
  std::optional<demo_process> process_;
};

/// The facade over those nodes. That the link to one that is killed ends is told by the demonstration, not by its log.
connection_manager over(std::vector<std::string> nodes) {
  settings all;
  all.log.level = log_level::error;
  remote_nodes there;
  there.addresses = std::move(nodes);
  auto made = connection_manager::for_nodes(there, all);
  static_cast<void>(made.connect());
  return made;
}

/// A service without a connection of its own to the directory, and who asks it.
class demo_service {
 public:
  demo_service(std::vector<std::string> nodes, const demo_tree& tree)
      : directory_(std::make_unique<connection_manager>(over(std::move(nodes)))),
        callers_(std::make_unique<demo_callers>(*directory_, callers_each, "ou=people," + tree.suffix, tree.users)) {}
  demo_callers& callers() noexcept { return *callers_; }

 private:
  std::unique_ptr<connection_manager> directory_;
  std::unique_ptr<demo_callers> callers_;  // end first
};

class node_demonstration {
 public:
  explicit node_demonstration(interrupt_watch& interrupts) : script_(interrupts) {}
  ~node_demonstration() {
    // What may take long goes first, while a hurried exit still removes the folder.
    services_.clear();
    nodes_.clear();
    servers_.clear();
  }
  node_demonstration(const node_demonstration&) = delete;
  node_demonstration& operator=(const node_demonstration&) = delete;
  int play(int nodes);

 private:
  void start_servers();
  void start_nodes(int count);
  void start_services();
  void kill_node();
  void kill_primary();
  int report() const;
  void tell_answers();
  std::string directory_settings() const;

  demo_script script_;
  demo_tree tree_;
  std::vector<std::unique_ptr<demo_directory>> servers_;
  std::vector<std::unique_ptr<demo_node>> nodes_;
  std::vector<std::unique_ptr<demo_service>> services_;  // the first prefers the first node, and so on
  std::optional<duration> other_node_, other_server_;
};

std::string node_demonstration::directory_settings() const {
  std::string text = "[ldap]\nbind_dn = \"" + tree_.admin_dn + "\"\npassword_file = \"" +
                     (script_.folder() / "password").string() + "\"\n";
  for (std::size_t i = 0; i < servers_.size(); ++i)
    text +=
        "\n[[ldap.servers]]\nuri = \"ldap://" + servers_[i]->name() + "\"\npriority = " + std::to_string(i + 1) + "\n";
  return text + "\n[limits]\ndrain_timeout = 1\n";
}

void node_demonstration::start_servers() {
  tree_.admin_password = random_password();
  write_file(script_.folder() / "password", tree_.admin_password);
  servers_ = cli::start_servers(script_, server_count, tree_);
}

void node_demonstration::start_nodes(int count) {
  for (int i = 0; i < count; ++i) {
    nodes_.push_back(
        std::make_unique<demo_node>("node" + std::to_string(i + 1), script_.folder(), directory_settings()));
    script_.tell(nodes_.back()->name() + " listens at " + nodes_.back()->address());
  }
}

void node_demonstration::start_services() {
  std::vector<std::string> addresses;
  for (const auto& node : nodes_) addresses.push_back(node->address());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    services_.push_back(std::make_unique<demo_service>(addresses, tree_));
    std::rotate(addresses.begin(), addresses.begin() + 1, addresses.end());
  }
  script_.tell(std::to_string(services_.size()) + " services search all the time, each by way of a node of its own, " +
               std::to_string(callers_each) + " callers each");
  script_.pause(demo_script::observed_span);
  tell_answers();
}

/// Of all services together.
void node_demonstration::tell_answers() {
  demo_observation all;
  for (const auto& service : services_) {
    const auto seen = script_.observe(service->callers());
    for (const auto& [server, count] : seen.answers) all.answers[server] += count;
    all.failed += seen.failed;
    all.slowest = std::max(all.slowest, seen.slowest);
  }
  script_.tell(answers_of(all));
}

void node_demonstration::kill_node() {
  auto& callers = services_.front()->callers();
  nodes_.front()->kill();
  const auto killed = clock::now();
  script_.tell("kill -9 " + nodes_.front()->name() + ", under load");
  script_.observe(callers);  // what comes from here on, comes by another node
  const bool seen = script_.wait_for([&] {
    for (const auto& [server, when] : callers.so_far().first)
      if (!other_node_ || when - killed < *other_node_) other_node_ = when - killed;
    return other_node_.has_value();
  });
  if (seen)
    script_.tell("its service got the next answer by way of another node, " + milliseconds_text(*other_node_) +
                 " after that");
  script_.pause(demo_script::observed_span);
  tell_answers();
}

void node_demonstration::kill_primary() {
  const auto primary = servers_.front()->name();
  servers_.front()->kill();
  const auto killed = clock::now();
  script_.tell("kill -9 " + primary + ", under load");
  const bool seen = script_.wait_for([&] {
    std::optional<duration> slowest;
    for (const auto& service : services_) {
      const auto first = service->callers().so_far().first;
      const auto found =
          std::find_if(first.begin(), first.end(), [&](const auto& each) { return each.first != primary; });
      if (found == first.end()) return false;
      slowest = std::max(slowest.value_or(duration{}), found->second - killed);
    }
    other_server_ = slowest;
    return true;
  });
  if (seen)
    script_.tell("all services were answered by " + servers_.back()->name() + " within " +
                 milliseconds_text(*other_server_));
  script_.pause(demo_script::observed_span);
  tell_answers();
}

int node_demonstration::report() const {
  script_.tell("in all: " + std::to_string(script_.searches()) + " searches, " + std::to_string(script_.failed()) +
               " failed");
  if (other_node_ && other_server_ && script_.failed() == 0) {
    script_.tell("a node and a server died, and no caller noticed");
    return exit_ok;
  }
  if (!other_node_) complain("no other node answered within " + milliseconds_text(demo_script::patience));
  if (!other_server_) complain("no other server answered within " + milliseconds_text(demo_script::patience));
  if (script_.failed() != 0) complain("the last failure: " + script_.last_failure());
  return exit_runtime;
}

int node_demonstration::play(int nodes) try {
  start_servers();
  start_nodes(nodes);
  start_services();
  kill_node();
  kill_primary();
  return report();
} catch (const interrupted&) {
  // Callers would wait for servers that are about to go: there is no need to be polite.
  for (const auto& node : nodes_) node->kill();
  for (const auto& server : servers_) server->kill();
  throw;
}

}  // namespace

int demonstrate_nodes(interrupt_watch& interrupts, int nodes) { return node_demonstration(interrupts).play(nodes); }

}  // namespace understudy::cli
