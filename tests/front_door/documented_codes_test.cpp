// What docs/front-door.md says that clients are told while the directory is not well, row by row.
#include "served_house.hpp"
#include "session_messages.hpp"
#include "support/eventually.hpp"
#include "support/slapd.hpp"
#include "support/stub_directory.hpp"
#include "understudy/actors/front_door/relay_policy.hpp"

#include <boost/test/unit_test.hpp>

#include <set>
#include <sstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// The codes in each column of a row; empty: nobody can ask that then.
using documented_row = std::vector<std::set<int>>;

/// The rows below `heading`, by what stands in their first column.
std::map<std::string, documented_row> rows_below(const std::string& heading) {
  std::istringstream document(read_file(UNDERSTUDY_SOURCE_DIR "/docs/front-door.md"));
  std::map<std::string, documented_row> rows;
  bool there = false;
  for (std::string line; std::getline(document, line);) {
    if (line == heading) there = true;
    if (there && line != heading && line.rfind("##", 0) == 0) break;
    if (!there || line.rfind("| ", 0) != 0) continue;
    std::istringstream cells(line.substr(2));
    std::string name;
    std::getline(cells, name, '|');
    name.erase(name.find_last_not_of(' ') + 1);
    auto& row = rows[name];
    for (std::string cell; std::getline(cells, cell, '|');) {
      std::set<int> codes;
      for (std::size_t at = 0; (at = cell.find_first_of("0123456789", at)) != std::string::npos;) {
        std::size_t used = 0;
        codes.insert(std::stoi(cell.substr(at), &used));
        at += used;
      }
      row.push_back(std::move(codes));
    }
  }
  return rows;
}

/// By OID: whether a control passes, or the code that refuses it.
std::map<std::string, int> documented_controls() {
  std::istringstream document(read_file(UNDERSTUDY_SOURCE_DIR "/docs/front-door.md"));
  std::map<std::string, int> controls;
  bool there = false;
  for (std::string line; std::getline(document, line);) {
    if (line == "### Controls by OID") there = true;
    if (there && line.rfind("## ", 0) == 0) break;
    if (!there || line.rfind("| ", 0) != 0 || line.find_first_of("0123456789") != 2) continue;
    const auto oid = line.substr(2, line.find(" |") - 2);
    const auto refused = line.find("| refused (");
    BOOST_TEST((refused != std::string::npos || line.find("| passes |") != std::string::npos), line);
    const int code = refused == std::string::npos ? 0 : std::stoi(line.substr(refused + 11));
    BOOST_TEST(controls.emplace(oid, code).second, oid);
  }
  return controls;
}

/// Two directories and a front door before them.
struct documented_house {
  stub_directory a{{.passwords = passwords()}}, b{{.passwords = passwords()}};
  std::unique_ptr<runtime> at;

  static std::map<std::string, std::string> passwords() {
    return {{admin_dn, admin_password}, {user_dn(1), user_password(1)}};
  }
  /// `limit`: of requests, and of connecting.
  void start(seconds limit = patience) {
    settings all;
    for (const auto* server : {&a, &b}) {
      connection_info info;
      info.host = "127.0.0.1";
      info.port = server->port();
      info.bind_dn = admin_dn;
      info.password = secret{admin_password};
      info.timeout = limit;
      info.priority = static_cast<int>(all.servers.size()) + 1;
      all.servers.push_back(std::move(info));
    }
    all.limits.operation_timeout = limit;
    all.log.level = log_level::error;
    at = serve_clients(std::move(all));
  }
  raw_client client() const { return raw_client{client_port_of(*at)}; }
};

/// The code at the end of the answer to `request`.
int code_for(raw_client& client, const std::string& request) {
  client.send(request);
  for (;;) {
    const auto answer = decode_answer(client.read_message());
    if (answer.tag != 0x64) return answer.code;
  }
}

