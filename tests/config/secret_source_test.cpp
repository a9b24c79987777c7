// Passwords from files, commands and callbacks.
#include "understudy/config/secret_source.hpp"
#include "support/eventually.hpp"
#include "support/hanging_command.hpp"
#include "support/temporary_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <stdexcept>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

secret_reading shell(const std::string& script, milliseconds limit = 30s) {
  return run_secret_command({"/bin/sh", "-c", script}, limit);
}

std::size_t open_files() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder)) ++count;
  ::closedir(folder);
  return count;
}

/// True when this process has a child, running or not waited for.
bool has_children() { return ::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD; }

/// Restores the action of a signal.
struct signal_action {
  signal_action(int number, void (*handler)(int)) : number_(number) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(number, &action, &before_);
  }
  ~signal_action() { ::sigaction(number_, &before_, nullptr); }
  signal_action(const signal_action&) = delete;
  signal_action& operator=(const signal_action&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};

void reap_everything(int) {
  const int kept = errno;
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  errno = kept;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_file_gives_its_content_without_one_newline) {
  const temporary_folder folder;
  const auto read = [&](std::string_view content) { return read_secret_file(folder.write("p", content).string()); };
  BOOST_TEST(read("hunter2").value.reveal() == "hunter2");
  BOOST_TEST(read("hunter2\n").value.reveal() == "hunter2");
  BOOST_TEST(read("hunter2\r\n").value.reveal() == "hunter2");
  BOOST_TEST(read("hunter2\n\n").value.reveal() == "hunter2\n");
  BOOST_TEST(read(" hunter2\r").value.reveal() == " hunter2\r");
  BOOST_TEST((read(std::string_view{"a\0b", 3}).value.reveal() == std::string_view{"a\0b", 3}));
  BOOST_TEST(read(std::string(64 * 1024, 'x')).ok());
}

BOOST_AUTO_TEST_CASE(a_file_without_a_password_is_a_problem) {
  const temporary_folder folder;
  const auto problem = [&](const std::filesystem::path& path) {
    const auto reading = read_secret_file(path.string());
    BOOST_TEST(reading.value.empty());
    return reading.problem;
  };
  const auto name = [&](std::string_view file) { return "password_file \"" + (folder / file).string() + '"'; };
  BOOST_TEST(problem(folder / "none") == name("none") + " cannot be read: No such file or directory");
  BOOST_TEST(problem(folder.write("empty", "")) == name("empty") + " gives an empty password");
  BOOST_TEST(problem(folder.write("line", "\n")) == name("line") + " gives an empty password");
  BOOST_TEST(problem(folder.write("big", std::string(64 * 1024 + 1, 'x'))) ==
             name("big") + " cannot be read: is longer than 65536 bytes");
  BOOST_TEST(problem("/dev/zero") == "password_file \"/dev/zero\" cannot be read: is longer than 65536 bytes");
  BOOST_TEST(problem("/dev") == "password_file \"/dev\" cannot be read: is a directory");
}

BOOST_AUTO_TEST_CASE(a_command_gives_its_output_without_one_newline) {
  BOOST_TEST(run_secret_command({"printf", "%s", "a b;$(id)"}).value.reveal() == "a b;$(id)");
  BOOST_TEST(shell("echo hunter2").value.reveal() == "hunter2");
  BOOST_TEST(shell("printf 'a\\n\\n'").value.reveal() == "a\n");
  BOOST_TEST(shell("head -c 65536 /dev/zero").value.size() == 65536u);
}

BOOST_AUTO_TEST_CASE(a_command_that_fails_is_a_problem_without_the_secret) {
  const std::string name = "password_command \"/bin/sh\" ";
  BOOST_TEST(shell("echo hunter2; echo hunter2 >&2; exit 3").problem ==
             name + "ended with status 3; what it says is not shown: run it by hand to see it");
  BOOST_TEST(shell("echo hunter2; kill -9 $$").problem == name + "was killed by signal 9");
  BOOST_TEST(shell("true").problem == name + "gives an empty password");
  BOOST_TEST(shell("echo").problem == name + "gives an empty password");
  BOOST_TEST(run_secret_command({}).problem == "password_command names no program");
  BOOST_TEST(run_secret_command({""}).problem == "password_command names no program");
  BOOST_TEST(run_secret_command({"/no/such/program", "hunter2"}).problem ==
             "password_command \"/no/such/program\" cannot be run: No such file or directory");
  BOOST_TEST(run_secret_command({"/dev/null"}).problem ==
             "password_command \"/dev/null\" cannot be run: Permission denied");
}

BOOST_AUTO_TEST_CASE(a_command_that_does_not_end_is_ended_with_its_children) {
  for (const bool stubborn : {false, true}) {
    const hanging_command hangs(stubborn);
    const auto reading = run_secret_command(hangs.words(), 300ms, "client_key_password_command");
    BOOST_TEST(reading.problem ==
               "client_key_password_command \"/bin/sh\" did not finish within 300ms and was ended; it is run without "
               "input: run it by hand (setsid … </dev/null) to see what it waits for");
    BOOST_TEST(reading.value.empty());
    BOOST_TEST(hangs.started() == 2u);
    BOOST_TEST(eventually([&] { return hangs.all_ended(); }));
    BOOST_TEST(!has_children());
  }
}

