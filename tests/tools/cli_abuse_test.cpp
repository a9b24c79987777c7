// The program in clumsy and in malicious hands: it says what is wrong, exits as documented, and never hangs or crashes.
#include "cli.hpp"

#include "understudy/tools/report.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/stub_directory.hpp"

using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

using words = std::vector<std::string>;

/// The program below a shell that sets up its standard descriptors: `redirections` as the shell writes them.
program_result run_redirected(const words& arguments, const std::string& redirections, const std::string& input = {}) {
  words command{"sh", "-c", "\"$@\" " + redirections, "sh", UNDERSTUDY_PROGRAM};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program({std::move(command), input, {}, {}}, 60s);
}

void check_said(const program_result& result, int code, const std::string& complaint) {
  check_exit(result, code);
  BOOST_TEST(contains(result.error_output, complaint), result.error_output);
  // One line a complaint, each by us.
  BOOST_TEST(result.error_output.find("understudy: ") == 0u, result.error_output);
  BOOST_TEST(!contains(result.error_output, "terminate"), result.error_output);
}

/// Those that send something to a directory.
std::vector<words> commands_for(const std::string& file) {
  return {{"search", "-c", file, "-b", "", "-s", "base", "(objectClass=*)"},
          {"compare", "-c", file, user_dn(1), "sn", "1"},
          {"whoami", "-c", file},
          {"authenticate", "-c", file, "-b", people_dn, "user1"},
          {"modify", "-c", file},
          {"health", "-c", file},
          {"bench", "-c", file, "-b", "", "--duration", "30s"}};
}

