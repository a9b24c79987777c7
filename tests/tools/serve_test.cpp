// `understudy serve` as a process: ready, told to the service manager, reloaded, drained, ended.
#include "cli.hpp"
#include "support/notify_socket.hpp"
#include "support/stub_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

const std::string quick = R"([pool]
min_connections = 2
[failover]
health_check_interval = "200ms"
[recovery]
reconnect_delay = "100ms"
[breaker]
open_base = "100ms"
open_cap = "500ms"
[limits]
drain_timeout = "2s"
)";

/// A configuration for that server; `more`: sections.
std::string config_of(const stub_directory& server, const std::string& more = quick) {
  return "[ldap]\nuri = \"" + server.url() + "\"\n" + more;
}

/// The program, as a service manager runs it.
struct served : command_line {
  explicit served(const std::string& config, std::vector<std::string> environment = {}) : file(write(config)) {
    environment.push_back("NOTIFY_SOCKET=" + manager.name());
    process = std::make_unique<child_process>(
        child_process::options{{UNDERSTUDY_PROGRAM, "serve", "-c", file}, {}, std::move(environment), {}});
  }
  bool says(const std::string& text) const {
    const bool said = eventually([&] { return contains(process->error_output(), text); });
    BOOST_TEST(said, "expected \"" << text << "\" in: " << process->error_output());
    return said;
  }
  /// Ends it as a service manager does.
  void stop() {
    process->send_signal(SIGTERM);
    const auto code = process->wait();
    BOOST_TEST_REQUIRE(code.has_value());
    BOOST_TEST(*code == 0, process->error_output());
  }

  notify_socket manager;
  std::string file;
  std::unique_ptr<child_process> process;
};

bool has_no_connections(const stub_directory& server) {
  return eventually([&] { return server.open_connections() == 0; });
}

/// The thread of `process` with that name, or 0.
pid_t thread_named(pid_t process, const std::string& name) {
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::string found;
    std::getline(std::ifstream{task.path() / "comm"} >> std::ws, found);
    if (found == name) return std::stoi(task.path().filename());
  }
  return 0;
}

/// One thread of another process that stands still while this lives; the others run.
class frozen_thread {
 public:
  explicit frozen_thread(pid_t thread) : thread_(thread) {
    held_ = thread != 0 && ::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) == 0 &&
            ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr) == 0 && ::waitpid(thread, nullptr, __WALL) == thread;
  }
  ~frozen_thread() { thaw(); }
  frozen_thread(const frozen_thread&) = delete;
  frozen_thread& operator=(const frozen_thread&) = delete;
  /// False where the system does not permit it.
  bool held() const noexcept { return held_; }
  void thaw() {
    // One that has ended meanwhile stays until it is waited for, and its process with it.
    if (std::exchange(held_, false) && ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr) != 0)
      ::waitpid(thread_, nullptr, __WALL);
  }

 private:
  pid_t thread_;
  bool held_ = false;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_service_says_what_it_serves_and_when_it_is_ready) {
  stub_directory directory;
  served service(config_of(directory));
  BOOST_TEST(service.manager.await("READY=1"));
  const auto ready = service.manager.seen().back();
  const auto name = "127.0.0.1:" + std::to_string(directory.port());
  BOOST_TEST(has_assignment(ready, "STATUS=requests go to " + name + "; 1 of 1 server can be used"), ready);
  BOOST_TEST(service.says("service: serves " + name + " (priority 1, 2 to 50 connections)\n"));
  BOOST_TEST(service.says("service: ready: requests go to " + name));
  BOOST_TEST(eventually([&] { return directory.open_connections() >= 2; }));
  service.stop();
  BOOST_TEST(service.process->output() == "");
}

