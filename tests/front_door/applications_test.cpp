// Applications of Debian set up by docs/front-door.md to the letter, while the directory's primary is killed.
#include "scenarios/front_door_clients.hpp"
#include "support/certificates.hpp"
#include "support/installed_client.hpp"
#include "support/port_of.hpp"

#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <fstream>
#include <sstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr const char* documented_service = "cn=service,ou=apps,dc=example,dc=com";
constexpr const char* documented_password = "PASSWORD-OF-THE-SERVICE";
using replacements = std::vector<std::pair<std::string, std::string>>;

/// The document's block for `application`, with this test's places and passwords in place of the document's.
std::string recipe(const std::string& application, const replacements& replaced) {
  const auto document = read_file(UNDERSTUDY_SOURCE_DIR "/docs/front-door.md");
  const auto fence = "```" + application + "\n";
  const auto at = document.find(fence);
  BOOST_TEST_REQUIRE(at != std::string::npos, "docs/front-door.md has no block " << fence);
  const auto begin = at + fence.size();
  auto text = document.substr(begin, document.find("```", begin) - begin);
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

std::string recipe(const std::string& application, const std::string& uri) {
  return recipe(
      application,
      {{"ldap://127.0.0.1:3890", uri}, {documented_service, admin_dn}, {documented_password, admin_password}});
}

/// Users jane0 … jane4 with a number and a home, their passwords secret0 … secret4.
slapd_options with_accounts() {
  slapd_options with;
  with.global_config = {"include /etc/ldap/schema/nis.schema"};
  for (int i = 0; i < 5; ++i) {
    const auto number = std::to_string(i);
    with.extra_ldif += "dn: uid=jane" + number + ",ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\n" +
                       "objectClass: posixAccount\nuid: jane" + number + "\ncn: Jane\nsn: J\nuidNumber: 2000" + number +
                       "\ngidNumber: 20000\nhomeDirectory: /home/jane" + number + "\nuserPassword: secret" + number +
                       "\n\n";
  }
  return with;
}

/// Two directories, and a front door before them that takes the first while that can be used.
struct protected_directory {
  explicit protected_directory(const slapd_options& with = {}, const client_listener_settings& at = {})
      : a(with), b(with), door(with_front_door(quick_settings({server_at(a.port(), 1), server_at(b.port(), 2)}), at)) {}

  /// While all is well, while the first one is dead, and when it is back.
  void while_the_primary_is_killed(const std::function<void()>& check) {
    check();
    a.kill9();
    check();
    a.start();
    BOOST_TEST(eventually([&] { return server_in(door.get().snapshot(), a.port()).breaker == breaker_state::closed; }));
    check();
  }
  /// The application has gone.
  void end() {
    BOOST_TEST(door.all_gone());
    end_scenario(door.get(), {a, b});
  }

  slapd a, b;
  served_clients door;
};

/// It and what runs in it may be read by whom an application becomes.
void open_to_others(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  fs::permissions(folder, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
}

program_result run(std::vector<std::string> command, std::string input = {},
                   std::vector<std::string> environment = {}) {
  return run_program({std::move(command), std::move(input), std::move(environment), {}});
}

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
  if (!is_installed("nslcd", {"sh", "-c", "test -x /usr/sbin/nslcd && " + unshare + " true"})) return;
  leak_guard leaks;
  protected_directory it{with_accounts()};
  temporary_folder folder;
  std::filesystem::create_directories(folder / "run/nslcd");
  const auto config = folder.write("nslcd.conf", recipe("nslcd", it.door.uri()));
  // There is a password in it.
  std::filesystem::permissions(config, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  // All of /run: where the machine was started after the package was installed, /run/nslcd is not there.
  child_process nslcd{{"sh", "-c",
                       "exec " + unshare + " sh -c 'mount --bind " + config.string() +
                           " /etc/nslcd.conf && mount --bind " + (folder / "run").string() +
                           " /run && exec /usr/sbin/nslcd -n'"}};
  const auto log_in = [&](const std::string& user, const std::string& password) {
    child_process::options asked;
    asked.command = {debian_python, std::string{client_scripts()} + "/nslcd_login.py",
                     (folder / "run/nslcd/socket").string(), user};
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
  it.while_the_primary_is_killed(check);
  nslcd.send_signal(SIGTERM);
  BOOST_TEST(nslcd.wait().has_value());
  it.end();
}

BOOST_AUTO_TEST_CASE(application_squid_s_helper_lets_users_in_while_the_primary_is_killed) {
  if (!is_installed("squid", {"test", "-x", "/usr/lib/squid/basic_ldap_auth"})) return;
  leak_guard leaks;
  protected_directory it;
  temporary_folder folder;
  const auto password = folder.write("password", admin_password);
  // What squid runs, and talks to by lines.
  auto line = recipe("squid", {{"ldap://127.0.0.1:3890", it.door.uri()},
                               {documented_service, admin_dn},
                               {"/etc/squid/ldap.password", password.string()}});
  const std::string begin = "auth_param basic program ";
  BOOST_TEST_REQUIRE(line.rfind(begin, 0) == 0);
  line = "exec " + line.substr(begin.size(), line.find('\n') - begin.size());
  const auto check = [&] {
    std::string asked;
    for (int i = 0; i < 5; ++i)
      asked += "user" + std::to_string(i) + " " + user_password(i) + "\nuser" + std::to_string(i) + " wrong\n";
    const auto got = run({"sh", "-c", line}, asked + "nobody wrong\n");
    std::istringstream lines(got.output);
    std::string each;
    for (int i = 0; i < 11; ++i) {
      BOOST_TEST_REQUIRE(static_cast<bool>(std::getline(lines, each)), got.error_output);
      // To squid "ERR" and "BH" are both no: it says the latter when the directory refuses a password.
      BOOST_TEST((each.rfind("OK", 0) == 0) == (i < 10 && i % 2 == 0), i << ": " << each << got.error_output);
    }
  };
  it.while_the_primary_is_killed(check);
  it.end();
}

BOOST_AUTO_TEST_CASE(application_saslauthd_checks_passwords_while_the_primary_is_killed) {
  if (!is_installed("sasl2-bin", {"sh", "-c", "test -x /usr/sbin/saslauthd -a -x /usr/sbin/testsaslauthd"})) return;
  leak_guard leaks;
  protected_directory it;
  temporary_folder folder;
  std::filesystem::create_directory(folder / "run");
  const auto config = folder.write("saslauthd.conf", recipe("saslauthd", it.door.uri()));
  // One process, which keeps its connection as long as it can. When it ends it signals its whole process group.
  child_process saslauthd{{"setsid", "/usr/sbin/saslauthd", "-a", "ldap", "-O", config.string(), "-m",
                           (folder / "run").string(), "-n", "1", "-d"}};
  const auto accepts = [&](const std::string& user, const std::string& password) {
    return run({"/usr/sbin/testsaslauthd", "-f", (folder / "run/mux").string(), "-u", user, "-p", password}).status ==
           0;
  };
  BOOST_TEST_REQUIRE(eventually([&] { return accepts("user0", user_password(0)); }), saslauthd.error_output());
  it.while_the_primary_is_killed([&] {
    for (int i = 0; i < 5; ++i) {
      BOOST_TEST(accepts("user" + std::to_string(i), user_password(i)), saslauthd.error_output());
      BOOST_TEST(!accepts("user" + std::to_string(i), "wrong"), saslauthd.error_output());
    }
    BOOST_TEST(!accepts("nobody", "wrong"));
  });
  saslauthd.send_signal(SIGTERM);
  BOOST_TEST(saslauthd.wait().has_value());
  it.end();
}

BOOST_AUTO_TEST_CASE(application_dovecot_lets_users_in_while_the_primary_is_killed) {
  // Its processes become other users.
  const bool root = ::geteuid() == 0;
  if (!is_installed("dovecot-ldap",
                    {"sh", "-c",
                     "test $(id -u) = 0 -a -x /usr/sbin/dovecot -a -e /usr/lib/dovecot/modules/auth/libauthdb_ldap.so"},
                    root))
    return;
  leak_guard leaks;
  protected_directory it;
  temporary_folder folder;
  open_to_others(folder.path());
  std::filesystem::create_directory(folder / "run");
  open_to_others(folder / "run");
  const auto ldap = folder.write("dovecot-ldap.conf.ext", recipe("dovecot", it.door.uri()));
  const auto run_folder = (folder / "run").string();
  const auto config =
      folder.write("dovecot.conf", "base_dir = " + run_folder + "\nstate_dir = " + run_folder + "\nlog_path = " +
                                       (folder / "log").string() + "\nprotocols =\nssl = no\nauth_failure_delay = 0\n" +
                                       // Nor does one refused password delay the next.
                                       "service anvil {\n  unix_listener anvil-auth-penalty {\n    mode = 0\n  }\n}\n" +
                                       "passdb {\n  driver = ldap\n  args = " + ldap.string() + "\n}\n" +
                                       "userdb {\n  driver = static\n  args = uid=nobody gid=nogroup home=/tmp\n}\n");
  child_process dovecot{{"/usr/sbin/dovecot", "-F", "-c", config.string()}};
  const auto status_for = [&](const std::string& user, const std::string& password) {
    return run({"doveadm", "-c", config.string(), "auth", "test", user, password}).status;
  };
  const auto log = [&] {
    return dovecot.error_output() + (std::filesystem::exists(folder / "log") ? read_file(folder / "log") : "");
  };
  BOOST_TEST_REQUIRE(eventually([&] { return status_for("user0", user_password(0)) == 0; }), log());
  it.while_the_primary_is_killed([&] {
    for (int i = 0; i < 3; ++i) {
      BOOST_TEST(status_for("user" + std::to_string(i), user_password(i)) == 0, log());
      BOOST_TEST(status_for("user" + std::to_string(i), "wrong") == 77, log());
    }
    BOOST_TEST(status_for("nobody", "wrong") == 77, log());
  });
  dovecot.send_signal(SIGTERM);
  BOOST_TEST(dovecot.wait().has_value());
  it.end();
}

BOOST_AUTO_TEST_CASE(application_postgresql_lets_users_in_while_the_primary_is_killed) {
  const std::string find = "ls -d /usr/lib/postgresql/*/bin | tail -1";
  if (!is_installed("postgresql", {"sh", "-c", "test -x $(" + find + ")/initdb -a -x $(" + find + ")/postgres"}))
    return;
  leak_guard leaks;
  protected_directory it;
  temporary_folder folder;
  const reserved_port port;
  auto programs = run({"sh", "-c", find}).output;
  programs.pop_back();
  // It never runs as root.
  std::vector<std::string> as_nobody;
  if (::geteuid() == 0) {
    as_nobody = {"runuser", "-u", "postgres", "--"};
    BOOST_TEST_REQUIRE(run({"chown", "postgres", folder.path().string()}).status == 0);
  }
  const auto command = [&](std::vector<std::string> words) {
    words.insert(words.begin(), as_nobody.begin(), as_nobody.end());
    return words;
  };
  const auto data = (folder / "data").string(), sockets = folder.path().string(),
             number = std::to_string(port.number());
  const auto made = run(command({programs + "/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8",
                                 "--no-locale", "--no-instructions"}));
  BOOST_TEST_REQUIRE(made.status == 0, made.error_output);
  std::ofstream(folder / "data/pg_hba.conf") << "local all postgres trust\n" << recipe("pg_hba", it.door.uri());
  child_process postgres{command({programs + "/postgres", "-D", data, "-k", sockets, "-p", number, "-h", "127.0.0.1",
                                  "-c", "fsync=off", "-c", "shared_buffers=1MB", "-c", "max_connections=10"})};
  std::string roles;
  for (int i = 0; i < 3; ++i) roles += "create role user" + std::to_string(i) + " login;";
  BOOST_TEST_REQUIRE(eventually([&] {
                       return run({"psql", "-h", sockets, "-p", number, "-U", "postgres", "-c", roles}).status == 0;
                     }),
                     postgres.error_output());
  const auto who_is = [&](const std::string& user, const std::string& password) {
    return run({"psql", "-h", "127.0.0.1", "-p", number, "-U", user, "-Atc", "select current_user", "postgres"}, {},
               {"PGPASSWORD=" + password})
        .output;
  };
  it.while_the_primary_is_killed([&] {
    for (int i = 0; i < 3; ++i) {
      const auto user = "user" + std::to_string(i);
      BOOST_TEST(who_is(user, user_password(i)) == user + "\n", postgres.error_output());
      BOOST_TEST(who_is(user, "wrong") == "", postgres.error_output());
    }
  });
  postgres.send_signal(SIGTERM);
  BOOST_TEST(postgres.wait().has_value());
  it.end();
}

BOOST_AUTO_TEST_CASE(application_sssd_logs_users_in_while_the_primary_is_killed) {
  // Its packages change how this machine's own users log in, so tools/setup leaves them to who wants that.
  if (!is_installed("sssd-ldap, libpam-sss, libnss-sss and pamtester",
                    {"sh", "-c",
                     "test $(id -u) = 0 -a -x /usr/sbin/sssd -a -x /usr/bin/pamtester && unshare -m true && "
                     "ls /usr/lib/*/sssd/libsss_ldap.so /lib/*/security/pam_sss.so /lib/*/libnss_sss.so.2"},
                    false))
    return;
  leak_guard leaks;
  certificate_set files;
  client_listener_settings at;
  at.cert_path = files.server.certificate.string();
  at.key_path = files.server.key.string();
  at.use_ssl = true;
  protected_directory it{with_accounts(), at};
  temporary_folder folder;
  std::filesystem::create_directory(folder / "etc");
  const auto config = folder.write(
      "etc/sssd.conf",
      recipe("sssd", {{"ldaps://door.example.com:636", "ldaps://127.0.0.1:" + std::to_string(port_of(it.door.uri()))},
                      {"/etc/understudy/ca.pem", files.ca.certificate().string()},
                      {documented_service, admin_dn},
                      {documented_password, admin_password}}));
  std::filesystem::permissions(config, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  // It knows one place for its files, sockets and caches: they are put there for it alone.
  child_process sssd{{"unshare", "-m", "sh", std::string{client_scripts()} + "/sssd.sh", folder.path().string()}};
  const auto there = [&](std::vector<std::string> command, const std::string& input) {
    std::vector<std::string> words{"nsenter", "--target", std::to_string(sssd.pid()), "--mount"};
    words.insert(words.end(), command.begin(), command.end());
    return run(std::move(words), input);
  };
  const auto home_of = [&](const std::string& user) {
    return there({"getent", "-s", "sss", "passwd", user}, {}).output;
  };
  const auto logs_in = [&](const std::string& user, const std::string& password) {
    return there({"pamtester", "understudy", user, "authenticate", "acct_mgmt"}, password + "\n").status == 0;
  };
  BOOST_TEST_REQUIRE(eventually([&] { return home_of("jane0") == "jane0:*:20000:20000:Jane:/home/jane0:\n"; }),
                     sssd.error_output());
  int asked = 0;
  it.while_the_primary_is_killed([&] {
    // One of them it has never heard of.
    for (const int i : {0, ++asked}) {
      const auto user = "jane" + std::to_string(i);
      BOOST_TEST(logs_in(user, "secret" + std::to_string(i)), user << sssd.error_output());
      BOOST_TEST(!logs_in(user, "wrong"), user << sssd.error_output());
      BOOST_TEST(home_of(user) == user + ":*:2000" + std::to_string(i) + ":20000:Jane:/home/" + user + ":\n");
    }
    BOOST_TEST(!logs_in("nobody-of-ours", "wrong"));
  });
  sssd.send_signal(SIGTERM);
  BOOST_TEST(sssd.wait().has_value());
  it.end();
}
