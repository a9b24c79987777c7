// What demonstrations share: they tell with the time, wait without keeping Ctrl-C waiting, and count what callers saw.
#pragma once
#include "understudy/tools/demo_callers.hpp"
#include "understudy/tools/demo_directory.hpp"
#include "understudy/tools/interrupt.hpp"

#include <functional>
#include <memory>
#include <string>

namespace understudy::cli {

/// From its construction on time counts. Its waits throw `interrupted`.
class demo_script {
 public:
  static constexpr seconds patience{10};      ///< for whatever shall happen
  static constexpr seconds observed_span{3};  ///< of each part

  /// Removes its folder when the process has to end in a hurry.
  explicit demo_script(interrupt_watch& interrupts);
  ~demo_script();
  demo_script(const demo_script&) = delete;
  demo_script& operator=(const demo_script&) = delete;

  const std::filesystem::path& folder() const noexcept { return folder_.path(); }
  /// A line on standard output, behind the time.
  void tell(const std::string& text) const;
  void pause(duration span) const;
  /// False when `condition` did not hold within `patience`.
  bool wait_for(const std::function<bool()>& condition) const;

  /// What `callers` saw since the last time; counted in the sums.
  demo_observation observe(demo_callers& callers);
  std::uint64_t searches() const noexcept { return searches_; }
  std::uint64_t failed() const noexcept { return failed_; }
  const std::string& last_failure() const noexcept { return last_failure_; }

 private:
  interrupt_watch& interrupts_;
  const time_point begin_ = std::chrono::steady_clock::now();
  demo_folder folder_;
  std::uint64_t searches_ = 0, failed_ = 0;
  std::string last_failure_;
};

/// "7251 searches (7251 by 127.0.0.1:10389), 0 failed, slowest 22 ms".
std::string answers_of(const demo_observation& seen);
/// Hard to guess, different each time.
std::string random_password();
/// Where demonstrations look for ports: above it.
inline constexpr std::uint16_t demo_ports = 10388;
/// So many servers with the same tree, each of which `script` tells of; the first has priority 1, and so on.
std::vector<std::unique_ptr<demo_directory>> start_servers(const demo_script& script, int count, const demo_tree& tree);

}  // namespace understudy::cli