BOOST_AUTO_TEST_CASE(a_stopped_service_is_first_not_ready_then_unbinds_and_exits_with_0) {
  for (const int signal : {SIGTERM, SIGINT}) {
    stub_directory directory;
    served service(config_of(directory));
    BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
    BOOST_TEST(eventually([&] { return directory.open_connections() >= 2; }));
    service.process->send_signal(signal);
    BOOST_TEST(service.manager.await("STOPPING=1"));
    BOOST_TEST((service.process->wait() == 0), service.process->error_output());
    BOOST_TEST(has_no_connections(directory));
    // The one that made it ready; others may have been on their way.
    BOOST_TEST(directory.count(operation::unbind) >= 1U);
    BOOST_TEST(service.says("service: stopping"));
    BOOST_TEST(service.says("service: stopped"));
    BOOST_TEST(service.manager.count("READY=1") == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_service_whose_directory_is_down_says_so_stays_up_and_is_ready_when_it_returns) {
  stub_directory directory;
  directory.stop();
  served service(config_of(directory));
  BOOST_TEST(service.manager.await("EXTEND_TIMEOUT_USEC="));
  BOOST_TEST(service.says("service: not ready: "));
  BOOST_TEST(service.says("127.0.0.1:" + std::to_string(directory.port())));
  BOOST_TEST(service.process->running());
  BOOST_TEST(service.manager.count("READY=1") == 0U);
  directory.start();
  BOOST_TEST(service.manager.await("READY=1"));
  BOOST_TEST(service.says("service: ready: "));
  // It goes again, and comes again: the service has long started, the status tells.
  directory.stop();
  BOOST_TEST(eventually([&] {
    const auto told = service.manager.next(100ms);
    return told.find("STATUS=not ready: ") == 0;
  }));
  directory.start();
  BOOST_TEST(eventually([&] {
    const auto told = service.manager.next(100ms);
    return told.find("STATUS=requests go to ") == 0;
  }));
  service.stop();
}

BOOST_AUTO_TEST_CASE(a_service_is_stopped_while_no_server_answers) {
  stub_directory directory;
  directory.pause();
  served service(config_of(directory));
  BOOST_TEST(service.says("service: serves "));
  BOOST_TEST(eventually([&] { return service.process->handles(SIGUSR1, UNDERSTUDY_PROGRAM); }));
  service.stop();
  BOOST_TEST(service.manager.count("READY=1") == 0U);
}

BOOST_AUTO_TEST_CASE(a_service_reads_its_configuration_again) {
  stub_directory before, after;
  served service(config_of(before));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  service.write(config_of(after));
  const auto told = service.manager.seen().size();
  service.process->send_signal(SIGHUP);
  BOOST_TEST(service.manager.await("RELOADING=1"));
  BOOST_TEST(has_assignment(service.manager.seen().back(), "MONOTONIC_USEC="));
  BOOST_TEST(service.manager.await("READY=1"));
  BOOST_TEST(service.manager.count("RELOADING=1", told) == 1U);
  BOOST_TEST(service.says("service: the configuration was read again and applied"));
  BOOST_TEST(eventually([&] { return after.open_connections() >= 2; }));
  BOOST_TEST(has_no_connections(before));
  service.stop();
}

BOOST_AUTO_TEST_CASE(a_configuration_that_cannot_work_is_refused_line_by_line) {
  stub_directory directory;
  served service(config_of(directory));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  BOOST_TEST(eventually([&] { return directory.open_connections() >= 2; }));
  service.write("[ldap]\nhots = \"a\"\nhost = \"a\"\n[pool]\nmax_connections = \"many\"\n");
  service.process->send_signal(SIGHUP);
  BOOST_TEST(service.manager.await("RELOADING=1"));
  BOOST_TEST(service.manager.await("READY=1"));
  BOOST_TEST(service.says("error service: the configuration was refused, the earlier one stays"));
  BOOST_TEST(service.says("error service: " + service.file + ":2:1: ldap.hots"));
  BOOST_TEST(service.says("error service: " + service.file + ":5:"));
  // Nothing has changed.
  BOOST_TEST(holds_for([&] { return directory.open_connections() >= 2; }, 200ms));
  // A file that is mended is taken.
  service.write(config_of(directory));
  service.process->send_signal(SIGHUP);
  BOOST_TEST(service.says("service: the configuration was read again and applied"));
  service.stop();
}

BOOST_AUTO_TEST_CASE(a_second_signal_ends_a_service_at_once) {
  stub_directory directory;
  // Nothing that runs is cut off for that long.
  served service(config_of(directory, "[pool]\nmin_connections = 2\n[limits]\ndrain_timeout = \"1h\"\n"));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  const auto poller = thread_named(service.process->pid(), "us.poller");
  frozen_thread frozen(poller);
  if (!frozen.held()) {
    BOOST_TEST_MESSAGE("not tested: it takes ptrace(2)");
    return service.stop();
  }
  service.process->send_signal(SIGTERM);
  BOOST_TEST(service.manager.await("STOPPING=1"));
  BOOST_TEST(!service.process->wait(300ms).has_value());
  service.process->send_signal(SIGTERM);
  BOOST_TEST(service.says("service: stopped at once, by a second signal"));
  frozen.thaw();
  BOOST_TEST((service.process->wait() == 3), service.process->error_output());
  BOOST_TEST(has_no_connections(directory));
}

BOOST_AUTO_TEST_CASE(the_watchdog_hears_nothing_while_the_runtime_hangs) {
  stub_directory directory;
  served service(config_of(directory), {"WATCHDOG_USEC=400000"});
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  for (int i = 0; i < 5; ++i) BOOST_TEST(service.manager.await("WATCHDOG=1"));
  const auto poller = thread_named(service.process->pid(), "us.poller");
  BOOST_TEST_REQUIRE(poller != 0);
  {
    const frozen_thread frozen(poller);
    if (!frozen.held()) {
      BOOST_TEST_MESSAGE("not tested: it takes ptrace(2)");
      return service.stop();
    }
    BOOST_TEST(service.manager.await("STATUS=not ready: the runtime does not answer"));
    const auto told = service.manager.seen().size();
    BOOST_TEST(holds_for([&] { return service.manager.count("WATCHDOG=1", told) == 0; }, 3s));
    BOOST_TEST(service.process->running());
  }
  BOOST_TEST(service.manager.await("WATCHDOG=1"));
  service.stop();
}

BOOST_AUTO_TEST_CASE(a_service_opens_its_log_anew) {
  stub_directory directory;
  const temporary_folder logs;
  const auto log = logs / "log", rotated = logs / "log.1";
  served service(config_of(directory, quick + "[log]\nfile = \"" + log.string() + "\"\n"));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  BOOST_TEST(contains(read_file(log), " info service: ready: "));
  // The runtime's lines have a thread of their own.
  BOOST_TEST(eventually([&] { return contains(read_file(log), " info breaker: connected to "); }));
  // Whoever started it sees it too.
  BOOST_TEST(service.says("understudy: ready: "));
  std::filesystem::rename(log, rotated);
  service.process->send_signal(SIGUSR1);
  BOOST_TEST(eventually([&] { return std::filesystem::exists(log); }));
  BOOST_TEST(eventually([&] { return contains(read_file(log), "the log was opened anew"); }));
  service.stop();
  // The runtime's lines go there too.
  BOOST_TEST(contains(read_file(log), " info manager: drained"));
  BOOST_TEST(contains(read_file(log), " info service: stopped"));
  BOOST_TEST(!contains(read_file(rotated), "drained"));
}

BOOST_AUTO_TEST_CASE(a_log_that_cannot_be_opened_anew_goes_on_where_it_was) {
  stub_directory directory;
  const temporary_folder logs;
  const auto log = logs / "log", rotated = logs / "log.1";
  served service(config_of(directory, quick + "[log]\nfile = \"" + log.string() + "\"\n"));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  std::filesystem::rename(log, rotated);
  std::filesystem::create_directory(log);
  service.process->send_signal(SIGUSR1);
  BOOST_TEST(service.says("understudy: the log cannot be opened anew, the earlier file stays: log.file \"" +
                          log.string() + "\" cannot be opened: Is a directory."));
  service.stop();
  BOOST_TEST(contains(read_file(rotated), " info service: stopped"));
}

BOOST_AUTO_TEST_CASE(a_service_whose_log_is_a_fifo_without_a_reader_says_what_to_do) {
  const stub_directory directory;
  const temporary_folder logs;
  const auto pipe = (logs / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  served service(config_of(directory, quick + "[log]\nfile = \"" + pipe + "\"\n"));
  BOOST_TEST((service.process->wait() == 2));
  BOOST_TEST(service.says("log.file \"" + pipe + "\" is a FIFO (a named pipe)"));
  BOOST_TEST(service.says("start its reader before"));
}

BOOST_AUTO_TEST_CASE(a_service_counts_the_lines_of_its_log_that_are_lost) {
  stub_directory directory;
  const temporary_folder logs;
  const auto pipe = (logs / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  auto reader = std::make_unique<child_process>(child_process::options{{"cat", pipe}, {}, {}, {}});
  served service(config_of(directory, quick + "[log]\nfile = \"" + pipe + "\"\n"));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  BOOST_TEST(eventually([&] { return contains(reader->output(), " info service: ready: "); }));
  reader->kill9();
  reader->wait();
  const auto reloads = [&] {
    const auto told = service.manager.seen().size();
    service.process->send_signal(SIGHUP);
    BOOST_TEST(eventually([&] { return service.manager.count("READY=1", told) > 0; }));
  };
  reloads();
  BOOST_TEST(service.says("error log: it cannot be written; lines are lost until it can file=" + pipe));
  reader = std::make_unique<child_process>(child_process::options{{"cat", pipe}, {}, {}, {}});
  BOOST_TEST(eventually([&] {
    reloads();
    return contains(reader->output(), " warning log: ");
  }));
  BOOST_TEST(contains(reader->output(), " lost: Broken pipe"), reader->output());
  // The log has a thread of its own: what the service says of that reload may still be on its way.
  BOOST_TEST(eventually([&] { return contains(reader->output(), " info service: "); }), reader->output());
  service.stop();
}

BOOST_AUTO_TEST_CASE(a_killed_service_leaves_nothing_behind) {
  stub_directory directory;
  served service(config_of(directory));
  BOOST_TEST_REQUIRE(service.manager.await("READY=1"));
  service.process->kill9();
  BOOST_TEST((service.process->wait() == -SIGKILL));
  BOOST_TEST(has_no_connections(directory));
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(service.folder().path())) ++files;
  BOOST_TEST(files == 1U);  // its configuration
}

BOOST_AUTO_TEST_CASE(a_service_needs_no_standard_descriptors) {
  stub_directory directory;
  const command_line line;
  const auto file = line.write(config_of(directory));
  notify_socket manager;
  child_process process(
      child_process::options{{"sh", "-c", "exec \"$0\" serve -c \"$1\" <&- >&- 2>&-", UNDERSTUDY_PROGRAM, file},
                             {},
                             {"NOTIFY_SOCKET=" + manager.name()},
                             {}});
  BOOST_TEST(manager.await("READY=1"));
  process.send_signal(SIGTERM);
  BOOST_TEST((process.wait() == 0));
}

BOOST_AUTO_TEST_CASE(a_service_takes_the_options_of_ldapsearch_and_has_then_nothing_to_read_again) {
  stub_directory directory;
  const command_line line;
  const auto process = line.start({"serve", "-H", directory.url()});
  const auto says = [&](const std::string& text) {
    return eventually([&] { return contains(process->error_output(), text); });
  };
  BOOST_TEST(says("service: ready: "), process->error_output());
  process->send_signal(SIGHUP);
  BOOST_TEST(says("there is no file to read again"), process->error_output());
  process->send_signal(SIGTERM);
  BOOST_TEST((process->wait() == 0), process->error_output());
}

BOOST_FIXTURE_TEST_CASE(a_service_that_cannot_begin_exits_with_2, command_line) {
  check_exit(run({"serve"}), 2);
  const auto wrong = run({"serve", "-c", write("[ldap]\nhots = \"a\"\n")});
  check_exit(wrong, 2);
  BOOST_TEST(contains(wrong.error_output, ":2:1: "), wrong.error_output);
  const auto socket = run_program({{UNDERSTUDY_PROGRAM, "serve", "-c", write("[ldap]\nhost = \"127.0.0.1\"\n")},
                                   {},
                                   {"NOTIFY_SOCKET=nowhere"},
                                   {}});
  check_exit(socket, 2);
  BOOST_TEST(contains(socket.error_output, "understudy: NOTIFY_SOCKET"), socket.error_output);
}
