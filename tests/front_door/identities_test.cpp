// As whom clients of a front door are served by a real directory: by proxy, by SASL, after a rotation, and when there
// are more users than connections.
#include "served_house.hpp"
#include "session_messages.hpp"
#include "support/certificates.hpp"
#include "support/port_of.hpp"
#include "support/proxy_header.hpp"
#include "support/stub_directory.hpp"
#include "understudy/actors/front_door/proxied_authorization.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

client_listener_settings by_proxy() {
  client_listener_settings door;
  door.identity = client_identity::proxy;
  return door;
}

bool is_bound(const slapd_connection& each) { return !each.identity.empty() && each.identity != admin_dn; }

}  // namespace

BOOST_AUTO_TEST_CASE(users_are_served_by_proxy_on_the_services_connections) {
  house h{by_proxy()};
  const auto mine = h.run({"ldapwhoami"}, user_dn(1), user_password(1));
  BOOST_TEST(mine.status == 0, mine.error_output);
  BOOST_TEST(mine.output == "dn:" + user_dn(1) + "\n");
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(1), "wrong").status == 49);
  const auto found = h.run({"ldapsearch", "-LLL", "-E", "pr=3/noprompt", "-b", people_dn, "(uid=*)", "uid"}, user_dn(2),
                           user_password(2));
  BOOST_TEST(found.status == 0, found.error_output);
  BOOST_TEST(count_of(found.output, "dn: ") == 10U);
  // The service may delete, a user may not; and nobody is more than he is because he shares a connection.
  BOOST_TEST(h.run({"ldapdelete", user_dn(5)}, user_dn(1), user_password(1)).status == 50);
  BOOST_TEST(h.run({"ldapdelete", user_dn(5)}).status == 0);
  BOOST_TEST(h.run({"ldapwhoami"}).output == "dn:" + std::string{admin_dn} + "\n");
  BOOST_TEST(h.run({"ldapsearch", "-b", people_dn}, "").status == 53);
  BOOST_TEST(h.run({"ldapwhoami", "-e", "!authzid=dn:" + user_dn(3)}, user_dn(1), user_password(1)).status != 0);
}

BOOST_AUTO_TEST_CASE(who_is_served_by_proxy_keeps_no_connection) {
  house h{by_proxy()};
  std::vector<std::unique_ptr<raw_client>> clients;
  // More than there are connections.
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<raw_client>(h.port()));
    clients.back()->send(bind_message(1, user_dn(i), user_password(i)));
    BOOST_TEST(decode_answer(clients.back()->read_message()).code == 0);
  }
  for (auto& client : clients) client->send(extended_message(2, whoami_oid));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    const auto answer = clients[i]->read_message();
    BOOST_TEST(answer.find("dn:" + user_dn(static_cast<int>(i))) != std::string::npos);
  }
  // For binds, of which each is over before the next one comes, there were four connections at the most.
  const auto all = h.server.connections();
  BOOST_TEST(std::count_if(all.begin(), all.end(), is_bound) <= 4);
}

BOOST_AUTO_TEST_CASE(nobody_is_served_by_proxy_by_a_directory_that_does_not_offer_it) {
  stub_directory directory;
  settings all;
  all.servers.resize(1);
  all.servers[0].host = "127.0.0.1";
  all.servers[0].port = directory.port();
  all.servers[0].bind_dn = admin_dn;
  all.servers[0].password = secret{admin_password};
  all.log.level = log_level::error;
  auto door = by_proxy();
  door.address = "127.0.0.1:0";
  all.front_door.listeners.push_back(door);
  const auto start = [&] {
    runtime_options options;
    options.serve_clients = true;
    return std::make_unique<runtime>(std::make_shared<const settings>(all), std::move(options));
  };
  BOOST_CHECK_EXCEPTION(start(), std::exception, [](const std::exception& e) {
    return std::string{e.what()}.find("does not list proxied authorization") != std::string::npos;
  });
  // The same by a reload, which changes nothing then.
  all.front_door.listeners.front().identity = client_identity::session;
  const auto at = start();
  auto next = all;
  next.front_door.listeners.front().identity = client_identity::proxy;
  BOOST_TEST(!at->reload(next));
  // One that cannot be asked at the start is asked by the first who binds; nothing is sent for him before.
  directory.stop();
  all.front_door.listeners.front().identity = client_identity::proxy;
  const auto blind = start();
  const auto address = blind->front_door()->addresses().front();
  const auto port = port_of(address);
  raw_client client{port};
  client.send(bind_message(1, user_dn(1), user_password(1)));
  BOOST_TEST(decode_answer(client.read_message()).code == 52);
  directory.start();
  int id = 1;
  BOOST_TEST(eventually([&] {
    client.send(bind_message(++id, user_dn(1), user_password(1)));
    return decode_answer(client.read_message()).code == 53;
  }));
  client.send(search_message(++id, people_dn, "user1"));
  BOOST_TEST(decode_answer(client.read_message()).code == 53);
  const auto binds = directory.binds();
  BOOST_TEST(std::none_of(binds.begin(), binds.end(), [](const bind_note& each) { return each.dn == user_dn(1); }));
}

