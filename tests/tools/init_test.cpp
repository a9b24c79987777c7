// `understudy init` as a process: each step tried, what failed told, nothing overwritten, no secret shown.
#include "cli.hpp"
#include "support/certificates.hpp"
#include "support/free_port.hpp"
#include "support/stub_directory.hpp"

#include <sys/stat.h>

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::test;

namespace {

/// A folder in which a configuration may be made.
struct init_fixture : command_line {
  std::string made = (folder() / "made.toml").string();
  std::string made_password = (folder() / "made.password").string();

  std::string password_file(const std::string& content = admin_password) const {
    const auto path = folder().write("given.password", content);
    std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return path.string();
  }
  program_result init(std::vector<std::string> more) const {
    more.insert(more.begin(), {"init", "-o", made});
    return run(std::move(more));
  }
  /// It failed there, said so, and left nothing behind.
  void check_failed(const program_result& result, int code, const std::vector<std::string>& said) const {
    check_exit(result, code);
    for (const auto& text : said)
      BOOST_TEST(contains(result.output + result.error_output, text),
                 "no \"" << text << "\" in: " << result.output << result.error_output);
    BOOST_TEST(!std::filesystem::exists(made));
    BOOST_TEST(!std::filesystem::exists(made_password));
  }
};

unsigned mode_of(const std::string& path) {
  struct stat about {};
  BOOST_REQUIRE_MESSAGE(::stat(path.c_str(), &about) == 0, path << " is not there");
  return about.st_mode & 07777U;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(init_tries_each_step_and_writes_a_configuration_that_works, init_fixture) {
  const auto files = make_certificates(folder());
  slapd_options with;
  with.certificate = files.certificate;
  with.key = files.key;
  with.ca = files.ca;
  const slapd directory{with};
  const auto given = password_file(std::string{admin_password} + "\n");
  const auto done = init({"-H", directory.url(), "-Z", "--ca-cert", files.ca.string(), "-D", admin_dn, "-y", given});
  check_exit(done, 0);
  for (const auto* text :
       {"name look-up", "TCP", "TLS", "bind", "first answer", "subject      CN=localhost", "issuer       CN=Test CA",
        "for          localhost, 127.0.0.1", "SHA-256", "ends in", "naming contexts dc=example,dc=com",
        "base            dc=example,dc=com, ok", "$ understudy search -c ", "dn: ou=people,dc=example,dc=com\n"})
    BOOST_TEST(contains(done.output, text), "no \"" << text << "\" in: " << done.output);
  BOOST_TEST(!contains(done.output, "FAILED"), done.output);
  const auto text = read_file(made);
  BOOST_TEST(contains(text, "password_file = \"" + given + "\""), text);
  BOOST_TEST(contains(text, "base = \"dc=example,dc=com\""), text);
  // A file that was given is named, not copied; the secret is nowhere else.
  BOOST_TEST(!std::filesystem::exists(made_password));
  for (const auto& place : {done.output, done.error_output, text})
    BOOST_TEST(!contains(place, std::string{"\""} + admin_password + "\""), place);
  check_exit(run({"check", made}), 0);
  const auto who = run({"whoami", "-c", made});
  check_exit(who, 0);
  BOOST_TEST(who.output == std::string{"dn:"} + admin_dn + "\n");
  check_exit(run({"authenticate", "-c", made, "user7"}, user_password(7) + "\n"), 0);
}

BOOST_FIXTURE_TEST_CASE(init_binds_by_a_certificate_or_by_the_process_at_a_socket, init_fixture) {
  const certificate_set files;
  slapd_options with;
  with.certificate = files.server.certificate;
  with.key = files.server.key;
  with.ca = files.ca.certificate();
  with.verify_client = "try";
  with.ldapi = true;
  with.global_config = {"authz-regexp \"^cn=service$\" \"" + user_dn(6) + "\"",
                        "authz-regexp \"^gidNumber=[0-9]+\\\\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth$\" \"" +
                            user_dn(7) + "\""};
  const slapd directory{with};
  const std::vector<std::string> shown{"--ca-cert", files.ca.certificate().string(),
                                       "--cert",    files.client.certificate.string(),
                                       "--key",     files.client.key.string()};
  const auto with_certificate = [&](std::vector<std::string> words) {
    words.insert(words.end(), shown.begin(), shown.end());
    return words;
  };
  const auto check_made = [&](const program_result& done, const std::string& dn) {
    check_exit(done, 0);
    BOOST_TEST(contains(done.output, "bind            ok"), done.output);
    BOOST_TEST(contains(read_file(made), "bind_mechanism = \"external\""));
    check_exit(run({"check", made}), 0);
    BOOST_TEST(run({"whoami", "-c", made}).output == "dn:" + dn + "\n");
    BOOST_TEST(!std::filesystem::exists(made_password));
  };
  check_made(init(with_certificate({"-H", directory.ldaps_url()})), user_dn(6));
  check_made(init(with_certificate({"-H", directory.url(), "-Z", "--force", "-Y", "EXTERNAL"})), user_dn(6));
  check_made(init({"-H", directory.ldapi_url(), "-Y", "EXTERNAL", "--force"}), user_dn(7));
  // Every command takes them, and says what does not go together before anything is sent.
  BOOST_TEST(run({"whoami", "-H", directory.ldapi_url(), "-Y", "external"}).output == "dn:" + user_dn(7) + "\n");
  BOOST_TEST(run(with_certificate({"whoami", "-Z", "-H", directory.url()})).output == "dn:" + user_dn(6) + "\n");
  BOOST_TEST(run(with_certificate({"whoami", "-x", "-Z", "-H", directory.url()})).output == "anonymous\n");
  for (const auto& [words, reason] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"-H", directory.url(), "-Y", "EXTERNAL"}, "-Y EXTERNAL needs --cert and --key"},
           {{"-H", directory.url(), "-Y", "GSSAPI"}, "none of EXTERNAL"},
           {{"-H", directory.ldapi_url(), "-x", "-Y", "EXTERNAL"}, "-x is simple authentication"},
           {{"-H", directory.ldapi_url(), "-Y", "EXTERNAL", "-D", admin_dn, "-W"}, "leave out -D"},
           {{"-H", directory.ldaps_url(), "--cert", shown[3]}, "--cert and --key go together"},
           {with_certificate({"-H", directory.url()}), "of no use without TLS"},
           {{"-c", made, "-Y", "EXTERNAL"}, "beside -c the configuration says"}}) {
    auto all = words;
    all.insert(all.begin(), "whoami");
    const auto refused = run(all);
    check_exit(refused, 2);
    BOOST_TEST(contains(refused.error_output, reason), refused.error_output);
  }
}

