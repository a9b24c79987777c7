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
  explicit client_rig(client_rules with = {}, std::shared_ptr<partial_messages> shared = nullptr)
      : partial(shared ? std::move(shared) : std::make_shared<partial_messages>()) {
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    const auto nobody = own(system.spawn([](caf::event_based_actor* self) {
      self->set_default_handler(caf::drop);
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
    connection->origin = {"192.0.2.1", false, true, true};
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

BOOST_AUTO_TEST_CASE(small_messages_are_free_of_the_bound_for_all_clients) {
  partial_messages all;
  BOOST_TEST(partial_messages::counted(partial_messages::free_bytes) == 0U);
  BOOST_TEST(partial_messages::counted(partial_messages::free_bytes + 7) == 7U);
  BOOST_TEST(all.change(0, 100, 100));
  BOOST_TEST(!all.change(0, 1, 100));
  BOOST_TEST(!all.change(40, 41, 100));
  BOOST_TEST(all.change(100, 60, 100));
  BOOST_TEST(all.change(0, 40, 100));
  BOOST_TEST(all.bytes() == 100U);
}

BOOST_AUTO_TEST_CASE(what_all_clients_have_begun_and_not_ended_is_bounded_together) {
  const auto shared = std::make_shared<partial_messages>();
  // An add of half a mebibyte, of which the end never comes.
  const auto whole =
      ber_element(ber_tag::sequence,
                  ber_integer(2) + ber_element(0x68, ber_octets("cn=a") + ber_octets(std::string(512 * 1024, 'x'))));
  const auto begun = whole.substr(0, whole.size() - 1);
  const auto counted = partial_messages::counted(begun.size());
  {
    client_rig first({}, shared), second({}, shared);
    for (auto* const each : {&first, &second}) {
      each->say(bind_message(1, "cn=service", "secret"));
      BOOST_TEST(each->hear() == std::vector<int>{0}, boost::test_tools::per_element());
      each->say(begun);
      BOOST_TEST(!each->ended);
    }
    BOOST_TEST(shared->bytes() == 2 * counted);
    // Others have taken the rest: who goes on with a long one is told to come again.
    const auto rest = partial_messages::most_bytes - shared->bytes();
    BOOST_TEST(shared->change(0, rest, partial_messages::most_bytes));
    client_rig third({}, shared);
    third.say(bind_message(1, "cn=service", "secret"));
    BOOST_TEST(third.hear() == std::vector<int>{0}, boost::test_tools::per_element());
    third.say(begun.substr(0, 60'000));
    BOOST_TEST(!third.ended);
    third.say(begun.substr(60'000));
    BOOST_TEST(third.hear() == std::vector<int>{51}, boost::test_tools::per_element());
    BOOST_TEST(third.ended);
    // A message that is complete is counted no more.
    BOOST_TEST(shared->change(rest, 0, 0));
    first.say(whole.substr(whole.size() - 1));
    BOOST_TEST(shared->bytes() == counted);
  }
  BOOST_TEST(shared->bytes() == 0U);
}