/// Asks for everything in the row's columns; `bound`: as the service, before; null: nobody can be.
void check_row(documented_house& h, const std::string& name, const documented_row& row, raw_client* bound) {
  BOOST_TEST_CONTEXT("the directory " << name) {
    BOOST_TEST_REQUIRE(row.size() == 5U);
    const auto check = [&](std::size_t column, raw_client& client, const std::string& request) {
      const auto& allowed = row[column];
      BOOST_TEST_REQUIRE(!allowed.empty());
      const auto code = code_for(client, request);
      BOOST_TEST((allowed.count(code) == 1), "column " << column + 1 << " does not have " << code);
    };
    auto as_service = h.client(), as_user = h.client(), unbound = h.client();
    check(0, as_service, bind_message(1, admin_dn, admin_password));
    check(1, as_user, bind_message(1, user_dn(1), user_password(1)));
    if (bound != nullptr) {
      check(2, *bound, search_message(2, people_dn, "user1"));
      check(3, *bound, replace_message(3, user_dn(1), "cn", "x"));
    } else {
      BOOST_TEST(row[2].empty());
      BOOST_TEST(row[3].empty());
    }
    check(4, unbound, root_dse_of(1));
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_control_is_treated_as_documented) {
  const auto documented = documented_controls();
  std::set<std::string> known;
  for (const auto oid : known_controls()) known.emplace(oid);
  std::set<std::string> named;
  for (const auto& [oid, code] : documented) {
    named.insert(oid);
    for (const bool critical : {false, true})
      for (const bool own_connection : {false, true}) {
        const auto checked = check_controls({{oid, critical, {}}}, own_connection);
        BOOST_TEST(checked.refusal.code == code, oid);
        BOOST_TEST(checked.passed.size() == (code == 0 ? 1U : 0U), oid);
        BOOST_TEST(!checked.changed, oid);
      }
  }
  BOOST_TEST(named == known, boost::test_tools::per_element());
  // Any other.
  BOOST_TEST(check_controls({{"1.2.3", true, {}}}, false).refusal.code == 12);
  BOOST_TEST((check_controls({{"1.2.3", false, {}}}, false).changed));
  BOOST_TEST(check_controls({{"1.2.3", true, {}}}, true).passed.size() == 1U);
}

BOOST_AUTO_TEST_CASE(clients_are_told_what_is_documented_while_the_directory_is_not_well) {
  const auto rows = rows_below("### While the directory is not well");
  std::set<std::string> checked;
  const auto row_of = [&](const std::string& name) {
    BOOST_TEST_REQUIRE(rows.count(name) == 1U, "no row \"" << name << "\"");
    checked.insert(name);
    return rows.at(name);
  };
  const auto bind = [](documented_house& h, raw_client& client) {
    int id = 1000;
    return eventually([&] { return code_for(client, bind_message(++id, admin_dn, admin_password)) == 0; }) && h.at;
  };
  {
    documented_house h;
    h.a.stop();
    h.b.stop();
    h.start();
    check_row(h, "has not been reached yet", row_of("has not been reached yet"), nullptr);
  }
  {
    documented_house h;
    h.start();
    auto client = h.client();
    BOOST_TEST_REQUIRE(bind(h, client));
    check_row(h, "is well", row_of("is well"), &client);
    h.a.stop();
    BOOST_TEST(code_for(client, search_message(500, people_dn, "user1")) == 0);
    check_row(h, "has one server left", row_of("has one server left"), &client);
    h.b.stop();
    BOOST_TEST(eventually([&] { return code_for(client, search_message(501, people_dn, "user1")) == 52; }));
    check_row(h, "is down", row_of("is down"), &client);
    // It comes back, and with it everything.
    h.a.start();
    BOOST_TEST(eventually([&] { return code_for(client, search_message(502, people_dn, "user1")) == 0; }));
    check_row(h, "is well", row_of("is well"), &client);
  }
  {
    documented_house h;
    h.start(1s);
    auto client = h.client();
    BOOST_TEST_REQUIRE(bind(h, client));
    h.a.pause();
    h.b.pause();
    check_row(h, "answers nothing", row_of("answers nothing"), &client);
    h.a.resume();
    h.b.resume();
  }
  checked.insert("the directory");
  for (const auto& [name, row] : rows) BOOST_TEST(checked.count(name) == 1U, "nothing checks \"" << name << "\"");
}
