// Log lines are whole, in order, bounded, and never more than one line each.
#include "understudy/runtime/platform/log_sink.hpp"
#include "runtime/process_census.hpp"
#include "support/eventually.hpp"
#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

const wall_time moment{std::chrono::milliseconds{1767254400123}};

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in{file};
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_text_line_has_time_level_component_text_and_details) {
  const auto line = text_line(moment, log_level::warning, "pool", "connection lost",
                              {{"server", "ldap1:389"}, {"cause", "reset by \"peer\""}});
  BOOST_TEST(line ==
             "2026-01-01T08:00:00.123Z warning pool: connection lost server=ldap1:389 cause=\"reset by \\\"peer\\\"\"");
}

BOOST_AUTO_TEST_CASE(a_value_from_outside_cannot_start_a_line) {
  const auto line = text_line(moment, log_level::info, "pool", "one\ntwo", {{"dn", "cn=a\r\nfake\x1b[2J"}});
  BOOST_TEST(line.find('\n') == std::string::npos);
  BOOST_TEST(line.find('\x1b') == std::string::npos);
  BOOST_TEST(line.find("one\\x0atwo") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_json_line_is_one_object_whatever_the_bytes) {
  const auto line = json_line(moment, log_level::error, "pool", "a\nb", {{"dn", "\xff\xfe"}, {"n", "1"}});
  BOOST_TEST(line.find('\n') == std::string::npos);
  const auto parsed = nlohmann::json::parse(line);
  BOOST_TEST(parsed["level"] == "error");
  BOOST_TEST(parsed["component"] == "pool");
  BOOST_TEST(parsed["text"] == "a\nb");
  BOOST_TEST(parsed["time"] == "2026-01-01T08:00:00.123Z");
  BOOST_TEST(parsed["n"] == "1");
}

BOOST_AUTO_TEST_CASE(lines_are_written_in_the_format_that_is_set) {
  for (const auto format : {log_format::text, log_format::json}) {
    test::temporary_folder folder;
    log_settings how;
    how.format = format;
    how.file = (folder / "log").string();
    {
      log_sink sink{how};
      sink.write(log_level::error, "pool", "a line");
    }
    const auto lines = lines_of(how.file);
    BOOST_TEST_REQUIRE(lines.size() == 1U);
    BOOST_TEST((lines[0].front() == '{') == (format == log_format::json), lines[0]);
  }
}

BOOST_AUTO_TEST_CASE(lines_of_the_level_and_above_are_written_to_the_file_in_order) {
  test::temporary_folder folder;
  log_settings how;
  how.level = log_level::warning;
  how.file = folder.path() / "log";
  {
    log_sink log{how};
    BOOST_TEST(log.enabled(log_level::error));
    BOOST_TEST(!log.enabled(log_level::info));
    for (int i = 0; i < 500; ++i) log.write(log_level::warning, "test", "line " + std::to_string(i));
    log.write(log_level::info, "test", "too quiet");
  }
  const auto lines = lines_of(how.file);
  BOOST_REQUIRE_EQUAL(lines.size(), 500);
  for (std::size_t i = 0; i < lines.size(); ++i) BOOST_TEST(lines[i].ends_with("test: line " + std::to_string(i)));
}

BOOST_AUTO_TEST_CASE(a_log_file_that_cannot_be_opened_is_an_exception) {
  log_settings how;
  how.file = "/nonexistent/folder/log";
  BOOST_CHECK_THROW(log_sink{how}, std::system_error);
}

BOOST_AUTO_TEST_CASE(a_pipe_that_nobody_reads_is_an_exception_and_no_wait) {
  const test::temporary_folder folder;
  log_settings how;
  how.file = (folder / "pipe").string();
  BOOST_TEST_REQUIRE(::mkfifo(how.file.c_str(), 0600) == 0);
  BOOST_CHECK_THROW(log_sink{how}, std::system_error);
}

BOOST_AUTO_TEST_CASE(a_listener_gets_every_line_until_the_stop) {
  std::mutex mutex;
  std::vector<std::string> heard;
  log_sink log{{}, [&](log_level, std::string_view component, const std::string& line) {
                 std::lock_guard guard{mutex};
                 heard.push_back(std::string{component} + "|" + line.substr(line.find(": ") + 2));
               }};
  log.write(log_level::error, "a", "first");
  log.write(log_level::info, "b", "second");
  log.stop();
  log.write(log_level::error, "c", "third");
  BOOST_TEST(heard == (std::vector<std::string>{"a|first", "b|second"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_read_holds_up_neither_writers_nor_the_stop) {
  // A pipe that nobody reads stands for a terminal that was stopped.
  test::temporary_folder folder;
  const auto path = folder.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  BOOST_REQUIRE(reader >= 0);
  const auto threads = test::threads_now();
  {
    log_settings how;
    how.file = path;
    log_sink log{how};
    for (int i = 0; i < 20000; ++i) log.write(log_level::error, "test", std::string(100, 'x'));
  }
  BOOST_TEST(test::threads_now() == threads);
  ::close(reader);
}
