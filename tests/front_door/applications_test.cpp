// Applications of Debian set up by docs/front-door.md to the letter, while the directory's primary is killed.
#include "scenarios/front_door_clients.hpp"
#include "support/installed_client.hpp"

#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <fstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// The document's block for `application`, with this test's places and password in place of the document's.
std::string recipe(const std::string& application, const std::string& uri) {
  const auto document = read_file(UNDERSTUDY_SOURCE_DIR "/docs/front-door.md");
  const auto fence = "```" + application + "\n";
  const auto at = document.find(fence);
  BOOST_TEST_REQUIRE(at != std::string::npos, "docs/front-door.md has no block " << fence);
  const auto begin = at + fence.size();
  auto text = document.substr(begin, document.find("```", begin) - begin);
  const std::pair<std::string, std::string> replaced[] = {{"ldap://127.0.0.1:3890", uri},
                                                          {"cn=service,ou=apps,dc=example,dc=com", admin_dn},
                                                          {"PASSWORD-OF-THE-SERVICE", admin_password}};
  for (const auto& [document_s, ours] : replaced) {
    std::size_t times = 0;
    for (auto found = text.find(document_s); found != std::string::npos; found = text.find(document_s, found)) {
      text.replace(found, document_s.size(), ours);
      found += ours.size();
      ++times;
    }
    BOOST_TEST(times == 1u, "the block " << fence << " has " << document_s << " " << times << " times");
  }
  return text;
}

/// Two directories, and a front door before them that takes the first while that can be used.
struct protected_directory {
  protected_directory() : door(with_front_door(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}))) {}
  slapd a, b;
  served_clients door;
};

/// What a web server needs besides the recipe.
std::string web_server_config(const std::filesystem::path& folder, std::uint16_t port) {
  std::string text = "ServerRoot \"" + folder.string() + "\"\nServerName localhost\nPidFile \"" +
                     (folder / "pid").string() + "\"\nErrorLog \"" + (folder / "error.log").string() +
                     "\"\nMutex file:" + folder.string() + " default\nListen 127.0.0.1:" + std::to_string(port) +
                     "\nDocumentRoot \"" + (folder / "www").string() + "\"\n";
  for (const std::string module :
       {"mpm_event", "authn_core", "authz_core", "authz_user", "auth_basic", "ldap", "authnz_ldap"})
    text += "LoadModule " + module + "_module /usr/lib/apache2/modules/mod_" + module + ".so\n";
  // Each request is to reach the front door.
  text += "LDAPCacheEntries 0\nLDAPOpCacheEntries 0\n";
  if (::geteuid() == 0) text += "User www-data\nGroup www-data\n";
  return text;
}

}  // namespace

