// Nodes that are linked over TLS: requests and answers, who may come in, and what ends a link.
#include "runtime/basp_bytes.hpp"
#include "runtime/test_node.hpp"
#include "support/contains.hpp"
#include "support/free_port.hpp"
#include "support/leak_check.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>

#include <sys/socket.h>

#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// Requests that are sent together.
class many_requests {
 public:
  many_requests(caf::actor_system& system, const node_gateway_actor& gateway, const std::string& text,
                std::size_t count)
      : asker_(system.spawn([=, known = known_](caf::event_based_actor* self) {
          for (std::size_t i = 0; i < count; ++i)
            self->request(gateway, caf::infinite, text)
                .then([known](const std::string&) { known->note({}); },
                      [known](const caf::error& why) { known->note(describe(*failure_of(why))); });
        })) {}
  /// Until so many have an answer.
  bool wait(std::size_t count) const {
    return eventually([&] {
      const std::lock_guard lock{known_->mutex};
      return known_->answered >= count;
    });
  }
  std::size_t failures() const {
    const std::lock_guard lock{known_->mutex};
    return known_->failures;
  }
  std::string failure() const {
    const std::lock_guard lock{known_->mutex};
    return known_->failure;
  }

 private:
  struct counts {
    std::mutex mutex;
    std::size_t answered = 0, failures = 0;
    std::string failure;
    void note(const std::string& why) {
      const std::lock_guard lock{mutex};
      ++answered;
      if (why.empty()) return;
      ++failures;
      failure = why;
    }
  };
  std::shared_ptr<counts> known_ = std::make_shared<counts>();
  caf::actor asker_;
};

/// A node that listens, and a caller's actor system.
struct pair_of_nodes {
  test_node server, client;
  std::uint16_t port = server.listen();
};

}  // namespace

// ---- what links are for ----

BOOST_FIXTURE_TEST_CASE(a_gateway_answers_requests_of_another_node, pair_of_nodes) {
  const test_caller caller{client, {port}};
  BOOST_TEST(caller.ask("hello") == "hello");
  BOOST_TEST(caller.ask("") == "");
  BOOST_TEST(caller.ask("who") == "client.example read");
  const std::string long_text(1'000'000, 'x');
  BOOST_TEST((caller.ask(long_text) == long_text));
  BOOST_TEST(caller.ask("big 2000000").size() == 2'000'000u);
  for (int i = 0; i < 300; ++i) BOOST_TEST_REQUIRE(caller.ask(std::to_string(i)) == std::to_string(i));

  const auto peers = server.links->peers();
  BOOST_REQUIRE(peers.size() == 1u);
  BOOST_TEST(peers.front().name == "client.example");
  BOOST_TEST((peers.front().side == link_side::accepted));
  BOOST_TEST(peers.front().received > 1'000'000u);
  BOOST_TEST(peers.front().sent > 3'000'000u);
  BOOST_TEST(caller.peer().name == "127.0.0.1");
  BOOST_TEST((caller.peer().side == link_side::dialled));
  BOOST_TEST(server.log->says("a node has come in peer=client.example"));
  BOOST_TEST(server.log->says("permission=read"));
  BOOST_TEST(client.log->says("linked to a node peer=127.0.0.1"));
  BOOST_TEST(server.log->says("TLSv1.3"));
}

BOOST_AUTO_TEST_CASE(what_a_peer_may_do_goes_by_the_listener) {
  test_node server, first, second;
  const auto reads = server.listen(secured_listener(node_permission::read)),
             admin = server.listen(secured_listener(node_permission::admin));
  const test_caller one{first, {reads}}, two{second, {admin}};
  BOOST_TEST(one.ask("who") == "client.example read");
  BOOST_TEST(two.ask("who") == "client.example admin");
  BOOST_TEST(one.ask("who") == "client.example read");
}

BOOST_FIXTURE_TEST_CASE(a_node_is_never_sent_more_than_it_takes, pair_of_nodes) {
  const test_caller caller{client, {port}};
  BOOST_TEST_REQUIRE(caller.linked());
  const auto most = basp_rules{}.most_unanswered;
  many_requests asked{client.system, caller.gateway(), "hold", most + 10};
  BOOST_TEST(asked.wait(10), "those beyond are refused at once");
  BOOST_TEST(asked.failures() == 10u);
  BOOST_TEST(contains(asked.failure(), "queue_full"));
  BOOST_TEST(eventually([&] { return server.asked().size() == most; }));
  BOOST_TEST(server.release() == most);
  BOOST_TEST(asked.wait(most + 10));
  BOOST_TEST(asked.failures() == 10u);
  // In bytes, and one that is too long for itself.
  const auto longest = node_links_options{}.longest_text;
  BOOST_TEST(contains(caller.ask(std::string(longest + 1, 'x')), "invalid_request"));
  BOOST_TEST(caller.ask(std::string(longest, 'x')).size() == longest);
  many_requests heavy{client.system, caller.gateway(), std::string(longest - 1, 'x'), 30};
  BOOST_TEST(heavy.wait(30));
  BOOST_TEST(heavy.failures() > 0u);
  BOOST_TEST(contains(heavy.failure(), "queue_full"));
  BOOST_TEST(caller.ask("still there") == "still there");
  BOOST_TEST(caller.links() == 1);
}

