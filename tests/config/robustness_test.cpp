// Whatever a file holds or is, loading it ends, with problems or without.
#include "config/config_text.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/documentation.hpp"
#include "understudy/config/files.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <random>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::internal::config;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

std::string repeated(std::string_view part, std::size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (std::size_t i = 0; i < times; ++i) text += part;
  return text;
}

std::string problem_of(const std::filesystem::path& path) {
  const auto result = load_file(path.string(), variables({}));
  BOOST_REQUIRE(result.problems.size() == 1u);
  return result.problems[0].what;
}

/// Loads both ways; what comes out must be printable and consistent.
void load_both(const std::string& text) {
  for (const auto& result : {from_toml(text), from_json(text)}) {
    for (const auto& line : lines_of(result.problems)) BOOST_TEST(nlohmann::json(line).dump().size() > 0u);
    if (result.ok()) BOOST_TEST(!result.value.servers.empty());
  }
}

std::string json_sample() {
  return R"({"ldap": {"bind_dn": "cn=x", "password": "p", "servers": [{"host": "a", "port": 1}, {"uri": "ldaps://b"}]},
            "pool": {"timeout": "5s", "use_pool": true, "min_connections": 3}, "log": {"level": "info"}})";
}

}  // namespace

BOOST_AUTO_TEST_CASE(random_bytes_are_survived) {
  std::mt19937 random{1};
  for (int round = 0; round < 2000; ++round) {
    std::string text(random() % 200, '\0');
    for (auto& c : text) c = static_cast<char>(random());
    load_both(text);
  }
}

BOOST_AUTO_TEST_CASE(random_tokens_are_survived) {
  const std::vector<std::string> tokens{"[",
                                        "]",
                                        "[[",
                                        "]]",
                                        "{",
                                        "}",
                                        "=",
                                        ".",
                                        ",",
                                        "\n",
                                        "\"",
                                        "'",
                                        "\"\"\"",
                                        "'''",
                                        "#",
                                        "ldap",
                                        "pool",
                                        "1",
                                        "-",
                                        "host",
                                        "port",
                                        "uri",
                                        "${",
                                        "}",
                                        "${A}",
                                        "true",
                                        "1e999",
                                        "0x",
                                        "inf",
                                        "nan",
                                        "\\",
                                        "\\u",
                                        "null",
                                        ":",
                                        " ",
                                        "\t",
                                        "\r\n",
                                        "\"a\"",
                                        "servers",
                                        "+",
                                        "1979-05-27T07:32:00Z",
                                        "timeout",
                                        "\"5s\"",
                                        "\xEF\xBB\xBF",
                                        "password",
                                        "\"***\"",
                                        "_",
                                        "$${"};
  std::mt19937 random{2};
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (std::size_t i = random() % 40; i > 0; --i) text += tokens[random() % tokens.size()];
    load_both(text);
  }
}