BOOST_AUTO_TEST_CASE(nobody_is_served_by_proxy_by_the_one_server_that_does_not_offer_it) {
  stub_directory offers, lacks, offers_too;
  const std::string control_oid{proxied_authorization_oid};
  const auto lists = [&](stub_directory& of) {
    of.when([](const directory_request& r) { return r.kind == operation::search && r.dn.empty(); },
            [&of, control_oid](const directory_request& r) {
              auto answer = of.usual(r);
              answer.what.entries = {{"", {{"supportedControl", {control_oid}}}}};
              return answer;
            });
  };
  lists(offers);
  lists(offers_too);
  lacks.when([control_oid](const directory_request& r) { return find_control(r.controls, control_oid) != nullptr; },
             [](const directory_request&) {
               reply no;
               no.what.code = result_code::unavailable_critical_extension;
               return no;
             });
  settings all;
  int priority = 0;
  for (const auto* server : {&offers, &lacks, &offers_too}) {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = server->port();
    info.bind_dn = admin_dn;
    info.password = secret{admin_password};
    info.priority = ++priority;
    all.servers.push_back(std::move(info));
  }
  all.log.level = log_level::error;
  const auto at = serve_clients(all, by_proxy());
  raw_client client{client_port_of(*at)};
  int id = 0;
  BOOST_TEST_REQUIRE(eventually([&] {
    client.send(bind_message(++id, user_dn(1), user_password(1)));
    return decode_answer(client.read_message()).code == 0;
  }));
  const auto search = [&] {
    client.send(search_message(++id, people_dn, "user1"));
    for (;;) {
      const auto answer = decode_answer(client.read_message());
      if (answer.tag != 0x64) return answer.code;
    }
  };
  BOOST_TEST(search() == 0);
  offers.stop();
  // The next one in order does not know the control. It has refused it, and somebody else was asked.
  for (int i = 0; i < 3; ++i) BOOST_TEST(search() == 0);
  const auto served = [&](const stub_directory& by) {
    const auto asked = by.requests(operation::search);
    return std::count_if(asked.begin(), asked.end(), [](const auto& each) { return each.dn == people_dn; });
  };
  BOOST_TEST(served(offers_too) == 3);
  BOOST_TEST(served(lacks) == 1);
  offers_too.stop();
  BOOST_TEST(eventually([&] { return search() == 52; }));
}

BOOST_AUTO_TEST_CASE(clients_bind_with_the_certificates_of_the_listeners_authorities) {
  certificate_set files;
  auto door = by_proxy();
  door.cert_path = files.server.certificate.string();
  door.key_path = files.server.key.string();
  door.client_ca_cert_path = files.ca.certificate().string();
  const auto ask = [&](const house& h, const std::string& scheme, std::vector<std::string> how,
                       const certificate_files* shown) {
    std::vector<std::string> line{"ldapwhoami", "-H", scheme + "://" + h.address()};
    line.insert(line.end(), how.begin(), how.end());
    child_process::options with;
    with.command = std::move(line);
    with.environment = {"LDAPTLS_CACERT=" + files.ca.certificate().string()};
    if (shown != nullptr) {
      with.environment.push_back("LDAPTLS_CERT=" + shown->certificate.string());
      with.environment.push_back("LDAPTLS_KEY=" + shown->key.string());
    }
    return run_program(std::move(with));
  };
  for (const bool from_the_first_byte : {false, true}) {
    door.use_ssl = from_the_first_byte;
    // It knows nobody by the name in a certificate unless it is told.
    slapd_options with;
    with.global_config = {"authz-regexp \"^cn=service$\" \"" + user_dn(6) + "\""};
    house h{door, with};
    const std::string scheme = from_the_first_byte ? "ldaps" : "ldap";
    std::vector<std::string> external{"-Q", "-Y", "EXTERNAL"}, simple{"-x", "-D", user_dn(1), "-w", user_password(1)};
    if (!from_the_first_byte) {
      external.emplace_back("-ZZ");
      simple.emplace_back("-ZZ");
    }
    const auto mine = ask(h, scheme, external, &files.client);
    BOOST_TEST(mine.status == 0, mine.error_output);
    BOOST_TEST(mine.output == "dn:" + user_dn(6) + "\n");
    // Nobody needs one, and one of somebody else's authority is none.
    const auto without = ask(h, scheme, simple, nullptr);
    BOOST_TEST(without.status == 0, without.error_output);
    BOOST_TEST(ask(h, scheme, external, nullptr).status != 0);
    BOOST_TEST(ask(h, scheme, external, &files.of_other_ca).status != 0);
  }
}

