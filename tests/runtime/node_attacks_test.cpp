// A peer whose certificate is good and whose process is not: what it can do to a node, and to others there.
#include "runtime/basp_bytes.hpp"
#include "runtime/test_node.hpp"
#include "support/raw_client.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/send.hpp>

#include <fstream>
#include <future>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

std::size_t resident_megabytes() {
  std::ifstream file{"/proc/self/statm"};
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * 4096 / (1024 * 1024);
}

node_links_options small_buffers() {
  node_links_options options;
  options.limits.most_unsent = 4 * 1024 * 1024;
  return options;
}

/// A node with an honest caller, who is served before and after whatever happens.
struct attacked_node {
  explicit attacked_node(const node_links_options& options = small_buffers(), std::size_t may_grow_by = 60)
      : server(options), allowed(may_grow_by) {
    BOOST_TEST_REQUIRE(honest.ask("hello") == "hello");
    before = resident_megabytes();
  }
  ~attacked_node() {
    BOOST_TEST(honest.ask("hello") == "hello");
    BOOST_TEST(honest.links() == 1);
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
    BOOST_TEST(resident_megabytes() < before + allowed, resident_megabytes() << " MB, and " << before << " MB before");
#endif
  }
  std::string signature() { return node_rules(server.system, 1)->requests.begin()->first; }
  /// As CAF writes a request for the gateway.
  basp::parts ask(std::uint64_t id, const std::string& text) {
    std::string length;
    for (auto n = text.size(); length.empty() || n != 0; n >>= 7)
      length += static_cast<char>((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
    auto p = basp::request(id, signature(), 0);
    p.payload += length + text;
    p.destination = server.gateway.id();
    return p;
  }
  std::string own_node() { return made_up_node(other.system, ++nodes); }
  /// A peer that has introduced itself.
  byte_peer introduced() {
    byte_peer peer{other, port};
    BOOST_REQUIRE(peer.shake(own_node()));
    return peer;
  }
  /// Sends that, after its introduction, and is ended.
  void ends(const basp::parts& sent, const std::string& why) {
    auto peer = introduced();
    BOOST_TEST(peer.send(basp::bytes_of(sent)));
    BOOST_TEST(peer.ended(), why);
    BOOST_TEST(eventually([&] { return server.log->says("cause=the peer sent " + why); }), server.log->all());
  }
  /// Sends that, and is served afterwards as if it had not.
  void is_ignored(const basp::parts& sent) {
    auto peer = introduced();
    BOOST_TEST(peer.send(basp::bytes_of(sent) + basp::bytes_of(ask(77, "and now"))));
    std::string all;
    while (all.find("and now") == std::string::npos) {
      const auto more = peer.receive(1);
      BOOST_TEST_REQUIRE(!more.empty());
      all += more;
    }
  }

  test_node server, friendly{}, other{};
  const std::size_t allowed;
  std::uint16_t port = server.listen();
  test_caller honest{friendly, {port}};
  std::size_t before = 0;
  std::uint32_t nodes = 1000;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_peer_that_speaks_basp_by_hand_is_served, attacked_node) {
  // So that the other tests fail when what they send is no good in itself.
  is_ignored(ask(1, "twice"));
  BOOST_TEST(server.asked().size() == 3u);
}

BOOST_FIXTURE_TEST_CASE(lengths_that_are_too_great_end_the_link_before_anything_is_kept, attacked_node) {
  for (const auto operation : {basp::message, basp::monitor, basp::down, basp::heartbeat, basp::client_handshake}) {
    basp::parts p;
    p.operation = operation;
    p.claimed = 0xffffffff;
    ends(p, "a message that is too long");
  }
  basp::parts first;
  first.claimed = 0x7fffffff;
  byte_peer peer{other, port};
  BOOST_TEST(peer.send(basp::bytes_of(first)));
  BOOST_TEST(peer.ended());
  BOOST_TEST(eventually([&] { return server.log->says("cause=the peer sent no handshake at the beginning"); }));
}

BOOST_AUTO_TEST_CASE(without_the_guard_a_header_makes_caf_take_the_memory_that_it_names) {
  // Plain BASP, as caf::io publishes it: nobody asks for a certificate, nobody looks at lengths. What allocates is the
  // header alone; not one byte of the message has to come.
  struct plain_config : actor_config {
    plain_config() { load<caf::io::middleman>(); }
  } config;
  caf::actor_system system{config};
  const auto served = system.spawn(
      [](caf::event_based_actor*) -> caf::behavior { return {[](const std::string& text) { return text; }}; });
  const auto port = system.middleman().publish(served, 0, "127.0.0.1");
  BOOST_TEST_REQUIRE(static_cast<bool>(port));
  constexpr std::size_t named = std::size_t{192} * 1024 * 1024;
  const auto before = resident_megabytes();
  raw_client stranger{*port};
  BOOST_TEST_REQUIRE(stranger.connected());
  basp::parts hello;
  hello.operation = basp::client_handshake;
  hello.source = hello.destination = 0;
  hello.payload = made_up_node(system, 1);
  basp::parts large;
  large.claimed = named;
  stranger.send(basp::bytes_of(hello) + basp::bytes_of(large));
  BOOST_TEST(eventually([&] { return resident_megabytes() > before + named / (1024 * 1024) * 3 / 4; }),
             resident_megabytes() << " MB, and " << before << " MB before");
  caf::anon_send_exit(served, caf::exit_reason::kill);
}

BOOST_FIXTURE_TEST_CASE(messages_of_other_types_end_the_link, attacked_node) {
  for (const auto* type : {"@<>+@charbuf", "@<>+@message", "@<>+@error", "@<>+@exit", "@<>+@down", "@<>+@atom+@str",
                           "@<>+@strvec", "@<>+@actor"}) {
    auto p = basp::request(1, type, 200'000);
    p.destination = server.gateway.id();
    ends(p, "a type of message that is not spoken here");
  }
}

BOOST_FIXTURE_TEST_CASE(a_text_that_is_longer_than_its_message_is_kept_out_of_memory, attacked_node) {
  auto p = basp::request(1, signature(), 0);
  p.payload += std::string("\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 9) + "short";
  p.destination = server.gateway.id();
  is_ignored(p);
}

BOOST_FIXTURE_TEST_CASE(messages_that_are_no_requests_end_the_link, attacked_node) {
  auto one_way = ask(0, "one way");
  ends(one_way, "a message that is no request");
  auto part = ask(1, "part");
  part.data |= basp::stream;
  ends(part, "a message of a stream");
  auto nobody = ask(1, "nobody");
  nobody.source = 0;
  ends(nobody, "a request that cannot be answered");
  auto routed = ask(1, "routed");
  routed.operation = basp::routed;
  ends(routed, "an operation that is not spoken here");
  BOOST_TEST(server.asked().size() == 1u);
}

BOOST_FIXTURE_TEST_CASE(nobody_but_the_gateway_is_reached, attacked_node) {
  const auto whole = static_cast<std::uint64_t>(caf::atom("SpawnServ"));
  for (const auto id : {std::uint64_t{1}, std::uint64_t{2}, server.gateway.id() + 1, std::uint64_t{0}, whole}) {
    auto p = ask(1, "hello");
    p.destination = id;
    is_ignored(p);
  }
  for (const auto name : {caf::atom("SpawnServ"), caf::atom("ConfigServ")}) {
    auto p = ask(1, "hello");
    p.flags = 1;
    p.destination = static_cast<std::uint64_t>(name);
    is_ignored(p);
  }
  is_ignored(basp::answer(1, server.gateway.id(), signature()));
}

BOOST_FIXTURE_TEST_CASE(nobody_takes_the_place_of_another_node, attacked_node) {
  const auto honest_node = node_bytes(friendly.system, friendly.system.node());
  // With another certificate: refused. It is not for us to say whether a second process with the same one is a thief.
  byte_peer thief{other, port, node_certificates().client};
  thief.shake(honest_node);
  BOOST_TEST(thief.ended());
  BOOST_TEST(eventually([&] { return server.log->says("a node id that belongs to another peer"); }));
  byte_peer mirror{other, port};
  mirror.shake(node_bytes(server.system, server.system.node()));
  BOOST_TEST(mirror.ended());
  basp::parts again;
  again.operation = basp::client_handshake;
  again.payload = own_node();
  ends(again, "another node id than before");
  for (const auto operation : {basp::monitor, basp::down}) {
    basp::parts p;
    p.operation = operation;
    p.payload = honest_node + node_bytes(server.system, server.system.node());
    ends(p, "a node id that is not its own");
  }
}

BOOST_FIXTURE_TEST_CASE(floods_end_the_link_at_their_limits, attacked_node) {
  const basp_rules rules;
  {
    auto peer = introduced();
    std::string all;
    for (std::uint64_t i = 1; i <= rules.most_unanswered + 1; ++i) all += basp::bytes_of(ask(i, "hold"));
    peer.send(all);
    BOOST_TEST(peer.ended());
    BOOST_TEST(server.asked().size() <= 1 + rules.most_unanswered);
    server.release();
  }
  {
    auto peer = introduced();
    for (std::uint64_t i = 1; i <= rules.most_senders + 1; ++i) {
      auto p = ask(i, "hello");
      p.source = 10'000 + i;
      if (!peer.send(basp::bytes_of(p)) || peer.receive(1, 1s).empty()) break;
    }
    BOOST_TEST(peer.ended());
    BOOST_TEST(eventually([&] { return server.log->says("more senders than may be remembered"); }));
  }
  {
    auto peer = introduced();
    const auto twice = basp::bytes_of(ask(5, "hold"));
    peer.send(twice + twice);
    BOOST_TEST(peer.ended());
    server.release();
  }
}

BOOST_FIXTURE_TEST_CASE(who_does_not_read_is_ended_at_a_bound, attacked_node) {
  auto peer = introduced();
  // Each answer frees its place while it lies in CAF's buffer; TCP alone holds back the next.
  for (std::uint64_t i = 1; i < 30; ++i)
    if (!peer.send(basp::bytes_of(ask(i, "big 1000000")))) break;
  BOOST_TEST(eventually([&] { return server.log->says("cause=the peer does not take what is sent to it"); }));
}

BOOST_AUTO_TEST_CASE(who_reads_slowly_gets_all_that_it_asked_for) {
  constexpr std::size_t asked = 14, bytes = 3'500'000;
  attacked_node node{node_links_options{}, 400};
  auto peer = node.introduced();
  for (std::uint64_t i = 1; i <= asked; ++i)
    BOOST_TEST_REQUIRE(peer.send(basp::bytes_of(node.ask(i, "big " + std::to_string(bytes)))));
  // All of it is there before it takes any.
  BOOST_TEST_REQUIRE(eventually([&] { return node.server.asked().size() == asked + 1; }));
  BOOST_TEST(node.server.links->peers().size() == 2U);
  BOOST_TEST(peer.receive(asked * bytes, 60s).size() >= asked * bytes);
  BOOST_TEST(node.server.links->peers().size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(notices_about_actors_without_end_are_bounded, attacked_node) {
  auto peer = introduced();
  basp::parts p;
  p.operation = basp::monitor;
  p.source = 0;
  p.payload = made_up_node(other.system, nodes) + node_bytes(server.system, server.system.node());
  std::string many;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    p.destination = 1'000'000 + i;
    many += basp::bytes_of(p);
  }
  for (int i = 0; i < 200 && peer.send(many); ++i) {
  }
}

BOOST_FIXTURE_TEST_CASE(nodes_that_came_and_went_leave_nothing, attacked_node) {
  const auto remembered = [&] {
    std::promise<std::size_t> told;
    server.system.middleman().backend().post([&] {
      const auto broker = basp_broker_of(server.system);
      told.set_value(
          static_cast<caf::io::basp_broker*>(caf::actor_cast<caf::abstract_actor*>(broker))->spawn_servers.size());
    });
    return told.get_future().get();
  };
  BOOST_TEST(remembered() == 1u);
  for (int i = 0; i < 50; ++i) introduced().send(basp::bytes_of(ask(1, "hello")));
  BOOST_TEST(eventually([&] { return server.links->peers().size() == 1u; }));
  BOOST_TEST(eventually([&] { return remembered() == 1u; }));
}
