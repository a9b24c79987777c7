// What operators see of a front door: its clients, what they ask, who is turned away.
#include "cli.hpp"
#include "support/free_port.hpp"
#include "support/proxy_header.hpp"
#include "support/raw_client.hpp"
#include "understudy/messages/ldap_protocol.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <csignal>

using namespace understudy;
using namespace understudy::test;

namespace {

const std::string documentation_address{"\xc0\0\x02\x07", 4};  // 192.0.2.7

/// `understudy serve` before a directory, with a listener for clients and one for operators.
struct served : command_line {
  explicit served(const std::string& listener = {})
      : program(std::make_unique<child_process>(
            child_process::options{{UNDERSTUDY_PROGRAM, "serve", "-c", file(listener)}, {}, {}, {}})) {
    BOOST_TEST_REQUIRE(eventually([&] { return log().find("ready: ") != std::string::npos; }), log());
  }
  std::string file(const std::string& listener) {
    return config(directory.url(),
                  {admin_password,
                   {},
                   "[[front_door.listeners]]\naddress = \"127.0.0.1:" + std::to_string(door) + "\"\n" + listener +
                       "[[node.listeners]]\naddress = \"127.0.0.1:" + std::to_string(operators) +
                       "\"\ninsecure_loopback = true\npermission = \"admin\"\n"});
  }
  std::string log() const { return program->error_output(); }
  std::vector<std::string> there() const { return {"--node", "127.0.0.1:" + std::to_string(operators)}; }
  std::string address() const { return "127.0.0.1:" + std::to_string(door); }
  nlohmann::json status() { return nlohmann::json::parse(run_there({"status", "--json"}).output); }
  program_result run_there(std::vector<std::string> command) {
    for (const auto& each : there()) command.push_back(each);
    return run(command);
  }

  slapd directory;
  const std::uint16_t door = free_port(), operators = free_port();
  std::unique_ptr<child_process> program;
};

/// Bound as the service, in plain text.
void bind(raw_client& client, int id = 1) {
  client.send(bind_message(id, admin_dn, admin_password));
  BOOST_TEST(decode_answer(client.read_message()).code == 0);
}

}  // namespace

BOOST_AUTO_TEST_CASE(status_tells_of_clients_and_of_what_they_asked) {
  served s;
  raw_client client{s.door};
  BOOST_REQUIRE(client.connected());
  client.send(bind_message(1, admin_dn, "wrong"));
  BOOST_TEST(decode_answer(client.read_message()).code == 49);
  bind(client, 2);
  client.send(search_message(3, people_dn, "user1"));
  while (decode_answer(client.read_message()).tag != internal::pdu_op::search_done) {
  }
  raw_client user{s.door};
  user.send(bind_message(1, user_dn(1), user_password(1)));
  BOOST_TEST(decode_answer(user.read_message()).code == 0);
  nlohmann::json state;
  BOOST_TEST(eventually([&] {
    state = s.status();
    return state["clients"].size() == 2;
  }));
  const auto& listener = state["client_listeners"].at(0);
  BOOST_TEST(listener["address"] == s.address());
  BOOST_TEST(listener["clients"] == 2);
  BOOST_TEST(listener["turned_away"] == 0);
  const auto count = [&](const std::string& operation, const std::string& identity, const std::string& result) {
    for (const auto& each : listener["operations"])
      if (each["operation"] == operation && each["identity"] == identity && each["result"] == result)
        return each["count"].get<int>();
    return 0;
  };
  BOOST_TEST(count("bind", "anonymous", "refused") == 1);
  BOOST_TEST(count("bind", "service", "success") == 1);
  BOOST_TEST(count("bind", "user", "success") == 1);
  BOOST_TEST(count("search", "service", "success") == 1);
  const auto& first = state["clients"].at(0);
  BOOST_TEST(first["identity"] == "service");
  BOOST_TEST(first["parked"] == false);
  BOOST_TEST(first["operations"] == 1);
  BOOST_TEST(state["clients"].at(1)["identity"] == "user");
  BOOST_TEST(state["clients"].at(1)["parked"] == true);
  // Neither names nor filters.
  BOOST_TEST(state.dump().find("user1") == std::string::npos);
  const auto text = s.run_there({"status"});
  check_exit(text, 0);
  for (const auto* part : {"LDAP clients at 127.0.0.1:", ": 2 now, ", "bind as service: 1 success",
                           "search as service: 1 success", "  user  0 pending, 0 operations, holds a connection"})
    BOOST_TEST(contains(text.output, part), part << " is missing in: " << text.output);
}

BOOST_AUTO_TEST_CASE(clients_come_in_from_allow_from_alone) {
  served s{"allow_from = [\"192.0.2.0/24\"]\n"};
  raw_client client{s.door};
  BOOST_TEST(client.read_some() == "");
  BOOST_TEST((client.last() == read_end::end_of_stream || client.last() == read_end::reset));
  BOOST_TEST(eventually([&] { return s.status()["client_listeners"].at(0)["turned_away"] == 1; }));
  BOOST_TEST(contains(s.log(), "nobody may come from there"), s.log());
}