BOOST_AUTO_TEST_CASE(a_command_that_does_not_end_may_tidy_up) {
  const temporary_folder folder;
  const auto tidied = (folder / "tidied").string();
  shell("trap 'echo x > " + tidied + "; exit' TERM; sleep 1000 & wait", 300ms);
  BOOST_TEST(read_file(tidied) == "x\n");
}

BOOST_AUTO_TEST_CASE(a_command_that_nobody_waits_for_any_more_is_ended) {
  const hanging_command hangs(true);
  const auto reading =
      run_secret_command(hangs.words(), 1000s, "password_command", [&] { return hangs.started() == 0; });
  BOOST_TEST(reading.problem == "password_command \"/bin/sh\" was ended: nobody waits for its password any more");
  BOOST_TEST(eventually([&] { return hangs.all_ended(); }));
  BOOST_TEST(!has_children());
}

BOOST_AUTO_TEST_CASE(a_command_that_floods_is_stopped) {
  BOOST_TEST(shell("exec cat /dev/zero").problem == "password_command \"/bin/sh\" writes too much");
  BOOST_TEST(shell("head -c 65537 /dev/zero").problem == "password_command \"/bin/sh\" writes too much");
  BOOST_TEST(!has_children());
}

BOOST_AUTO_TEST_CASE(a_grandchild_that_keeps_the_pipe_open_holds_up_nobody) {
  // It ends by itself when this test program closes the pipe that it reads from.
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const std::string pipe = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(ends[0]);
  const auto reading = shell("(cat < " + pipe + ") & echo hunter2");
  BOOST_TEST(reading.value.reveal() == "hunter2", reading.problem);
  ::close(ends[0]);
  ::close(ends[1]);
}

BOOST_AUTO_TEST_CASE(a_command_sees_none_of_the_hosts_files_and_signals) {
  const int leak = ::open("/dev/null", O_RDONLY);  // on purpose without O_CLOEXEC
  const auto files = shell("ls /proc/self/fd | wc -l");
  ::close(leak);
  BOOST_TEST(std::stoi(std::string{files.value.reveal()}) == 4);  // 0, 1, 2 and the folder itself
  const signal_action ignored{SIGPIPE, SIG_IGN};
  BOOST_TEST(shell("kill -PIPE $$; echo alive").problem == "password_command \"/bin/sh\" was killed by signal 13");
}

BOOST_AUTO_TEST_CASE(a_command_whose_end_the_host_takes_away_gives_no_password) {
  const auto try_both = [] {
    for (int i = 0; i < 20; ++i) {
      // Nobody can tell these two apart: neither is taken for a success.
      const auto failed = shell("echo hunter2; exit 1");
      BOOST_TEST(!failed.ok());
      BOOST_TEST(failed.value.empty());
      const auto well = shell("echo hunter2");
      BOOST_TEST((well.ok() || well.problem.find("SIGCHLD") != std::string::npos), well.problem);
    }
    BOOST_TEST(shell("sleep 1000", 200ms).problem.find("did not finish within 200ms") != std::string::npos);
  };
  {
    const signal_action ignored{SIGCHLD, SIG_IGN};
    try_both();
  }
  const signal_action reaping{SIGCHLD, reap_everything};
  try_both();
}

BOOST_AUTO_TEST_CASE(a_command_waits_for_no_child_but_its_own) {
  const pid_t other = ::fork();
  if (other == 0) ::_exit(7);
  BOOST_TEST(shell("echo hunter2").ok());
  int status = 0;
  BOOST_TEST(::waitpid(other, &status, 0) == other);
  BOOST_TEST(WEXITSTATUS(status) == 7);
}

BOOST_AUTO_TEST_CASE(commands_leave_no_files_open) {
  shell("true");
  const auto before = open_files();
  for (int i = 0; i < 5; ++i) {
    shell("echo x");
    shell("exit 1");
    run_secret_command({"/no/such/program"});
    read_secret_file("/dev/null");
  }
  BOOST_TEST(open_files() == before);
}

BOOST_AUTO_TEST_CASE(a_server_has_one_source) {
  const temporary_folder folder;
  connection_info info;
  BOOST_TEST(read_secret(info).ok());
  BOOST_TEST(read_secret(info).value.empty());
  info.password = secret{"written"};
  BOOST_TEST(read_secret(info).value.reveal() == "written");
  info.password = {};
  info.password_file = folder.write("p", "filed\n").string();
  BOOST_TEST(read_secret(info).value.reveal() == "filed");
  info.password_file.clear();
  info.password_command = {"echo", "run"};
  BOOST_TEST(read_secret(info).value.reveal() == "run");
  info.password_command.clear();
  info.password_callback = [] { return std::string{"called"}; };
  BOOST_TEST(read_secret(info).value.reveal() == "called");
}

BOOST_AUTO_TEST_CASE(a_callback_that_throws_is_a_problem_without_its_words) {
  connection_info info;
  info.password_callback = []() -> std::string { throw std::runtime_error{"hunter2"}; };
  BOOST_TEST(read_secret(info).problem == "password_callback threw an exception");
  info.password_callback = []() -> std::string { throw 5; };
  BOOST_TEST(read_secret(info).problem == "password_callback threw an exception");
  info.password_callback = [] { return std::string{}; };
  BOOST_TEST(read_secret(info).problem == "password_callback gives an empty password");
}
