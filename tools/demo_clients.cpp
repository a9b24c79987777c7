// Searches by programs that nobody has told of failover: see demo_clients.hpp.
#include "understudy/tools/demo_clients.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace understudy::cli {
namespace {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

// Each leaves room for the others, and for the servers: this shows continuity, not throughput.
constexpr milliseconds between_two_searches{20};

std::vector<std::string> command_for(const std::string& url, const demo_tree& tree, const fs::path& password_file) {
  const std::vector<std::string> who{"-H", url,           "-D", tree.admin_dn,
                                     "-y", password_file, "-b", "ou=people," + tree.suffix};
  std::vector<std::string> command{"/proc/self/exe", "search"};
  for (const auto* path : {"/usr/bin/ldapsearch", "/usr/local/bin/ldapsearch"})
    if (fs::exists(path)) command = {path, "-x", "-LLL"};
  command.insert(command.end(), who.begin(), who.end());
  return command;
}

}  // namespace

demo_clients::demo_clients(int clients, const std::string& url, const demo_tree& tree, const fs::path& password_file,
                           const fs::path& folder)
    : command_(command_for(url, tree, password_file)), tree_(tree) {
  for (int i = 0; i < clients; ++i)
    threads_.emplace_back([this, first = i * tree_.users / clients, output = folder / ("client" + std::to_string(i))] {
      search_on(first, output);
    });
}

demo_clients::~demo_clients() {
  stop_ = true;
  for (auto& each : threads_) each.join();
}

std::string demo_clients::program() const {
  const bool ours = command_.front() == "/proc/self/exe";
  return ours ? "understudy search" : fs::path{command_.front()}.filename().string();
}

void demo_clients::search_on(int first_user, const fs::path& output) {
  for (int user = first_user; !stop_; user = (user + 1) % tree_.users) {
    const auto began = clock::now();
    auto failure = search_once(user, output);
    const auto took = clock::now() - began;
    {
      const std::lock_guard lock{mutex_};
      ++seen_.searches;
      seen_.slowest = std::max(seen_.slowest, took);
      if (!failure.empty()) {
        ++seen_.failed;
        seen_.last_failure = std::move(failure);
      }
    }
    std::this_thread::sleep_for(between_two_searches);
  }
}

std::string demo_clients::search_once(int user, const fs::path& output) const try {
  fs::remove(output);
  const auto name = "user" + std::to_string(user);
  auto command = command_;
  command.insert(command.end(), {"(uid=" + name + ")", "uid"});
  demo_process client{std::move(command), output};
  const bool succeeded = client.succeeded();
  const auto said = client.end_of_log();
  if (!succeeded) return program() + ": " + said;
  return said.find("dn: uid=" + name + ",") == std::string::npos ? program() + " did not find " + name : std::string{};
} catch (const std::exception& e) {
  return e.what();
}

client_observation demo_clients::next_observation() {
  const std::lock_guard lock{mutex_};
  return std::exchange(seen_, {});
}

}  // namespace understudy::cli