BOOST_FIXTURE_TEST_CASE(init_asks_a_person_for_a_certificate, init_fixture) {
  const certificate_set files;
  slapd_options with;
  with.certificate = files.server.certificate;
  with.key = files.server.key;
  with.ca = files.ca.certificate();
  with.verify_client = "demand";
  with.global_config = {"authz-regexp \"^cn=service$\" \"" + user_dn(6) + "\""};
  const slapd directory{with};
  const auto done = run_in_terminal(folder(), {"init", "-o", made},
                                    {{"directory's URI", directory.url()},
                                     {"StartTLS?", "y"},
                                     {"authority", files.ca.certificate().string()},
                                     {"certificate of ours", files.client.certificate.string()},
                                     {"private key", files.client.key.string()},
                                     {"Name (DN)", ""}});
  check_exit(done, 0);
  BOOST_TEST(run({"whoami", "-c", made}).output == "dn:" + user_dn(6) + "\n");
}

BOOST_FIXTURE_TEST_CASE(init_says_at_which_step_it_failed_and_what_to_fix, init_fixture) {
  // The name. A resolver that does not answer is as good as one that says no.
  check_failed(init({"-H", "ldap://nowhere.invalid", "--timeout", "5s"}), 3,
               {"name look-up    FAILED", "nothing was written"});
  // TCP.
  check_failed(init({"-H", "ldap://127.0.0.1:" + std::to_string(free_port())}), 3,
               {"TCP             FAILED", "Connection refused", "check host and port"});
  const certificate_set certificates;
  // TLS: a stranger's authority; the certificate is shown all the same.
  stub_options secure;
  secure.tls = tls_files{certificates.server.certificate, certificates.server.key};
  secure.passwords = {{admin_dn, admin_password}};
  stub_directory directory{secure};
  check_failed(init({"-H", directory.url(), "-Z"}), 3,
               {"TLS             FAILED", "--ca-cert", "issuer       CN=test-ca", "SHA-256"});
  // A certificate that has ended, and one for somebody else.
  const auto ca = certificates.ca.certificate().string();
  directory.set_tls({certificates.expired.certificate, certificates.expired.key});
  check_failed(init({"-H", directory.url(), "-Z", "--ca-cert", ca}), 3,
               {"TLS             FAILED", "expired", "ended ", "this machine's clock says"});
  directory.set_tls({certificates.wrong_name.certificate, certificates.wrong_name.key});
  check_failed(init({"-H", directory.url(), "-Z", "--ca-cert", ca}), 3,
               {"TLS             FAILED", "for          ldap.example.com, 192.0.2.1"});
  // One of ours is missed, which the server says in the handshake (TLS 1.2), or when that is over: its own was seen
  // then.
  constexpr int tls_1_2 = 0x0303;
  for (const auto& [version, step] : {std::pair{tls_1_2, "TLS             FAILED"}, {0, "first answer    FAILED"}}) {
    directory.set_tls(
        {certificates.server.certificate, certificates.server.key, certificates.ca.certificate(), true, version});
    check_failed(init({"-H", directory.url(), "-Z", "--ca-cert", ca}), 3,
                 {step, "client certificate", "for          localhost, 127.0.0.1"});
  }
  // No TLS there at all.
  const stub_directory plain;
  check_failed(init({"-H", plain.url(), "-Z", "--ca-cert", ca}), 3, {"TLS             FAILED", "StartTLS"});
  // The bind. One refusal, one bind: an account is not locked by trying.
  directory.set_tls({certificates.server.certificate, certificates.server.key});
  const auto before = directory.binds().size();
  check_failed(init({"-H", directory.url(), "-Z", "--ca-cert", ca, "-D", admin_dn, "-y", password_file("hunter2")}), 3,
               {"TLS             ok", "bind            FAILED", "wrong name or password", "given.password"});
  BOOST_TEST(directory.binds().size() == before + 1);
  // Silence after the connect.
  directory.pause();
  check_failed(init({"-H", directory.url(), "-Z", "--ca-cert", ca, "--timeout", "1s"}), 3, {"TLS             FAILED"});
}

