// A peer whose certificate is good and whose process is not: what of its bytes CAF gets to see.
#include "understudy/runtime/platform/basp_guard.hpp"
#include "runtime/basp_bytes.hpp"
#include "support/property.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/all.hpp>
#include <caf/io/middleman.hpp>

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <optional>
#include <thread>

using namespace understudy::internal;
using namespace understudy::test;
using namespace understudy::test::basp;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t own_number = 3;

struct peer_link {
  std::shared_ptr<basp_rules> rules = std::make_shared<basp_rules>();
  std::vector<std::uint64_t> ended_links;  ///< by others
  std::shared_ptr<basp_nodes> nodes =
      std::make_shared<basp_nodes>(node('s'), [this](auto link) { ended_links.push_back(link); });
  std::optional<basp_guard> it;
  std::vector<char> passed;

  explicit peer_link(link_side ours = link_side::accepted) {
    rules->requests = {{ping, 200}};
    rules->answers = {{pong, 200}};
    it.emplace(rules, nodes, ours, "peer.example", gateway, own_number);
  }
  bool give(const std::string& bytes) {
    passed.clear();
    return it->receive(bytes, passed);
  }
  bool give(const parts& p) { return give(bytes_of(p)); }
  bool shake() {
    parts p;
    p.operation = client_handshake;
    p.payload = node('p');
    return give(p);
  }
  bool passes(const parts& p) {
    const auto bytes = bytes_of(p);
    return give(bytes) && std::string(passed.begin(), passed.end()) == bytes;
  }
  bool swallows(const parts& p) { return give(p) && passed.empty(); }
  bool ends(const parts& p, const std::string& why) {
    const bool ended = !give(p) && passed.empty();
    BOOST_TEST(it->why() == why);
    return ended;
  }
};

struct established_link : peer_link {
  established_link() { BOOST_REQUIRE(shake()); }
};

}  // namespace

// ---- what a sound peer does ----

BOOST_FIXTURE_TEST_CASE(requests_to_the_gateway_and_answers_to_ours_pass, established_link) {
  BOOST_TEST(it->established());
  BOOST_TEST(passes(request(1)));
  BOOST_TEST(it->unanswered() == 1u);
  it->send(bytes_of(answer(1, sender)));
  BOOST_TEST(it->unanswered() == 0u);

  parts ours = request(9);
  ours.source = 40;
  it->send(bytes_of(ours));
  BOOST_TEST(passes(answer(9, 40)));

  parts beat;
  beat.operation = heartbeat;
  BOOST_TEST(passes(beat));
  parts watch;
  watch.operation = monitor;
  watch.payload = node('p') + node('s');
  BOOST_TEST(passes(watch));
  watch.operation = down;
  watch.payload += "reason";
  BOOST_TEST(passes(watch));
}

// ---- and what not ----

BOOST_AUTO_TEST_CASE(nothing_passes_before_the_handshake_and_no_handshake_out_of_place) {
  BOOST_TEST(peer_link{}.ends(request(1), "no handshake at the beginning"));
  parts theirs;
  theirs.operation = server_handshake;
  theirs.payload = node('p') + "interfaces";
  BOOST_TEST(peer_link{}.ends(theirs, "no handshake at the beginning"));
  peer_link dialled{link_side::dialled};
  BOOST_TEST(dialled.passes(theirs));
  BOOST_TEST(dialled.ends(theirs, "a handshake out of place"));
  parts short_one;
  short_one.operation = client_handshake;
  short_one.payload = "id";
  BOOST_TEST(peer_link{}.ends(short_one, "a message that is too short"));
}

BOOST_FIXTURE_TEST_CASE(a_length_is_judged_before_anything_is_waited_for, established_link) {
  for (const auto operation : {message, monitor, down, heartbeat, client_handshake}) {
    established_link fresh;
    parts p;
    p.operation = operation;
    p.claimed = 0xffffffff;
    BOOST_TEST(fresh.ends(p, "a message that is too long"), int{operation});
  }
}

