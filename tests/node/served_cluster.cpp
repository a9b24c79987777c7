// Processes, their files, and gates between them: see served_cluster.hpp.
#include "served_cluster.hpp"

#include "understudy/actors/node/snapshot_fields.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>

namespace understudy::test {

using namespace internal;
using namespace std::chrono_literals;

namespace {

std::string quoted(const std::filesystem::path& path) { return '"' + path.string() + '"'; }

search_request find_user() {
  search_request request;
  request.base = "dc=example,dc=com";
  request.filter = "(uid=user1)";
  return request;
}

}  // namespace

certificate_files served_cluster::certificate_for(const std::string& name) {
  auto authority = node_certificates().ca;
  return authority.issue("node-" + name,
                         {name, {}, {name, "127.0.0.1"}, std::chrono::hours{-24}, std::chrono::hours{24}});
}

served_cluster::served_cluster(served_cluster_options with, const std::vector<std::string>& strangers)
    : with_(std::move(with)), strangers_(strangers), nodes_(with_.nodes) {
  for (std::size_t i = 0; i < size(); ++i) {
    nodes_[i].shown = certificate_for(name_of(i));
    nodes_[i].asker = std::make_unique<test_node>();
    for (std::size_t other = 0; other < i; ++other)
      gates_.push_back({other, i, std::make_unique<fault_gate>(port(i), name_of(i))});
  }
  for (std::size_t i = 0; i < size(); ++i) write(i, with_.budget);
}

served_cluster::~served_cluster() = default;

std::filesystem::path served_cluster::file_of(std::size_t node) const {
  return folder_.path() / (std::to_string(node) + ".toml");
}

std::string served_cluster::config_of(std::size_t i, std::uint32_t budget) const {
  std::string peers;
  for (std::size_t other = 0; other < size(); ++other) {
    if (other == i) continue;
    // The smaller name dials: where the other one is said to be counts for it alone.
    auto at = port(other);
    for (const auto& g : gates_)
      if (g.dials == i && g.answers == other) at = g.at->port();
    peers += (peers.empty() ? "\"" : ", \"") + name_of(other) + ':' + std::to_string(at) + '"';
  }
  for (const auto& each : strangers_) peers += (peers.empty() ? "\"" : ", \"") + each + '"';
  const auto& shown = nodes_[i].shown;
  return "[ldap]\nuri = \"" + directory.url() + "\"\n" + (i < with_.more.size() ? with_.more[i] : "") + "[pool]\n" +
         with_.pool + "[limits]\noperation_timeout = \"10s\"\ndrain_timeout = \"2s\"\n" + with_.sections +
         "[node]\nname = \"" + name_of(i) + "\"\ncert_path = " + quoted(shown.certificate) +
         "\nkey_path = " + quoted(shown.key) + "\nca_cert_path = " + quoted(node_certificates().ca.certificate()) +
         "\npeers = [" + peers + "]\n" + with_.node + "budget = " + std::to_string(budget) +
         "\n[[node.listeners]]\naddress = \"127.0.0.1:" + std::to_string(port(i)) + "\"\npermission = \"admin\"\n";
}

void served_cluster::write(std::size_t node, std::uint32_t budget) {
  folder_.write(std::to_string(node) + ".toml", config_of(node, budget));
}

void served_cluster::start(std::size_t node, const std::string& then) {
  nodes_[node].process = std::make_unique<child_process>(
      std::vector<std::string>{UNDERSTUDY_PROGRAM, "serve", "-c", file_of(node).string()});
  says(node, then);
}

void served_cluster::start_all() {
  for (std::size_t i = 0; i < size(); ++i) start(i);
}

bool served_cluster::says(std::size_t node, const std::string& part, std::chrono::milliseconds limit) const {
  const bool said = eventually([&] { return error_output(node).find(part) != std::string::npos; }, limit);
  BOOST_TEST(said, name_of(node) << ": expected \"" << part << "\" in: " << error_output(node));
  return said;
}

std::size_t served_cluster::times(std::size_t node, const std::string& part) const {
  const auto text = error_output(node);
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string served_cluster::status(std::size_t node, bool json) const {
  const auto& shown = caller_certificate();
  std::vector<std::string> command{UNDERSTUDY_PROGRAM, "status",
                                   "--node",           "127.0.0.1:" + std::to_string(port(node)),
                                   "--node-ca",        node_certificates().ca.certificate(),
                                   "--node-cert",      shown.certificate,
                                   "--node-key",       shown.key};
  if (json) command.emplace_back("--json");
  const auto ended = run_program({command, {}, {}, {}});
  BOOST_TEST(ended.status == 0, ended.error_output);
  return ended.output;
}

std::optional<runtime_snapshot> served_cluster::state(std::size_t node) {
  const test_caller by{*nodes_[node].asker, {port(node)}};
  if (!by.linked(2s)) return std::nullopt;
  request_frame frame;
  frame.kind = request_kind::status;
  frame.number = 1;
  frame.left = seconds{5};
  const auto read = decode_answer(by.ask(encode(frame)));
  if (!read.value || read.value->error) return std::nullopt;
  return decode_runtime_snapshot(read.value->body).value;
}

budget_snapshot served_cluster::budget(std::size_t node) {
  const auto now = state(node);
  return now && !now->servers.empty() ? now->servers.front().budget : budget_snapshot{};
}

bool served_cluster::sees(std::size_t node, std::size_t other, bool connected, std::chrono::milliseconds limit) {
  const bool seen = eventually(
      [&] {
        const auto now = state(node);
        return now && std::any_of(now->peers.begin(), now->peers.end(), [&](const peer_snapshot& p) {
                 return p.name == name_of(other) && p.connected == connected;
               });
      },
      limit);
  BOOST_TEST(seen, name_of(node) << " does not see " << name_of(other) << (connected ? "" : " gone") << ": "
                                 << error_output(node));
  return seen;
}

bool served_cluster::connected(const std::set<std::size_t>& nodes, std::chrono::milliseconds limit) {
  bool all = true;
  for (const auto node : nodes)
    for (const auto other : nodes)
      if (node != other) all = sees(node, other, true, limit) && all;
  return all;
}

void served_cluster::cut_off(std::size_t node) {
  for (auto& g : gates_)
    if (g.dials == node || g.answers == node) g.at->set({.drop = true, .arriving = newcomers::mute});
}

void served_cluster::heal() {
  for (auto& g : gates_) {
    g.at->heal();
    g.at->cut();
  }
}

void served_cluster::stop_all() {
  for (auto& each : nodes_)
    if (each.process && each.process->running()) each.process->send_signal(SIGTERM);
  for (std::size_t i = 0; i < size(); ++i)
    if (nodes_[i].process)
      BOOST_TEST((nodes_[i].process->wait() == 0), name_of(i) << " ended badly: " << error_output(i));
  BOOST_TEST(eventually([&] { return directory.open_connections() == 0; }));
  BOOST_TEST(directory.protocol_errors() == 0U);
}

// ---- load ----

steady_load::steady_load(std::uint16_t port, int callers) : client_({port}) {
  for (int i = 0; i < callers; ++i)
    callers_.emplace_back([this] {
      while (!enough_) {
        const auto got = client_.perform(find_user());
        if (got.ok()) {
          ++answered_;
          continue;
        }
        ++failed_;
        const std::lock_guard lock{mutex_};
        if (first_failure_.empty()) first_failure_ = describe(*got.error);
      }
    });
}

void steady_load::stop() {
  enough_ = true;
  for (auto& each : callers_) each.join();
  callers_.clear();
}

std::string steady_load::first_failure() const {
  const std::lock_guard lock{mutex_};
  return first_failure_;
}

bool steady_load::goes_on(int more) {
  const auto goal = answered_ + more;
  const bool went = eventually([&] { return answered_ >= goal; });
  BOOST_TEST(went, "no more answers: " << first_failure());
  return went;
}

}  // namespace understudy::test
