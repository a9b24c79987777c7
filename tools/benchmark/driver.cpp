// Runs every workload of the plan side by side and reports: see `benchmark_driver --help`.
#include "front_door_plan.hpp"
#include "login_plan.hpp"
#include "results.hpp"
#include "servers.hpp"
#include "understudy/messages/host_and_port.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <sched.h>
#include <sys/utsname.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

namespace {

using namespace understudy::benchmark;
namespace fs = std::filesystem;

struct options {
  int rounds = 5;
  double seconds = 0.5, warm_up = 0.2;
  bool small = false;
  bool busy = false;
  bool front_door = false;
  bool logins = false;
  int other_pid = 0;
  std::string only, json, charts, from, other;
};

std::map<std::string, double> parse(const std::string& line) {
  std::map<std::string, double> values;
  const auto tree = nlohmann::json::parse(line);
  for (auto at = tree.begin(); at != tree.end(); ++at) values[at.key()] = at->get<double>();
  return values;
}

std::map<std::string, double> run_once(const series& measured, servers& all, const fs::path& programs,
                                       const options& given) {
  std::vector<std::string> command{programs / (measured.client == "ours" ? "our_client" : "stock_client"),
                                   measured.arguments.front()};
  for (const auto& word : all.arguments_for(measured.server)) command.push_back(word);
  // What a series says of itself comes last and counts.
  command.push_back("seconds=" + std::to_string(measured.fault.empty() ? given.seconds : 3));
  command.push_back("warmup=" + std::to_string(given.warm_up));
  command.insert(command.end(), measured.arguments.begin() + 1, measured.arguments.end());
  child client(command);
  if (!measured.fault.empty()) {
    std::this_thread::sleep_for(std::chrono::duration<double>(given.warm_up + 1.5));
    all.harm(measured.fault);
  }
  auto values = parse(client.read_line());
  client.wait();
  if (measured.fault.empty() && values["failures"] > 0)
    throw std::runtime_error(measured.name + ": some operations failed; its figures would mean nothing");
  if (!measured.fault.empty()) all.forget_harmed();
  return values;
}

std::string first_line_with(const char* file, const std::string& word) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.find(word) != std::string::npos) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string load_average() {
  double load[3] = {};
  return getloadavg(load, 3) == 3 ? std::to_string(load[0]).substr(0, 4) : "unknown";
}

std::map<std::string, std::string> conditions_of(const options& given) {
  utsname system{};
  uname(&system);
  std::time_t now = std::time(nullptr);
  char day[32];
  std::strftime(day, sizeof day, "%Y-%m-%d", std::gmtime(&now));
  return {{"processor", first_line_with("/proc/cpuinfo", "model name")},
          {"cores", std::to_string(std::thread::hardware_concurrency())},
          {"kernel", system.release},
          {"date", day},
          {"rounds", std::to_string(given.rounds)},
          {"seconds each", std::to_string(given.seconds).substr(0, 4)},
          {"load before", load_average()},
          {"beside it", given.busy ? "a process that spins on each core" : "nothing of ours"},
          {"compared with", given.front_door ? "direct" : "stock"}};
}

/// Takes what it can get of one core until it is killed.
[[noreturn]] void spin_on(int core) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<std::size_t>(core), &only);
  if (sched_setaffinity(0, sizeof only, &only) != 0)
    throw std::system_error(errno, std::generic_category(), "affinity");
  for (volatile std::uint64_t turns = 0;;) turns = turns + 1;
}

/// Waking a thread on an idle core takes some 40 microseconds, on one that is busy next to none: with these nothing is
/// idle, and everybody has to share.
std::vector<child> spinners(const fs::path& self) {
  std::vector<child> all;
  for (unsigned core = 0; core < std::thread::hardware_concurrency(); ++core)
    all.emplace_back(std::vector<std::string>{self, "--spin", std::to_string(core)});
  return all;
}

std::vector<series> chosen(const options& given) {
  std::vector<series> wanted;
  for (auto& one : given.logins       ? login_plan(given.small)
                   : given.front_door ? front_door_plan(given.small, !given.other.empty())
                                      : plan(given.small))
    if (one.name.find(given.only) != std::string::npos || one.group.find(given.only) != std::string::npos)
      wanted.push_back(std::move(one));
  if (wanted.empty()) throw std::runtime_error("no workload has \"" + given.only + "\" in its name");
  return wanted;
}

