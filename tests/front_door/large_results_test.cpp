// Results of many entries through a front door: to who reads them, to who reads slowly, and to who stops.
#include "scenarios/front_door_clients.hpp"
#include "session_messages.hpp"
#include "support/eventually.hpp"
#include "support/port_of.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>
#include <set>
#include <sstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr int people = 20000;

/// 20 000 entries of three kilobytes: more than the kernel keeps for who does not read, and than anybody else may.
const slapd& many_people() {
  static slapd server([] {
    slapd_options with;
    with.users = people;
    with.long_value = 3000;
    return with;
  }());
  return server;
}

std::string everybody(int id) { return search_of(id, people_dn, search_scope::one); }

/// The program as a front door before `server`.
struct served_program {
  explicit served_program(const slapd& server)
      : password(folder.write("password", admin_password)),
        program({UNDERSTUDY_PROGRAM, "serve", "-H", server.url(), "-D", admin_dn, "-y", password.string(),
                 "--front-door", "127.0.0.1:0"}) {
    const std::string key = "listens for LDAP clients address=127.0.0.1:";
    // The directory has accepted the service's password then.
    BOOST_TEST_REQUIRE(eventually([&] {
                         const auto text = program.error_output();
                         return text.find(key) != std::string::npos && text.find(" serves\n") != std::string::npos;
                       }),
                       program.error_output());
    const auto said = program.error_output();
    port = static_cast<std::uint16_t>(std::stoi(said.substr(said.find(key) + key.size())));
  }
  /// The most memory that it ever had, in MiB.
  std::size_t most_memory() const {
    std::ifstream status("/proc/" + std::to_string(program.pid()) + "/status");
    for (std::string line; std::getline(status, line);)
      if (line.rfind("VmHWM:", 0) == 0) return std::stoul(line.substr(6)) / 1024;
    throw std::runtime_error("no VmHWM");
  }

  /// Its processor time so far, in hundredths of a second (proc(5): utime and stime).
  std::string processor_time() const {
    auto fields = read_file("/proc/" + std::to_string(program.pid()) + "/stat");
    std::istringstream behind_name(fields.substr(fields.rfind(')') + 2));
    std::string skipped, user, system;
    for (int i = 0; i < 11; ++i) behind_name >> skipped;
    behind_name >> user >> system;
    return user + " " + system;
  }
  /// Waits until it does nothing more for now.
  bool rests() const {
    return eventually([&] {
      const auto before = processor_time();
      return holds_for([&] { return processor_time() == before; }, 300ms);
    });
  }

  temporary_folder folder;
  std::filesystem::path password;
  child_process program;
  std::uint16_t port = 0;
};

raw_answer next_answer(raw_client& client) { return decode_answer(client.read_message()); }

void bind_as_service(raw_client& client) {
  client.send(bind_message(1, admin_dn, admin_password));
  BOOST_TEST_REQUIRE(next_answer(client).code == 0);
}

/// Takes entries until the result comes, which is returned; each entry once.
raw_answer take_all(raw_client& client, std::set<std::string>& names) {
  for (;;) {
    auto answer = next_answer(client);
    if (answer.tag != 0x64) return answer;
    BOOST_TEST_REQUIRE(names.insert(answer.dn).second, answer.dn << " came twice");
  }
}

/// True when the only client has asked for so many operations and none of them is under way.
bool has_ended(served_clients& door, std::uint64_t operations) {
  const auto clients = door.get().snapshot().clients;
  return clients.size() == 1 && clients[0].operations == operations && clients[0].pending == 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_large_result_passes_whole_in_little_memory) {
  served_program door(many_people());
  raw_client client(door.port);
  bind_as_service(client);
  client.send(search_message(2, people_dn, "user1"));
  while (next_answer(client).tag == 0x64) {
  }
  const auto before = door.most_memory();
  std::set<std::string> names;
  client.send(everybody(3));
  const auto end = take_all(client, names);
  BOOST_TEST(end.code == 0, end.diagnostic);
  BOOST_TEST(end.id == 3);
  BOOST_TEST(names.size() == static_cast<std::size_t>(people));
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  BOOST_TEST(door.most_memory() < before + 10, door.most_memory() << " MiB, and " << before << " before");
#endif
}

BOOST_AUTO_TEST_CASE(a_client_that_reads_slowly_and_stops_costs_little_memory_and_nobody_else) {
  served_program door(many_people());
  raw_client others(door.port);
  bind_as_service(others);
  const auto ask = [&](int id) {
    others.send(search_message(id, people_dn, "user" + std::to_string(id)));
    std::set<std::string> names;
    const auto end = take_all(others, names);
    BOOST_TEST(end.code == 0, end.diagnostic);
    BOOST_TEST(names.size() == 1u);
  };
  for (int id = 2; id < 10; ++id) ask(id);
  const auto before = door.most_memory();
  {
    // Each occupies one of slapd's four threads, as it would directly.
    std::list<raw_client> slow;
    for (int i = 0; i < 2; ++i) {
      auto& client = slow.emplace_back(door.port);
      bind_as_service(client);
      client.send(everybody(2));
      for (int n = 0; n < 20; ++n) BOOST_TEST_REQUIRE(next_answer(client).tag == 0x64);
    }
    // Who asks on one of their connections until then has it read on, up to limits.max_result_bytes.
    BOOST_TEST(door.rests());
    for (int id = 10; id < 210; ++id) ask(id);
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
    // 130 MB are due to them.
    BOOST_TEST(door.most_memory() < before + 100, door.most_memory() << " MiB, and " << before << " before");
#endif
    // One goes on, and misses nothing.
    std::set<std::string> names;
    const auto end = take_all(slow.front(), names);
    BOOST_TEST(end.code == 0, end.diagnostic);
    BOOST_TEST(names.size() == static_cast<std::size_t>(people - 20));
    for (int id = 210; id < 230; ++id) ask(id);
  }
  // The other one goes in the middle of its result.
  for (int id = 230; id < 250; ++id) ask(id);
}

BOOST_AUTO_TEST_CASE(a_search_that_nobody_reads_ends_with_11) {
  leak_guard leaks;
  stub_directory directory;
  std::vector<entry> many;
  for (int i = 0; i < people; ++i) many.push_back({user_dn(i), {{"sn", {std::string(1500, 'x')}}}});
  auto all = with_front_door(quick_settings({server_at(directory.port())}));
  all.limits.max_result_bytes = 64 * 1024;
  probe_nobody(all);  // making so much of an answer may take this directory long
  served_clients door(all);
  directory.set_entries(many);
  const auto uri = door.uri();
  raw_client client(port_of(uri));
  bind_as_service(client);
  client.send(everybody(2));
  // Before anything of it was taken.
  BOOST_TEST(eventually([&] { return has_ended(door, 1); }));
  std::set<std::string> names;
  const auto end = take_all(client, names);
  BOOST_TEST(end.code == 11, end.diagnostic);
  BOOST_TEST(!end.diagnostic.empty());
  BOOST_TEST(names.size() < static_cast<std::size_t>(people));
  // It may go on asking.
  directory.set_entries(std::vector<entry>{{user_dn(1), {{"sn", {"x"}}}}});
  client.send(everybody(3));
  names.clear();
  BOOST_TEST(take_all(client, names).code == 0);
  BOOST_TEST(names.size() == 1u);
  end_scenario(door.get(), {directory});
}