BOOST_FIXTURE_TEST_CASE(routed_messages_and_unknown_operations_end_the_link, established_link) {
  for (const int operation : {int{routed}, 7, 200}) {
    established_link fresh;
    parts p;
    p.operation = static_cast<std::uint8_t>(operation);
    BOOST_TEST(fresh.ends(p, "an operation that is not spoken here"), operation);
  }
}

BOOST_AUTO_TEST_CASE(a_node_id_belongs_to_one_link_at_a_time) {
  peer_link first;
  BOOST_TEST(first.shake());
  const auto refusal = [&](const std::string& peer, const std::string& id, link_side side = link_side::accepted) {
    basp_guard other{first.rules, first.nodes, side, peer, gateway, own_number + 1};
    parts p;
    p.operation = side == link_side::accepted ? client_handshake : server_handshake;
    p.payload = id;
    std::vector<char> passed;
    const bool good = other.receive(bytes_of(p), passed);
    BOOST_TEST(good == other.why().empty());
    return std::string{other.why()};
  };
  BOOST_TEST(refusal("another.example", node('p')) == "a node id that belongs to another peer");
  BOOST_TEST(refusal("another.example", node('s')) == "our own node id");
  BOOST_TEST(refusal("peer.example", node('p'), link_side::dialled) == "a node id that has a link already");
  BOOST_TEST(first.ended_links.empty());
  // It has come again: the earlier link is dead, or it is another process that has the same id.
  BOOST_TEST(refusal("peer.example", node('p')) == "a node id whose earlier link had to be ended first");
  BOOST_TEST(first.ended_links == std::vector<std::uint64_t>{own_number}, boost::test_tools::per_element());
  BOOST_TEST(first.nodes->link_of(node('p')) == own_number);
  first.it.reset();
  BOOST_TEST(first.nodes->link_of(node('p')) == 0u);
  BOOST_TEST(refusal("another.example", node('p')) == "", "nobody has it any more");

  peer_link dialled{link_side::dialled};
  parts theirs;
  theirs.operation = server_handshake;
  theirs.payload = node('p');
  BOOST_TEST(dialled.passes(theirs));
  basp_guard crossing{dialled.rules, dialled.nodes, link_side::accepted, "peer.example", gateway, own_number + 1};
  parts p;
  p.operation = client_handshake;
  p.payload = node('p');
  std::vector<char> passed;
  BOOST_TEST(!crossing.receive(bytes_of(p), passed));
  BOOST_TEST(crossing.why() == "a node id that has a link already");
  BOOST_TEST(dialled.ended_links.empty());
}

BOOST_FIXTURE_TEST_CASE(nobody_speaks_for_another_node, established_link) {
  parts again;
  again.operation = client_handshake;
  again.payload = node('q');
  BOOST_TEST(ends(again, "another node id than before"));
  for (const auto& payload : {node('q') + node('s'), node('p') + node('q')}) {
    established_link fresh;
    parts p;
    p.operation = down;
    p.payload = payload;
    BOOST_TEST(fresh.ends(p, "a node id that is not its own"));
  }
}

BOOST_FIXTURE_TEST_CASE(only_the_gateway_is_reached, established_link) {
  auto other = request(1);
  other.destination = gateway + 1;
  BOOST_TEST(swallows(other));
  auto named = request(2);
  named.flags = 1;  // named receiver: CAF's servers for spawning and for its configuration
  BOOST_TEST(swallows(named));
  BOOST_TEST(it->unanswered() == 0u);
  BOOST_TEST(passes(request(3)));

  basp_guard closed{rules,     std::make_shared<basp_nodes>(node('s'), nullptr), link_side::accepted, "peer.example", 0,
                    own_number};
  parts p;
  p.operation = client_handshake;
  p.payload = node('p');
  BOOST_TEST(closed.receive(bytes_of(p), passed));
  passed.clear();
  BOOST_TEST(closed.receive(bytes_of(request(1)), passed));
  BOOST_TEST(passed.empty());
}

