// Child processes: started, signalled, reaped; and the folders and ports they use.
#include "support/child_process.hpp"
#include "support/free_port.hpp"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <set>
#include <system_error>
#include <thread>

using namespace understudy::test;

BOOST_AUTO_TEST_CASE(a_program_gets_its_input_and_gives_its_output_and_status) {
  const auto done =
      run_program({{"sh", "-c", "cat; echo oops >&2; echo $GREETING; exit 3"}, "hello\n", {"GREETING=hi"}, {}});
  BOOST_TEST(done.status == 3);
  BOOST_TEST(done.output == "hello\nhi\n");
  BOOST_TEST(done.error_output == "oops\n");
}

BOOST_AUTO_TEST_CASE(a_killed_program_reports_its_signal_and_is_reaped) {
  child_process sleeper({"sleep", "1000"});
  BOOST_TEST(sleeper.running());
  sleeper.kill9();
  BOOST_TEST(sleeper.wait().value_or(0) == -SIGKILL);
  BOOST_TEST(::kill(sleeper.pid(), 0) == -1);
}

BOOST_AUTO_TEST_CASE(a_stopped_program_does_not_go_on_until_resumed) {
  temporary_folder folder;
  child_process program({"sh", "-c", "while [ ! -e go ]; do sleep 0.01; done; touch done"});
  program.stop();
  BOOST_TEST(!program.wait(std::chrono::milliseconds{1}).has_value());
  program.resume();
  program.kill9();
  BOOST_TEST(program.wait().has_value());
}

BOOST_AUTO_TEST_CASE(a_program_dies_with_its_object) {
  pid_t pid = 0;
  {
    child_process sleeper({"sleep", "1000"});
    pid = sleeper.pid();
  }
  BOOST_TEST(::kill(pid, 0) == -1);
}

BOOST_AUTO_TEST_CASE(a_program_outlives_the_thread_that_started_it) {
  std::unique_ptr<child_process> sleeper;
  std::thread([&] { sleeper = std::make_unique<child_process>(std::vector<std::string>{"sleep", "1000"}); }).join();
  BOOST_TEST(holds_for([&] { return sleeper->running(); }, std::chrono::milliseconds{50}));
}

BOOST_AUTO_TEST_CASE(a_program_dies_with_a_test_program_that_is_killed) {
  // Orphans come to us, so that their end can be seen.
  BOOST_REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int report[2];
  BOOST_REQUIRE(::pipe(report) == 0);
  const pid_t test_program = ::fork();
  if (test_program == 0) {
    const child_process sleeper({"sleep", "1000"});
    const pid_t pid = sleeper.pid();
    if (::write(report[1], &pid, sizeof pid) < 0) ::_exit(1);
    for (;;) ::pause();
  }
  pid_t sleeper = 0;
  BOOST_REQUIRE(::read(report[0], &sleeper, sizeof sleeper) == static_cast<ssize_t>(sizeof sleeper));
  ::kill(test_program, SIGKILL);
  ::waitpid(test_program, nullptr, 0);
  int status = 0;
  const bool ended = eventually([&] { return ::waitpid(sleeper, &status, WNOHANG) == sleeper; });
  BOOST_TEST(ended);
  BOOST_TEST(WTERMSIG(status) == SIGKILL);
  if (!ended) ::kill(sleeper, SIGKILL);
  ::close(report[0]);
  ::close(report[1]);
}

BOOST_AUTO_TEST_CASE(a_missing_program_is_an_error) {
  BOOST_CHECK_THROW(child_process({"/nonexistent/program"}), std::system_error);
}

BOOST_AUTO_TEST_CASE(a_child_inherits_no_descriptor) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto listing = run_program({{"sh", "-c", "ls /proc/$$/fd"}, {}, {}, {}});
  ::close(fd);
  BOOST_TEST(listing.output.find("\n" + std::to_string(fd) + "\n") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_temporary_folder_is_gone_afterwards) {
  std::filesystem::path place;
  {
    temporary_folder folder;
    place = folder.path();
    BOOST_TEST(read_file(folder.write("file", std::string("a\0b", 3))) == std::string("a\0b", 3));
    BOOST_TEST(std::filesystem::exists(place));
  }
  BOOST_TEST(!std::filesystem::exists(place));
}

BOOST_AUTO_TEST_CASE(reserved_ports_can_be_listened_on) {
  const reserved_port port;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port.number());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  BOOST_TEST(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  BOOST_TEST(::listen(fd, 1) == 0);
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(reserved_ports_are_given_out_once) {
  // So many that some would be drawn twice if nobody looked.
  const std::vector<reserved_port> ports(800);
  std::set<std::uint16_t> numbers;
  for (const auto& port : ports) numbers.insert(port.number());
  BOOST_TEST(numbers.size() == ports.size());
}
