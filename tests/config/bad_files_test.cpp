// Every rule for configuration files, with the exact words that a person reads.
#include "config/config_text.hpp"
#include "support/temporary_folder.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

struct bad_text {
  std::string text;
  std::string expected;
};

void check_all(const std::vector<bad_text>& cases) {
  for (const auto& each : cases)
    BOOST_TEST(pool_errors(each.text) == each.expected, each.text + pool_errors(each.text));
}

const std::string span_words = "a number of seconds or a span like \"250ms\", \"5s\", \"2m\" or \"1h\"";

}  // namespace

BOOST_AUTO_TEST_CASE(names_the_nearest_known_key) {
  check_all({
      {"[ldap]\nhots = \"a\"\nhost = \"a\"\n", "f:2:1: ldap.hots: unknown key; the nearest known key is \"host\"\n"},
      {"[ldap]\nhost = \"a\"\n[pool]\n  max_connection = 3\n",
       "f:4:3: pool.max_connection: unknown key; the nearest known key is \"max_connections\"\n"},
      {"[ldap]\nhost = \"a\"\n[pool]\nmax_retries = 3\n",
       "f:4:1: pool.max_retries: unknown key; it belongs in [ldap]\n"},
      {"[ldap]\nhost = \"a\"\n[pol]\n", "f:3:2: pol: unknown section; the nearest known section is \"pool\"\n"},
      {"host = \"a\"\n[ldap]\nhost = \"a\"\n", "f:1:1: host: unknown key; it belongs in [ldap]\n"},
      {"[ldap]\nhost = \"a\"\n[log]\nwhatever_this_is = 1\n", "f:4:1: log.whatever_this_is: unknown key\n"},
      {"[ldap]\nhost = \"a\"\n\"a\\nb.c\" = 1\n", "f:3:1: ldap.\"a?b.c\": unknown key\n"},
      {"[[ldap.servers]]\nhost = \"a\"\nzzzzzz = 1\n", "f:3:1: ldap.servers[0].zzzzzz: unknown key\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_values_of_the_wrong_type) {
  check_all({
      {"[ldap]\nhost = 3\n", "f:2:1: ldap.host: must be a string, not an integer\n"},
      {"[ldap]\nhost = \"a\"\nport = \"389\"\n", "f:3:1: ldap.port: must be an integer, not a string\n"},
      {"[ldap]\nhost = \"a\"\nport = 389.5\n", "f:3:1: ldap.port: must be an integer, not a number with a fraction\n"},
      {"[ldap]\nhost = \"a\"\nuse_tls = \"yes\"\n",
       "f:3:1: ldap.use_tls: must be a boolean (true or false), not a string\n"},
      {"[ldap]\nhost = \"a\"\nuse_tls = 1\n",
       "f:3:1: ldap.use_tls: must be a boolean (true or false), not an integer\n"},
      {"[ldap]\nhost = \"a\"\ntimeout = true\n", "f:3:1: ldap.timeout: must be " + span_words + ", not a boolean\n"},
      {"[ldap]\nhost = \"a\"\ntimeout = \"soon\"\n", "f:3:1: ldap.timeout: must be " + span_words + ", not \"soon\"\n"},
      {"[ldap]\nhost = \"a\"\ntimeout = \"30\"\n", "f:3:1: ldap.timeout: must be " + span_words + ", not \"30\"\n"},
      {"[ldap]\nhost = \"a\"\nbind_dn = [\"a\"]\n", "f:3:1: ldap.bind_dn: must be a string, not an array\n"},
      {"[ldap]\nhost = \"a\"\nrole = \"writer\"\n",
       "f:3:1: ldap.role: must be read_write, read_only or global_catalog, not \"writer\"\n"},
      {"[ldap]\nhost = \"a\"\n[log]\nlevel = \"loud\"\n",
       "f:4:1: log.level: must be error, warning, info or debug, not \"loud\"\n"},
      {"[ldap]\nhost = 1979-05-27\n", "f:2:1: ldap.host: must be a string, not a date or time\n"},
      {"[ldap]\nhost = \"a\"\npassword_command = \"pass ldap\"\n",
       "f:3:1: ldap.password_command: must be an array of strings: a program and its arguments, not a string\n"},
      {"[ldap]\nhost = \"a\"\npassword_command = [\"a\", 2]\n",
       "f:3:1: ldap.password_command: must be an array of strings, but has an integer in it\n"},
      {"[ldap]\nhost = \"a\"\npassword_command = []\n",
       "f:3:1: ldap.password_command: must begin with the name of a program\n"},
      {"[ldap]\nhost = \"a\"\npassword_command = [\"\"]\n",
       "f:3:1: ldap.password_command: must begin with the name of a program\n"},
      {"pool = 3\n[ldap]\nhost = \"a\"\n", "f:1:1: pool: must be a table, not an integer\n"},
      {"ldap = 3\n", "f:1:1: ldap: must be a table, not an integer\n"},
      {"[ldap]\nservers = 3\n",
       "f:2:1: ldap.servers: must be an array of tables, one [[ldap.servers]] a server, not an "
       "integer\n"},
      {"[ldap.servers]\nhost = \"a\"\n",
       "f:1:7: ldap.servers: must be an array of tables, one [[ldap.servers]] a server, not a table\n"},
      {"[ldap]\nservers = [1]\n", "f:2:12: ldap.servers[0]: must be a table, not an integer\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_values_out_of_range) {
  const std::string ldap = "[ldap]\nhost = \"a\"\n";
  check_all({
      {ldap + "port = 0\n", "f:3:1: ldap.port: must be 1 to 65535, not 0\n"},
      {ldap + "port = 65536\n", "f:3:1: ldap.port: must be 1 to 65535, not 65536\n"},
      {ldap + "max_retries = -1\n", "f:3:1: ldap.max_retries: must be 0 to 100, not -1\n"},
      {ldap + "timeout = 0\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not 0s\n"},
      {ldap + "timeout = -1.5\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not -1500ms\n"},
      {ldap + "timeout = \"2h\"\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not 2h\n"},
      {ldap + "timeout = inf\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not inf\n"},
      {ldap + "timeout = nan\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not nan\n"},
      {ldap + "timeout = 1e300\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not 1e+300\n"},
      {ldap + "timeout = 9223372036854775807\n", "f:3:1: ldap.timeout: must be 1ms to 1h, not 9223372036854775808\n"},
      {ldap + "[pool]\nmax_connections = 0\n", "f:4:1: pool.max_connections: must be 1 to 100000, not 0\n"},
      {ldap + "[breaker]\nfailure_rate = 101\n", "f:4:1: breaker.failure_rate: must be 1 to 100, not 101\n"},
      {ldap + "[monitoring]\nmin_success_rate = 100.5\n",
       "f:4:1: monitoring.min_success_rate: must be 0 to 100, not 100.5\n"},
      {ldap + "[monitoring]\nmin_success_rate = nan\n",
       "f:4:1: monitoring.min_success_rate: must be 0 to 100, not nan\n"},
      {ldap + "[monitoring]\nmax_connection_time = 0\n",
       "f:4:1: monitoring.max_connection_time: must be 1ms to 1h, not 0s\n"},
      {ldap + "[limits]\nmax_pdu_bytes = 2147483648\n",
       "f:4:1: limits.max_pdu_bytes: must be 1024 to 2147483647, not 2147483648\n"},
      {ldap + "ca_cert_path = \"a\\u0000b\"\n", "f:3:1: ldap.ca_cert_path: must not contain control characters\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_contradictions_about_encryption) {
  const std::string ldap = "[ldap]\nhost = \"a\"\n";
  check_all({
      {ldap + "use_ssl = true\nuse_tls = true\n",
       "f:4:1: ldap.use_tls: contradicts use_ssl: that is TLS from the first byte, StartTLS begins in plain text; "
       "choose "
       "one\n"},
      {"[ldap]\nuri = \"ldaps://a\"\nuse_tls = true\n",
       "f:3:1: ldap.use_tls: contradicts uri: ldaps has TLS from the first byte, StartTLS begins in plain text; choose "
       "one\n"},
      {"[ldap]\nuse_tls = true\n[[ldap.servers]]\nhost = \"a\"\n[[ldap.servers]]\nuri = \"ldaps://b\"\n",
       "f:6:1: ldap.servers[1].use_tls: contradicts uri: ldaps has TLS from the first byte, StartTLS begins in plain "
       "text; choose one\n"},
      {ldap + "client_cert_path = \"/dev/null\"\n",
       "f:3:1: ldap.client_cert_path: needs client_key_path, the certificate's private key\n"
       "f:3:1: ldap.client_cert_path: is of no use without TLS: set use_tls or use_ssl\n"
       "f:3:1: ldap.client_cert_path: \"/dev/null\" holds no certificate (PEM)\n"},
      {ldap + "client_key_path = \"/dev/null\"\n",
       "f:3:1: ldap.client_key_path: needs client_cert_path, the key's certificate\n"
       "f:3:1: ldap.client_key_path: \"/dev/null\" holds no private key (PEM)\n"},
      {ldap + "crl_path = \"/dev/null\"\nvalidate_cert = false\nuse_tls = true\n",
       "f:3:1: ldap.crl_path: needs validate_cert: without it no certificate is checked\n"
       "f:3:1: ldap.crl_path: \"/dev/null\" holds no revocation list (PEM)\n"},
      {ldap + "tls_min_version = \"1.1\"\n", "f:3:1: ldap.tls_min_version: must be 1.2 or 1.3, not \"1.1\"\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_contradictions_about_the_uri) {
  const std::string other = "; remove one of the two\n";
  check_all({
      {"[ldap]\nuri = \"ldap://a\"\nhost = \"b\"\n", "f:3:1: ldap.host: contradicts uri, which names \"a\"" + other},
      {"[ldap]\nuri = \"ldap://a:1000\"\nport = 389\n", "f:3:1: ldap.port: contradicts uri" + other},
      {"[ldap]\nuri = \"ldapi://%2Frun%2Fldapi\"\nport = 389\n", "f:3:1: ldap.port: contradicts uri" + other},
      {"[ldap]\nuri = \"ldaps://a\"\nuse_ssl = false\n",
       "f:3:1: ldap.use_ssl: contradicts uri, which is ldaps" + other},
      {"[ldap]\nuri = \"ldap://a\"\nuse_ssl = true\n",
       "f:3:1: ldap.use_ssl: contradicts uri, which is not ldaps" + other},
      {"[ldap]\nuse_ssl = true\n[[ldap.servers]]\nuri = \"ldap://a\"\n",
       "f:4:1: ldap.servers[0].use_ssl: contradicts uri, which is not ldaps" + other},
      {"[ldap]\nuri = \"http://a\"\n", "f:2:1: ldap.uri: must begin with ldap://, ldaps:// or ldapi://\n"},
      {"[ldap]\nuri = \"ldap.example.com\"\n", "f:2:1: ldap.uri: must begin with ldap://, ldaps:// or ldapi://\n"},
      {"[ldap]\nuri = \"ldap://\"\n", "f:2:1: ldap.uri: must name a host\n"},
      {"[ldap]\nuri = \"ldap://a:0\"\n", "f:2:1: ldap.uri: its port must be 1 to 65535\n"},
      {"[ldap]\nuri = \"ldap://a:65536\"\n", "f:2:1: ldap.uri: its port must be 1 to 65535\n"},
      {"[ldap]\nuri = \"ldap://a:1/dc=example\"\n",
       "f:2:1: ldap.uri: must end after host and port: a base DN, filter or fragment has no meaning here\n"},
      {"[ldap]\nuri = \"ldap://cn=x@a\"\n", "f:2:1: ldap.uri: must not name a user: use bind_dn and password\n"},
      {"[ldap]\nuri = \"ldap://[::1\"\n", "f:2:1: ldap.uri: has a [ without its ]\n"},
      {"[ldap]\nuri = \"ldap://[::1]x\"\n", "f:2:1: ldap.uri: has something other than a port after its host\n"},
      {"[ldap]\nuri = \"ldapi://run\"\n",
       "f:2:1: ldap.uri: ldapi needs the path of a socket with its slashes written %2F, as "
       "ldapi://%2Frun%2Fslapd%2Fldapi\n"},
      {"[ldap]\nuri = \"ldapi://%2\"\n",
       "f:2:1: ldap.uri: ldapi needs the path of a socket with its slashes written %2F, as "
       "ldapi://%2Frun%2Fslapd%2Fldapi\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_hosts_that_are_none) {
  check_all({
      {"[ldap]\nhost = \"ldap://a\"\n",
       "f:2:1: ldap.host: must be a name or address; a URI goes into uri, not \"ldap://a\"\n"},
      {"[ldap]\nhost = \"a:389\"\n", "f:2:1: ldap.host: must not contain a port; it goes into port, not \"a:389\"\n"},
      {"[ldap]\nhost = \"[::1]\"\n", "f:2:1: ldap.host: must be written without brackets, not \"[::1]\"\n"},
      {"[ldap]\nhost = \"a b\"\n", "f:2:1: ldap.host: must be a host name or an address, not \"a b\"\n"},
      {"[ldap]\nhost = \"\"\n", "f:2:1: ldap.host: is required: the name or address of the server, or uri\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_contradictions_about_identity) {
  const std::string ldap = "[ldap]\nhost = \"a\"\n";
  check_all({
      {ldap + "bind_dn = \"cn=x\"\n",
       "f:3:1: ldap.bind_dn: needs a password: set password, password_file or password_command\n"},
      {ldap + "password = \"p\"\n", "f:3:1: ldap.password: needs bind_dn, the name to bind as\n"},
      {ldap + "bind_dn = \"cn=x\"\npassword = \"\"\n",
       "f:4:1: ldap.password: is empty: the server would treat the bind as anonymous (RFC 4513, 5.1.2)\n"},
      {ldap + "bind_dn = \"cn=x\"\npassword = \"p\"\npassword_file = \"/dev/null\"\n",
       "f:5:1: ldap.password_file: is a second source of the password beside password; give one\n"},
      {ldap + "bind_dn = \"cn=x\"\npassword_command = [\"a\"]\npassword_file = \"/dev/null\"\n",
       "f:4:1: ldap.password_command: is a second source of the password beside password_file; give one\n"},
      {ldap + "bind_dn = \"cn=a\\u0000\"\npassword = \"p\"\n",
       "f:3:1: ldap.bind_dn: must not contain control characters\n"},
      {ldap + "bind_dn = \"cn=x\"\npassword = \"***\"\n",
       "f:4:1: ldap.password: \"***\" is a mask, not a secret: dumps of a configuration hide secrets; give the secret "
       "itself, password_file or password_command\n"},
  });
}

BOOST_AUTO_TEST_CASE(accepts_names_that_active_directory_binds_with) {
  for (const std::string name : {"svc@example.com", "EXAMPLE\\\\svc", "<SID=S-1-5-21-1-2-3-1104>", "<GUID=0f8f>"})
    BOOST_TEST(pool_errors("[ldap]\nhost = \"a\"\nbind_dn = \"" + name + "\"\npassword = \"p\"\n") == "");
}

BOOST_AUTO_TEST_CASE(refuses_files_that_cannot_be_read) {
  const temporary_folder folder;
  const auto missing = (folder / "missing").string();
  const auto directory = folder.path().string();
  const auto text = [](const std::string& key, const std::string& path) {
    return "[ldap]\nuri = \"ldaps://a\"\nbind_dn = \"cn=x\"\n" + key + " = \"" + path + "\"\n";
  };
  BOOST_TEST(pool_errors(text("password_file", missing)) ==
             "f:4:1: ldap.password_file: \"" + missing + "\" cannot be read: No such file or directory\n");
  BOOST_TEST(pool_errors(text("password_file", directory)) ==
             "f:4:1: ldap.password_file: \"" + directory + "\" cannot be read: is a directory\n");
  BOOST_TEST(pool_errors(text("password = \"p\"\nca_cert_path", missing)) ==
             "f:5:1: ldap.ca_cert_path: \"" + missing + "\" cannot be read: No such file or directory\n");
  BOOST_TEST(pool_errors(text("password = \"p\"\nclient_key_path=\"/dev/null\"\nclient_cert_path", missing)) ==
             "f:5:1: ldap.client_key_path: \"/dev/null\" holds no private key (PEM)\nf:6:1: ldap.client_cert_path: \"" +
                 missing + "\" cannot be read: No such file or directory\n");
  BOOST_TEST(pool_errors(text("password = \"p\"\nclient_cert_path=\"/dev/null\"\nclient_key_path", missing)) ==
             "f:5:1: ldap.client_cert_path: \"/dev/null\" holds no certificate (PEM)\nf:6:1: ldap.client_key_path: \"" +
                 missing + "\" cannot be read: No such file or directory\n");
  BOOST_TEST(pool_errors(text("password = \"p\"\ncrl_path", missing)) ==
             "f:5:1: ldap.crl_path: \"" + missing + "\" cannot be read: No such file or directory\n");
}

BOOST_AUTO_TEST_CASE(refuses_minima_above_maxima) {
  const std::string ldap = "[ldap]\nhost = \"a\"\n";
  check_all({
      {ldap + "pool_size = 60\n", "f:3:1: ldap.pool_size: 60 is more than max_pool_size (50)\n"},
      {ldap + "[pool]\nmin_connections = 3\nmax_connections = 2\n",
       "f:4:1: pool.min_connections: 3 is more than max_connections (2)\n"},
      {ldap + "[breaker]\nopen_base = 90\n", "f:4:1: breaker.open_base: 90s is more than open_cap (1m)\n"},
      {"[pool]\nmin_connections = 3\n[[ldap.servers]]\nhost = \"a\"\nmax_pool_size = 2\n",
       "f:5:1: ldap.servers[0].pool_size: 3 is more than max_pool_size (2)\n"},
  });
}

BOOST_AUTO_TEST_CASE(refuses_servers_that_are_missing_or_doubled) {
  check_all({
      {"", "f:1:1: ldap: is required: the servers, and how to speak to them\n"},
      {"[pool]\n", "f:1:1: ldap: is required: the servers, and how to speak to them\n"},
      {"[ldap]\n", "f:1:2: ldap.host: is required: the name or address of the server, or uri\n"},
      {"[ldap]\nservers = []\n", "f:2:1: ldap.servers: must name at least one server\n"},
      {"[[ldap.servers]]\npriority = 1\n",
       "f:1:1: ldap.servers[0].host: is required: the name or address of the server, or uri\n"},
      {"[[ldap.servers]]\nhost = \"a\"\n[[ldap.servers]]\nuri = \"ldap://A:389\"\n",
       "f:3:1: ldap.servers[1]: is the same server as ldap.servers[0]: A:389\n"},
      {"[ldap]\nhost = \"a\"\n[[ldap.servers]]\nhost = \"b\"\n",
       "f:2:1: ldap.host: stands beside [[ldap.servers]]; give servers there, or one directly in [ldap]\n"},
  });
}

BOOST_AUTO_TEST_CASE(one_server_at_least_takes_every_kind_of_request) {
  check_all({
      {"[ldap]\nhost = \"a\"\nrole = \"global_catalog\"\n",
       "f:3:1: ldap.role: is global_catalog at every server: binds and writes need one that is not\n"},
      {"[[ldap.servers]]\nhost = \"a\"\nrole = \"global_catalog\"\n"
       "[[ldap.servers]]\nhost = \"b\"\nrole = \"read_only\"\n",
       ""},
  });
}

BOOST_AUTO_TEST_CASE(templates_of_logins_have_a_place_for_the_user) {
  const std::string logins = "[ldap]\nhost = \"a\"\n[authenticator]\n";
  check_all({
      {logins + "dn_templates = [\"uid={user},dc=a\", \"cn=all,dc=a\"]\n",
       "f:4:1: authenticator.dn_templates: has neither {user} nor {name}, which the user's name replaces: "
       "\"cn=all,dc=a\"\n"},
      {logins + "dn_templates = [\"uid={uid},dc=a\"]\n",
       "f:4:1: authenticator.dn_templates: has a brace that belongs to none of {user}, {name} and {domain}: "
       "\"uid={uid},dc=a\"\n"},
      {logins + "filter = \"uid={user}\"\n",
       "f:4:1: authenticator.filter: must be a filter in parentheses, as (uid={user}), not \"uid={user}\"\n"},
      {logins + "filter = \"(dc={domain})\"\n",
       "f:4:1: authenticator.filter: has neither {user} nor {name}, which the user's name replaces: "
       "\"(dc={domain})\"\n"},
  });
}

BOOST_AUTO_TEST_CASE(reports_all_problems_together_in_the_order_of_the_file) {
  const std::string text = R"([pool]
timeout = "x"
[ldap]
use_tls = true
use_ssl = true
[[ldap.servers]]
host = "a"
port = 0
[[ldap.servers]]
hosst = "b"
[breaker]
window = false
)";
  BOOST_TEST(pool_errors(text) ==
             "f:2:1: pool.timeout: must be " + span_words + ", not \"x\"\n" +
                 "f:4:1: ldap.use_tls: contradicts use_ssl: that is TLS from the first byte, StartTLS begins in plain "
                 "text; choose one\n"
                 "f:8:1: ldap.servers[0].port: must be 1 to 65535, not 0\n"
                 "f:9:1: ldap.servers[1].host: is required: the name or address of the server, or uri\n"
                 "f:10:1: ldap.servers[1].hosst: unknown key; the nearest known key is \"host\"\n"
                 "f:12:1: breaker.window: must be " +
                 span_words + ", not a boolean\n");
}

BOOST_AUTO_TEST_CASE(reports_no_rule_whose_keys_are_wrong_anyway) {
  BOOST_TEST(pool_errors("[ldap]\nhost = 1\nbind_dn = \"cn=x\"\npassword = 3\nuse_ssl = 1\nuse_tls = true\n") ==
             "f:2:1: ldap.host: must be a string, not an integer\n"
             "f:4:1: ldap.password: must be a string, not an integer\n"
             "f:5:1: ldap.use_ssl: must be a boolean (true or false), not an integer\n");
}

BOOST_AUTO_TEST_CASE(reports_toml_syntax_with_its_place) {
  const auto problems = from_toml("[ldap]\nhost = \"a\"\nport = = 3\n").problems;
  BOOST_REQUIRE(problems.size() == 1u);
  BOOST_TEST(problems[0].where == "f:3:8");
  BOOST_TEST(problems[0].key == "");
  BOOST_TEST(problems[0].what.substr(0, 13) == "TOML syntax: ");
}

BOOST_AUTO_TEST_CASE(reports_doubled_toml_keys) {
  const auto problems = from_toml("[ldap]\nhost = \"a\"\nhost = \"b\"\n").problems;
  BOOST_REQUIRE(problems.size() == 1u);
  BOOST_TEST(problems[0].where.substr(0, 4) == "f:3:");
}

BOOST_AUTO_TEST_CASE(syntax_errors_do_not_quote_what_may_be_a_secret) {
  for (const std::string value :
       {"hunter2secret", "truhunter2secret", "falsehunter2secret", "2hunter2secret", "\"hunter2secret",
        "'hunter2secret", "\"a\" hunter2secret", "inhunter2secret", "\"\\hunter2secret\"", "[hunter2secret",
        "{ x = hunter2secret", "nahunter2secret", "1979-hunter2secret", "0xhunter2secret", "\"\"\"hunter2secret"}) {
    const auto toml = pool_errors("[ldap]\nhost = \"a\"\npassword = " + value + "\n");
    BOOST_TEST(!toml.empty());
    BOOST_TEST(toml.find("unter2") == std::string::npos, toml);
    const auto json = json_errors("{\"ldap\": {\"host\": \"a\", \"password\": " + value + "}}");
    BOOST_TEST(!json.empty());
    BOOST_TEST(json.find("unter2") == std::string::npos, json);
  }
}

BOOST_AUTO_TEST_CASE(json_problems_name_the_pointer) {
  const std::vector<bad_text> cases{
      {R"({"ldap": {"hots": "a", "host": "a"}})",
       "f:/ldap/hots: ldap.hots: unknown key; the nearest known key is \"host\"\n"},
      {R"({"ldap": {"servers": [{"host": "a"}, {"host": "b", "port": 0}]}})",
       "f:/ldap/servers/1/port: ldap.servers[1].port: must be 1 to 65535, not 0\n"},
      {R"({"ldap": {"host": "a", "a/b~c": 0}})", "f:/ldap/a~1b~0c: ldap.\"a/b~c\": unknown key\n"},
      {R"({"ldap": {"host": "a", "port": null}})", "f:/ldap/port: ldap.port: must be an integer, not null\n"},
      {R"({"ldap": {"host": "a", "port": 18446744073709551615}})",
       "f:/ldap/port: ldap.port: must be 1 to 65535, not 9223372036854775808\n"},
      {R"({"ldap": {"host": "a", "host": "b"}})", "f:/ldap/host: ldap.host: is given twice\n"},
      {R"({"ldap": {"host": "a"}, "ldap": {"host": "b"}})", "f:/ldap: ldap: is given twice\n"},
      {R"([])", "f: must be a table of sections, not an array\n"},
      {R"({"ldap": {"host": "a"}, "node": {"listeners": [{"address": "127.0.0.1:1", "max_peers": 0}]}})",
       "f:/node/listeners/0/address: node.listeners[0].address: needs TLS: set cert_path in [node], key_path in "
       "[node], "
       "ca_cert_path; or insecure_loopback = true, for plain text on this machine\n"
       "f:/node/listeners/0/max_peers: node.listeners[0].max_peers: must be 1 to 100000, not 0\n"},
      {R"({"ldap": {"host": "a", "use_tls": true, "use_ssl": true}})",
       "f:/ldap/use_tls: ldap.use_tls: contradicts use_ssl: that is TLS from the first byte, StartTLS begins in plain "
       "text; choose one\n"},
  };
  for (const auto& each : cases) BOOST_TEST(json_errors(each.text) == each.expected, json_errors(each.text));
}

BOOST_AUTO_TEST_CASE(json_syntax_errors_name_line_and_column) {
  BOOST_TEST(json_errors("{\"ldap\":\n  {\"host\" \"a\"}}").substr(0, 28) == "f:2:13: JSON syntax: syntax ");
  BOOST_TEST(json_errors("").substr(0, 19) == "f:1:1: JSON syntax:");
}

BOOST_AUTO_TEST_CASE(a_flood_of_problems_is_cut_short) {
  std::string text = "[ldap]\nhost = \"a\"\n";
  for (int i = 0; i < 30000; ++i) text += "k" + std::to_string(i) + " = 1\n";
  const auto problems = from_toml(text).problems;
  BOOST_REQUIRE(problems.size() == 1001u);
  BOOST_TEST(problems.back().what == "and 29000 more problems");
  BOOST_TEST(problems.front().where == "f:3:1");
}

BOOST_AUTO_TEST_CASE(config_error_lists_every_problem) {
  const config_error error{{{"f:1:2", "a.b", "is bad"}, {"", "c", "is worse"}, {"", "", "and so on"}}};
  BOOST_TEST(std::string{error.what()} == "f:1:2: a.b: is bad\nc: is worse\nand so on");
  BOOST_TEST(error.problems().size() == 3u);
}
