// The questions of `understudy init` and the file that their answers amount to.
#include "understudy/tools/init_answers.hpp"
#include "support/contains.hpp"
#include "support/temporary_folder.hpp"
#include "understudy/config/load.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::cli;
using namespace understudy::test;

namespace {

using asked = init_questions::item;

std::optional<asked> next_of(const init_questions& questions) {
  const auto next = questions.next();
  return next ? std::optional{next->about} : std::nullopt;
}

/// As a file is read.
settings settings_in(const std::string& text) {
  const auto loaded = load_toml(text, "made.toml");
  for (const auto& problem : loaded.problems) BOOST_TEST_ERROR(describe(problem) << "\n" << text);
  return loaded.value;
}

}  // namespace

BOOST_AUTO_TEST_CASE(init_asks_what_no_flag_has_said_and_what_the_answers_make_needful) {
  init_questions all{{}, {}};
  BOOST_TEST((next_of(all) == asked::uris));
  BOOST_TEST(all.answer("") != "");
  BOOST_TEST(all.answer("http://nowhere") != "");
  BOOST_TEST((next_of(all) == asked::uris));
  BOOST_TEST(all.answer("  ldap1.example.com ") == "");
  BOOST_TEST(all.answers().uris == "ldap://ldap1.example.com");
  BOOST_TEST((next_of(all) == asked::start_tls));
  BOOST_TEST(all.answer("maybe") != "");
  BOOST_TEST(all.answer("n") == "");
  BOOST_TEST((next_of(all) == asked::bind_dn));  // no TLS, no authority
  BOOST_TEST(all.answer("cn=service,dc=example,dc=com") == "");
  BOOST_TEST(!next_of(all));
  BOOST_TEST(all.answers().bind_dn == "cn=service,dc=example,dc=com");

  init_questions secure{{}, {}};
  BOOST_TEST(secure.answer("ldaps://ldap1.example.com") == "");
  BOOST_TEST((next_of(secure) == asked::ca_cert_path));  // TLS already
  BOOST_TEST(secure.answer("/does/not/exist.pem") != "");
  BOOST_TEST(secure.answer("") == "");
  BOOST_TEST(secure.answers().ca_cert_path == "");
  BOOST_TEST((next_of(secure) == asked::client_cert_path));
  BOOST_TEST(secure.answer("") == "");
  BOOST_TEST((next_of(secure) == asked::bind_dn));  // no certificate, no key

  init_questions flags{{"ldap://ldap1.example.com", true, "ca.pem", "cn=a", ""}, {true, true, true, true, true}};
  BOOST_TEST(!next_of(flags));
  // What a flag said may be what was wrong.
  flags.begin_again();
  BOOST_TEST((next_of(flags) == asked::uris));
  BOOST_TEST(flags.answer("") == "");
  BOOST_TEST(flags.answers().uris == "ldap://ldap1.example.com");
  BOOST_TEST(flags.answer("") == "");
  BOOST_TEST(flags.answers().start_tls);
  BOOST_TEST(flags.answer("-") == "");
  BOOST_TEST(flags.answers().ca_cert_path == "");
  BOOST_TEST((next_of(flags) == asked::client_cert_path));
  BOOST_TEST(flags.answer("") == "");
  BOOST_TEST(flags.answer("-") == "");
  BOOST_TEST(flags.answers().bind_dn == "");
  BOOST_TEST(!next_of(flags));
}

BOOST_AUTO_TEST_CASE(init_asks_how_the_connection_is_encrypted_and_for_what_that_needs) {
  const temporary_folder folder;
  const auto certificate = folder.write("own.pem", "x").string(), key = folder.write("own.key", "x").string();
  init_questions all{{}, {}};
  // In any case: otherwise a name and a password went in plain text where TLS was asked for.
  BOOST_TEST(all.answer("LDAP://ldap1.example.com:1636,ldap://ldap2.example.com") == "");
  BOOST_TEST(all.answer("LDAPS") == "");
  BOOST_TEST(all.answers().uris == "ldaps://ldap1.example.com:1636,ldaps://ldap2.example.com");
  BOOST_TEST(!all.answers().start_tls);
  BOOST_TEST((next_of(all) == asked::ca_cert_path));
  BOOST_TEST(all.answer("") == "");
  BOOST_TEST(all.answer("/does/not/exist.pem") != "");
  BOOST_TEST(all.answer(certificate) == "");
  BOOST_TEST((next_of(all) == asked::client_key_path));
  BOOST_TEST(all.answer("") == "");
  BOOST_TEST(all.answers().client_key_path == certificate);  // both may be in one file
  BOOST_TEST(contains(all.next()->text, "whom the certificate is for"), all.next()->text);
  BOOST_TEST(all.answer("") == "");
  BOOST_TEST(all.answers().bind_dn == "");
  BOOST_TEST(!next_of(all));

  // Another try, without TLS: nothing is left that it has no use for.
  all.begin_again();
  BOOST_TEST(all.answer("ldap://ldap1.example.com") == "");
  BOOST_TEST(all.answer("n") == "");
  BOOST_TEST((next_of(all) == asked::bind_dn));
  BOOST_TEST(all.answers().client_cert_path == "");
  BOOST_TEST(all.answers().client_key_path == "");

  init_questions local{{}, {}};
  BOOST_TEST(local.answer("ldapi://%2Frun%2Fslapd%2Fldapi") == "");
  BOOST_TEST((next_of(local) == asked::external));
  BOOST_TEST(local.answer("perhaps") != "");
  BOOST_TEST(local.answer("y") == "");
  BOOST_TEST(local.answers().external);
  BOOST_TEST(!next_of(local));
  local.begin_again();
  BOOST_TEST(local.answer("") == "");
  BOOST_TEST(contains(local.next()->text, "[Y/n]"), local.next()->text);
  BOOST_TEST(local.answer("n") == "");
  BOOST_TEST((next_of(local) == asked::bind_dn));
}

