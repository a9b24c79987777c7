// A front door before a real directory server, asked by the LDAP clients that this machine has.
#include "served_house.hpp"
#include "session_messages.hpp"
#include "support/certificates.hpp"
#include "understudy/messages/ldap_message.hpp"
#include "understudy/messages/paged_results.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(the_services_own_password_is_compared_here_and_its_clients_share_connections) {
  house h;
  const auto before = h.server.counters();
  for (int i = 0; i < 5; ++i) {
    const auto found = h.run({"ldapsearch", "-LLL", "-b", people_dn, "(uid=user" + std::to_string(i) + ")", "cn"});
    BOOST_TEST(found.status == 0, found.error_output);
    BOOST_TEST(count_of(found.output, "dn: uid=user") == 1U);
  }
  BOOST_TEST(h.run({"ldapsearch", "-b", people_dn}, admin_dn, "wrong").status == 49);
  BOOST_TEST(h.run({"ldapwhoami"}).output.find(admin_dn) != std::string::npos);
  const auto after = h.server.counters();
  // Seven clients, and nobody bound or connected for them, but for a probe of our own.
  BOOST_TEST(after.binds <= before.binds + 1);
  BOOST_TEST(after.connections_total <= before.connections_total + 1);
  BOOST_TEST(eventually([&] { return h.at->front_door()->clients() == 0; }));
}

BOOST_AUTO_TEST_CASE(users_are_served_as_themselves) {
  house h;
  const auto mine = h.run({"ldapwhoami"}, user_dn(1), user_password(1));
  BOOST_TEST(mine.status == 0, mine.error_output);
  BOOST_TEST(mine.output == "dn:" + user_dn(1) + "\n");
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(1), "wrong").status == 49);
  const auto found = h.run({"ldapsearch", "-LLL", "-b", people_dn, "(uid=user3)", "uid"}, user_dn(2), user_password(2));
  BOOST_TEST(found.status == 0, found.error_output);
  BOOST_TEST(count_of(found.output, "dn: ") == 1U);
  // Their connections come back.
  BOOST_TEST(eventually([&] {
    const auto now = h.at->snapshot();
    return now && now.value->servers.front().pool.leased == 0;
  }));
}

BOOST_AUTO_TEST_CASE(every_operation_passes) {
  house h;
  const std::string dn = "uid=new,ou=people,dc=example,dc=com";
  const auto changed =
      h.run({"ldapmodify"}, admin_dn, admin_password,
            "dn: " + dn + "\nchangetype: add\nobjectClass: inetOrgPerson\nuid: new\ncn: New\nsn: N\n\n" + "dn: " + dn +
                "\nchangetype: modify\nreplace: cn\ncn: Newer\n\n" + "dn: " + dn +
                "\nchangetype: modrdn\nnewrdn: uid=newest\ndeleteoldrdn: 1\n\n");
  BOOST_TEST(changed.status == 0, changed.error_output);
  const std::string renamed = "uid=newest,ou=people,dc=example,dc=com";
  BOOST_TEST(h.server.values(renamed, "cn") == std::vector<std::string>{"Newer"}, boost::test_tools::per_element());
  BOOST_TEST(h.run({"ldapcompare", renamed, "cn:Newer"}).status == 6);
  BOOST_TEST(h.run({"ldapcompare", renamed, "cn:Other"}).status == 5);
  BOOST_TEST(h.run({"ldappasswd", "-s", "changed", user_dn(4)}).status == 0);
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(4), "changed").status == 0);
  BOOST_TEST(h.run({"ldapdelete", renamed}).status == 0);
  BOOST_TEST(h.run({"ldapdelete", renamed}).status == 32);
}