BOOST_FIXTURE_TEST_CASE(one_way_messages_and_streams_end_the_link, established_link) {
  BOOST_TEST(ends(request(0), "a message that is no request"));
  established_link fresh;
  auto part = request(1);
  part.data |= stream;
  BOOST_TEST(fresh.ends(part, "a message of a stream"));
}

BOOST_FIXTURE_TEST_CASE(answers_that_nobody_asked_for_are_swallowed, established_link) {
  BOOST_TEST(swallows(answer(9, 40)));
  parts ours = request(9);
  ours.source = 40;
  it->send(bytes_of(ours));
  BOOST_TEST(swallows(answer(9, 41)), "to another actor");
  BOOST_TEST(swallows(answer(8, 40)), "to another request");
  BOOST_TEST(passes(answer(9, 40)));
  BOOST_TEST(swallows(answer(9, 40)), "a second one");
}

BOOST_FIXTURE_TEST_CASE(only_the_types_that_are_spoken_pass_and_only_in_their_size, established_link) {
  BOOST_TEST(passes(request(1, ping, 100)));
  BOOST_TEST(ends(request(2, ping, 200), "a message that is too long for its type"));
  const auto end = [](const parts& p, const std::string& why) {
    established_link fresh;
    BOOST_TEST(fresh.ends(p, why));
  };
  // An error as a message ends the actor that gets it; a message within a message is parsed by recursion.
  end(request(1, "@<>+@error"), "a type of message that is not spoken here");
  end(request(1, "@<>+@message"), "a type of message that is not spoken here");
  end(request(1, pong), "a type of message that is not spoken here");
  end(request(1, ""), "a type of message that is not spoken here");
  end(request(1, std::string(300, 'x')), "a type of message that is not spoken here");
  for (const auto& payload :
       {std::string{}, std::string(2, '\0'), std::string{"\1\0\0\4", 4} + "ping", std::string{"\0\0\1\4", 4} + "ping",
        std::string(3, '\0'), std::string{"\0\0\0\377\377\377\377\377", 8}, std::string{"\0\0\0\50", 4} + ping}) {
    auto p = request(1);
    p.payload = payload;
    end(p, "a malformed message");
  }
}

BOOST_FIXTURE_TEST_CASE(requests_are_told_apart, established_link) {
  BOOST_TEST(passes(request(1)));
  it->send(bytes_of(answer(2, sender)));
  it->send(bytes_of(answer(1, sender + 1)));
  BOOST_TEST(it->unanswered() == 1u, "answers to others");
  auto another = request(1);
  another.source = sender + 1;
  BOOST_TEST(passes(another));
  BOOST_TEST(ends(request(1), "a request under the number of another"));
  established_link fresh;
  auto nobody = request(1);
  nobody.source = 0;
  BOOST_TEST(fresh.ends(nobody, "a request that cannot be answered"));
}

BOOST_FIXTURE_TEST_CASE(unanswered_requests_are_bounded_in_bytes, established_link) {
  rules->most_unanswered_bytes = 2 * content(ping, 100).size();
  BOOST_TEST(passes(request(1, ping, 100)));
  BOOST_TEST(passes(request(2, ping, 100)));
  it->send(bytes_of(answer(1, sender)));
  BOOST_TEST(passes(request(3, ping, 100)));
  BOOST_TEST(ends(request(4, ping, 0), "more requests than it has credit for"));
}

BOOST_FIXTURE_TEST_CASE(credit_and_senders_are_bounded, established_link) {
  for (std::uint64_t i = 1; i <= rules->most_unanswered; ++i) BOOST_TEST_REQUIRE(passes(request(i)));
  it->send(bytes_of(answer(1, sender)));
  BOOST_TEST(passes(request(1000)));
  BOOST_TEST(ends(request(1001), "more requests than it has credit for"));

  established_link crowd;
  for (std::uint64_t i = 0; i < crowd.rules->most_senders; ++i) {
    auto p = request(i + 1);
    p.source = 100 + i;
    BOOST_TEST_REQUIRE(crowd.passes(p));
    crowd.it->send(bytes_of(answer(i + 1, p.source)));
  }
  parts ended;
  ended.operation = down;
  ended.source = 100;
  ended.payload = node('p') + node('s');
  BOOST_TEST(crowd.passes(ended));
  auto p = request(5000);
  p.source = 5000;
  BOOST_TEST(crowd.passes(p));
  p.source = 5001;
  BOOST_TEST(crowd.ends(p, "more senders than may be remembered"));
}