BOOST_AUTO_TEST_CASE(damaged_samples_are_survived) {
  std::mt19937 random{3};
  for (const auto& sample : {sample_toml(), json_sample()}) {
    for (int round = 0; round < 1000; ++round) {
      std::string text = sample;
      for (std::size_t i = 1 + random() % 5; i > 0 && !text.empty(); --i) {
        const auto at = random() % text.size();
        switch (random() % 4) {
          case 0:
            text[at] = static_cast<char>(random());
            break;
          case 1:
            text.erase(at, random() % 20);
            break;
          case 2:
            text.insert(at, text.substr(random() % text.size(), random() % 30));
            break;
          default:
            text.resize(at + 1);
        }
      }
      load_both(text);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_prefix_of_a_sample_is_survived) {
  const auto sample = json_sample();
  for (std::size_t size = 0; size <= sample.size(); ++size) load_both(sample.substr(0, size));
  const auto toml = sample_toml().substr(0, 3000);
  for (std::size_t size = 0; size <= toml.size(); size += 3) load_both(toml.substr(0, size));
}

BOOST_AUTO_TEST_CASE(deep_nesting_is_refused) {
  const std::size_t deep = 200000;
  for (const auto& text :
       {"a = " + repeated("[", deep), "a = " + repeated("{a=", deep), "[" + repeated("a.", deep) + "a]",
        repeated("a.", deep) + "a = 1", repeated("\"a\".", deep) + "a = 1",
        "a = [\n" + repeated("{ " + repeated("a.", 60) + "a = [\n", 1000), repeated("'a'.", deep),
        "x = \"\"\"\"\"\"\"\"\n[" + repeated("a.", deep) + "a]"}) {
    const auto problems = from_toml(text).problems;
    BOOST_REQUIRE(!problems.empty());
    BOOST_TEST(problems[0].what == "nested too deeply");
  }
  for (const auto& text : {repeated("[", deep), repeated("{\"a\":", deep)}) {
    const auto problems = from_json(text).problems;
    BOOST_REQUIRE(problems.size() == 1u);
    BOOST_TEST(problems[0].what == "nested too deeply");
  }
}

BOOST_AUTO_TEST_CASE(dots_in_strings_and_comments_nest_nothing) {
  const std::string dots(500, '.');
  BOOST_TEST(pool_errors("# " + dots + "\n[ldap]\nhost = \"a\" # " + dots + "\nbind_dn = \"cn=" + dots +
                         "\"\npassword = \"\"\"\\\"" + dots + "\"\"\"\"\"\n") == "");
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\nbind_dn = 'cn=" + dots + "'\npassword = '''" + dots + "''''\n") == "");
}

BOOST_AUTO_TEST_CASE(deep_dicts_are_refused) {
  nlohmann::json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = nlohmann::json::array({std::move(deep)});
  BOOST_CHECK_THROW(connection_info::from_dict({{"host", std::move(deep)}}), config_error);
}

BOOST_AUTO_TEST_CASE(huge_texts_are_refused) {
  const std::string huge = repeated("# comment\n", 110000);
  BOOST_TEST(pool_errors(huge) == "f: is longer than 1 MiB, which no configuration is\n");
  BOOST_TEST(json_errors(huge) == "f: is longer than 1 MiB, which no configuration is\n");
}

BOOST_AUTO_TEST_CASE(long_texts_are_read) {
  BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\n" + repeated("# comment\n", 100000)) == "");
  std::string many;
  for (int i = 0; i < 10000; ++i) many += "[[ldap.servers]]\nhost = \"h" + std::to_string(i) + "\"\n";
  BOOST_TEST(from_toml(many).value.servers.size() == 10000u);
  BOOST_TEST(from_toml(repeated("[[ldap.servers]]\nhost = \"h\"\n", 10000)).problems.size() == 1001u);
  BOOST_TEST(!pool_errors("[ldap]\nhost = \"" + std::string(1000000, 'a') + "\"\n").empty());
  BOOST_TEST(!pool_errors("[ldap]\nhost = \"a\"\n" + std::string(1000000, 'k') + " = 1\n").empty());
  BOOST_TEST(!pool_errors("[ldap]\nhost = \"" + repeated("${A:-", 200000) + "\"\n").empty());
}

BOOST_AUTO_TEST_CASE(paths_that_are_no_files_are_refused) {
  const temporary_folder folder;
  BOOST_TEST(problem_of(folder / "none") == "cannot be read: No such file or directory");
  BOOST_TEST(problem_of(folder.path()) == "cannot be read: is a directory");
  BOOST_TEST(problem_of("/dev/zero") == "cannot be read: is longer than 1048576 bytes");
  BOOST_TEST(problem_of("") == "cannot be read: No such file or directory");
  BOOST_TEST(problem_of(std::string(10000, 'x')) == "cannot be read: File name too long");
  std::filesystem::create_symlink(folder / "loop", folder / "loop");
  BOOST_TEST(problem_of(folder / "loop") == "cannot be read: Too many levels of symbolic links");
  BOOST_TEST(problem_of(folder.write("big", std::string(2 << 20, '#'))) ==
             "cannot be read: is longer than 1048576 bytes");
}

BOOST_AUTO_TEST_CASE(an_empty_file_lacks_its_servers) {
  BOOST_TEST(problem_of("/dev/null") == "is required: the servers, and how to speak to them");
}

BOOST_AUTO_TEST_CASE(a_pipe_is_read_to_its_end) {
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const std::string text = "[ldap]\nhost = \"piped\"\n";
  BOOST_REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  const auto path = "/proc/self/fd/" + std::to_string(ends[0]);
  BOOST_TEST(read_whole(path, 1000, 20ms).problem == "does not end");
  BOOST_REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(ends[1]);
  BOOST_TEST(load_file(path).value.servers.at(0).host == "piped");
  ::close(ends[0]);
}

BOOST_AUTO_TEST_CASE(a_named_pipe_without_a_writer_is_not_waited_for) {
  const temporary_folder folder;
  const auto path = (folder / "fifo").string();
  BOOST_REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  BOOST_TEST(problem_of(path) == "is required: the servers, and how to speak to them");
}

BOOST_AUTO_TEST_CASE(without_file_descriptors_the_problem_says_so) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const auto result = load_file("/dev/null");
  ::setrlimit(RLIMIT_NOFILE, &before);
  BOOST_TEST(
      result.problems.at(0).what ==
      "cannot be read: Too many open files in this process; raise its limit (ulimit -n, LimitNOFILE) or open less");
}