BOOST_AUTO_TEST_CASE(processes_bind_at_a_socket_as_whom_the_directory_takes_them_for) {
  temporary_folder folder;
  auto door = by_proxy();
  door.address = (folder.path() / "ldapi").string();
  slapd_options with;
  with.global_config = {"authz-regexp \"^gidNumber=[0-9]+\\\\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth$\" \"" +
                        user_dn(7) + "\""};
  house h{door, with};
  std::string encoded;
  for (const char c : door.address) encoded += c == '/' ? std::string{"%2F"} : std::string(1, c);
  const auto mine = run_program(
      child_process::options{{"ldapwhoami", "-Q", "-Y", "EXTERNAL", "-H", "ldapi://" + encoded}, {}, {}, {}});
  BOOST_TEST(mine.status == 0, mine.error_output);
  BOOST_TEST(mine.output == "dn:" + user_dn(7) + "\n");
}

BOOST_AUTO_TEST_CASE(plain_serves_as_the_name_that_it_has) {
  house h;
  raw_client client{h.port()};
  const std::string nul(1, '\0');
  client.send(sasl_bind_of(1, "PLAIN", nul + "dn:" + user_dn(2) + nul + user_password(2)));
  BOOST_TEST(decode_answer(client.read_message()).code == 0);
  client.send(extended_message(2, whoami_oid));
  BOOST_TEST(client.read_message().find("dn:" + user_dn(2)) != std::string::npos);
  client.send(sasl_bind_of(3, "PLAIN", nul + user_dn(2) + nul + "wrong"));
  BOOST_TEST(decode_answer(client.read_message()).code == 49);
  client.send(sasl_bind_of(4, "PLAIN", nul + admin_dn + nul + admin_password));
  BOOST_TEST(decode_answer(client.read_message()).code == 0);
  client.send(extended_message(5, whoami_oid));
  BOOST_TEST(client.read_message().find(admin_dn) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(after_a_rotation_clients_come_in_with_the_new_password) {
  temporary_folder folder;
  const auto file = folder.write("password", user_password(1));
  const auto began = std::chrono::steady_clock::now();
  house h{{}, {}, [&](settings& all) {
            all.servers[0].bind_dn = user_dn(1);
            all.servers[0].password = secret{};
            all.servers[0].password_file = file.string();
          }};
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0);
  h.server.change("dn: " + user_dn(1) + "\nchangetype: modify\nreplace: userPassword\nuserPassword: rotated\n");
  folder.write("password", "rotated");
  // Until the source has been looked at, and that is not done more often, clients have the old one.
  const bool is_in = h.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0;
  BOOST_TEST((is_in || std::chrono::steady_clock::now() - began > 3s));
  BOOST_TEST_REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - began > 3s; }));
  const auto before = h.server.counters();
  const auto rotated = h.run({"ldapwhoami"}, user_dn(1), "rotated");
  BOOST_TEST(rotated.status == 0, rotated.error_output);
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 49);
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(1), "guessed").status == 49);
  // Our own bind told; what clients presented was never sent.
  BOOST_TEST(h.server.counters().binds <= before.binds + 2);
}

