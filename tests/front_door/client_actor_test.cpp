// A client's actor on a real socket and virtual time: how long it waits for a client, and how much it holds for it.
#include "understudy/actors/front_door/client_actor.hpp"
#include "session_messages.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/connection/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

/// TLS whose handshake waits for a client that says nothing.
class mute_handshake final : public byte_stream {
 public:
  byte_stream_result handshake() override { return waits(); }
  byte_stream_result read(char*, std::size_t) override { return waits(); }
  byte_stream_result write(const char*, std::size_t) override { return waits(); }
  std::size_t largest_write() const noexcept override { return 1; }
  bool drained_by_short_read() const noexcept override { return true; }
  void shut_down() noexcept override {}
  std::string encryption() const override { return "none"; }

 private:
  static byte_stream_result waits() {
    byte_stream_result step;
    step.what = byte_stream_result::kind::want_read;
    return step;
  }
};

/// A client at the other end of a pair of sockets; whom it would be served by, nobody is.
struct client_rig : virtual_runtime {
  explicit client_rig(client_rules with = {}, std::shared_ptr<partial_messages> shared = nullptr,
                      std::string from = "192.0.2.1")
      : partial(shared ? std::move(shared) : std::make_shared<partial_messages>()) {
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    const auto nobody = own(system.spawn([](caf::event_based_actor* self) {
      self->set_default_handler(caf::skip);  // never answered
      return caf::behavior{[](credential_atom, const std::string&, const secret&) { return service_claim::right; }};
    }));
    client_dependencies needs;
    needs.env = env;
    needs.router = caf::actor_cast<circuit_breaker_actor>(caf::actor_cast<caf::strong_actor_ptr>(nobody));
    needs.manager = caf::actor_cast<connection_manager_actor>(caf::actor_cast<caf::strong_actor_ptr>(nobody));
    needs.rules = std::make_shared<client_rules>(std::move(with));
    needs.limiter = std::make_shared<bind_limiter>();
    needs.partial = partial;
    needs.secure = [](int) { return std::make_unique<mute_handshake>(); };
    needs.on_end = [this] { ended = true; };
    auto connection = std::make_shared<client_connection>();
    connection->fd = ends[0];
    connection->stream = make_plain_stream(ends[0]);
    connection->address = "192.0.2.1:1";
    connection->origin = {std::move(from), false, true, true};
    actor = own(spawn_client(system, std::move(needs), std::move(connection)));
    settle();
  }
  ~client_rig() {
    kill(actor);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void say(const std::string& bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      const auto sent = ::send(ends[1], bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent > 0) at += static_cast<std::size_t>(sent);
      settle();
      if (ended) return;
    }
  }
  void bind_as_service() {
    say(bind_message(1, "cn=service", "secret"));
    BOOST_TEST(hear() == std::vector<int>{0}, boost::test_tools::per_element());
  }
  /// What the client takes of what was said to it.
  std::string take_bytes() {
    std::string all;
    char bytes[65536];
    for (ssize_t got = 0; (got = ::recv(ends[1], bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
      all.append(bytes, static_cast<std::size_t>(got));
    return all;
  }
  /// Result codes of whole messages that were said to it; the last one of a notice.
  std::vector<int> hear() {
    std::vector<int> codes;
    for (const auto& each : answers_in(take_bytes())) codes.push_back(each.code);
    return codes;
  }
  void wait(duration span) {
    advance(span);
    settle();
  }

  int ends[2] = {-1, -1};
  std::shared_ptr<partial_messages> partial;
  client_actor actor;
  bool ended = false;
};

/// A bind as nobody: it is answered here.
const std::string anonymous_bind = bind_message(1, "", "");

/// An add of so many bytes and a few.
std::string long_message(std::size_t size) {
  return ber_element(ber_tag::sequence,
                     ber_integer(2) + ber_element(0x68, ber_octets("cn=a") + ber_octets(std::string(size, 'x'))));
}

/// What may be counted where messages have the usual length.
const auto limits = partial_messages::limits_for(client_rules{}.max_pdu_bytes);

}  // namespace

BOOST_AUTO_TEST_CASE(a_message_that_is_not_gone_on_with_for_half_a_minute_ends_its_client) {
  client_rig r;
  const auto whole = search_of(2, "dc=example,dc=com");
  r.say(whole.substr(0, 9));
  r.wait(29s);
  BOOST_TEST(!r.ended);
  // Each byte is a sign of life.
  r.say(whole.substr(9, 1));
  r.wait(29s);
  BOOST_TEST(!r.ended);
  BOOST_TEST(r.hear().empty());
  r.wait(1s);
  BOOST_TEST(r.ended);
  BOOST_TEST(r.hear() == std::vector<int>{2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_client_that_takes_none_of_its_answers_for_a_minute_is_ended) {
  client_rig r;
  // More answers than the socket holds.
  const int small = 4096;
  ::setsockopt(r.ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += anonymous_bind;
  r.say(many);
  r.wait(59s);
  BOOST_TEST(!r.ended);
  // What it takes gives it another minute.
  BOOST_TEST(!r.take_bytes().empty());
  r.settle();
  r.wait(59s);
  BOOST_TEST(!r.ended);
  r.wait(1s);
  BOOST_TEST(r.ended);
}

BOOST_AUTO_TEST_CASE(half_a_handshake_after_start_tls_ends_at_ten_seconds) {
  client_rig r;
  r.say(extended_message(1, start_tls_oid));
  BOOST_TEST(r.hear() == std::vector<int>{0}, boost::test_tools::per_element());
  // It goes on saying something, which is no handshake.
  for (int i = 0; i < 9; ++i) {
    BOOST_TEST(::send(r.ends[1], "x", 1, MSG_NOSIGNAL) == 1);
    r.run();
    r.advance(1s);
  }
  r.advance(milliseconds{999});
  BOOST_TEST(!r.ended);
  r.advance(milliseconds{1});
  BOOST_TEST(r.ended);
}

BOOST_AUTO_TEST_CASE(a_message_of_which_a_byte_comes_now_and_then_ends_its_client_at_two_minutes) {
  client_rig r;
  const auto whole = bind_message(1, "cn=" + std::string(1000, 'x'), "secret");
  r.say(whole.substr(0, 100));
  for (std::size_t at = 100; at < 111; ++at) {
    r.wait(10s);
    r.say(whole.substr(at, 1));
  }
  // One that is complete in time is no business of the next one's.
  r.wait(9s);
  r.say(whole.substr(111));
  BOOST_TEST(r.hear() == std::vector<int>{0}, boost::test_tools::per_element());
  r.say(whole.substr(0, 100));
  for (std::size_t at = 100; at < 111; ++at) {
    r.wait(10s);
    r.say(whole.substr(at, 1));
  }
  r.wait(9s);
  BOOST_TEST(!r.ended);
  BOOST_TEST(r.hear().empty());
  r.wait(1s);
  BOOST_TEST(r.ended);
  BOOST_TEST(r.hear() == std::vector<int>{2}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(small_messages_are_free_of_the_bounds_for_all_clients_and_one_address) {
  partial_messages all;
  BOOST_TEST(partial_messages::counted(partial_messages::free_bytes) == 0U);
  BOOST_TEST(partial_messages::counted(partial_messages::free_bytes + 7) == 7U);
  const partial_limits most{100, 60};
  BOOST_TEST(all.change("a", 0, 60, most));
  BOOST_TEST(!all.change("a", 0, 1, most));
  BOOST_TEST(!all.change("a", 30, 31, most));
  BOOST_TEST(all.change("b", 0, 40, most));
  // There is no more for anybody.
  BOOST_TEST(!all.change("c", 0, 1, most));
  BOOST_TEST(all.change("a", 60, 20, most));
  BOOST_TEST(all.change("c", 0, 40, most));
  BOOST_TEST(all.bytes() == 100U);
  BOOST_TEST(all.bytes_of("a") == 20U);
  BOOST_TEST(all.bytes_of("c") == 40U);
  // What becomes less is never refused, and leaves nothing.
  for (const auto& [address, bytes] : {std::pair{"a", 20U}, std::pair{"b", 40U}, std::pair{"c", 40U}})
    BOOST_TEST(all.change(address, bytes, 0, {}));
  BOOST_TEST(all.bytes() == 0U);
  BOOST_TEST(all.bytes_of("a") == 0U);
}

BOOST_AUTO_TEST_CASE(one_address_has_a_quarter_and_room_for_one_message) {
  const auto usual = partial_messages::limits_for(16 * 1024 * 1024);
  BOOST_TEST(usual.all == 256U * 1024 * 1024);
  BOOST_TEST(usual.of_address == 64U * 1024 * 1024);
  const auto longer = partial_messages::limits_for(100 * 1024 * 1024);
  BOOST_TEST(longer.all == 400U * 1024 * 1024);
  BOOST_TEST(longer.of_address == 100U * 1024 * 1024);
}

BOOST_AUTO_TEST_CASE(what_the_clients_of_one_address_have_begun_and_not_ended_is_bounded_together) {
  const auto shared = std::make_shared<partial_messages>();
  // Of half a mebibyte, and the end never comes.
  const auto whole = long_message(512 * 1024);
  const auto begun = whole.substr(0, whole.size() - 1);
  const auto counted = partial_messages::counted(begun.size());
  {
    client_rig first({}, shared), second({}, shared);
    for (auto* const each : {&first, &second}) {
      each->bind_as_service();
      each->say(begun);
      BOOST_TEST(!each->ended);
    }
    BOOST_TEST(shared->bytes() == 2 * counted);
    // Others of its address have taken the rest: who goes on with a long one is told to come again.
    const auto rest = limits.of_address - shared->bytes();
    BOOST_TEST(shared->change("192.0.2.1", 0, rest, limits));
    client_rig third({}, shared);
    third.bind_as_service();
    third.say(begun.substr(0, 60'000));
    BOOST_TEST(!third.ended);
    third.say(begun.substr(60'000));
    BOOST_TEST(third.hear() == std::vector<int>{51}, boost::test_tools::per_element());
    BOOST_TEST(third.ended);
    BOOST_TEST(shared->bytes() == limits.of_address);
    // Who comes from elsewhere does not know.
    client_rig elsewhere({}, shared, "192.0.2.2");
    elsewhere.bind_as_service();
    elsewhere.say(begun);
    BOOST_TEST(!elsewhere.ended);
    BOOST_TEST(shared->bytes_of("192.0.2.2") == counted);
    // A message that is complete is counted no more.
    BOOST_TEST(shared->change("192.0.2.1", rest, 0, {}));
    first.say(whole.substr(whole.size() - 1));
    BOOST_TEST(shared->bytes_of("192.0.2.1") == counted);
  }
  BOOST_TEST(shared->bytes() == 0U);
  BOOST_TEST(shared->bytes_of("192.0.2.1") == 0U);
}

BOOST_AUTO_TEST_CASE(what_all_clients_have_begun_and_not_ended_is_bounded_together) {
  const auto shared = std::make_shared<partial_messages>();
  for (const auto* const each : {"a", "b", "c", "d"}) BOOST_TEST(shared->change(each, 0, limits.of_address, limits));
  client_rig r({}, shared);
  r.bind_as_service();
  r.say(long_message(128 * 1024).substr(0, 100 * 1024));
  BOOST_TEST(r.hear() == std::vector<int>{51}, boost::test_tools::per_element());
  BOOST_TEST(r.ended);
  BOOST_TEST(shared->bytes() == limits.all);
}

BOOST_AUTO_TEST_CASE(whole_messages_are_not_counted_as_such_that_are_not_complete) {
  const auto shared = std::make_shared<partial_messages>();
  for (const auto* const each : {"a", "b", "c", "d"}) BOOST_TEST(shared->change(each, 0, limits.of_address, limits));
  client_rules rules;
  rules.max_pending = 1;
  client_rig r(rules, shared);
  r.bind_as_service();
  // In one turn of the poller, which is more than is free.
  const auto binds = 2 * partial_messages::free_bytes / anonymous_bind.size();
  std::string many;
  for (std::size_t i = 0; i < binds; ++i) many += anonymous_bind;
  r.say(many);
  std::string said;
  for (std::string more; !(more = r.take_bytes()).empty(); r.settle()) said += more;
  BOOST_TEST(answers_in(said).size() == binds);
  BOOST_TEST(!r.ended);
  // Those that wait for the end of the one that is under way.
  r.bind_as_service();
  const auto all = search_of(2, "dc=example,dc=com") + many;
  BOOST_TEST(::send(r.ends[1], all.data(), all.size(), MSG_NOSIGNAL) > 100'000);
  r.settle();
  BOOST_TEST(!r.ended);
  BOOST_TEST(r.hear().empty());
  BOOST_TEST(shared->bytes() == limits.all);
}