// ---- ends ----

BOOST_FIXTURE_TEST_CASE(every_request_is_answered_when_the_link_is_lost, pair_of_nodes) {
  const test_caller caller{client, {port}};
  BOOST_TEST_REQUIRE(caller.linked());
  const auto gateway = caller.gateway();
  many_requests asked{client.system, gateway, "hold", 50};
  BOOST_TEST_REQUIRE(eventually([&] { return server.asked().size() == 50u; }));
  for (const auto& peer : server.links->peers()) server.links->cut(peer.link, "the test wants it");
  BOOST_TEST(asked.wait(50));
  BOOST_TEST(asked.failures() == 50u);
  BOOST_TEST(contains(asked.failure(), "connection_failed: the link to the node 127.0.0.1 was lost"));
  BOOST_TEST(caller.lost(1));
  BOOST_TEST(contains(ask(client.system, gateway, "late"), "error: "), "nobody is left without an answer");
  BOOST_TEST(eventually([&] { return server.log->says("cause=the test wants it"); }), server.log->all());
  // And it comes back by itself.
  BOOST_TEST_REQUIRE(eventually([&] { return caller.links() == 2 && caller.linked(0ms); }));
  BOOST_TEST(caller.ask("again") == "again");
  BOOST_TEST(server.links->peers().size() == 1u);
}

BOOST_AUTO_TEST_CASE(who_goes_says_so_and_who_is_cut_off_is_worth_a_warning) {
  test_node server;
  const auto port = server.listen();
  const auto goodbyes = [](const test_node& at) {
    return at.log->says("the link to a node has ended") && at.log->says("cause=the peer closed the link");
  };
  {
    test_node guest;
    const test_caller caller{guest, {port}};
    BOOST_TEST_REQUIRE(caller.ask("hello") == "hello");
  }
  BOOST_TEST(eventually([&] { return goodbyes(server); }), server.log->all());
  BOOST_TEST(!server.log->says("warning: the link to a node has ended"), server.log->all());
  test_node stays;
  {
    test_node going;
    const test_caller caller{stays, {going.listen()}};
    BOOST_TEST_REQUIRE(caller.ask("hello") == "hello");
    BOOST_TEST(going.links->close(seconds{5}));
    BOOST_TEST(eventually([&] { return goodbyes(stays); }), stays.log->all());
    BOOST_TEST(!stays.log->says("warning: the link to a node has ended"), stays.log->all());
  }
  byte_peer killed{stays, port};
  BOOST_TEST_REQUIRE(killed.shake(made_up_node(stays.system, 77)));
  BOOST_TEST_REQUIRE(eventually([&] { return server.links->peers().size() == 1U; }));
  ::shutdown(killed.socket(), SHUT_RDWR);
  BOOST_TEST(eventually([&] { return server.log->says("warning: the link to a node has ended"); }), server.log->all());
}

BOOST_FIXTURE_TEST_CASE(a_gateway_that_ends_costs_its_links, pair_of_nodes) {
  const test_caller caller{client, {port}};
  BOOST_TEST_REQUIRE(caller.linked());
  server.end_gateway();
  BOOST_TEST(caller.lost(1));
  BOOST_TEST(contains(caller.why_lost(), "its gateway has ended"));
}

