// Three directory servers, a front door before them, clients that know only that: see demo_front_door.hpp.
#include "understudy/tools/demo_front_door.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/demo_clients.hpp"
#include "understudy/tools/demo_script.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <algorithm>
#include <optional>
#include <vector>

namespace understudy::cli {
namespace {

constexpr int server_count = 3, clients = 4;

using clock = std::chrono::steady_clock;

std::string loopback_address(const loopback_port& port) { return "127.0.0.1:" + std::to_string(port.number()); }

class front_door_demonstration {
 public:
  explicit front_door_demonstration(interrupt_watch& interrupts) : script_(interrupts) {}
  ~front_door_demonstration() {
    // What may take long goes first, while a hurried exit still removes the folder. Clients end when nobody is there.
    end();
    clients_.reset();
  }
  front_door_demonstration(const front_door_demonstration&) = delete;
  front_door_demonstration& operator=(const front_door_demonstration&) = delete;
  int play();

 private:
  void start_servers();
  void start_front_door();
  void start_clients();
  void pause_primary();
  void kill_second();
  bool wait_for_successor();
  int report() const;
  void tell_answers();
  void end();
  /// Who answers reads now, as the door itself says; empty: nobody.
  std::string serving() const;

  demo_script script_;
  demo_tree tree_;
  const loopback_port door_{demo_ports}, operators_{demo_ports};
  std::vector<std::unique_ptr<demo_directory>> servers_;
  std::optional<demo_process> serve_;
  std::unique_ptr<connection_manager> operator_;
  std::unique_ptr<demo_clients> clients_;
  std::uint64_t searches_ = 0, failed_ = 0;
  std::string last_failure_;
  int successors_ = 0;
};

void front_door_demonstration::start_servers() {
  tree_.admin_password = random_password();
  write_file(script_.folder() / "password", tree_.admin_password);
  servers_ = cli::start_servers(script_, server_count, tree_);
}

void front_door_demonstration::start_front_door() {
  auto text = "[ldap]\nbind_dn = \"" + tree_.admin_dn + "\"\npassword_file = \"" +
              (script_.folder() / "password").string() + "\"\ntimeout = 2\n";
  for (std::size_t i = 0; i < servers_.size(); ++i)
    text +=
        "\n[[ldap.servers]]\nuri = \"ldap://" + servers_[i]->name() + "\"\npriority = " + std::to_string(i + 1) + "\n";
  text +=
      "\n[failover]\nhealth_check_interval = 1\n\n[limits]\ndrain_timeout = 1\n\n[[front_door.listeners]]\naddress = "
      "\"" +
      loopback_address(door_) + "\"\n\n[[node.listeners]]\naddress = \"" + loopback_address(operators_) +
      "\"\ninsecure_loopback = true\n";
  write_file(script_.folder() / "front-door.toml", text);
  serve_.emplace(std::vector<std::string>{"/proc/self/exe", "serve", "-c", script_.folder() / "front-door.toml"},
                 script_.folder() / "front-door.log");
  serve_->wait_until(
      [this] { return accepts_connections(door_.number()) && accepts_connections(operators_.number()); });
  operator_ = std::make_unique<connection_manager>(connection_manager::connect_node({loopback_address(operators_)}));
  script_.tell("the front door listens at ldap://" + loopback_address(door_));
}

void front_door_demonstration::start_clients() {
  clients_ = std::make_unique<demo_clients>(clients, "ldap://" + loopback_address(door_), tree_,
                                            script_.folder() / "password", script_.folder());
  script_.tell(std::to_string(clients) + " loops of " + clients_->program() +
               " search all the time; they know that URL alone");
  script_.pause(demo_script::observed_span);
  tell_answers();
}

std::string front_door_demonstration::serving() const {
  const auto now = operator_->snapshot();
  const auto found =
      std::find_if(now.servers.begin(), now.servers.end(), [](const auto& each) { return each.serving; });
  return found == now.servers.end() ? std::string{} : internal::server_name(*found);
}

void front_door_demonstration::pause_primary() {
  servers_.front()->pause();
  script_.tell(servers_.front()->name() + " hangs (SIGSTOP): it accepts connections and answers nothing");
  if (wait_for_successor()) ++successors_;
  script_.pause(demo_script::observed_span);
  tell_answers();
}

void front_door_demonstration::kill_second() {
  servers_.front()->kill();
  servers_[1]->kill();
  script_.tell("kill -9 " + servers_.front()->name() + ", and " + servers_[1]->name() + " too");
  if (wait_for_successor()) ++successors_;
  script_.pause(demo_script::observed_span);
  tell_answers();
}

/// Of who has just failed.
bool front_door_demonstration::wait_for_successor() {
  const auto expected = servers_[static_cast<std::size_t>(successors_) + 1]->name();
  const auto failed = clock::now();
  const bool seen = script_.wait_for([&] { return serving() == expected; });
  if (seen) script_.tell(expected + " has taken over, " + milliseconds_text(clock::now() - failed) + " after that");
  return seen;
}

void front_door_demonstration::tell_answers() {
  const auto seen = clients_->next_observation();
  searches_ += seen.searches;
  failed_ += seen.failed;
  if (seen.failed != 0) last_failure_ = seen.last_failure;
  script_.tell(std::to_string(seen.searches) + " searches, " + std::to_string(seen.failed) + " failed, slowest " +
               milliseconds_text(seen.slowest));
}

void front_door_demonstration::end() {
  // First: it would say that its node is gone.
  operator_.reset();
  serve_.reset();
  for (const auto& server : servers_) server->kill();
}

int front_door_demonstration::report() const {
  script_.tell("in all: " + std::to_string(searches_) + " searches, " + std::to_string(failed_) + " failed");
  if (successors_ == server_count - 1 && failed_ == 0) {
    script_.tell("a server hung, two died, and no client noticed");
    return exit_ok;
  }
  if (successors_ != server_count - 1)
    complain("no other server took over within " + milliseconds_text(demo_script::patience));
  if (failed_ != 0) complain("the last failure: " + last_failure_);
  return exit_runtime;
}

int front_door_demonstration::play() {
  start_servers();
  start_front_door();
  start_clients();
  pause_primary();
  kill_second();
  return report();
}

}  // namespace

int demonstrate_front_door(interrupt_watch& interrupts) { return front_door_demonstration(interrupts).play(); }

}  // namespace understudy::cli