BOOST_FIXTURE_TEST_CASE(init_tries_the_base_and_offers_what_there_is, init_fixture) {
  const slapd directory;
  const auto given = password_file();
  check_failed(init({"-H", directory.url(), "-D", admin_dn, "-y", given, "-b", "dc=example,dc=org"}), 1,
               {"naming contexts dc=example,dc=com", "noSuchObject (32)", "nothing was written"});
  // Written all the same, if somebody says so; the exit code still tells.
  const auto untested =
      init({"-H", directory.url(), "-D", admin_dn, "-y", given, "-b", "dc=example,dc=org", "--untested"});
  check_exit(untested, 1);
  BOOST_TEST(contains(read_file(made), "base = \"dc=example,dc=org\""));
}

BOOST_FIXTURE_TEST_CASE(init_chooses_no_base_where_there_are_several, init_fixture) {
  stub_directory directory;
  directory.when([](const directory_request& r) { return r.kind == operation::search && r.dn.empty(); },
                 [](const directory_request&) {
                   reply answer;
                   answer.what.entries = {{"", {{"namingContexts", {"dc=a\nb", "dc=c"}}}}};
                   return answer;
                 });
  const auto several = init({"-H", directory.url()});
  check_failed(several, 2, {"dc=a\\x0ab; dc=c", "several trees", "-b"});
  check_exit(init({"-H", directory.url(), "-b", "dc=c"}), 0);
}

