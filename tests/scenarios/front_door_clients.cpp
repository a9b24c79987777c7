// Starting clients and counting what they were told.
#include "scenarios/front_door_clients.hpp"

#include "support/installed_client.hpp"
#include "understudy/runtime/platform/front_door_service.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>

namespace understudy::test {

using namespace internal;

using namespace std::chrono_literals;
namespace {

// Connect, bind, search and go, from so many at once.
constexpr std::size_t searching_threads = 2;

replaced_parts serving() {
  replaced_parts with;
  with.serve_clients = true;
  return with;
}

}  // namespace

settings with_front_door(settings all, client_listener_settings door) {
  door.address = "127.0.0.1:0";
  all.front_door.listeners.push_back(std::move(door));
  all.log.level = log_level::error;
  return all;
}

served_clients::served_clients(settings all, bool wait) : runtime_(std::move(all), serving()) {
  if (wait) BOOST_TEST_REQUIRE(runtime_.connect());
}

std::string served_clients::uri() const { return "ldap://" + runtime_.get().front_door()->addresses().front(); }

bool served_clients::all_gone() const {
  return eventually([this] { return runtime_.get().front_door()->clients() == 0; });
}

child_process::options served_clients::command(std::vector<std::string> words, const std::string& dn,
                                               const std::string& password, const std::string& input) const {
  child_process::options with;
  with.command = {words.front(), "-x", "-H", uri()};
  if (!dn.empty()) with.command.insert(with.command.end(), {"-D", dn, "-w", password});
  with.command.insert(with.command.end(), words.begin() + 1, words.end());
  with.input = input;
  with.environment = {"LDAPNOINIT=1"};
  return with;
}

asking_clients::asking_clients(std::string uri) : uri_(std::move(uri)), found_(searching_threads) {
  const std::pair<const char*, const char*> modules[] = {{"ldap", "python3-ldap"}, {"ldap3", "python3-ldap3"}};
  for (const auto& [module, package] : modules)
    if (is_installed(package, python_with(module)))
      programs_.emplace_back(child_process::options{
          {debian_python, std::string{client_scripts()} + "/search_loop.py", module, uri_, folder_ / "stop"},
          {},
          {std::string{"DIRECTORY_PASSWORD="} + admin_password, "LDAPNOINIT=1"},
          {}});
  for (std::size_t i = 0; i < searching_threads; ++i) threads_.emplace_back([this, i] { ask(i); });
}

void asking_clients::ask(std::size_t number) {
  for (int turn = 0;; ++turn) {
    {
      const std::lock_guard lock(guard_);
      if (stopping_) return;
    }
    std::string told;
    try {
      const auto user = "uid=user" + std::to_string(turn % 10);
      const auto got = run_program({{"ldapsearch", "-x", "-LLL", "-H", uri_, "-D", admin_dn, "-w", admin_password, "-b",
                                     directory_suffix, "(" + user + ")", "uid"},
                                    {},
                                    {"LDAPNOINIT=1"},
                                    {}});
      if (got.status != 0)
        told = std::to_string(got.status) + ": " + got.error_output;
      else if (got.output.find("dn: " + user) == std::string::npos)
        told = "found nothing: " + got.output;
    } catch (const std::exception& hangs) {
      told = hangs.what();
    }
    const std::lock_guard lock(guard_);
    if (told.empty())
      ++found_[number];
    else
      failures_.push_back("ldapsearch: " + told);
  }
}

std::vector<std::size_t> asking_clients::answers() const {
  std::vector<std::size_t> all;
  {
    const std::lock_guard lock(guard_);
    all = found_;
  }
  for (const auto& program : programs_) {
    std::istringstream lines(program.output());
    std::size_t found = 0;
    for (std::string line; std::getline(lines, line);) found += line == "ok" ? 1 : 0;
    all.push_back(found);
  }
  return all;
}

bool asking_clients::go_on(std::size_t more) const {
  const auto before = answers();
  return eventually(
      [&] {
        const auto now = answers();
        return std::equal(now.begin(), now.end(), before.begin(),
                          [&](std::size_t here, std::size_t then) { return here >= then + more; });
      },
      2 * patience);
}

bool asking_clients::stop() {
  {
    const std::lock_guard lock(guard_);
    stopping_ = true;
  }
  folder_.write("stop", "");
  for (auto& thread : threads_)
    if (thread.joinable()) thread.join();
  return std::all_of(programs_.begin(), programs_.end(),
                     [](child_process& program) { return program.wait().has_value(); });
}

std::vector<std::string> asking_clients::failures() const {
  std::vector<std::string> all;
  {
    const std::lock_guard lock(guard_);
    all = failures_;
  }
  for (const auto& program : programs_) {
    std::istringstream lines(program.output());
    for (std::string line; std::getline(lines, line);)
      if (line != "ok" && line != "end") all.push_back("python: " + line);
    if (const auto errors = program.error_output(); !errors.empty()) all.push_back("python: " + errors);
  }
  return all;
}

std::string asking_clients::failures_text() const {
  const auto all = failures();
  std::string text = std::to_string(all.size()) + " failures";
  for (std::size_t i = 0; i < all.size() && i < 5; ++i) text += "\n  " + all[i];
  return text;
}

}  // namespace understudy::test
