// The table of options: consistent in itself, with the structs, and with the committed documentation.
#include "understudy/config/options.hpp"
#include "config/config_text.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/documentation.hpp"
#include "understudy/config/option_value.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::internal::config;
using namespace understudy::test;

namespace {

std::filesystem::path docs(const std::string& name) {
  return std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "docs" / name;
}

/// The committed page must be what the table gives; asked to, writes it instead.
void check_committed(const std::string& name, const std::string& expected) {
  if (std::getenv("UNDERSTUDY_REGENERATE_DOCS")) std::ofstream{docs(name), std::ios::binary} << expected;
  BOOST_TEST(read_file(docs(name)) == expected, "docs/" + name +
                                                    " differs from the table of options; make it again with "
                                                    "UNDERSTUDY_REGENERATE_DOCS=1");
}

/// The sample with all its keys in effect.
std::string uncommented(const std::string& sample) {
  std::istringstream lines{sample};
  std::string text, line;
  while (std::getline(lines, line)) {
    const bool key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
    text += (key ? line.substr(1) : line) + '\n';
  }
  return text;
}

/// The lines of `text` without those that set one of `keys`.
std::string without(const std::string& text, const std::set<std::string>& keys) {
  std::istringstream lines{text};
  std::string result, line;
  while (std::getline(lines, line))
    if (keys.count(line.substr(0, line.find(" = "))) == 0) result += line + '\n';
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(committed_documentation_is_that_of_the_table) {
  check_committed("configuration.md", options_markdown());
  check_committed("understudy.sample.toml", sample_toml());
}

BOOST_AUTO_TEST_CASE(every_default_is_a_legal_value) {
  for (const auto& each : options()) {
    if (each.key == "host") continue;
    const auto value = default_of(each);
    BOOST_TEST(check_value(each, value) == "", each.key);
  }
  settings all;
  all.servers.resize(1);
  all.servers[0].host = "a";
  BOOST_TEST(joined(lines_of(validate(all))) == "");
}

BOOST_AUTO_TEST_CASE(every_default_is_written_as_it_is_read) {
  for (const auto& each : options()) {
    if (!is_set(default_of(each))) continue;
    const std::string key{each.key};
    const auto result = from_toml(file_with(each, key + " = " + to_toml_text(each, default_of(each)) + '\n'));
    BOOST_TEST(result.ok(), key + ": " + joined(lines_of(result.problems)));
  }
}

BOOST_AUTO_TEST_CASE(every_option_is_described) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& each : options()) {
    BOOST_TEST(find_section(each.section) != nullptr, each.section);
    BOOST_TEST(seen.emplace(each.section, each.key).second, each.key);
    BOOST_TEST(!each.meaning.empty(), each.key);
    BOOST_TEST(each.meaning.back() == '.', each.key);
    BOOST_TEST((each.type == option_type::choice) == !each.choices.empty(), each.key);
    if (each.numeric()) BOOST_TEST(each.least < each.most, each.key);
    if (!is_set(default_of(each))) BOOST_TEST(!each.example.empty(), each.key);
  }
}

BOOST_AUTO_TEST_CASE(every_limit_is_inclusive) {
  for (const auto& each : options()) {
    if (!each.numeric()) continue;
    const std::string key{each.key};
    const auto load = [&](double value) {
      const std::string number =
          each.type == option_type::integer ? std::to_string(static_cast<std::int64_t>(value)) : std::to_string(value);
      const auto problems = from_toml(file_with(each, key + " = " + number + '\n')).problems;
      // At the limit of one key a rule about two may be broken; that is another matter.
      return problems.empty() || problems[0].what.find("is more than") != std::string::npos ? "" : problems[0].what;
    };
    const double step = each.type == option_type::integer ? 1 : 0.0005;
    BOOST_TEST(load(each.least) == "", key);
    BOOST_TEST(load(each.most) == "", key);
    BOOST_TEST(load(each.least - step) != "", key);
    BOOST_TEST(load(each.most + step) != "", key);
  }
}

BOOST_AUTO_TEST_CASE(the_sample_loads) {
  const std::map<std::string, std::string> env{{"LDAP_PASSWORD", "p"}};
  const auto result = from_toml(sample_toml(), env);
  BOOST_REQUIRE_MESSAGE(result.ok(), joined(lines_of(result.problems)));
  BOOST_TEST(result.value.servers.size() == 2u);
  BOOST_TEST(result.value.servers[1].use_tls);
}

BOOST_AUTO_TEST_CASE(the_sample_shows_the_defaults) {
  // What needs files that do not exist here, or contradicts what the sample sets.
  const std::set<std::string> examples{"password_file",
                                       "password_command",
                                       "ca_cert_path",
                                       "client_cert_path",
                                       "client_key_path",
                                       "client_key_password",
                                       "client_key_password_file",
                                       "client_key_password_command",
                                       "crl_path",
                                       "file",
                                       "name",
                                       "cert_path",
                                       "key_path",
                                       "peers",
                                       "[[node.listeners]]",
                                       "address",
                                       "permission",
                                       "insecure_loopback",
                                       "max_peers",
                                       "[[front_door.listeners]]",
                                       "use_ssl",
                                       "allow_plaintext",
                                       "identity",
                                       "bases",
                                       "allow_anonymous",
                                       "max_clients",
                                       "max_pending",
                                       "idle_timeout",
                                       "paging_hold",
                                       "allow_from",
                                       "proxy_protocol_from",
                                       "log_clients",
                                       "client_ca_cert_path",
                                       "write_coherence",
                                       "listen",
                                       "hosts",
                                       "admin_token",
                                       "admin_token_file",
                                       "admin_token_command",
                                       "dn_templates",
                                       "base",
                                       "group_base"};
  const std::map<std::string, std::string> env{{"LDAP_PASSWORD", "p"}};
  const auto plain = from_toml(sample_toml(), env);
  const auto full = from_toml(without(uncommented(sample_toml()), examples), env);
  BOOST_REQUIRE_MESSAGE(full.ok(), joined(lines_of(full.problems)));
  BOOST_TEST(to_json(full.value) == to_json(plain.value));
}

