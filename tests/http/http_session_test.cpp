// One connection of HTTP on injected time: the order of answers, and an end to every wait.
#include "understudy/actors/http/http_session.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

const time_point start = time_point{} + 1h;
const std::string live = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct harness {
  time_point now = start;
  http_session session{std::make_shared<http_rules>(), start};
  std::string sent;
  std::vector<http_action::fetch> fetches;
  std::vector<http_action::look_for_events> looks;
  std::vector<http_action::note_refusal> refusals;
  std::optional<http_action::close> closed;

  std::size_t receive(const std::string& bytes) {
    const auto used = session.on_received(bytes, now);
    take();
    return used;
  }
  void take() {
    for (auto& action : session.take_actions()) {
      if (auto* out = std::get_if<http_action::send>(&action)) sent += out->bytes;
      if (auto* page = std::get_if<http_action::fetch>(&action)) fetches.push_back(*page);
      if (auto* refused = std::get_if<http_action::note_refusal>(&action)) refusals.push_back(*refused);
      if (auto* look = std::get_if<http_action::look_for_events>(&action)) looks.push_back(*look);
      if (auto* close = std::get_if<http_action::close>(&action)) {
        BOOST_TEST(!closed.has_value());
        closed = *close;
      }
    }
  }
  void answer(std::uint64_t number, const std::string& text) {
    session.answer(number, plain_response(200, text), now);
    take();
  }
  /// The client takes all of it.
  void taken() { session.on_written(0); }
  void advance(duration by) {
    const auto until = now + by;
    for (auto next = session.next_event(); next <= until; next = session.next_event()) {
      now = std::max(now, next);
      session.tick(now);
      take();
    }
    now = until;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(requests_are_answered_one_after_the_other) {
  harness h;
  BOOST_TEST(h.receive(live + live) == live.size());
  BOOST_TEST_REQUIRE(h.fetches.size() == 1U);
  BOOST_TEST(!h.session.reads());
  BOOST_TEST(h.session.is_busy());
  BOOST_TEST(h.receive(live) == 0U);  // not before the first is answered
  h.answer(h.fetches[0].number + 1, "another's");
  BOOST_TEST(h.sent == "");
  h.answer(h.fetches[0].number, "one");
  BOOST_TEST(h.sent.find("HTTP/1.1 200 OK\r\n") == 0U);
  BOOST_TEST(h.sent.find("\r\n\r\none\n") != std::string::npos);
  BOOST_TEST(h.session.reads());
  BOOST_TEST(h.receive(live) == live.size());
  BOOST_TEST(h.fetches.size() == 2U);
  h.answer(h.fetches[0].number, "late");
  BOOST_TEST(h.sent.find("late") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_client_that_wants_to_go_is_let_go) {
  harness h;
  h.receive("GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  h.answer(h.fetches.at(0).number, "x");
  BOOST_TEST(h.sent.find("Connection: close\r\n") != std::string::npos);
  BOOST_TEST(h.closed.has_value());
  BOOST_TEST(!h.closed->linger);
  BOOST_TEST((h.session.next_event() == time_point::max()));
}

BOOST_AUTO_TEST_CASE(an_answer_to_head_has_no_body) {
  harness h;
  h.receive("HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
  h.answer(h.fetches.at(0).number, "body");
  BOOST_TEST(h.sent.find("Content-Length: 5\r\n") != std::string::npos);
  BOOST_TEST(h.sent.find("body") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(every_answer_forbids_browsers_to_guess_frame_and_load) {
  harness h;
  h.receive(live);
  h.answer(h.fetches.at(0).number, "x");
  for (const auto* header :
       {"X-Content-Type-Options: nosniff\r\n", "Cache-Control: no-store\r\n",
        "Content-Security-Policy: default-src 'none'; script-src 'self'", "frame-ancestors 'none'"})
    BOOST_TEST(h.sent.find(header) != std::string::npos, header);
}

BOOST_AUTO_TEST_CASE(who_says_nothing_or_half_a_request_is_ended) {
  harness silent;
  silent.advance(http_session::request_patience - 1ms);
  BOOST_TEST(!silent.closed.has_value());
  silent.advance(1ms);
  BOOST_TEST_REQUIRE(silent.closed.has_value());
  BOOST_TEST(silent.sent == "");

  harness slow;
  slow.advance(5s);
  slow.receive("GET /livez HT");
  for (int i = 0; i < 9; ++i) {  // a byte a second changes nothing
    slow.advance(1s);
    slow.receive("GET /livez HTTP/1.1\r\nX: " + std::string(static_cast<std::size_t>(i), 'x'));
    BOOST_TEST(!slow.closed.has_value());
  }
  slow.advance(1s);
  BOOST_TEST_REQUIRE(slow.closed.has_value());
  BOOST_TEST(slow.sent.find("HTTP/1.1 408 ") == 0U);

  harness idle;
  idle.receive(live);
  idle.answer(idle.fetches.at(0).number, "x");
  idle.taken();
  idle.advance(http_session::idle_patience - 1ms);
  BOOST_TEST(!idle.closed.has_value());
  idle.advance(1ms);
  BOOST_TEST(idle.closed.has_value());
}

BOOST_AUTO_TEST_CASE(who_does_not_take_an_answer_is_ended) {
  harness h;
  h.receive(live);
  h.answer(h.fetches.at(0).number, "x");
  BOOST_TEST(h.session.is_busy());
  h.session.on_written(1);
  h.advance(http_session::write_patience);
  BOOST_TEST_REQUIRE(h.closed.has_value());
}

BOOST_AUTO_TEST_CASE(garbage_is_refused_and_the_refusal_can_be_read) {
  harness h;
  h.receive("\x16\x03\x01 this is no HTTP\r\n\r\n");
  BOOST_TEST(h.sent.find("HTTP/1.1 400 ") == 0U);
  BOOST_TEST_REQUIRE(h.closed.has_value());
  BOOST_TEST(h.closed->linger);
  BOOST_TEST(h.receive(live) == 0U);
  BOOST_TEST(h.fetches.empty());
}

BOOST_AUTO_TEST_CASE(a_stream_is_told_what_happened_and_gives_signs_of_life) {
  harness h;
  h.receive("GET /api/events?after=3 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  BOOST_TEST(h.session.is_stream());
  BOOST_TEST(h.sent.find("Content-Type: text/event-stream\r\n") != std::string::npos);
  BOOST_TEST(h.sent.find("Content-Length") == std::string::npos);
  h.taken();
  h.advance(0ms);
  BOOST_TEST_REQUIRE(h.looks.size() == 1U);
  BOOST_TEST(h.looks[0].after == 3U);
  h.session.events("id: 5\ndata: {}\n\n", 5, h.now);
  h.take();
  BOOST_TEST(h.sent.find("id: 5\n") != std::string::npos);
  h.taken();
  h.advance(http_session::events_every);
  BOOST_TEST(h.looks.back().after == 5U);
  h.sent.clear();
  for (int i = 0; i < 60; ++i) {
    h.advance(1s);
    h.session.events("", 5, h.now);
    h.take();
    h.taken();
  }
  BOOST_TEST(h.sent == ": here\n\n: here\n\n: here\n\n: here\n\n");
  BOOST_TEST(!h.closed.has_value());
  // One that reads nothing.
  h.session.events("id: 6\ndata: {}\n\n", 6, h.now);
  h.take();
  h.session.on_written(http_session::most_unsent_events + 1);
  h.take();
  BOOST_TEST(h.closed.has_value());
}

BOOST_AUTO_TEST_CASE(a_refused_order_is_noted_and_the_connection_goes_on) {
  harness h;
  h.receive("POST /api/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  BOOST_TEST(h.sent.find("HTTP/1.1 403 ") == 0U, h.sent);
  BOOST_TEST_REQUIRE(h.refusals.size() == 1U);
  BOOST_TEST((h.refusals[0].order == http_order::kind::drain));
  BOOST_TEST(h.refusals[0].status == 403);
  h.receive("GET /api/drain HTTP/1.1\r\nHost: localhost\r\n\r\n");  // a mistake, no attempt
  BOOST_TEST(h.refusals.size() == 1U);
  h.receive(live);
  BOOST_TEST(h.fetches.size() == 1U);
}