/// What such a command reads.
std::string input_for(const words& command) {
  return command.front() == "modify" ? "dn: " + user_dn(1) + "\nchangetype: delete\n" : user_password(1) + "\n";
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(output_that_cannot_be_written_exits_with_3, directory_fixture) {
  const std::vector<words> commands{{"search", "-c", file, "(uid=user1)"},
                                    {"compare", "-c", file, user_dn(1), "uid", "user1"},
                                    {"whoami", "-c", file},
                                    {"health", "-c", file},
                                    {"health", "-c", file, "--json"},
                                    {"bench", "-c", file, "--duration", "100ms"},
                                    {"check", file},
                                    {"--help"},
                                    {"--version"}};
  for (const auto& command : commands) {
    check_said(run_redirected(command, ">/dev/full"), 3, "cannot write to standard output");
    check_said(run_redirected(command, ">&-"), 3, "cannot write to standard output");
    // Nobody can be told; the exit code still says it.
    BOOST_TEST(run_redirected(command, ">&- 2>&-").status == 3);
    BOOST_TEST(run_redirected(command, ">&- 2>&- <&-").status == 3);
  }
}

BOOST_AUTO_TEST_CASE(all_is_written_to_an_output_that_does_not_block) {
  const std::string data(3'000'000, 'x');
  std::array<int, 2> ends{};
  BOOST_TEST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  const auto child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    try {
      understudy::cli::put(data);
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  // The pipe is full before anybody reads.
  ::usleep(100'000);
  std::string seen;
  std::array<char, 65536> chunk{};
  BOOST_TEST(eventually([&] {
    ssize_t got = 0;
    while ((got = ::read(ends[0], chunk.data(), chunk.size())) > 0)
      seen.append(chunk.data(), static_cast<std::size_t>(got));
    return got == 0;
  }));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
  BOOST_TEST(seen.size() == data.size());
}

BOOST_AUTO_TEST_CASE(what_is_printed_never_ends_in_a_connection) {
  command_line line;
  stub_directory directory;
  const auto file = line.config(directory.url());
  for (const auto* redirections : {">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    run_redirected({"search", "-c", file, "-b", "dc=example,dc=com", "(uid=user1)"}, redirections);
    run_redirected({"search", "-c", file, "-b", "dc=example,dc=com", "(uid=x"}, redirections);
  }
  BOOST_TEST(directory.connections() > 0u);
  BOOST_TEST(directory.protocol_errors() == 0u);
}

BOOST_FIXTURE_TEST_CASE(input_that_cannot_be_read_exits_with_2, directory_fixture) {
  for (const auto& command : {words{"modify", "-c", file}, words{"authenticate", "-c", file, "user1"}}) {
    check_said(run_redirected(command, "</"), 2, "standard input cannot be read: Is a directory");
    check_said(run_redirected(command, "<&-"), 2, "standard input cannot be read: Bad file descriptor");
  }
  check_said(run_redirected({"authenticate", "-c", file, "user1"}, "</dev/null"), 1, "empty password");
  check_said(run_redirected({"authenticate", "-c", file, "user1"}, "</dev/zero"), 2, "longer than");
  check_said(run_redirected({"modify", "-c", file}, "</dev/null"), 0, "0 changes done");
  check_said(run_redirected({"modify", "-c", file}, "</dev/zero"), 2, "is longer than 268435456 bytes");
}

BOOST_FIXTURE_TEST_CASE(configurations_that_are_no_files_exit_with_2, command_line) {
  const auto folder_name = folder().path().string();
  const std::vector<std::pair<std::string, std::string>> cases{
      {folder_name, "is a directory"},
      {folder_name + "/missing.toml", "No such file"},
      {"/dev/zero", "longer than"},
      {"/dev/null", "ldap: is required"},
      {folder().write("nul.toml", std::string("[ldap]\nhost = \"a\0b\"\n", 20)).string(), ":2:"},
      {folder().write("latin1.toml", "[ldap]\nhost = \"\xe4\"\n").string(), ":2:"},
      {folder().write("binary.toml", all_bytes()).string(), ":1:"},
      {folder().write("deep.json", std::string(100'000, '[')).string(), "deep.json"},
      {folder().write("deep.toml", "a = " + std::string(100'000, '[')).string(), "deep.toml:"},
      {folder().write("long.toml", "[ldap]\nhost = \"" + std::string(1'000'000, 'a') + "\"\n").string(), ":2:"},
      {folder().write("unset.toml", "[ldap]\nhost = \"${UNDERSTUDY_NO_SUCH_VARIABLE}\"\n").string(),
       "UNDERSTUDY_NO_SUCH_VARIABLE"},
  };
  for (const auto& [path, said] : cases) {
    check_said(run({"check", path}), 2, said);
    const auto result = run({"whoami", "-c", path});
    check_said(result, 2, said);
    BOOST_TEST(result.output == "");
  }
}

BOOST_FIXTURE_TEST_CASE(a_log_file_that_cannot_be_written_is_named, command_line) {
  const auto with_log = [this](const std::string& path) {
    config_for with;
    with.more = "[log]\nfile = \"" + path + "\"\n";
    return config("ldap://127.0.0.1:" + std::to_string(free_port()), with);
  };
  check_said(run({"whoami", "-c", with_log("/does/not/exist/log")}), 2, "/does/not/exist/log");
  check_said(run({"whoami", "-c", with_log(folder().path().string())}), 2, "is a directory");
  // Nobody reads this one: only the start can find that out, and it must not wait.
  const auto pipe = (folder().path() / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (const auto* command : {"whoami", "health"}) {
    const auto result = run({command, "-c", with_log(pipe)});
    check_said(result, 2, pipe);
    BOOST_TEST(contains(result.error_output, "is a FIFO"), result.error_output);
    BOOST_TEST(!contains(result.error_output, "ulimit"), result.error_output);
  }
  const auto full = run({"whoami", "-v", "-c", with_log("/dev/full")});
  check_exit(full, 3);
  BOOST_TEST(contains(full.error_output, "No space left on device"), full.error_output);
}

BOOST_FIXTURE_TEST_CASE(malformed_requests_name_what_is_wrong, directory_fixture) {
  const std::string deep(100'000, '(');
  for (const auto& [filter, said] : std::vector<std::pair<std::string, std::string>>{{"(uid=x", "filter"},
                                                                                     {"", "filter"},
                                                                                     {"(uid=\xff\xfe)", ""},
                                                                                     {"(&" + deep, "filter"},
                                                                                     {"(uid=\\zz)", "filter"}}) {
    const auto result = run({"search", "-c", file, filter});
    if (said.empty()) {
      // Bytes that are no UTF-8 are a value like any other.
      check_exit(result, 0);
    } else {
      check_said(result, 2, said);
    }
  }
  // What is a DN is for the server to say.
  for (const auto* dn : {"no dn", "cn=a,", "=x", "cn=\"a", "\x1b[2J"}) {
    check_said(run({"search", "-c", file, "-b", dn, "(cn=a)"}), 1, "invalidDNSyntax");
    check_said(run({"compare", "-c", file, dn, "cn", "a"}), 1, "invalidDNSyntax");
    check_said(run({"modify", "-c", file}, "dn: " + std::string{dn} + "\nchangetype: delete\n"), 1, "invalidDNSyntax");
  }
  check_said(run({"compare", "-c", file, user_dn(1), "", "a"}), 2, "attribute");
  check_said(run({"search", "-c", file, "(cn=a)", ""}), 2, "attribute");
  check_said(run({"authenticate", "-c", file, "--attribute", "", "user1"}, "x\n"), 2, "attribute");
  check_exit(run({"authenticate", "-c", file, ""}, "x\n"), 1);
  check_exit(run({"authenticate", "-c", file, "*)(uid=*"}, "x\n"), 1);
  check_exit(run({"authenticate", "-c", file, "user1"}, std::string("pass\0word\n", 10)), 1);
  check_exit(run({"authenticate", "-c", file, "user1"}, "\xff\xfe\n"), 1);
}

BOOST_FIXTURE_TEST_CASE(malformed_ldif_names_its_line, directory_fixture) {
  const std::string head = "dn: " + user_dn(1) + "\nchangetype: modify\nreplace: description\n";
  const std::vector<std::pair<std::string, std::string>> cases{
      {std::string(3, '\0'), "line 1: "},
      {all_bytes(), "line "},
      {"\xef\xbb\xbf"
       "dn: cn=a\n",
       "line 1: "},
      {std::string(1'000'000, 'x'), "line 1: "},
      {std::string(300'000, '\n') + "x", "line 300001: "},
      {head + "description:: ?\n", "line 4: "},
      {head + "description:< file:///does/not/exist\n", "line 4: cannot read file:///does/not/exist: No such file"},
      {head + "description:< file:///\n", "line 4: cannot read file:///: is a directory"},
      {head + "description:< file:///dev/zero\n", "line 4: cannot read file:///dev/zero: is longer than"},
      {head + "description:< file:///etc/passwd%00x\n", "line 4: the URL has a NUL byte"},
      {head + "description:< http://127.0.0.1/\n", "line 4: only file:// URLs"},
  };
  for (const auto& [input, said] : cases) {
    const auto result = run({"modify", "-c", file}, input);
    check_said(result, 2, said);
    BOOST_TEST(contains(result.error_output, "nothing was sent"), result.error_output);
  }
}

BOOST_AUTO_TEST_CASE(what_a_server_says_cannot_play_tricks_with_a_terminal) {
  command_line line;
  stub_directory directory;
  const auto file = line.config(directory.url());
  directory.on(operation::search,
               reply{{.code = 32, .matched_dn = "\x1b]0;x\x07", .diagnostic = "a\nunderstudy: b\x7f"}});
  const auto result = line.run({"search", "-c", file, "-b", "dc=example,dc=com", "(uid=user1)"});
  check_said(result, 1, "a\\x0aunderstudy: b\\x7f; matched DN \"\\x1b]0;x\\x07\"");
  directory.forget_rules();
  directory.on(operation::bind, reply{{.code = 53, .diagnostic = "\xff\x1b[2J"}});
  const auto json = line.run({"health", "-c", file, "--json"});
  check_exit(json, 1);
  BOOST_TEST(json.output.find('\x1b') == std::string::npos);
  BOOST_TEST(json.output.find("\\\\xff\\\\x1b[2J") != std::string::npos, json.output);
}

BOOST_AUTO_TEST_CASE(what_a_server_says_does_not_fill_the_screen) {
  command_line line;
  stub_directory directory;
  const auto file = line.config(directory.url());
  const std::string words(2'000'000, 'x');
  reply said{{.code = 10, .matched_dn = words, .diagnostic = words}, {}};
  said.what.referrals.assign(1'000, "ldap://" + words.substr(0, 3'000));
  directory.on(operation::search, said);
  const auto referred = line.run({"search", "-c", file, "-b", "dc=example,dc=com", "(uid=user1)"});
  check_said(referred, 1, "x… (2000000 bytes)");
  check_said(referred, 1, "understudy: referral: and 990 more\n");
  BOOST_TEST(referred.error_output.size() < 8'000u);
  // So it is with what it holds, and with the entry that somebody binds as.
  directory.forget_rules();
  std::vector<std::string> contexts(1'000, "dc=" + words.substr(0, 3'000));
  directory.when([](const directory_request& r) { return r.kind == operation::search && r.dn.empty(); },
                 [&](const directory_request&) {
                   return reply{{.entries = {{"", {{"namingContexts", contexts}}}}}, {}};
                 });
  const auto several = line.run({"search", "-c", file, "(uid=user1)"});
  check_said(several, 2, "and 990 more");
  BOOST_TEST(several.error_output.size() < 8'000u);
  directory.forget_rules();
  directory.set_entries(std::vector<understudy::entry>{{"cn=" + words, {}}});
  for (const int code : {0, 49}) {
    if (code != 0)
      directory.when([](const directory_request& r) { return r.kind == operation::bind && r.dn.size() > 1'000; },
                     [](const directory_request&) {
                       return reply{{.code = 49}, {}};
                     });
    const auto bound = line.run({"authenticate", "-c", file, "-b", "dc=example,dc=com", "user1"}, "secret\n");
    check_said(bound, code == 0 ? 0 : 1, "bytes)");
    BOOST_TEST(bound.error_output.size() < 2'000u);
  }
}

BOOST_FIXTURE_TEST_CASE(numbers_out_of_range_exit_with_2, directory_fixture) {
  const std::string huge(400, '9');
  for (const auto& command : std::vector<words>{{"search", "-c", file, "-z", huge, "(cn=a)"},
                                                {"search", "-c", file, "--timeout", huge, "(cn=a)"},
                                                {"search", "-c", file, "--timeout", "-5s", "(cn=a)"},
                                                {"search", "-c", file, "--timeout", "nan", "(cn=a)"},
                                                {"bench", "-c", file, "--concurrency", huge},
                                                {"bench", "-c", file, "--range", "0:" + huge},
                                                {"bench", "-c", file, "--range", ":"},
                                                {"bench", "-c", file, "--duration", "1e999"}}) {
    const auto result = run(command);
    check_exit(result, 2);
    BOOST_TEST(result.output == "");
    BOOST_TEST(result.error_output != "");
  }
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_every_command_at_once) {
  command_line line;
  stub_directory directory;
  const auto file = line.config(directory.url());
  /// A place where a command waits, and how to see that it is there.
  struct place {
    const char* name;
    std::function<void()> prepare;
    std::function<bool()> reached;
  };
  std::uint64_t before = 0;
  const std::vector<place> places{
      {"connecting", [&] { directory.pause(); }, [] { return true; }},
      {"bind", [&] { directory.disturb(operation::bind, {.silent = true}); },
       [&] { return directory.connections() > before; }},
  };
  for (const auto& where : places) {
    for (const auto& command : commands_for(file)) {
      BOOST_TEST_CONTEXT(where.name << ": " << command.front()) {
        before = directory.connections();
        where.prepare();
        const auto running = line.start(command, input_for(command));
        BOOST_TEST(eventually(where.reached));
        BOOST_TEST_REQUIRE(eventually([&] { return running->handles(SIGINT, UNDERSTUDY_PROGRAM); }));
        running->send_signal(SIGINT);
        const auto status = running->wait();
        BOOST_TEST_REQUIRE(status.has_value());
        BOOST_TEST(*status == 3);
        // Its own words: it was not ended by force after a while.
        BOOST_TEST(running->error_output() == "understudy: interrupted\n");
        directory.forget_rules();
        directory.resume();
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(ctrl_c_ends_what_waits_for_input, directory_fixture) {
  const auto fifo = folder() / "fifo";
  check_exit(run_program({{"mkfifo", fifo.string()}, {}, {}, {}}), 0);
  for (const auto& command : {words{"modify", "-c", file}, words{"authenticate", "-c", file, "user1"}}) {
    words all{"sh", "-c", "exec \"$@\" <>" + fifo.string(), "sh", UNDERSTUDY_PROGRAM};
    all.insert(all.end(), command.begin(), command.end());
    child_process running({all, {}, {}, {}});
    BOOST_TEST_REQUIRE(eventually([&] { return running.handles(SIGINT, UNDERSTUDY_PROGRAM); }));
    running.send_signal(SIGINT);
    const auto status = running.wait();
    BOOST_TEST_REQUIRE(status.has_value());
    BOOST_TEST(*status == 3);
    BOOST_TEST(contains(running.error_output(), "interrupted"), running.error_output());
  }
}
