// The demonstration shows a takeover without a failed read, and leaves nothing behind.
#include "cli.hpp"
#include "support/stall_watch.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/tools/demo_directory.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <regex>
#include <sstream>

using namespace understudy::test;

namespace {

// The demonstration in a folder of its own, so that what it leaves can be seen.
std::unique_ptr<child_process> start_demo(const temporary_folder& folder, std::vector<std::string> options = {}) {
  std::vector<std::string> command{UNDERSTUDY_PROGRAM, "demo"};
  command.insert(command.end(), options.begin(), options.end());
  return std::make_unique<child_process>(child_process::options{command, {}, {"TMPDIR=" + folder.path().string()}, {}});
}

// Processes whose command line names the folder.
std::vector<pid_t> servers_of(const temporary_folder& folder) {
  std::vector<pid_t> found;
  for (const auto& process : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(process.path() / "cmdline", std::ios::binary);
    const std::string line{std::istreambuf_iterator<char>(file), {}};
    if (contains(line, folder.path().string())) found.push_back(std::stoi(process.path().filename()));
  }
  return found;
}
int processes_of(const temporary_folder& folder) { return static_cast<int>(servers_of(folder).size()); }

/// The milliseconds in the line that ends with "its first search after N ms".
std::optional<std::chrono::milliseconds> first_answer(const std::string& told) {
  std::smatch found;
  if (!std::regex_search(told, found, std::regex{"answers its first search after ([0-9.]+) ms"})) return std::nullopt;
  return std::chrono::milliseconds{static_cast<int>(std::stod(found[1]))};
}

/// The moment of the last line, on the demonstration's own clock; 0: there is none.
std::chrono::milliseconds last_moment_told(const std::string& told) {
  static const std::regex line{"(^|\n) *([0-9]+)\\.([0-9]) s  "};
  std::chrono::milliseconds last{0};
  for (std::sregex_iterator each{told.begin(), told.end(), line}, end; each != end; ++each)
    last = std::chrono::milliseconds{std::stoi((*each)[2]) * 1000 + std::stoi((*each)[3]) * 100};
  return last;
}

/// What README says that tools/run shows.
std::string sample_in_readme() {
  const auto text = read_file(std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "README.md");
  const auto begin = text.find("```\n", text.find("This is what `tools/run` shows:")) + 4;
  return text.substr(begin, text.find("```\n", begin) - begin);
}

/// Its lines without numbers, and without who answered how many.
std::vector<std::string> fixed_parts(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    line = std::regex_replace(line, std::regex{" \\(\\d+ by [^)]*\\)"}, "");
    parts.push_back(std::regex_replace(line, std::regex{" *[0-9][0-9.:]*"}, " N"));
  }
  return parts;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_demonstration_takes_over_without_a_failed_read) {
  const temporary_folder folder;
  const stall_watch stalls;
  const auto demo = start_demo(folder);
  BOOST_TEST_REQUIRE(eventually([&] { return first_answer(demo->output()).has_value(); }, std::chrono::seconds{60}),
                     demo->output() << demo->error_output());
  // Less what the machine kept it, or others meanwhile, waiting for a processor.
  const auto waited = longest_processor_wait(demo->pid());
  const auto seen = std::chrono::steady_clock::now();
  const auto took = *first_answer(demo->output());
  const auto stalled = stalls.stalled(seen - took - std::chrono::milliseconds{200}, seen);
  BOOST_TEST((took - std::max(stalled, waited) <= std::chrono::milliseconds{1500}), demo->output());
  const auto status = demo->wait(std::chrono::seconds{60});
  BOOST_TEST(status.value_or(-1) == 0, demo->output() << demo->error_output());
  for (const auto* part : {"kill -9", "has taken over", "is up again", "answers again", "hangs (SIGSTOP)",
                           "answers its first search", " 0 failed"})
    BOOST_TEST(contains(demo->output(), part), part << " is missing in: " << demo->output());
  BOOST_TEST(demo->error_output() == "");
  BOOST_TEST(fixed_parts(demo->output()) == fixed_parts(sample_in_readme()), boost::test_tools::per_element());
  BOOST_TEST(processes_of(folder) == 0);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(demonstrations_side_by_side_have_ports_of_their_own) {
  constexpr std::uint16_t above = 10388;
  std::optional<understudy::cli::loopback_port> one{above};
  const understudy::cli::loopback_port other{above};
  BOOST_TEST(one->number() > above);
  BOOST_TEST(one->number() != other.number());
  // Given back, and to be had again.
  const auto number = one->number();
  one.reset();
  BOOST_TEST(understudy::cli::loopback_port{static_cast<std::uint16_t>(number - 1)}.number() >= number);
}

BOOST_AUTO_TEST_CASE(a_demonstration_leaves_alone_the_port_of_somebody_who_hangs) {
  constexpr std::uint16_t above = 10388;
  std::optional<understudy::cli::loopback_port> free{above};
  const auto number = free->number();
  free.reset();
  const understudy::internal::descriptor hung{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(number);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // Somebody else may have been quicker: then that is who is left alone.
  if (::bind(hung.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) ::listen(hung.get(), 0);
  const temporary_folder folder;
  const auto demo = start_demo(folder);
  BOOST_TEST(eventually([&] { return contains(demo->output(), "callers search"); }), demo->error_output());
  BOOST_TEST(!contains(demo->output(), "127.0.0.1:" + std::to_string(number) + " "), demo->output());
  demo->send_signal(SIGINT);
  BOOST_TEST(demo->wait().value_or(-1) == 3);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_the_demonstration_and_its_servers) {
  const temporary_folder folder;
  const auto demo = start_demo(folder);
  BOOST_REQUIRE(eventually([&] { return contains(demo->output(), "callers search"); }));
  demo->send_signal(SIGINT);
  BOOST_TEST(demo->wait().value_or(-1) == 3);
  BOOST_TEST(processes_of(folder) == 0);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(the_servers_of_a_killed_demonstration_die_with_it) {
  const temporary_folder folder;
  const auto demo = start_demo(folder);
  // What loads their data ends by itself; servers do not.
  BOOST_REQUIRE(eventually([&] { return contains(demo->output(), "callers search"); }));
  BOOST_REQUIRE(processes_of(folder) > 0);
  demo->kill9();
  BOOST_REQUIRE(eventually([&] { return processes_of(folder) == 0; }));
}

BOOST_AUTO_TEST_CASE(ctrl_c_twice_ends_the_demonstration_at_once_and_leaves_no_server) {
  const temporary_folder folder;
  const auto demo = start_demo(folder);
  BOOST_REQUIRE(eventually([&] { return contains(demo->output(), "callers search"); }));
  demo->send_signal(SIGINT);
  demo->send_signal(SIGINT);
  BOOST_TEST(demo->wait().has_value());
  BOOST_TEST(eventually([&] { return processes_of(folder) == 0; }));
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_a_demonstration_whose_servers_hang) {
  const temporary_folder folder;
  const auto demo = start_demo(folder);
  BOOST_REQUIRE(eventually([&] { return contains(demo->output(), "callers search"); }));
  for (const auto server : servers_of(folder)) ::kill(server, SIGSTOP);
  demo->send_signal(SIGINT);
  BOOST_TEST(demo->wait().value_or(-1) == 3);
  BOOST_TEST(eventually([&] { return processes_of(folder) == 0; }));
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(a_second_demonstration_runs_beside_the_first) {
  const temporary_folder folder, other;
  const auto first = start_demo(folder), second = start_demo(other);
  for (const auto* each : {first.get(), second.get()})
    BOOST_TEST(eventually([&] { return contains(each->output(), "callers search"); }), each->error_output());
  for (auto* each : {first.get(), second.get()}) each->send_signal(SIGINT);
  BOOST_TEST(first->wait().value_or(-1) == 3);
  BOOST_TEST(second->wait().value_or(-1) == 3);
  BOOST_TEST(processes_of(folder) + processes_of(other) == 0);
}

BOOST_AUTO_TEST_CASE(the_demonstration_of_nodes_loses_a_node_and_a_server_without_a_failed_read) {
  const temporary_folder folder;
  const stall_watch stalls;
  const auto demo = start_demo(folder, {"--nodes", "3"});
  const auto status = demo->wait(std::chrono::seconds{60});
  // Less what the machine kept others waiting for a processor meanwhile.
  const auto took = last_moment_told(demo->output());
  BOOST_TEST((took > std::chrono::seconds{1}), demo->output());
  BOOST_TEST((took - stalls.total() <= std::chrono::seconds{30}), demo->output());
  BOOST_TEST(status.value_or(-1) == 0, demo->output() << demo->error_output());
  for (const auto* part : {"node3 listens at", "kill -9 node1", "by way of another node",
                           "all services were answered by", " 0 failed", "no caller noticed"})
    BOOST_TEST(contains(demo->output(), part), part << " is missing in: " << demo->output());
  BOOST_TEST(demo->error_output() == "");
  BOOST_TEST(processes_of(folder) == 0);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_the_demonstration_of_nodes_and_its_processes) {
  const temporary_folder folder;
  const auto demo = start_demo(folder, {"--nodes", "2"});
  BOOST_REQUIRE(eventually([&] { return contains(demo->output(), "services search"); }));
  demo->send_signal(SIGINT);
  BOOST_TEST(demo->wait().value_or(-1) == 3);
  BOOST_TEST(processes_of(folder) == 0);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(the_demonstration_of_the_front_door_loses_two_servers_without_a_failed_read) {
  const temporary_folder folder;
  const auto demo = start_demo(folder, {"--front-door"});
  const auto status = demo->wait(std::chrono::seconds{60});
  BOOST_TEST(status.value_or(-1) == 0, demo->output() << demo->error_output());
  for (const auto* part : {"the front door listens at ldap://127.0.0.1:", "they know that URL alone", "hangs (SIGSTOP)",
                           "kill -9", "has taken over", " 0 failed", "no client noticed"})
    BOOST_TEST(contains(demo->output(), part), part << " is missing in: " << demo->output());
  BOOST_TEST(demo->error_output() == "");
  BOOST_TEST(processes_of(folder) == 0);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_the_demonstration_of_the_front_door_and_its_processes) {
  const temporary_folder folder;
  const auto demo = start_demo(folder, {"--front-door"});
  BOOST_REQUIRE(eventually([&] { return contains(demo->output(), "they know that URL alone"); }));
  demo->send_signal(SIGINT);
  BOOST_TEST(demo->wait().value_or(-1) == 3);
  BOOST_TEST(processes_of(folder) == 0);
  BOOST_TEST(std::filesystem::is_empty(folder.path()));
}