BOOST_AUTO_TEST_CASE(results_come_whole_and_in_pages) {
  slapd_options many;
  many.users = 300;
  house h{{}, many};
  const auto all = h.run({"ldapsearch", "-LLL", "-b", people_dn, "(uid=*)", "uid"});
  BOOST_TEST(all.status == 0, all.error_output);
  BOOST_TEST(count_of(all.output, "dn: ") == 300U);
  const auto paged = h.run({"ldapsearch", "-LLL", "-E", "!pr=70/noprompt", "-b", people_dn, "(uid=*)", "uid"});
  BOOST_TEST(paged.status == 0, paged.error_output);
  BOOST_TEST(count_of(paged.output, "dn: ") == 300U);
  const auto as_user = h.run({"ldapsearch", "-LLL", "-E", "pr=70/noprompt", "-b", people_dn, "(uid=*)", "uid"},
                             user_dn(1), user_password(1));
  BOOST_TEST(count_of(as_user.output, "dn: ") == 300U);
  BOOST_TEST(h.run({"ldapsearch", "-z", "5", "-b", people_dn, "(uid=*)"}).status == 4);
  BOOST_TEST(eventually([&] {
    const auto now = h.at->snapshot();
    return now && now.value->servers.front().pool.leased == 0;
  }));
}

BOOST_AUTO_TEST_CASE(who_does_not_bind_reads_the_root_dse) {
  house h;
  const auto dse = h.run({"ldapsearch", "-LLL", "-s", "base", "-b", "", "supportedControl", "namingContexts",
                          "supportedSASLMechanisms", "supportedExtension"},
                         "");
  BOOST_TEST(dse.status == 0, dse.error_output);
  BOOST_TEST(dse.output.find("namingContexts: dc=example,dc=com") != std::string::npos);
  BOOST_TEST(dse.output.find("2.16.840.1.113730.3.4.18") == std::string::npos);
  BOOST_TEST(h.run({"ldapsearch", "-b", people_dn}, "").status == 53);
  BOOST_TEST(h.run({"ldapsearch", "-e", "!authzid=dn:" + user_dn(1), "-b", people_dn}).status == 53);
  BOOST_TEST(run_program(child_process::options{{"ldapwhoami", "-Y", "EXTERNAL", "-H", h.uri()}, {}, {}, {}}).status !=
             0);
}

BOOST_AUTO_TEST_CASE(everybody_reads_below_the_bases_of_a_listener_that_serves_as_the_service) {
  client_listener_settings door;
  door.identity = client_identity::service;
  door.bases = {people_dn};
  house h{door};
  const auto found = h.run({"ldapsearch", "-LLL", "-b", people_dn, "(uid=user1)"}, "");
  BOOST_TEST(found.status == 0, found.error_output);
  BOOST_TEST(count_of(found.output, "dn: ") == 1U);
  BOOST_TEST(h.run({"ldapsearch", "-b", directory_suffix}, "").status == 50);
  BOOST_TEST(h.run({"ldapdelete", user_dn(1)}, "").status == 53);
}

BOOST_AUTO_TEST_CASE(start_tls_and_ldaps_show_the_listeners_certificate) {
  certificate_set files;
  client_listener_settings door;
  door.cert_path = files.server.certificate.string();
  door.key_path = files.server.key.string();
  const auto search = [&](const house& h, const std::string& scheme, std::vector<std::string> more) {
    std::vector<std::string> line{"ldapwhoami", "-x",     "-H", scheme + "://" + h.address(),
                                  "-D",         admin_dn, "-w", admin_password};
    line.insert(line.end(), more.begin(), more.end());
    return run_program(child_process::options{line, {}, {"LDAPTLS_CACERT=" + files.ca.certificate().string()}, {}});
  };
  {
    house h{door};
    const auto mine = search(h, "ldap", {"-ZZ"});
    BOOST_TEST(mine.status == 0, mine.error_output);
    BOOST_TEST(mine.output.find(admin_dn) != std::string::npos);
  }
  door.use_ssl = true;
  house h{door};
  const auto mine = search(h, "ldaps", {});
  BOOST_TEST(mine.status == 0, mine.error_output);
  raw_client plain{h.port()};
  plain.send(root_dse_of(1));
  const auto answer = plain.read_some();
  BOOST_TEST((answer.empty() || answer[0] != '\x30'));
}

BOOST_AUTO_TEST_CASE(bytes_behind_start_tls_end_the_connection) {
  certificate_set files;
  client_listener_settings door;
  door.cert_path = files.server.certificate.string();
  door.key_path = files.server.key.string();
  house h{door};
  raw_client client{h.port()};
  client.send(extended_message(1, start_tls_oid) + bind_message(2, admin_dn, admin_password));
  const auto answer = decode_answer(client.read_message());
  BOOST_TEST(answer.id == 1);
  BOOST_TEST(client.read_message().empty());
  BOOST_TEST((client.last() == read_end::end_of_stream || client.last() == read_end::reset));
}