BOOST_AUTO_TEST_CASE(application_apache_lets_users_in_while_the_primary_is_killed) {
  if (!is_installed("apache2-bin", {"/usr/sbin/apache2", "-v"}) || !is_installed("curl", {"curl", "--version"})) return;
  leak_guard leaks;
  protected_directory it;
  const reserved_port http;
  temporary_folder folder;
  namespace fs = std::filesystem;
  fs::create_directory(folder / "www");
  folder.write("www/index.html", "welcome\n");
  // Its workers are somebody else.
  for (const auto& each : {folder.path(), folder / "www"})
    fs::permissions(each, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  fs::permissions(folder / "www/index.html", fs::perms::owner_all | fs::perms::others_read);
  const auto config =
      folder.write("httpd.conf", web_server_config(folder.path(), http.number()) + recipe("apache", it.door.uri()));
  child_process apache{{"/usr/sbin/apache2", "-f", config.string(), "-D", "FOREGROUND"}};
  const auto status_for = [&](const std::string& user, const std::string& password) {
    const auto got = run_program({{"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u", user + ":" + password,
                                   "http://127.0.0.1:" + std::to_string(http.number()) + "/index.html"},
                                  {},
                                  {},
                                  {}});
    return got.output;
  };
  const auto log = [&] {
    return fs::exists(folder / "error.log") ? read_file(folder / "error.log") : apache.error_output();
  };
  BOOST_TEST_REQUIRE(eventually([&] { return status_for("user1", user_password(1)) == "200"; }), log());
  const auto check = [&] {
    for (int i = 0; i < 10; ++i) {
      BOOST_TEST(status_for("user" + std::to_string(i), user_password(i)) == "200", log());
      BOOST_TEST(status_for("user" + std::to_string(i), "wrong") == "401", log());
    }
    BOOST_TEST(status_for("nobody", "wrong") == "401", log());
  };
  check();
  it.a.kill9();
  BOOST_TEST(
      eventually([&] { return server_in(it.door.get().snapshot(), it.a.port()).breaker != breaker_state::closed; }));
  check();
  it.a.start();
  BOOST_TEST(
      eventually([&] { return server_in(it.door.get().snapshot(), it.a.port()).breaker == breaker_state::closed; }));
  check();
  apache.send_signal(SIGTERM);
  BOOST_TEST(apache.wait().has_value());
  BOOST_TEST(it.door.all_gone());
  end_scenario(it.door.get(), {it.a, it.b});
}

BOOST_AUTO_TEST_CASE(application_postfix_finds_addresses_while_the_primary_is_paused) {
  if (!is_installed("postfix-ldap",
                    {"test", "-x", "/usr/sbin/postmap", "-a", "-e", "/usr/lib/postfix/postfix-ldap.so"}))
    return;
  leak_guard leaks;
  protected_directory it;
  temporary_folder folder;
  folder.write("main.cf", "compatibility_level = 3.6\n");
  folder.write("dynamicmaps.cf", "ldap /usr/lib/postfix/postfix-ldap.so dict_ldap_open\n");
  const auto map = folder.write("users.cf", recipe("postfix", it.door.uri()));
  const auto check = [&] {
    for (int i = 0; i < 10; ++i) {
      const auto user = "user" + std::to_string(i);
      const auto got = run_program(
          {{"/usr/sbin/postmap", "-c", folder.path().string(), "-q", user + "@example.com", "ldap:" + map.string()},
           {},
           {},
           {}});
      BOOST_TEST(got.status == 0, got.error_output);
      BOOST_TEST(got.output == user + "\n");
    }
    const auto none = run_program(
        {{"/usr/sbin/postmap", "-c", folder.path().string(), "-q", "nobody@example.com", "ldap:" + map.string()},
         {},
         {},
         {}});
    BOOST_TEST(none.status == 1);
    BOOST_TEST(none.output.empty(), none.output);
  };
  check();
  it.a.pause();
  check();
  it.a.resume();
  check();
  BOOST_TEST(it.door.all_gone());
  end_scenario(it.door.get(), {it.a, it.b});
}

BOOST_AUTO_TEST_CASE(application_nslcd_logs_users_in_while_the_primary_is_killed) {
  // It knows one place for its file and its socket: they are put there for it alone.
  const std::string unshare = ::geteuid() == 0 ? "unshare -m" : "unshare -rm";
  if (!is_installed("nslcd", {"sh", "-c", "test -x /usr/sbin/nslcd -a -d /run/nslcd && " + unshare + " true"})) return;
  leak_guard leaks;
  slapd_options with;
  with.global_config = {"include /etc/ldap/schema/nis.schema"};
  for (int i = 0; i < 5; ++i) {
    const auto number = std::to_string(i);
    with.extra_ldif += "dn: uid=jane" + number + ",ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\n" +
                       "objectClass: posixAccount\nuid: jane" + number + "\ncn: Jane\nsn: J\nuidNumber: 2000" + number +
                       "\ngidNumber: 20000\nhomeDirectory: /home/jane" + number + "\nuserPassword: secret" + number +
                       "\n\n";
  }
  slapd a{with}, b{with};
  served_clients door(with_front_door(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)})));
  temporary_folder folder;
  std::filesystem::create_directory(folder / "run");
  const auto config = folder.write("nslcd.conf", recipe("nslcd", door.uri()));
  // There is a password in it.
  std::filesystem::permissions(config, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  child_process nslcd{{"sh", "-c",
                       "exec " + unshare + " sh -c 'mount --bind " + config.string() +
                           " /etc/nslcd.conf && mount --bind " + (folder / "run").string() +
                           " /run/nslcd && exec /usr/sbin/nslcd -n'"}};
  const auto log_in = [&](const std::string& user, const std::string& password) {
    child_process::options asked;
    asked.command = {debian_python, std::string{client_scripts()} + "/nslcd_login.py", (folder / "run/socket").string(),
                     user};
    asked.environment = {"PASSWORD=" + password};
    const auto got = run_program(std::move(asked));
    return got.status == 0 ? got.output : got.error_output;
  };
  const auto welcome = [](int i) {
    const auto number = std::to_string(i);
    return "jane" + number + " 2000" + number + " 20000 /home/jane" + number + "\n";
  };
  BOOST_TEST_REQUIRE(eventually([&] { return log_in("jane0", "secret0") == welcome(0) + "accepted\n"; }),
                     nslcd.error_output() + log_in("jane0", "secret0"));
  const auto check = [&] {
    for (int i = 0; i < 5; ++i) {
      const auto user = "jane" + std::to_string(i);
      BOOST_TEST(log_in(user, "secret" + std::to_string(i)) == welcome(i) + "accepted\n", nslcd.error_output());
      BOOST_TEST(log_in(user, "wrong") == welcome(i) + "refused\n", nslcd.error_output());
    }
    BOOST_TEST(log_in("nobody-of-ours", "wrong") == "unknown\n", nslcd.error_output());
  };
  check();
  a.kill9();
  check();
  a.start();
  BOOST_TEST(eventually([&] { return server_in(door.get().snapshot(), a.port()).breaker == breaker_state::closed; }));
  check();
  nslcd.send_signal(SIGTERM);
  BOOST_TEST(nslcd.wait().has_value());
  BOOST_TEST(door.all_gone());
  end_scenario(door.get(), {a, b});
}
