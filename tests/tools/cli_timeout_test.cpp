// --timeout bounds a command as a whole, whatever hangs; `health` names the step that does.
#include "cli.hpp"
#include "support/hanging_command.hpp"
#include "support/stall_watch.hpp"
#include "support/stub_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// By how much a command may be later than --timeout says.
constexpr milliseconds grace{100};

struct timed_result : program_result {
  duration took{};
};

struct hung_fixture : command_line {
  stub_directory hung, other;
  hung_fixture() { hung.pause(); }

  /// Less what it takes here and now to start and end the program: one that does nothing else shows that.
  timed_result timed(std::vector<std::string> arguments) const {
    const auto nothing = whole({"--version"}).took;
    auto done = whole(std::move(arguments));
    done.took -= nothing;
    return done;
  }
  /// Less what the machine kept the program waiting for a processor.
  timed_result whole(std::vector<std::string> arguments) const {
    const auto from = std::chrono::steady_clock::now();
    const auto program = start(std::move(arguments));
    duration waited{};
    std::optional<int> status;
    while (!status && std::chrono::steady_clock::now() - from < 60s) {
      waited = std::max(waited, longest_processor_wait(program->pid()));
      status = program->wait(20ms);
    }
    const auto took = std::chrono::steady_clock::now() - from;
    BOOST_TEST_REQUIRE(status.has_value(), "it does not end");
    return {{*status, program->output(), program->error_output()}, took - waited};
  }
  std::string alone() const { return hung.url(); }
  std::string both() const { return hung.url() + "," + other.url(); }
  /// The service binds, too: its bind may be what hangs.
  std::string with_bind() const {
    return write("[ldap]\nbind_dn = \"cn=service\"\npassword = \"secret\"\n[[ldap.servers]]\nuri = \"" + hung.url() +
                 "\"\npriority = 1\n[[ldap.servers]]\nuri = \"" + other.url() + "\"\npriority = 2\n");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_hung_server_costs_a_command_its_timeout_and_no_more, hung_fixture) {
  const std::vector<std::vector<std::string>> commands{
      {"search", "-b", "dc=x", "(cn=a)"}, {"search", "(cn=a)"}, {"compare", "dc=x", "cn", "a"}, {"whoami"}, {"health"}};
  for (auto command : commands) {
    command.insert(command.end(), {"-H", alone(), "--timeout", "1s"});
    const auto done = timed(command);
    BOOST_TEST(done.status == (command.front() == "health" ? 1 : 3), command.front() << ": " << done.error_output);
    BOOST_TEST((done.took <= 1s + grace), command.front() << " took " << done.took / 1ms << " ms");
    BOOST_TEST((done.output + done.error_output) != "");
  }
}

BOOST_FIXTURE_TEST_CASE(beside_a_hung_server_the_other_answers_within_the_timeout, hung_fixture) {
  for (const auto& where : std::vector<std::vector<std::string>>{{"-H", both()}, {"-c", with_bind()}}) {
    std::vector<std::string> command{"search", "-b", people_dn, "(uid=user1)", "--timeout", "3s"};
    command.insert(command.end(), where.begin(), where.end());
    const auto done = timed(command);
    check_exit(done, 0);
    BOOST_TEST(contains(done.output, user_dn(1)), done.output);
    BOOST_TEST((done.took <= 3s + grace), done.took / 1ms << " ms");
  }
}

BOOST_FIXTURE_TEST_CASE(health_names_the_step_that_hangs, hung_fixture) {
  const auto done = timed({"health", "--timeout", "3s", "-H", both()});
  check_exit(done, 1);
  BOOST_TEST((done.took <= 3s + grace), done.took / 1ms << " ms");
  BOOST_TEST(contains(done.output, "FAILED after"), done.output);
  // Of the other one nothing failed.
  BOOST_TEST(contains(done.output, ":" + std::to_string(other.port()) + "  priority 2  healthy"), done.output);
  // The first bind of a password goes alone for a second: an account must not be locked.
  const auto bound = timed({"health", "--timeout", "3s", "-c", with_bind()});
  check_exit(bound, 1);
  BOOST_TEST((bound.took <= 3s + grace), bound.took / 1ms << " ms");
  BOOST_TEST(contains(bound.output, ":" + std::to_string(other.port()) + "  priority 2  healthy"), bound.output);
}

/// Nothing that the program started outlives it, and what it says names the program, not its arguments.
BOOST_FIXTURE_TEST_CASE(a_password_command_that_hangs_ends_with_the_program, hung_fixture) {
  for (const bool stubborn : {false, true}) {
    const hanging_command hangs(stubborn);
    std::string words;
    for (const auto& word : hangs.words()) words += (words.empty() ? "" : ", ") + ("'''" + word) + "'''";
    const auto file =
        write("[ldap]\nuri = \"" + other.url() + "\"\nbind_dn = \"cn=service\"\npassword_command = [" + words + "]\n");
    for (const auto& command : {"whoami", "health"}) {
      const auto done = timed({command, "--timeout", "1s", "-c", file});
      BOOST_TEST(done.status != 0);
      BOOST_TEST((done.took <= 1s + grace), done.took / 1ms << " ms");
      BOOST_TEST(hangs.started() > 0u);
      BOOST_TEST(eventually([&] { return hangs.all_ended(); }, 2s), command << " left its password_command running");
      BOOST_TEST(contains(done.output + done.error_output, "a command "), done.output + done.error_output);
      BOOST_TEST(!contains(done.output, "healthy"), done.output);
      BOOST_TEST(!contains(done.output + done.error_output, "hunter2"));
    }
  }
}

/// The probe of an only server waits for its turn to bind behind a connection of the pool, which is the one that hangs.
BOOST_FIXTURE_TEST_CASE(health_names_the_bind_that_hangs_behind_another_one, hung_fixture) {
  const auto bound_to = [&](const stub_directory& server) {
    return write("[ldap]\nbind_dn = \"cn=service\"\npassword = \"secret\"\nuri = \"" + server.url() + "\"\n");
  };
  const auto whole = timed({"health", "--timeout", "3s", "-c", bound_to(hung)});
  check_exit(whole, 1);
  BOOST_TEST(contains(whole.output, " FAILED after "), whole.output);
  BOOST_TEST(contains(whole.output, "timed out waiting for "), whole.output);
  other.disturb(operation::bind, {.silent = true});
  const auto bind = timed({"health", "--timeout", "3s", "-c", bound_to(other)});
  check_exit(bind, 1);
  BOOST_TEST(contains(bind.output, "bind FAILED after "), bind.output);
  BOOST_TEST(contains(bind.output, "timed out waiting for the answer to the bind"), bind.output);
}

/// What a probe waits for on our account speaks against nobody.
BOOST_FIXTURE_TEST_CASE(health_calls_no_server_down_for_a_turn_that_did_not_come, hung_fixture) {
  const auto done = timed({"health", "--timeout", "500ms", "-c", with_bind()});
  check_exit(done, 1);
  const auto line = done.output.substr(done.output.find(":" + std::to_string(other.port())));
  BOOST_TEST(!contains(line, "  down"), done.output);
  BOOST_TEST(!contains(line, "FAILED"), done.output);
}

BOOST_FIXTURE_TEST_CASE(health_warns_of_what_protects_less_than_it_seems, command_line) {
  // An address for documentation (RFC 5737): nobody answers there.
  const auto file = write("[ldap]\nhost = \"192.0.2.1\"\nbind_dn = \"cn=service\"\npassword = \"secret\"\n");
  const auto done = run({"health", "--timeout", "300ms", "-c", file});
  check_exit(done, 1);
  BOOST_TEST(
      contains(done.error_output, "understudy: warning: ldap.servers[0].bind_dn: its password is sent to 192.0.2.1"),
      done.error_output);
}

/// Nobody may be there to write a password: a FIFO opened before its writer is no end of the file, and no time-out.
BOOST_FIXTURE_TEST_CASE(a_password_file_that_nobody_writes_costs_the_timeout_and_no_more, hung_fixture) {
  const auto pipe = (folder().path() / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const std::vector<std::string> command{"whoami", "-H", other.url(), "-D", "cn=a", "-y", pipe, "--timeout", "1s"};
  const auto done = timed(command);
  check_exit(done, 2);
  BOOST_TEST((done.took <= 1s + grace), done.took / 1ms << " ms");
  BOOST_TEST(contains(done.error_output, pipe), done.error_output);
  BOOST_TEST(contains(done.error_output, "within --timeout"), done.error_output);
  // One who begins and does not end.
  const int writer = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  BOOST_TEST_REQUIRE(::write(writer, "half", 4) == 4);
  const auto half = timed(command);
  ::close(writer);
  check_exit(half, 2);
  BOOST_TEST((half.took <= 1s + grace), half.took / 1ms << " ms");
  BOOST_TEST(!contains(half.error_output, "half"), half.error_output);
  BOOST_TEST(other.connections() == 0u);
}

/// Reading the password and all that follows share one time.
BOOST_FIXTURE_TEST_CASE(a_password_file_that_is_written_late_leaves_the_rest_of_the_timeout, hung_fixture) {
  const auto pipe = (folder().path() / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  child_process late({{"sh", "-c", "exec 3<>\"$0\"; sleep 3; printf secret >&3", pipe}, {}, {}, {}});
  const auto done = timed({"whoami", "-H", alone(), "-D", "cn=a", "-y", pipe, "--timeout", "4s"});
  check_exit(done, 3);
  BOOST_TEST(!contains(done.error_output, "within --timeout"), done.error_output);
  BOOST_TEST((done.took <= 4s + grace), done.took / 1ms << " ms");
  late.kill9();
}

BOOST_FIXTURE_TEST_CASE(what_standard_input_takes_is_not_of_the_timeout, hung_fixture) {
  for (const auto& command :
       std::vector<std::string>{"(sleep 2; echo secret) | \"$0\" authenticate user1 -H \"$1\" --timeout 1s",
                                "(sleep 2; printf 'dn: cn=x,dc=example,dc=com\\nchangetype: modify\\nreplace: "
                                "description\\ndescription: y\\n')"
                                " | \"$0\" modify -H \"$1\" --timeout 1s"}) {
    child_process process({{"sh", "-c", command, UNDERSTUDY_PROGRAM, other.url()}, {}, {}, {}});
    BOOST_TEST((process.wait() == 0), command << ": " << process.error_output());
  }
}

BOOST_FIXTURE_TEST_CASE(a_node_that_hangs_is_waited_for_as_long_as_the_command_may_take, hung_fixture) {
  for (const auto* span : {"300ms", "4s"}) {
    const auto done = timed({"status", "--node", "127.0.0.1:" + std::to_string(hung.port()), "--timeout", span});
    BOOST_TEST(done.status == 3);
    BOOST_TEST(contains(done.error_output, "not complete " + std::string{span}), done.error_output);
  }
}