BOOST_FIXTURE_TEST_CASE(init_never_replaces_a_file_that_it_was_not_told_to, init_fixture) {
  stub_directory directory;
  const auto kept = folder().write("made.toml", "# mine\n");
  const auto refused = init({"-H", directory.url()});
  check_exit(refused, 2);
  BOOST_TEST(contains(refused.error_output, "is there already; --force replaces it"), refused.error_output);
  BOOST_TEST(read_file(kept) == "# mine\n");
  BOOST_TEST(directory.connections() == 0U);  // nothing was tried either
  check_exit(init({"-H", directory.url(), "--force"}), 0);
  BOOST_TEST(contains(read_file(kept), directory.url()));
  // The same of the file with the password; and a link is not followed.
  std::filesystem::remove(kept);
  folder().write("mine", "kept");
  std::filesystem::create_symlink(folder() / "mine", made_password);
  const auto by_pipe = [&](const std::vector<std::string>& more) {
    std::string command = "\"$@\" -y <(printf %s secret)";
    std::vector<std::string> all{"bash",          "-c", command, "bash", UNDERSTUDY_PROGRAM, "init", "-o", made, "-H",
                                 directory.url(), "-D", admin_dn};
    all.insert(all.end(), more.begin(), more.end());
    return run_program({all, {}, {}, {}});
  };
  const auto in_the_way = by_pipe({});
  check_exit(in_the_way, 2);
  BOOST_TEST(contains(in_the_way.error_output, "made.password"), in_the_way.error_output);
  BOOST_TEST(!std::filesystem::exists(made));
  BOOST_TEST(read_file(folder() / "mine") == "kept");
  std::filesystem::remove(made_password);
  // What came by a pipe is nowhere to be read again: it gets a file of its own.
  check_exit(by_pipe({}), 0);
  BOOST_TEST(read_file(made_password) == "secret");
  BOOST_TEST(mode_of(made_password) == 0600U);
  BOOST_TEST(contains(read_file(made), "password_file = \"" + made_password + "\""));
  for (const auto& entry : std::filesystem::directory_iterator(folder().path()))
    BOOST_TEST(!contains(entry.path().string(), ".new-"), entry.path().string());
}

BOOST_FIXTURE_TEST_CASE(init_asks_nobody_where_nobody_is, init_fixture) {
  const auto nobody = init({});
  check_exit(nobody, 2);
  BOOST_TEST(contains(nobody.error_output, "nobody can be asked here"), nobody.error_output);
  const stub_directory directory;
  const auto no_password = init({"-H", directory.url(), "-D", admin_dn});
  check_exit(no_password, 2);
  BOOST_TEST(contains(no_password.error_output, "-D needs a password"), no_password.error_output);
  check_exit(run({"init", "-o", (folder() / "made.json").string(), "-H", directory.url()}), 2);
  check_exit(run({"init", "-o", (folder() / "none/made.toml").string(), "-H", directory.url()}), 2);
  check_exit(run({"init", "-H", "http://nowhere", "-o", made}), 2);
  BOOST_TEST(directory.connections() == 0U);
}

BOOST_FIXTURE_TEST_CASE(init_asks_a_person_again_until_it_works, init_fixture) {
  const slapd directory;
  const auto nowhere = "ldap://127.0.0.1:" + std::to_string(free_port());
  const std::string uri = "directory's URI", tls = "StartTLS?", name = "Name (DN)", password = "Password: ";
  const auto done = run_in_terminal(folder(), {"init", "-o", made},
                                    {{uri, nowhere},
                                     {tls, ""},
                                     {name, ""},
                                     {"try again?", "y"},
                                     {uri, directory.url()},
                                     {tls, "n"},
                                     {name, admin_dn},
                                     {password, "hunter2"},
                                     {"try again?", ""},
                                     {uri, ""},
                                     {tls, ""},
                                     {name, ""},
                                     {password, admin_password}});
  check_exit(done, 0);
  BOOST_TEST(contains(done.output, "Connection refused"), done.output);
  BOOST_TEST(contains(done.output, "wrong name or password"), done.output);
  BOOST_TEST(contains(done.output, "dn: ou=people,dc=example,dc=com"), done.output);
  BOOST_TEST(!contains(done.output, "hunter2"), done.output);
  BOOST_TEST(read_file(made_password) == admin_password);
  BOOST_TEST(mode_of(made_password) == 0600U);
  check_exit(run({"whoami", "-c", made}), 0);
  // Somebody who does not want to lose what is there.
  const auto kept = run_in_terminal(folder(), {"init", "-o", made, "-H", directory.url()}, {{"Replace it?", ""}});
  check_exit(kept, 2);
  BOOST_TEST(contains(read_file(made), admin_dn));
}
