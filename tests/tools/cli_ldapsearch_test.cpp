// What `understudy search` prints is what `ldapsearch -LLL` prints, byte for byte, whatever the way to the server.
#include "cli.hpp"

#include "understudy/tools/base64.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace understudy::test;
using understudy::cli::base64_encode;

namespace {

// Entries with awkward names and values, and continuation references between them.
std::string awkward_entries() {
  std::string ldif;
  const auto person = [&](const std::string& name, const std::vector<std::string>& descriptions) {
    ldif += "dn:: " + base64_encode("cn=" + name + "," + people_dn) +
            "\nobjectClass: inetOrgPerson\ncn:: " + base64_encode(name) + "\nsn: x\n";
    for (const auto& text : descriptions) ldif += "description:: " + base64_encode(text) + "\n";
    ldif += "\n";
  };
  const auto reference = [&](const std::string& name, const std::string& url) {
    ldif += "dn: ou=" + name + "," + directory_suffix +
            "\nobjectClass: referral\nobjectClass: extensibleObject\nou: " + name + "\nref: " + url + "\n\n";
  };
  reference("far1", "ldap://far.example.com/ou=people,dc=far");
  for (std::size_t length = 50; length < 100; ++length)
    person("n" + std::string(length, 'y'), {std::string(length, 'z')});
  person("Jürgen 山田",
         {" leading", "trailing ", ":colon", "<less", "#hash", "line\nbreak", "tab\tinside", "\x7f", "ü"});
  reference("far2", "ldap://" + std::string(60, 'h') + ".example.com/ou=" + std::string(90, 'p') + ",dc=far");
  person("after", {"the reference"});
  return ldif;
}

struct big_directory : command_line {
  server_certificate_files certificates = make_certificates(folder());
  slapd directory{options()};
  std::string expected = ldapsearch();

  slapd_options options() const {
    slapd_options with;
    with.users = 10'000;
    with.mail_values = 3;
    with.utf8_values = true;
    with.binary_values = true;
    with.long_value = 300;
    with.certificate = certificates.certificate;
    with.key = certificates.key;
    with.ca = certificates.ca;
    with.ldapi = true;
    with.extra_ldif = awkward_entries();
    return with;
  }

  std::string ldapsearch() const {
    const auto result = run_program({{"ldapsearch", "-LLL", "-x", "-H", directory.url(), "-D", admin_dn, "-w",
                                      admin_password, "-b", directory_suffix, "(objectClass=*)"},
                                     {},
                                     {},
                                     {}},
                                    std::chrono::seconds{60});
    check_exit(result, 0);
    return result.output;
  }

  void check_same(const std::string& uri, const std::string& more) const {
    const auto result =
        run({"search", "-c", config(uri, {admin_password, more, ""}), "-b", directory_suffix, "(objectClass=*)"});
    check_exit(result, 0);
    const auto [mine, theirs] =
        std::mismatch(result.output.begin(), result.output.end(), expected.begin(), expected.end());
    BOOST_TEST((mine == result.output.end() && theirs == expected.end()),
               uri << " differs at byte " << mine - result.output.begin() << ": \""
                   << std::string(mine, std::min(result.output.end(), mine + 60)) << "\" instead of \""
                   << std::string(theirs, std::min(expected.end(), theirs + 60)) << "\"");
  }
  std::string ca_line() const { return "ca_cert_path = \"" + certificates.ca.string() + "\"\n"; }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(prints_ten_thousand_entries_as_ldapsearch_does, big_directory) {
  BOOST_TEST(expected.size() > 5'000'000u);
  BOOST_TEST(contains(expected, "# refldap://far"));
  check_same(directory.url(), "");
  check_same(directory.url(), "use_tls = true\n" + ca_line());
  check_same(directory.ldaps_url(), ca_line());
  check_same(directory.ldapi_url(), "");
}

BOOST_FIXTURE_TEST_CASE(an_untrusted_certificate_exits_with_3, command_line) {
  const auto certificates = make_certificates(folder());
  slapd_options with;
  with.certificate = certificates.certificate;
  with.key = certificates.key;
  with.ca = certificates.ca;
  const slapd directory(with);
  const auto result = run({"whoami", "-c", config(directory.ldaps_url())});
  check_exit(result, 3);
  BOOST_TEST(contains(result.error_output, "certificate"), result.error_output);
}
