// The time, the waiting, the sums: see demo_script.hpp.
#include "understudy/tools/demo_script.hpp"

#include "understudy/messages/text.hpp"
#include "understudy/tools/report.hpp"

#include <poll.h>

#include <array>
#include <cstdio>
#include <random>

namespace understudy::cli {

using clock = std::chrono::steady_clock;

demo_script::demo_script(interrupt_watch& interrupts) : interrupts_(interrupts) {
  interrupts_.on_hurried_exit([this] { folder_.remove(); });
}

demo_script::~demo_script() { interrupts_.on_hurried_exit({}); }

void demo_script::tell(const std::string& text) const {
  std::array<char, 32> time{};
  const auto size = std::snprintf(time.data(), time.size(), "%5.1f s  ",
                                  std::chrono::duration<double>(clock::now() - begin_).count());
  put(std::string{time.data(), static_cast<std::size_t>(size)} + text + "\n");
}

void demo_script::pause(duration span) const {
  pollfd fd{interrupts_.descriptor(), POLLIN, 0};
  const auto ms = std::chrono::duration_cast<milliseconds>(span).count();
  if (::poll(&fd, 1, static_cast<int>(ms)) > 0) throw interrupted();
}

bool demo_script::wait_for(const std::function<bool()>& condition) const {
  constexpr milliseconds glance{5};
  const auto end = clock::now() + patience;
  while (!condition() && clock::now() < end) pause(glance);
  return condition();
}

demo_observation demo_script::observe(demo_callers& callers) {
  auto seen = callers.next_observation();
  searches_ += seen.total();
  failed_ += seen.failed;
  if (seen.failed != 0) last_failure_ = seen.last_failure;
  return seen;
}

std::string answers_of(const demo_observation& seen) {
  const auto text =
      joined(seen.answers, ", ", [](const auto& each) { return std::to_string(each.second) + " by " + each.first; });
  return std::to_string(seen.total()) + " searches (" + text + "), " + std::to_string(seen.failed) +
         " failed, slowest " + milliseconds_text(seen.slowest);
}

std::string random_password() {
  std::random_device source;
  std::string text;
  for (int i = 0; i < 4; ++i) text += std::to_string(source());
  return text;
}

std::vector<std::unique_ptr<demo_directory>> start_servers(const demo_script& script, int count,
                                                           const demo_tree& tree) {
  std::vector<std::unique_ptr<demo_directory>> servers;
  for (int i = 1; i <= count; ++i) {
    servers.push_back(
        std::make_unique<demo_directory>(script.folder() / std::to_string(i), loopback_port{demo_ports}, tree));
    servers.back()->start();
    script.tell("server " + servers.back()->name() + " is up, priority " + std::to_string(i));
  }
  return servers;
}

}  // namespace understudy::cli
