// Two network namespaces and a pair of virtual interfaces: see split_network.hpp.
#include "support/split_network.hpp"

#include "support/child_process.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <future>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace understudy::test {
namespace {

constexpr const char* inside = "UNDERSTUDY_TEST_IN_A_NETWORK";
/// No interface has it: what is sent to it is passed over by whoever gets it.
constexpr const char* nobody = "02:00:00:00:00:99";
constexpr std::chrono::seconds longest{110};
const std::string prefix = "/24";

bool permitted() {
  for (const auto& command : {std::vector<std::string>{"unshare", "-Urn", "true"}, {"ip", "-V"}}) {
    try {
      child_process probe{command};
      if (probe.wait() != 0) return false;
    } catch (const std::system_error&) {
      return false;
    }
  }
  return true;
}

int network_of_this_thread() { return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC); }

/// On a thread of its own, which ends with it.
void on_a_thread(const std::function<void()>& work) {
  std::packaged_task<void()> task{work};
  auto done = task.get_future();
  std::thread{std::move(task)}.join();
  done.get();
}

void check(int result, const char* doing) {
  if (result < 0) throw std::system_error{errno, std::generic_category(), doing};
}

}  // namespace

bool in_a_network_of_its_own(const std::string& test_case) {
  if (std::getenv(inside) != nullptr) return true;
  if (!permitted()) {
    BOOST_TEST_MESSAGE(test_case << " is SKIPPED: this machine permits no network namespaces (unshare -Urn), or has no "
                                    "ip command");
    return false;
  }
  std::string mark = inside;
  mark += "=1";
  child_process again{child_process::options{{"unshare", "-Urn", std::filesystem::read_symlink("/proc/self/exe"),
                                              "--run_test=" + test_case, "--log_level=test_suite"},
                                             {},
                                             {mark},
                                             {}}};
  const auto code = again.wait(longest);
  BOOST_TEST(code.value_or(-1) == 0, again.output() << again.error_output());
  return false;
}

split_network::split_network() {
  configure({"link", "set", "lo", "up"});
  on_a_thread([this] {
    check(::unshare(CLONE_NEWNET), "unshare");
    there_ = network_of_this_thread();
    check(there_, "open the other network");
  });
  configure({"link", "add", "here", "type", "veth", "peer", "name", "there", "netns",
             "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(there_)});
  configure({"addr", "add", here + prefix, "dev", "here"});
  configure({"link", "set", "here", "up"});
  configure_there({"link", "set", "lo", "up"});
  configure_there({"addr", "add", there + prefix, "dev", "there"});
  configure_there({"link", "set", "there", "up"});
}

split_network::~split_network() {
  if (there_ >= 0) ::close(there_);
}

void split_network::run_there(const std::function<void()>& work) const {
  on_a_thread([&] {
    check(::setns(there_, CLONE_NEWNET), "enter the other network");
    work();
  });
}

void split_network::configure(std::vector<std::string> command) const {
  command.insert(command.begin(), "ip");
  child_process ip{command};
  if (ip.wait() == 0) return;
  std::string text;
  for (const auto& word : command) text += word + ' ';
  throw std::runtime_error(text + "failed: " + ip.error_output());
}

void split_network::configure_there(const std::vector<std::string>& command) const {
  run_there([&] { configure(command); });
}

void split_network::cut() { configure_there({"link", "set", "there", "down"}); }

void split_network::lose_what_is_sent_there() {
  configure({"neigh", "replace", there, "lladdr", nobody, "dev", "here", "nud", "permanent"});
}

void split_network::lose_what_is_sent_here() {
  configure_there({"neigh", "replace", here, "lladdr", nobody, "dev", "there", "nud", "permanent"});
}

void split_network::heal() {
  configure_there({"link", "set", "there", "up"});
  configure({"neigh", "flush", "dev", "here", "nud", "permanent"});
  configure_there({"neigh", "flush", "dev", "there", "nud", "permanent"});
}

}  // namespace understudy::test