// Group by group, so that what is compared runs close together; within a group the clients take turns.
std::vector<series_result> run_all(const options& given, const fs::path& programs) {
  std::vector<series_result> all;
  for (auto& one : chosen(given)) all.push_back({std::move(one), {}});
  servers running(programs, 10000);
  if (!given.other.empty()) {
    std::string problem;
    const auto at = understudy::internal::parse_host_and_port(given.other, problem);
    if (!at) throw std::runtime_error("--beside " + given.other + ": " + problem);
    running.set_other(at->host, std::to_string(at->port), given.other_pid);
  }
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    while (end < all.size() && all[end].what.group == all[begin].what.group) ++end;
    for (int round = 0; round < given.rounds; ++round)
      for (auto at = begin; at < end; ++at) {
        auto& one = all[at];
        if (one.what.rounds != 0 && round >= one.what.rounds) continue;
        one.rounds.push_back(run_once(one.what, running, programs, given));
        std::fprintf(stderr, "%d/%d %s: %.0f a second, %.2f us\n", round + 1, given.rounds, one.what.name.c_str(),
                     one.rounds.back()["ops_per_second"], one.rounds.back()["cpu_us"]);
      }
  }
  return all;
}

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream file(path);
  if (!(file << text).flush()) throw std::runtime_error("cannot write " + path.string());
}

int report(const nlohmann::json& run, const options& given) {
  if (!given.json.empty()) write_file(given.json, run.dump(1) + "\n");
  if (!given.charts.empty()) {
    fs::create_directories(given.charts);
    for (const auto& [name, svg] : charts(run)) write_file(fs::path{given.charts} / name, svg);
  }
  std::fputs(tables(run).c_str(), stdout);
  return 0;
}

int drive(const options& given) {
  if (!given.from.empty()) {
    std::ifstream file(given.from);
    return report(nlohmann::json::parse(file), given);
  }
  auto conditions = conditions_of(given);
  const auto self = fs::read_symlink("/proc/self/exe");
  const auto busy = given.busy ? spinners(self) : std::vector<child>{};
  const auto all = run_all(given, self.parent_path());
  conditions["load after"] = load_average();
  return report(to_json(all, conditions), given);
}

}  // namespace

int main(int argc, char** argv) try {
  CLI::App program{"Measures Understudy beside libldap used by hand; a table goes to standard output"};
  options given;
  bool quick = false;
  int core = -1;
  program.add_option("--rounds", given.rounds, "Rounds in which the clients take turns; default: 5");
  program.add_option("--seconds", given.seconds, "Of each measurement; default: 0.5");
  program.add_option("--only", given.only, "Only what has this in its name or its group's");
  program.add_option("--json", given.json, "Also write every figure to this file");
  program.add_option("--charts", given.charts, "Also draw charts into this folder");
  program.add_option("--from", given.from, "Measure nothing: report what --json wrote");
  program.add_flag("--quick", quick, "One short round with small numbers: shows that everything works");
  program.add_flag("--busy", given.busy, "Beside a process that spins on each core");
  program.add_flag("--front-door", given.front_door,
                   "LDAP clients that go through the front door, in place of the rest");
  program.add_flag("--logins", given.logins, "Logins while servers are away, in place of the rest");
  program.add_option("--beside", given.other, "With --front-door: one more proxy, at this HOST:PORT");
  program.add_option("--beside-pid", given.other_pid, "Its process, for what that takes");
  program.add_option("--spin", core, "Spins on that core until it is killed: what --busy starts")->group("");
  CLI11_PARSE(program, argc, argv);
  if (core >= 0) spin_on(core);
  if (quick) {
    given.small = true;
    given.rounds = 1;
    given.seconds = 0.1;
    given.warm_up = 0.05;
  }
  return drive(given);
} catch (const std::exception& e) {
  std::fprintf(stderr, "benchmark_driver: %s\n", e.what());
  return 1;
}