BOOST_AUTO_TEST_CASE(a_socket_serves_who_may_open_it) {
  temporary_folder folder;
  client_listener_settings door;
  door.address = (folder.path() / "ldapi").string();
  house h{door};
  std::string encoded;
  for (const char c : door.address) encoded += c == '/' ? std::string{"%2F"} : std::string(1, c);
  const auto mine = run_program(child_process::options{
      {"ldapwhoami", "-x", "-H", "ldapi://" + encoded, "-D", user_dn(1), "-w", user_password(1)}, {}, {}, {}});
  BOOST_TEST(mine.output == "dn:" + user_dn(1) + "\n");
}

BOOST_AUTO_TEST_CASE(more_clients_than_max_clients_are_turned_away) {
  client_listener_settings door;
  door.max_clients = 2;
  house h{door};
  raw_client first{h.port()}, second{h.port()};
  first.send(root_dse_of(1));
  second.send(root_dse_of(1));
  BOOST_TEST(!first.read_message().empty());
  BOOST_TEST(!second.read_message().empty());
  raw_client third{h.port()};
  BOOST_TEST(third.read_message().empty());
  BOOST_TEST((third.last() == read_end::end_of_stream || third.last() == read_end::reset));
}

BOOST_AUTO_TEST_CASE(many_requests_at_once_are_answered_each_once) {
  house h;
  raw_client client{h.port()};
  std::string all = bind_message(1, admin_dn, admin_password);
  for (int id = 2; id < 502; ++id) all += search_message(id, people_dn, "user" + std::to_string(id % 10));
  client.send(all);
  std::map<int, int> results;
  while (results.size() < 501U) {
    const auto message = client.read_message();
    BOOST_TEST_REQUIRE(!message.empty());
    const auto answer = decode_answer(message);
    if (answer.tag == 0x64) continue;
    BOOST_TEST(answer.code == 0);
    BOOST_TEST(++results[answer.id] == 1);
  }
}

BOOST_AUTO_TEST_CASE(garbage_gets_a_notice_and_an_end) {
  house h;
  raw_client client{h.port()};
  client.send("GET / HTTP/1.1\r\n\r\n");
  const auto notice = decode_answer(client.read_message());
  BOOST_TEST(notice.id == 0);
  BOOST_TEST(notice.code == 2);
  BOOST_TEST(client.read_message().empty());
  // Too much for who has not bound.
  raw_client greedy{h.port()};
  greedy.send(std::string("\x30\x83\x02\x00\x00", 5));
  BOOST_TEST(decode_answer(greedy.read_message()).code == 2);
  BOOST_TEST(h.run({"ldapwhoami"}).status == 0);
}