BOOST_AUTO_TEST_CASE(another_node_is_taken_when_one_is_lost) {
  test_node client, second;
  std::optional<test_node> first{std::in_place};
  const auto one = first->listen(), two = second.listen();
  const test_caller caller{client, {one, two}};
  BOOST_TEST(caller.ask("hello") == "hello");
  BOOST_TEST(first->asked().size() == 1u);
  first.reset();
  BOOST_TEST(caller.lost(1));
  BOOST_TEST(caller.ask("hello") == "hello");
  BOOST_TEST(second.asked().size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_node_that_listens_nowhere_is_dialled_until_it_does) {
  test_node client, server;
  const reserved_port port;
  const test_caller caller{client, {port.number()}};
  BOOST_TEST(contains(caller.unreachable(), "connection_failed"));
  BOOST_TEST(contains(caller.unreachable(), "127.0.0.1:" + std::to_string(port.number())));
  auto options = secured_listener();
  options.address = "127.0.0.1:" + std::to_string(port.number());
  server.listen(options);
  BOOST_TEST(caller.ask("hello") == "hello");
}

// ---- the clock ----

BOOST_AUTO_TEST_CASE(a_peer_that_says_nothing_any_more_is_given_up_by_the_clock_of_bytes) {
  node_links_options impatient;
  impatient.limits.silence = 1s;
  test_node server{impatient, 50ms}, client{{}, 50ms}, other;
  const auto port = server.listen();
  const test_caller caller{client, {port}};
  BOOST_TEST_REQUIRE(caller.linked());
  byte_peer mute{other, port};
  BOOST_TEST_REQUIRE(mute.shake(made_up_node(other.system, 1)));
  BOOST_TEST(eventually([&] { return server.links->peers().size() == 2u; }));
  BOOST_TEST(mute.ended());
  BOOST_TEST(eventually([&] { return server.log->says("cause=nothing came from the peer for 1s"); }));
  // Heartbeats alone keep the other one.
  BOOST_TEST(holds_for([&] { return server.links->peers().size() == 1u; }, 1500ms));
  BOOST_TEST(caller.links() == 1);
}

BOOST_AUTO_TEST_CASE(a_peer_that_takes_nothing_is_given_up_though_it_speaks) {
  node_links_options impatient;
  impatient.limits.silence = 2s;
  test_node server{impatient, 50ms}, other;
  byte_peer deaf{other, server.listen()};
  BOOST_TEST_REQUIRE(deaf.shake(made_up_node(other.system, 1)));
  const auto text = node_rules(server.system, 1)->requests.begin()->first;
  for (std::uint64_t i = 1; i <= 40; ++i) {
    auto p = basp::request(i, text, 0);
    p.payload += std::string("\x0b", 1) + "big 1000000";
    p.destination = server.gateway.id();
    BOOST_TEST_REQUIRE(deaf.send(basp::bytes_of(p)));
  }
  basp::parts beat;
  beat.operation = basp::heartbeat;
  beat.source = beat.destination = 0;
  BOOST_TEST(eventually([&] {
               deaf.send(basp::bytes_of(beat));
               return server.log->says("cause=the peer took nothing for 2s");
             }),
             server.log->all());
}

// ---- one link for a node ----

BOOST_FIXTURE_TEST_CASE(an_actor_system_has_one_link_to_a_node, pair_of_nodes) {
  const test_caller first{client, {port}};
  BOOST_TEST_REQUIRE(first.linked());
  const test_caller second{client, {port}};
  BOOST_TEST(contains(second.unreachable(), "a node id that has a link already"));
  BOOST_TEST(first.ask("hello") == "hello");
  BOOST_TEST(first.links() == 1);
}

BOOST_AUTO_TEST_CASE(two_nodes_that_dial_each_other_have_one_link) {
  test_node a, b;
  const auto to_a = a.listen(), to_b = b.listen();
  // A node that serves shows its caller's certificate when it dials.
  const test_caller from_a{a, {to_b}}, from_b{b, {to_a}};
  BOOST_TEST_REQUIRE(eventually([&] { return from_a.linked(0ms) || from_b.linked(0ms); }));
  const auto settled = [&] { return a.links->peers().size() == 1 && b.links->peers().size() == 1; };
  BOOST_TEST_REQUIRE(eventually(settled));
  const auto& there = from_a.linked(0ms) ? from_a : from_b;
  for (int i = 0; i < 20; ++i) BOOST_TEST(there.ask("hello") == "hello");
}

BOOST_AUTO_TEST_CASE(a_node_talks_to_itself_no_more_than_to_strangers) {
  test_node alone;
  const auto port = alone.listen();
  const test_caller caller{alone, {port}};
  BOOST_TEST(contains(caller.unreachable(), "own node id"));
  BOOST_TEST(alone.asked().empty());
}

// ---- certificates that are replaced ----

BOOST_AUTO_TEST_CASE(certificates_are_replaced_under_load_and_no_link_notices) {
  auto authority = node_certificates().ca;
  const auto shown = authority.issue("replaced");
  auto options = secured_listener();
  options.tls->certificate_path = shown.certificate;
  options.tls->key_path = shown.key;
  test_node server, client, later;
  const auto port = server.listen(options);
  const test_caller caller{client, {port}};
  BOOST_TEST_REQUIRE(caller.linked());
  const many_requests before{client.system, caller.gateway(), std::string(100'000, 'x'), 100};
  authority.issue("replaced");
  // Files are looked at when somebody comes in, once a second.
  BOOST_TEST(eventually([&] {
    const test_caller visitor{later, {port}};
    // The same node was here a moment ago: while CAF still has its last link it is refused, and comes again.
    BOOST_TEST_REQUIRE(eventually([&] { return visitor.ask("hello") == "hello"; }, 5s));
    return server.log->says("the changed certificates are in use");
  }));
  BOOST_TEST(before.wait(100));
  BOOST_TEST(before.failures() == 0u, before.failure());
  BOOST_TEST(caller.ask("hello") == "hello");
  BOOST_TEST(caller.links() == 1);
}

// ---- plain text ----

BOOST_AUTO_TEST_CASE(one_certificate_has_so_many_links_and_takes_nobody_elses) {
  test_node server, greedy, friendly;
  auto options = secured_listener();
  options.links_of_name = 2;
  const auto port = server.listen(options);
  std::optional<byte_peer> first{std::in_place, greedy, port};
  byte_peer second{greedy, port};
  BOOST_TEST(!first->receive(32).empty());
  BOOST_TEST(!second.receive(32).empty());
  byte_peer third{greedy, port};
  BOOST_TEST(third.ended());
  BOOST_TEST(eventually([&] { return server.log->says("2 links to this listener already"); }), server.log->all());
  // Another name has its own, and who goes makes room.
  const test_caller guest{friendly, {port}, caller_certificates(node_certificates().client)};
  BOOST_TEST(guest.ask("hello") == "hello");
  first.reset();
  const test_caller next{greedy, {port}};
  BOOST_TEST(next.ask("hello") == "hello");
}

BOOST_AUTO_TEST_CASE(plain_text_is_for_this_machine_alone) {
  test_node server, client;
  node_listener_options plain;
  for (const auto* everywhere : {":0", "[::]:0", "0.0.0.0:0", "192.0.2.1:0", "127.0.0.2:0"}) {
    plain.address = everywhere;
    BOOST_CHECK_EXCEPTION(server.listen(plain), listener_error,
                          [](const auto& e) { return contains(e.what(), "plain text"); });
  }
  plain.address = "127.0.0.1:0";
  const test_caller caller{client, {server.listen(plain)}, std::nullopt};
  BOOST_TEST(caller.ask("who") == "this machine read");
}

BOOST_AUTO_TEST_CASE(a_listener_without_an_authority_for_its_peers_is_refused) {
  test_node server;
  auto options = secured_listener();
  options.tls->ca_path.clear();
  BOOST_CHECK_EXCEPTION(server.listen(options), listener_error,
                        [](const auto& e) { return contains(e.what(), "authority"); });
}

// ---- nothing stays ----

BOOST_AUTO_TEST_CASE(hundreds_of_actor_systems_of_one_process_do_not_take_each_others_links) {
  // CAF counts the actor systems of a process by a byte, which is all that tells their node ids apart.
  static_cast<void>(caller_certificate());
  test_node server;
  const auto port = server.listen();
  test_node first;
  const test_caller stays{first, {port}};
  BOOST_TEST_REQUIRE(stays.ask("hello") == "hello");
  std::set<std::string> ids{to_string(server.system.node()), to_string(first.system.node())};
  const leak_guard nothing_left;
  for (int i = 0; i < 300; ++i) {
    test_node client;
    ids.insert(to_string(client.system.node()));
    const test_caller caller{client, {port}};
    BOOST_TEST_REQUIRE(caller.linked(),
                       "the actor system number " << i << ": " << client.log->all() << server.log->all());
    BOOST_TEST_REQUIRE(caller.ask("hello") == "hello", "the actor system number " << i << ": " << client.log->all());
  }
  BOOST_TEST(ids.size() == 302U);
  BOOST_TEST(stays.ask("hello") == "hello");
  BOOST_TEST(stays.links() == 1);
  BOOST_TEST(eventually([&] { return server.links->peers().size() == 1; }));
}

BOOST_AUTO_TEST_CASE(a_heartbeat_that_comes_when_an_actor_system_has_ended_its_links_does_not_keep_them) {
  caf::weak_actor_ptr broker;
  bool came = false;
  {
    test_node node;
    broker = caf::actor_cast<caf::weak_actor_ptr>(basp_broker_of(node.system));
    broker->get()->attach_functor([&broker, &came] {
      // As CAF's clock sends it.
      const auto self = broker.lock();
      self->enqueue(caf::make_mailbox_element(self, caf::make_message_id(), {}, caf::tick_atom_v), nullptr);
      came = true;
    });
  }
  BOOST_TEST(came);
  BOOST_TEST(!broker.lock());
}

BOOST_AUTO_TEST_CASE(links_and_actor_systems_leave_nothing) {
  static_cast<void>(caller_certificate());
  { const pair_of_nodes warm; }
  const leak_guard nothing_left;
  for (int i = 0; i < 60; ++i) {
    pair_of_nodes nodes;
    const test_caller caller{nodes.client, {nodes.port}};
    BOOST_TEST_REQUIRE(caller.ask("hello") == "hello");
  }
}
