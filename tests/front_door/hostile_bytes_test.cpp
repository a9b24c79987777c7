// Bytes that are nearly a client's messages: each is taken whole, waited for or refused, whatever it says.
#include "session_messages.hpp"
#include "support/mutation.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <chrono>
#include <cstring>
#include <memory>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

std::string request_of(int id, std::uint8_t tag, const std::string& body, const std::string& controls = {}) {
  return ber_element(ber_tag::sequence, ber_integer(id) + ber_element(tag, body) + controls);
}

/// One of every kind that a client may send, and of every choice within.
std::vector<std::string> messages_of_every_kind() {
  const auto text = [](const std::string& bytes) { return ber_octets(bytes); };
  const auto list = [](const std::string& bytes) { return ber_element(ber_tag::sequence, bytes); };
  const auto set = [](const std::string& bytes) { return ber_element(ber_tag::set, bytes); };
  const auto assertion = text("uid") + text("alice");
  const auto filter = ber_element(
      0xa0,
      ber_element(0xa1, ber_element(0xa3, assertion) + ber_element(0xa5, assertion)) +
          ber_element(0xa2, ber_octets("mail", 0x87)) + ber_element(0xa6, assertion) + ber_element(0xa8, assertion) +
          ber_element(0xa4, text("cn") + list(ber_octets("a", 0x80) + ber_octets("b", 0x81) + ber_octets("c", 0x82))) +
          ber_element(0xa9, ber_octets("2.5.13.2", 0x81) + ber_octets("cn", 0x82) + ber_octets("a", 0x83) +
                                ber_element(0x84, "\xff")));
  const auto search = text("dc=example,dc=com") + ber_integer(2, ber_tag::enumerated) +
                      ber_integer(0, ber_tag::enumerated) + ber_integer(100) + ber_integer(10) +
                      ber_element(ber_tag::boolean, std::string(1, '\0')) + filter + list(text("cn") + text("mail"));
  const auto attribute_of = list(text("cn") + set(text("Alice") + text("A.")));
  return {bind_message(1, "uid=alice,dc=example,dc=com", "password"),
          sasl_bind_of(2, "SCRAM-SHA-256", "n,,n=alice,r=abc"),
          sasl_bind_of(3, "CRAM-MD5"),
          sasl_bind_of(4, "PLAIN", std::string{"\0dn:uid=a\0password", 18}),
          request_of(5, 0x63, search, control_of("1.2.840.113556.1.4.319", true, list(ber_integer(10) + text("")))),
          request_of(6, 0x66, text("uid=alice") + list(list(ber_integer(2, ber_tag::enumerated) + attribute_of))),
          request_of(7, 0x68, text("uid=alice") + list(attribute_of)),
          request_of(8, 0x4a, "uid=alice", control_of("1.2.840.113556.1.4.805", false)),
          request_of(
              9, 0x6c,
              text("uid=alice") + text("uid=bob") + ber_element(ber_tag::boolean, "\xff") + ber_octets("dc=com", 0x80)),
          request_of(10, 0x6e, text("uid=alice") + list(assertion)),
          extended_message(11, whoami_oid),
          extended_of(12, password_modify_oid, list(ber_octets("uid=alice", 0x80) + ber_octets("new", 0x82))),
          extended_of(13, "1.3.6.1.1.8", list(ber_integer(5))),
          abandon_message(14, 5),
          unbind_message(15)};
}

enum class ending : std::uint8_t { message, need_more, refused };