BOOST_AUTO_TEST_CASE(searches_in_pages_take_no_more_than_their_share_of_the_connections) {
  house h;
  // Five connections: two searches in pages at once.
  struct reader {
    explicit reader(const house& at) : client(at.port()) {
      client.send(bind_message(1, admin_dn, admin_password));
      BOOST_TEST(decode_answer(client.read_message()).code == 0);
    }
    int next_page() {
      client.send(search_of(++id, people_dn, search_scope::one,
                            control_of(std::string{paged_results_oid}, true, encode_paged_results({2, cookie}))));
      for (;;) {
        const auto message = client.read_message();
        const auto answer = decode_answer(message);
        if (answer.tag == 0x64) continue;
        cookie = cookie_of(message);
        return answer.code;
      }
    }
    static std::string cookie_of(std::string_view message) {
      const auto content = *ber_cursor{message}.element(ber_tag::sequence);
      const auto body = *[&] {
        ber_cursor parts{content};
        parts.integer();
        return parts.element(0x65);
      }();
      const auto rest = content.substr(static_cast<std::size_t>(body.data() + body.size() - content.data()));
      const auto controls = *read_controls(rest);
      const auto* found = find_control(controls, paged_results_oid);
      return found == nullptr || !found->value ? std::string{} : decode_paged_results(*found->value)->cookie;
    }
    raw_client client;
    int id = 1;
    std::string cookie;
  };
  reader first{h}, second{h}, third{h};
  BOOST_TEST(first.next_page() == 0);
  BOOST_TEST(second.next_page() == 0);
  BOOST_TEST(!first.cookie.empty());
  // The oldest has to go when it has not been gone on with for a moment; who comes sooner is told to come again.
  int code = 0;
  BOOST_TEST(eventually([&] {
    code = third.next_page();
    return code != 51;
  }));
  BOOST_TEST(code == 0);
  BOOST_TEST(first.next_page() == 11);
  BOOST_TEST(second.next_page() == 0);
  BOOST_TEST(third.next_page() == 0);
  // Everybody else has what they need.
  BOOST_TEST(h.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0);
  BOOST_TEST(h.run({"ldapsearch", "-b", people_dn, "(uid=user1)"}).status == 0);
  // What was begun is lost with its server, and that is said as often as somebody asks.
  const auto kept = second.cookie;
  h.server.kill9();
  BOOST_TEST(eventually([&] { return h.run({"ldapsearch", "-b", people_dn, "(uid=user1)"}).status == 52; }));
  for (int i = 0; i < 2; ++i) {
    second.cookie = kept;
    BOOST_TEST(second.next_page() == 52);
  }
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_down_is_unavailable_at_once_and_back_when_it_is_back) {
  house h;
  h.server.kill9();
  BOOST_TEST(eventually([&] { return h.run({"ldapsearch", "-b", people_dn, "(uid=user1)"}).status == 52; }));
  h.server.start();
  BOOST_TEST(eventually([&] { return h.run({"ldapsearch", "-b", people_dn, "(uid=user1)"}).status == 0; }));
  BOOST_TEST(eventually([&] { return h.run({"ldapwhoami"}, user_dn(1), user_password(1)).status == 0; }));
}

BOOST_AUTO_TEST_CASE(a_stop_says_goodbye) {
  house h;
  raw_client bound{h.port()}, silent{h.port()};
  bound.send(bind_message(1, user_dn(1), user_password(1)));
  BOOST_TEST(decode_answer(bound.read_message()).code == 0);
  silent.send(root_dse_of(1));
  BOOST_TEST(!silent.read_message().empty());
  BOOST_TEST(!silent.read_message().empty());
  BOOST_TEST(h.at->stop(5s));
  for (auto* client : {&bound, &silent}) {
    const auto notice = decode_answer(client->read_message());
    BOOST_TEST(notice.id == 0);
    BOOST_TEST(notice.code == 52);
    BOOST_TEST(client->read_message().empty());
  }
}

BOOST_AUTO_TEST_CASE(a_reload_opens_and_closes_listeners_and_keeps_who_is_in) {
  house h;
  raw_client client{h.port()};
  client.send(bind_message(1, admin_dn, admin_password));
  BOOST_TEST(decode_answer(client.read_message()).code == 0);
  auto next = settings_for({&h.server});
  const reserved_port other;
  next.front_door.listeners.front().address = "127.0.0.1:" + std::to_string(other.number());
  const auto old_port = h.port();
  BOOST_TEST_REQUIRE(static_cast<bool>(h.at->reload(next)));
  BOOST_TEST(h.port() == other.number());
  BOOST_TEST(!raw_client(old_port).connected());
  client.send(search_message(2, people_dn, "user1"));
  BOOST_TEST(decode_answer(client.read_message()).tag == 0x64);
  BOOST_TEST(h.run({"ldapwhoami"}).status == 0);
  // Where somebody else listens nothing can be opened, and all stays as it is.
  next.front_door.listeners.front().address = "127.0.0.1:" + std::to_string(h.server.port());
  BOOST_TEST(!h.at->reload(next));
  BOOST_TEST(h.port() == other.number());
}

BOOST_AUTO_TEST_CASE(a_client_that_goes_gives_back_what_it_held) {
  house h;
  for (int i = 0; i < 3; ++i) {
    raw_client client{h.port()};
    client.send(bind_message(1, user_dn(i), user_password(i)) + search_message(2, people_dn, "user1"));
    BOOST_TEST(decode_answer(client.read_message()).code == 0);
  }
  BOOST_TEST(eventually([&] {
    const auto now = h.at->snapshot();
    return h.at->front_door()->clients() == 0 && now && now.value->servers.front().pool.leased == 0 &&
           now.value->servers.front().pool.acquired == now.value->servers.front().pool.released;
  }));
}