BOOST_AUTO_TEST_CASE(the_sample_has_every_key) {
  const auto sample = uncommented(sample_toml());
  for (const auto& each : options()) {
    const bool found = sample.find('\n' + std::string{each.key} + " = ") != std::string::npos;
    const bool left_out = each.key == "uri" || each.key == "srv";
    BOOST_TEST((found || left_out), each.key);
  }
}

BOOST_AUTO_TEST_CASE(the_page_names_every_key_and_section) {
  const auto page = options_markdown();
  for (const auto& each : options()) BOOST_TEST(page.find("| `" + std::string{each.key} + "` |") != std::string::npos);
  for (const auto& each : option_sections()) BOOST_TEST(page.find("### " + shown(each) + "\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_tests_that_the_page_names_exist) {
  std::string cases;
  for (const auto& file :
       std::filesystem::recursive_directory_iterator(std::filesystem::path{UNDERSTUDY_SOURCE_DIR} / "tests"))
    if (file.path().extension() == ".cpp") cases += read_file(file.path());
  const auto page = options_markdown();
  const auto from = page.find("## What waits, and for how long"), to = page.find("\n## ", from);
  std::istringstream lines{page.substr(from, to - from)};
  std::set<std::string> named;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.back() != '|') continue;
    const auto last = line.substr(line.rfind('|', line.size() - 2));
    for (auto at = last.find('`'); at != std::string::npos; at = last.find('`', last.find('`', at + 1) + 1))
      named.insert(last.substr(at + 1, last.find('`', at + 1) - at - 1));
  }
  BOOST_TEST(named.size() >= 15U);
  for (const auto& name : named) BOOST_TEST(cases.find("_TEST_CASE(" + name) != std::string::npos, name);
}

BOOST_AUTO_TEST_CASE(settings_made_in_code_obey_the_same_ranges) {
  settings all;
  all.pool.max_connections = 0;
  all.breaker.failure_rate = 1000;
  all.limits.operation_timeout = duration{0};
  all.log.level = static_cast<log_level>(77);
  BOOST_TEST(joined(lines_of(validate(all))) ==
             "ldap.servers: must name at least one server\n"
             "pool.max_connections: must be 1 to 100000, not 0\n"
             "breaker.failure_rate: must be 1 to 100, not 1000\n"
             "limits.operation_timeout: must be 1ms to 1d, not 0s\n"
             "log.level: must be error, warning, info or debug\n");
}

BOOST_AUTO_TEST_CASE(servers_made_in_code_are_compared) {
  settings all;
  all.servers.resize(3);
  all.servers[0].host = "a";
  all.servers[1].uri = "ldap://A";
  all.servers[2].host = "a";
  all.servers[2].port = 0;
  BOOST_TEST(joined(lines_of(validate(all))) ==
             "ldap.servers[2].port: must be 1 to 65535, not 0\n"
             "ldap.servers[1]: is the same server as ldap.servers[0]: A:389\n");
}

BOOST_AUTO_TEST_CASE(a_default_minimum_made_in_code_follows_the_maximum) {
  settings all;
  all.servers.resize(1);
  all.servers[0].host = "a";
  all.servers[0].max_pool_size = 2;
  all.pool.max_connections = 2;
  BOOST_TEST(joined(lines_of(validate(all))) == "");
  all.pool.min_connections = 3;
  all.servers[0].pool_size = 3;
  BOOST_TEST(joined(lines_of(validate(all))) ==
             "ldap.servers[0].pool_size: 3 is more than max_pool_size (2)\n"
             "pool.min_connections: 3 is more than max_connections (2)\n");
}

BOOST_AUTO_TEST_CASE(the_packages_file_sets_nothing_and_lacks_only_the_servers) {
  const auto file = conffile_toml();
  const auto empty = from_toml(file);
  BOOST_TEST(empty.problems.size() == 1U, joined(lines_of(empty.problems)));
  BOOST_TEST(joined(lines_of(empty.problems)).find("ldap") != std::string::npos, joined(lines_of(empty.problems)));
  std::istringstream lines{file};
  std::set<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    // Headings of sections alone are in effect.
    BOOST_TEST((line.empty() || line[0] == '#' || line[0] == '['), line);
    if (line.size() > 1 && line[0] == '#' && line[1] != ' ') keys.insert(line.substr(1, line.find(" = ") - 1));
  }
  for (const auto& each : options()) BOOST_TEST(keys.count(std::string{each.key}) == 1U, each.key);
  // One line without its # is enough.
  for (const std::string key : {"host", "uri"}) {
    auto with_server = file;
    const auto at = with_server.find("\n#" + key + " = ");
    BOOST_TEST_REQUIRE(at != std::string::npos, key);
    with_server.erase(at + 1, 1);
    const auto read = from_toml(with_server);
    BOOST_TEST(read.ok(), joined(lines_of(read.problems)));
    BOOST_TEST(read.value.servers.size() == 1U);
  }
}
