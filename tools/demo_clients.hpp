// The audience of the front door's demonstration: programs that search once and end, again and again.
#pragma once
#include "understudy/messages/time.hpp"
#include "understudy/tools/demo_directory.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace understudy::cli {

/// What clients saw since a certain moment.
struct client_observation {
  std::uint64_t searches = 0, failed = 0;
  std::string last_failure;
  duration slowest{};
};

/// Threads that each run `ldapsearch` for one user after another, each time a process and a connection of its own;
/// where that is not installed, this program's own search. From construction to destruction.
class demo_clients {
 public:
  /// Clients know `url` and the name and password of the service, which stands in `password_file`.
  demo_clients(int clients, const std::string& url, const demo_tree& tree, const std::filesystem::path& password_file,
               const std::filesystem::path& folder);
  /// Waits for searches that are under way.
  ~demo_clients();
  demo_clients(const demo_clients&) = delete;
  demo_clients& operator=(const demo_clients&) = delete;

  /// "ldapsearch".
  std::string program() const;
  /// What was seen until now; counting starts again.
  client_observation next_observation();

 private:
  void search_on(int first_user, const std::filesystem::path& output);
  /// Empty, or why it failed.
  std::string search_once(int user, const std::filesystem::path& output) const;

  const std::vector<std::string> command_;
  const demo_tree tree_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  ///< of what follows
  client_observation seen_;
  std::vector<std::thread> threads_;
};

}  // namespace understudy::cli
