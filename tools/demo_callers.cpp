// Searches that flow while servers die and come back.
#include "understudy/tools/demo_callers.hpp"

#include "understudy/messages/filter.hpp"

#include <algorithm>

namespace understudy::cli {
namespace {

// Each caller leaves room for the others, and for the servers: this shows continuity, not throughput.
constexpr milliseconds between_searches{2};

}  // namespace

std::uint64_t demo_observation::total() const {
  std::uint64_t sum = failed;
  for (const auto& [server, count] : answers) sum += count;
  return sum;
}

demo_callers::demo_callers(directory& where, int callers, const std::string& base, int users) : where_(where) {
  for (int i = 0; i < callers; ++i)
    threads_.emplace_back([this, first = i * users / callers, base, users] { search_on(first, base, users); });
}

demo_callers::~demo_callers() {
  stop_ = true;
  for (auto& t : threads_) t.join();
}

void demo_callers::search_on(int first_user, const std::string& base, int users) {
  for (int user = first_user; !stop_; user = (user + 1) % users) {
    search_request what;
    what.base = base;
    what.filter = filter::equal("uid", "user" + std::to_string(user));
    const auto begin = std::chrono::steady_clock::now();
    const auto found = where_.try_search(std::move(what));
    const auto now = std::chrono::steady_clock::now();
    note(found, now - begin, now);
    std::this_thread::sleep_for(between_searches);
  }
}

void demo_callers::note(const outcome& found, duration took, time_point now) {
  const std::lock_guard lock(mutex_);
  seen_.slowest = std::max(seen_.slowest, took);
  if (!found || found->entries.size() != 1) {
    ++seen_.failed;
    seen_.last_failure = found ? "a search for one user found " + std::to_string(found->entries.size()) + " entries"
                               : describe(*found.error());
    return;
  }
  ++seen_.answers[found->server];
  seen_.first.emplace(found->server, now);
}

demo_observation demo_callers::so_far() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

demo_observation demo_callers::next_observation() {
  const std::lock_guard lock(mutex_);
  return std::exchange(seen_, {});
}

}  // namespace understudy::cli