BOOST_AUTO_TEST_CASE(a_proxy_names_its_clients_before_anything_else) {
  served s{"proxy_protocol_from = [\"127.0.0.1\"]\nallow_plaintext = true\nlog_clients = true\n"};
  {
    raw_client client{s.door};
    client.send(proxy_header_of(documentation_address, 51312));
    bind(client);
    const auto state = s.status();
    BOOST_TEST_REQUIRE(state["clients"].size() == 1U);
    BOOST_TEST(state["clients"].at(0)["address"] == "192.0.2.7:51312");
  }
  BOOST_TEST(eventually([&] { return contains(s.log(), "a client has gone client=192.0.2.7:51312"); }), s.log());
}

BOOST_AUTO_TEST_CASE(passwords_of_a_proxys_clients_in_plain_text_are_not_those_of_this_machine) {
  served s{"proxy_protocol_from = [\"127.0.0.1\"]\n"};
  raw_client client{s.door};
  client.send(proxy_header_of(documentation_address, 51312) + bind_message(1, admin_dn, admin_password));
  BOOST_TEST(decode_answer(client.read_message()).code == 13);
}

BOOST_AUTO_TEST_CASE(a_header_of_who_is_no_trusted_proxy_is_no_ldap) {
  served s{"proxy_protocol_from = [\"192.0.2.10\"]\n"};
  raw_client client{s.door};
  client.send(proxy_header_of(documentation_address, 51312) + bind_message(1, admin_dn, admin_password));
  const auto notice = decode_answer(client.read_message());
  BOOST_TEST(notice.id == 0);
  BOOST_TEST(notice.code == 2);
  BOOST_TEST(client.read_some() == "");
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_is_logged_where_that_is_asked_for) {
  served quiet, s{"log_clients = true\n"};
  for (const auto* each : {&quiet, &s}) {
    raw_client client{each->door};
    bind(client);
    client.send(search_message(2, people_dn, "user1"));
    while (decode_answer(client.read_message()).tag != internal::pdu_op::search_done) {
    }
    client.send(unbind_message(3));
    client.read_some();
  }
  BOOST_TEST(eventually([&] { return contains(s.log(), "a client has gone"); }), s.log());
  for (const auto* part :
       {"client=127.0.0.1:", "listener=127.0.0.1:", "identity=service", "operations=1", "cause=\"it has unbound\""})
    BOOST_TEST(contains(s.log(), part), part << " is missing in: " << s.log());
  BOOST_TEST(!contains(s.log(), "user1"));
  BOOST_TEST(!contains(quiet.log(), "a client has gone"));
}

BOOST_AUTO_TEST_CASE(tap_shows_requests_as_they_end_and_nothing_of_their_content) {
  served s;
  raw_client client{s.door};
  bind(client);
  std::vector<std::string> command{UNDERSTUDY_PROGRAM, "tap", "--json", "--count", "3"};
  for (const auto& each : s.there()) command.push_back(each);
  child_process tap{{command, {}, {}, {}}};
  // It shows what ends after it has begun, which only the first line shows.
  int id = 10;
  BOOST_TEST_REQUIRE(eventually([&] {
                       client.send(search_message(++id, people_dn, "user1"));
                       while (decode_answer(client.read_message()).tag != internal::pdu_op::search_done) {
                       }
                       return contains(tap.output(), "\n");
                     }),
                     tap.error_output());
  // And of clients of the node.
  BOOST_TEST(eventually([&] {
    check_exit(s.run_there({"search", "-b", "cn=none," + std::string{people_dn}, "(uid=user1)"}), 1);
    return tap.wait(std::chrono::milliseconds{100}).has_value();
  }));
  BOOST_TEST(tap.wait().value_or(-1) == 0, tap.error_output());
  std::istringstream lines(tap.output());
  int found = 0;
  for (std::string line; std::getline(lines, line); ++found) {
    const auto sample = nlohmann::json::parse(line);
    BOOST_TEST(sample["operation"] == "search");
    BOOST_TEST((sample["code"] == 0 || sample["code"] == 32), line);
    BOOST_TEST(sample["server"] == "127.0.0.1:" + std::to_string(s.directory.port()));
    BOOST_TEST(sample["microseconds"].get<int>() > 0);
  }
  BOOST_TEST(found == 3);
  BOOST_TEST(!contains(tap.output(), "user1"));
}

BOOST_AUTO_TEST_CASE(tap_needs_the_permission_of_operators) {
  const temporary_folder folder;
  slapd directory;
  const auto port = free_port();
  const auto file =
      folder.write("serve.toml", "[ldap]\nuri = \"" + directory.url() +
                                     "\"\n[[node.listeners]]\naddress = \"127.0.0.1:" + std::to_string(port) +
                                     "\"\ninsecure_loopback = true\n");
  child_process serve{{{UNDERSTUDY_PROGRAM, "serve", "-c", file.string()}, {}, {}, {}}};
  BOOST_TEST_REQUIRE(eventually([&] { return contains(serve.error_output(), "ready: "); }), serve.error_output());
  const auto refused =
      run_program({{UNDERSTUDY_PROGRAM, "tap", "--node", "127.0.0.1:" + std::to_string(port)}, {}, {}, {}});
  check_exit(refused, 3);
  BOOST_TEST(contains(refused.error_output, "needs \"admin\""), refused.error_output);
}