BOOST_AUTO_TEST_CASE(init_takes_yes_and_no_as_people_write_them) {
  for (const auto* yes : {"y", "Y", "yes", " YES "}) BOOST_TEST((yes_or_no(yes, false) == true), yes);
  for (const auto* no : {"n", "N", "no", "No"}) BOOST_TEST((yes_or_no(no, true) == false), no);
  BOOST_TEST((yes_or_no("", true) == true));
  BOOST_TEST((yes_or_no(" ", false) == false));
  for (const auto* neither : {"ja", "1", "yesno"}) BOOST_TEST(!yes_or_no(neither, true), neither);
}

BOOST_AUTO_TEST_CASE(what_init_writes_reads_back_as_it_was_answered) {
  const temporary_folder folder;
  const auto secret = folder.write("a \"strange\" name", "x").string();
  init_answers answers{"", true, "", "cn=service\\, with \"quotes\",dc=example,dc=com", "ou=\"people\",dc=example"};
  const auto all =
      settings_in(configuration_text(answers, {"ldap://ldap1.example.com:1389", "ldap://ldap2.example.com"}, secret));
  BOOST_REQUIRE(all.servers.size() == 2U);
  BOOST_TEST(all.servers[0].uri == "ldap://ldap1.example.com:1389");
  BOOST_TEST(all.servers[0].priority == 1);
  BOOST_TEST(all.servers[1].uri == "ldap://ldap2.example.com");
  BOOST_TEST(all.servers[1].priority == 2);
  for (const auto& server : all.servers) {
    BOOST_TEST(server.bind_dn == answers.bind_dn);
    BOOST_TEST(server.password_file == secret);
    BOOST_TEST(server.use_tls);
  }
  BOOST_TEST(all.authenticator.base == answers.base);

  init_answers shown;
  shown.start_tls = true;
  shown.client_cert_path = folder.write("own.pem", "x").string();
  shown.client_key_path = folder.write("own.key", "x").string();
  const auto text = configuration_text(shown, {"ldap://ldap1.example.com"}, "");
  BOOST_TEST(contains(text, "bind_mechanism = \"external\""), text);
  BOOST_TEST(contains(text, "client_cert_path = \"" + shown.client_cert_path + "\""), text);
  BOOST_TEST(contains(text, "client_key_path = \"" + shown.client_key_path + "\""), text);
  // With a name, the certificate is one of TLS alone.
  shown.bind_dn = "cn=service";
  BOOST_TEST(!contains(configuration_text(shown, {"ldap://ldap1.example.com"}, secret), "external"));
  init_answers local;
  local.external = true;
  const auto by_socket = settings_in(configuration_text(local, {"ldapi://%2Frun%2Fslapd%2Fldapi"}, ""));
  BOOST_TEST((by_socket.servers.at(0).bind_mechanism == bind_method::external));

  const auto anonymous = settings_in(configuration_text({}, {"ldaps://ldap1.example.com"}, ""));
  BOOST_TEST(anonymous.servers.at(0).bind_dn == "");
  BOOST_TEST(anonymous.servers.at(0).use_ssl);
  BOOST_TEST(anonymous.authenticator.base == "");
}

BOOST_AUTO_TEST_CASE(what_init_comments_out_is_right_as_it_stands_there) {
  // Without its first mark each commented key is a line of a configuration that loads.
  std::string text;
  std::istringstream lines{configuration_text({}, {"ldap://ldap1.example.com"}, "")};
  for (std::string line; std::getline(lines, line);) {
    const bool setting = line.starts_with("# ") &&
                         (line.find(" = \"") != std::string::npos || line[2] == '[' || line.find("priority = ") == 2U);
    if (setting && line.find("password_file") == std::string::npos && line.find("bind_dn") == std::string::npos)
      line.erase(0, 2);
    text += line + "\n";
  }
  const auto all = settings_in(text);
  BOOST_TEST(all.servers.size() == 2U);
  BOOST_TEST(all.http.listen == "127.0.0.1:9389");
  BOOST_TEST(all.front_door.listeners.size() == 1U);
}