// ---- cut anywhere ----

namespace {

struct cut {
  int which = 0;            ///< of the messages below
  std::uint8_t change = 0;  ///< of one byte, at …
  int at = 0;
};

std::ostream& operator<<(std::ostream& out, const cut& c) {
  return out << c.which << '^' << int{c.change} << '@' << c.at;
}

std::string written(const std::vector<cut>& cuts) {
  std::string all;
  for (const auto& c : cuts) {
    parts p = c.which == 0 ? request(3) : c.which == 1 ? answer(9, 40) : request(4, pong);
    if (c.which == 3) p.operation = heartbeat, p.payload.clear();
    auto bytes = bytes_of(p);
    bytes[static_cast<std::size_t>(c.at) % bytes.size()] ^= static_cast<char>(c.change);
    all += bytes;
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(how_bytes_are_cut_changes_nothing) {
  check_property("guard", {3000, 100}, [] {
    const auto cuts =
        *list_of(rc::gen::build<cut>(rc::gen::set(&cut::which, rc::gen::inRange(0, 4)),
                                     rc::gen::set(&cut::change, rc::gen::weightedOneOf<std::uint8_t>(
                                                                    {{5, rc::gen::just(std::uint8_t{0})},
                                                                     {1, rc::gen::arbitrary<std::uint8_t>()}})),
                                     rc::gen::set(&cut::at, rc::gen::inRange(0, 100))))
             .as("messages");
    const auto step = *rc::gen::inRange(1, 80);
    const auto bytes = written(cuts);
    established_link whole, pieces;
    parts ours = request(9);
    ours.source = 40;
    for (auto* one : {&whole, &pieces}) one->it->send(bytes_of(ours)), one->passed.clear();
    const bool good = whole.it->receive(bytes, whole.passed);
    bool also = true;
    for (std::size_t at = 0; also && at < bytes.size(); at += static_cast<std::size_t>(step))
      also = pieces.it->receive(std::string_view{bytes}.substr(at, static_cast<std::size_t>(step)), pieces.passed);
    RC_ASSERT(good == also);
    RC_ASSERT(whole.passed == pieces.passed);
    RC_ASSERT(std::string{whole.it->why()} == pieces.it->why());
    RC_ASSERT(whole.it->unanswered() == pieces.it->unanswered());
  });
}

// ---- what CAF itself says ----

namespace {

class descriptor {
 public:
  explicit descriptor(int fd) : fd_(fd) { BOOST_REQUIRE(fd >= 0); }
  ~descriptor() { ::close(fd_); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return to;
}

std::string id_of(caf::actor_system& system) {
  std::vector<char> bytes;
  caf::binary_serializer out{system, bytes};
  BOOST_REQUIRE(!out(system.node()));
  return {bytes.begin(), bytes.end()};
}

std::string signature(caf::actor_system& system, const caf::message& of) {
  std::string text = "@<>";
  for (std::size_t i = 0; i < of.size(); ++i) text += "+" + system.types().portable_name(of.type(i));
  return text;
}

using adder = caf::typed_actor<caf::replies_to<caf::add_atom, std::uint64_t>::with<std::uint64_t>>;

/// Two nodes of CAF's, and between them one who hands on what both guards let through.
class guarded_pair {
 public:
  guarded_pair() {
    auto sums = server.spawn(
        [](adder::pointer) -> adder::behavior_type { return {[](caf::add_atom, std::uint64_t x) { return x + 1; }}; });
    rules->requests = {{signature(server, caf::make_message(caf::add_atom::value, std::uint64_t{})), 200}};
    rules->answers = {{signature(server, caf::make_message(std::uint64_t{})), 200}};
    at_server.emplace(rules, std::make_shared<basp_nodes>(id_of(server), nullptr), link_side::accepted, "client",
                      sums.id(), own_number);
    at_client.emplace(rules, std::make_shared<basp_nodes>(id_of(client), nullptr), link_side::dialled, "server", 0,
                      own_number);
    gateway_ = sums;
    port_ = server.middleman().publish(sums, 0, "127.0.0.1").value();
    auto any = loopback(0);
    socklen_t size = sizeof any;
    BOOST_REQUIRE(::bind(door_.get(), reinterpret_cast<sockaddr*>(&any), size) == 0);
    BOOST_REQUIRE(::listen(door_.get(), 1) == 0);
    BOOST_REQUIRE(::getsockname(door_.get(), reinterpret_cast<sockaddr*>(&any), &size) == 0);
    between = ntohs(any.sin_port);
    thread_ = std::thread{[this] { forward(); }};
  }
  ~guarded_pair() {
    over_ = true;
    thread_.join();
    caf::anon_send_exit(gateway_, caf::exit_reason::kill);
  }
  guarded_pair(const guarded_pair&) = delete;
  guarded_pair& operator=(const guarded_pair&) = delete;

  struct config : caf::actor_system_config {
    config() {
      load<caf::io::middleman>();
      set("scheduler.max-threads", 1);
    }
  };
  config server_config, client_config;
  caf::actor_system server{server_config}, client{client_config};
  std::shared_ptr<basp_rules> rules = std::make_shared<basp_rules>();
  std::optional<basp_guard> at_server, at_client;
  std::uint16_t between = 0;
  std::atomic<bool> cut{false};  ///< a guard ended it

 private:
  void forward() {
    pollfd waits{door_.get(), POLLIN, 0};
    while (!over_ && ::poll(&waits, 1, 20) <= 0) {
    }
    if (over_) return;
    const descriptor near{::accept(door_.get(), nullptr, nullptr)}, far{::socket(AF_INET, SOCK_STREAM, 0)};
    const auto to = loopback(port_);
    if (::connect(far.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return;
    while (!over_ && !cut && forward(near, far, *at_server, *at_client) && forward(far, near, *at_client, *at_server)) {
    }
  }
  bool forward(const descriptor& from, const descriptor& to, basp_guard& reads, basp_guard& writes) {
    pollfd waits{from.get(), POLLIN, 0};
    if (::poll(&waits, 1, 1) <= 0) return true;
    char bytes[4096];
    const auto n = ::read(from.get(), bytes, sizeof bytes);
    if (n <= 0) return false;
    const std::string_view came{bytes, static_cast<std::size_t>(n)};
    writes.send(came);
    std::vector<char> passed;
    cut = !reads.receive(came, passed);
    return passed.empty() ||
           ::send(to.get(), passed.data(), passed.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(passed.size());
  }

  adder gateway_;
  std::uint16_t port_ = 0;
  descriptor door_{::socket(AF_INET, SOCK_STREAM, 0)};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_caf_itself_says_passes_and_what_is_not_listed_does_not) {
  guarded_pair pair;
  const auto remote = pair.client.middleman().remote_actor<adder>("127.0.0.1", pair.between);
  BOOST_REQUIRE(remote);
  caf::scoped_actor self{pair.client};
  const auto ask = [&](auto... content) {
    std::optional<std::uint64_t> sum;
    self->request(caf::actor_cast<caf::actor>(*remote), 20s, content...)
        .receive([&](std::uint64_t x) { sum = x; }, [](const caf::error&) {});
    return sum;
  };
  for (std::uint64_t i = 0; i < 300; ++i) BOOST_TEST_REQUIRE((ask(caf::add_atom::value, i) == i + 1));
  BOOST_TEST(pair.at_server->established());
  BOOST_TEST(pair.at_client->established());
  BOOST_TEST(pair.at_server->unanswered() == 0u);
  BOOST_TEST(!pair.cut.load());
  BOOST_TEST(!ask(caf::add_atom::value, std::string(100, 'x')).has_value());
  BOOST_TEST(pair.cut.load());
  BOOST_TEST(pair.at_server->why() == "a type of message that is not spoken here");
}