BOOST_AUTO_TEST_CASE(who_is_idle_for_longest_makes_room_when_one_user_more_has_been_accepted) {
  house h;
  const auto is_told = [](raw_client& client) {
    const auto notice = decode_answer(client.read_message());
    BOOST_TEST(notice.id == 0);
    BOOST_TEST(notice.code == 52);
    BOOST_TEST(client.read_message().empty());
  };
  std::vector<std::unique_ptr<raw_client>> users;
  const auto enter = [&](int i) {
    users.push_back(std::make_unique<raw_client>(h.port()));
    users.back()->send(bind_message(1, user_dn(i), user_password(i)));
    BOOST_TEST(decode_answer(users.back()->read_message()).code == 0);
  };
  for (int i = 0; i < 3; ++i) enter(i);
  // That one is not the oldest any more.
  users[0]->send(extended_message(2, whoami_oid));
  BOOST_TEST(!users[0]->read_message().empty());
  // Five connections: one is everybody's, one is for the next who binds.
  enter(3);
  is_told(*users[1]);
  enter(4);
  is_told(*users[2]);
  users[0]->send(extended_message(3, whoami_oid));
  BOOST_TEST(users[0]->read_message().find(user_dn(0)) != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_thousand_wrong_binds_end_nobodys_session) {
  client_listener_settings door;
  door.proxy_protocol_from = {"127.0.0.1"};
  door.allow_plaintext = true;
  house h{door};
  const auto client_of = [&](int number) {
    auto made = std::make_unique<raw_client>(h.port());
    made->send(
        proxy_header_of({'\xc6', '\x33', static_cast<char>(number / 200), static_cast<char>(number % 200)}, 5000));
    return made;
  };
  std::vector<std::unique_ptr<raw_client>> users;
  for (int i = 0; i < 3; ++i) {
    users.push_back(client_of(1000 + i));
    users.back()->send(bind_message(1, user_dn(i), user_password(i)));
    BOOST_TEST(decode_answer(users.back()->read_message()).code == 0);
  }
  const auto since = std::chrono::steady_clock::now();
  BOOST_TEST_REQUIRE(eventually([&] { return std::chrono::steady_clock::now() - since > 1500ms; }));
  const auto before = h.server.counters();
  // From a hundred addresses, ten at once from each, every time as somebody else.
  int refused = 0;
  for (int address = 0; address < 100; ++address) {
    const auto stranger = client_of(address);
    for (int i = 0; i < 10; ++i) {
      const int id = 1 + i;
      stranger->send(bind_message(id, user_dn(100 + address * 10 + i), "guessed"));
      if (decode_answer(stranger->read_message()).code == 49) ++refused;
    }
  }
  BOOST_TEST(refused == 1000);
  BOOST_TEST(h.server.counters().binds >= before.binds + 1000);
  for (int i = 0; i < 3; ++i) {
    auto& user = *users[static_cast<std::size_t>(i)];
    user.send(extended_message(2, whoami_oid));
    BOOST_TEST(user.read_message().find("dn:" + user_dn(i)) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_login_is_one_bind_at_the_directory) {
  house h;
  const auto before = h.server.counters();
  for (int i = 0; i < 20; ++i) {
    raw_client client{h.port()};
    client.send(bind_message(1, user_dn(i % 10), user_password(i % 10)));
    BOOST_TEST(decode_answer(client.read_message()).code == 0);
    client.send(extended_message(2, whoami_oid));
    BOOST_TEST(client.read_message().find("dn:" + user_dn(i % 10)) != std::string::npos);
  }
  for (int i = 0; i < 20; ++i)
    BOOST_TEST(h.run({"ldapsearch", "-b", people_dn, "(uid=user1)"}, user_dn(i % 10), user_password(i % 10)).status ==
               0);
  const auto after = h.server.counters();
  BOOST_TEST(after.binds == before.binds + 40);
  // One after the other on the same connection.
  BOOST_TEST(after.connections_total <= before.connections_total + 5);
}

BOOST_AUTO_TEST_CASE(operations_of_clients_count_against_max_requests) {
  house h{{}, {}, [](settings& all) { all.limits.max_requests = 1; }};
  raw_client client{h.port()};
  std::string all = bind_message(1, admin_dn, admin_password);
  for (int id = 2; id < 52; ++id) all += search_message(id, people_dn, "user1");
  client.send(all);
  std::map<int, int> codes;
  while (codes.size() < 51U) {
    const auto message = client.read_message();
    BOOST_TEST_REQUIRE(!message.empty());
    const auto answer = decode_answer(message);
    if (answer.tag != 0x64) codes[answer.id] = answer.code;
  }
  const auto with = [&](int code) {
    return std::count_if(codes.begin(), codes.end(), [&](const auto& each) { return each.second == code; });
  };
  BOOST_TEST(with(0) >= 2);
  BOOST_TEST(with(51) >= 1);
  BOOST_TEST(with(0) + with(51) == 51);
}

BOOST_AUTO_TEST_CASE(who_has_written_reads_from_the_server_that_took_it) {
  stub_directory first, second;
  settings all;
  for (const auto* server : {&first, &second}) {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = server->port();
    info.bind_dn = admin_dn;
    info.password = secret{admin_password};
    all.servers.push_back(std::move(info));
  }
  all.log.level = log_level::error;
  client_listener_settings door;
  door.write_coherence = 1h;
  const auto at = serve_clients(all, door);
  raw_client client{client_port_of(*at)};
  int id = 0;
  BOOST_TEST_REQUIRE(eventually([&] {
    client.send(bind_message(++id, admin_dn, admin_password));
    return decode_answer(client.read_message()).code == 0;
  }));
  client.send(replace_message(++id, user_dn(1), "cn", "x"));
  BOOST_TEST(decode_answer(client.read_message()).code == 0);
  auto& writer = first.count(operation::modify) == 1 ? first : second;
  auto& other = &writer == &first ? second : first;
  const auto reads = [](const stub_directory& of) {
    const auto asked = of.requests(operation::search);
    return std::count_if(asked.begin(), asked.end(), [](const auto& each) { return each.dn == people_dn; });
  };
  for (int i = 0; i < 30; ++i) {
    client.send(search_message(++id, people_dn, "user1"));
    while (decode_answer(client.read_message()).tag == 0x64) continue;
  }
  BOOST_TEST(reads(writer) == 30);
  BOOST_TEST(reads(other) == 0);
}