/// As a client's actor does. The bytes stand alone in memory: reading behind them is found by sanitizers.
ending take(const std::string& bytes, client_session& session) {
  const std::unique_ptr<char[]> alone{new char[bytes.size()]};
  std::memcpy(alone.get(), bytes.data(), bytes.size());
  const std::string_view stream{alone.get(), bytes.size()};
  const auto frame = frame_pdu(stream, 4096);
  if (frame.state == pdu_frame::status::partial) return ending::need_more;
  if (frame.state == pdu_frame::status::malformed) return ending::refused;
  BOOST_TEST_REQUIRE(frame.size <= stream.size());
  const auto pdu = stream.substr(0, frame.size);
  const auto message = read_client_message(pdu);
  // What it refers to is in it.
  if (message)
    for (const auto part : {message->op, message->body, message->controls})
      BOOST_TEST_REQUIRE(
          (part.empty() || (part.data() >= pdu.data() && part.data() + part.size() <= pdu.data() + pdu.size())));
  session.on_message(pdu, time_point{seconds{1}});
  return message ? ending::message : ending::refused;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_that_are_nearly_messages_are_taken_waited_for_or_refused) {
  constexpr unsigned seed = 4511;
  constexpr int rounds = 120'000;
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  const auto good = messages_of_every_kind();
  const auto rules = std::make_shared<client_rules>();
  const auto limiter = std::make_shared<bind_limiter>();
  const auto offer = std::make_shared<proxied_authorization_offer>();
  std::optional<client_session> session;
  const auto come_again = [&] {
    session.emplace(client_origin{"192.0.2.1", true, false, true}, rules, limiter, time_point{seconds{1}}, offer);
  };
  come_again();
  for (const auto& each : good) {
    BOOST_TEST((take(each, *session) == ending::message));
    come_again();
  }
  std::array<int, 3> endings{};
  for (int round = 0; round < rounds; ++round) {
    const auto& of = good[static_cast<std::size_t>(round) % good.size()];
    // Every other time the outermost length is right again, so that what is inside is looked at.
    auto bytes = mutated(of, random);
    if (round % 2 == 0 && bytes.size() > 2) bytes = ber_element(ber_tag::sequence, bytes.substr(2));
    const auto came_to = take(bytes, *session);
    ++endings[static_cast<std::size_t>(came_to)];
    // Who sends what is none is sent away, at once and for good.
    if (came_to == ending::refused && frame_pdu(bytes, 4096).state == pdu_frame::status::complete)
      BOOST_TEST_REQUIRE(session->closed());
    session->take_actions();
    session->each_ended([](const ended_operation&) {});
    // A session that is in the middle of something is tried too; one that is closed, or waits for what never comes, is
    // not.
    if (session->closed() || !session->takes_messages()) come_again();
  }
  // Each of the three, or nothing would have been tried.
  for (const auto times : endings) BOOST_TEST(times > rounds / 100);
}

BOOST_AUTO_TEST_CASE(every_beginning_of_a_message_is_waited_for) {
  client_session session{{"192.0.2.1", true, false, true},
                         std::make_shared<client_rules>(),
                         std::make_shared<bind_limiter>(),
                         time_point{seconds{1}}};
  for (const auto& each : messages_of_every_kind())
    for (std::size_t size = 0; size < each.size(); ++size)
      BOOST_TEST_REQUIRE((take(each.substr(0, size), session) == ending::need_more));
  BOOST_TEST(!session.closed());
}

BOOST_AUTO_TEST_CASE(nesting_within_a_message_is_bounded) {
  const auto nested = [](int depth, std::uint8_t tag) {
    auto filter = ber_octets("cn", 0x87);
    for (int i = 0; i < depth; ++i) filter = ber_element(tag, filter);
    return read_client_message(request_of(1, 0x63,
                                          ber_octets("") + ber_integer(0, ber_tag::enumerated) +
                                              ber_integer(0, ber_tag::enumerated) + ber_integer(0) + ber_integer(0) +
                                              ber_element(ber_tag::boolean, std::string(1, '\0')) + filter +
                                              ber_element(ber_tag::sequence, {})));
  };
  for (const auto tag : std::array<std::uint8_t, 3>{0xa0, 0xa1, 0xa2}) {
    BOOST_TEST(nested(100, tag).has_value());
    BOOST_TEST(!nested(101, tag).has_value());
    BOOST_TEST(!nested(10'000, tag).has_value());
  }
}
