// The transport over a pair of sockets: batching, partial writes, what was handed over, framing.
#include "understudy/actors/connection/transport.hpp"
#include "understudy/actors/connection/in_flight.hpp"
#include "understudy/actors/connection/socket.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <cerrno>

using namespace understudy;
using namespace understudy::internal;

namespace {

constexpr std::size_t plenty = 64 * 1024 * 1024;

struct wire {
  transport ours{plenty};
  int theirs = -1;

  wire() {
    int fds[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    theirs = fds[1];
    ours.open(fds[0]);
    BOOST_TEST((ours.interest() == transport::writable));
    BOOST_TEST(ours.resume(transport::writable).connected);
    BOOST_TEST((ours.interest() == transport::readable));
  }
  ~wire() { hang_up(); }

  void hang_up() {
    if (theirs >= 0) ::close(theirs);
    theirs = -1;
  }
  void say(const std::string& bytes) {
    BOOST_REQUIRE(::send(theirs, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
  }
  std::string hear() {
    std::string all(plenty, '\0');
    const auto n = ::recv(theirs, all.data(), all.size(), MSG_DONTWAIT);
    all.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return all;
  }
};

/// A searchResDone padded to `size` bytes (with a long diagnostic message).
std::string pdu(int id, std::size_t size) {
  const auto length = [](std::size_t n) {
    std::string out{"\x84", 1};
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(n >> shift & 0xff));
    return out;
  };
  const std::size_t text = size - 6 - 3 - 6 - 5 - 6;
  std::string body{"\x0a\x01\x00\x04\x00\x04", 6};
  body += length(text) + std::string(text, 'x');
  const std::string op = "\x65" + length(body.size()) + body;
  const std::string content = std::string{"\x02\x01", 2} + static_cast<char>(id) + op;
  return "\x30" + length(content.size()) + content;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(writes_what_was_gathered_in_one_go_and_knows_what_left, wire) {
  ours.append("first", 5);
  ours.append("second", 6);
  BOOST_TEST(ours.appended() == 11u);
  BOOST_TEST(ours.handed_over() == 0u);
  BOOST_TEST(ours.wants_flush());
  BOOST_TEST(ours.flush().ended == nullptr);
  BOOST_TEST(ours.handed_over() == 11u);
  BOOST_TEST(!ours.wants_flush());
  BOOST_TEST(hear() == "firstsecond");
}

BOOST_FIXTURE_TEST_CASE(takes_back_only_what_was_not_handed_over, wire) {
  ours.append("one", 3);
  ours.append("two", 3);
  ours.append("three", 5);
  ours.discard(3, 3);
  BOOST_TEST(ours.appended() == 8u);
  ours.flush();
  BOOST_TEST(hear() == "onethree");
  ours.append("four", 4);
  BOOST_TEST(ours.appended() == 12u);
  ours.discard(8, 4);
  ours.append("five", 4);
  ours.flush();
  BOOST_TEST(hear() == "five");
}

BOOST_FIXTURE_TEST_CASE(goes_on_after_a_full_socket_buffer_where_it_stopped, wire) {
  std::string large;
  for (int i = 0; large.size() < 4 * 1024 * 1024; ++i) large += std::to_string(i) + ",";
  ours.append(large.data(), large.size());
  ours.flush();
  BOOST_TEST(ours.handed_over() > 0u);
  BOOST_TEST(ours.handed_over() < large.size());
  BOOST_TEST((ours.interest() == (transport::readable | transport::writable)));
  BOOST_TEST(!ours.wants_flush());
  std::string heard;
  while (heard.size() < large.size()) {
    heard += hear();
    ours.resume(transport::writable);
  }
  BOOST_TEST((heard == large));
  BOOST_TEST(ours.handed_over() == large.size());
  BOOST_TEST((ours.interest() == transport::readable));
}

BOOST_FIXTURE_TEST_CASE(hands_out_complete_pdus_only, wire) {
  const auto first = pdu(1, 100), second = pdu(2, 200);
  say(first + second.substr(0, 150));
  BOOST_TEST(ours.resume(transport::readable).received);
  auto frame = ours.peek();
  BOOST_TEST((frame.state == pdu_frame::status::complete));
  BOOST_TEST(frame.id == 1);
  BOOST_TEST(frame.size == 100u);
  BOOST_TEST((ours.front(100) == first));
  ours.skip(100);
  BOOST_TEST((ours.peek().state == pdu_frame::status::partial));
  say(second.substr(150));
  ours.resume(transport::readable);
  BOOST_TEST(ours.peek().id == 2);
  ours.skip(200);
  BOOST_TEST(ours.bytes_in() == 0u);
}

BOOST_FIXTURE_TEST_CASE(grows_for_a_pdu_longer_than_any_read, wire) {
  const auto large = pdu(7, 3 * 1024 * 1024);
  std::size_t at = 0;
  while ((ours.peek().state == pdu_frame::status::partial)) {
    const auto n = ::send(theirs, large.data() + at, large.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) at += static_cast<std::size_t>(n);
    ours.resume(transport::readable);
  }
  BOOST_TEST(ours.peek().id == 7);
  BOOST_TEST(ours.peek().size == large.size());
}

BOOST_FIXTURE_TEST_CASE(lets_others_work_between_two_large_reads, wire) {
  std::string much;
  while (much.size() < 150 * 1024) much += pdu(3, 1024);
  bool more = false;
  std::size_t at = 0;
  const std::string twice = much + much + much + much;
  for (int i = 0; i < 1000 && at < twice.size(); ++i) {
    const auto n = ::send(theirs, twice.data() + at, twice.size() - at, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  const auto before = at;
  const auto action = ours.resume(transport::readable);
  more = action.more;
  BOOST_TEST((more || ours.bytes_in() == before));
  BOOST_TEST(ours.bytes_in() <= 256u * 1024 + 64 * 1024);
}

BOOST_FIXTURE_TEST_CASE(tells_an_orderly_end_after_the_bytes_before_it, wire) {
  say(pdu(1, 100));
  hang_up();
  auto action = ours.resume(transport::readable);
  BOOST_TEST(action.received);
  if (!action.ended) action = ours.resume(transport::readable);
  BOOST_REQUIRE(action.ended);
  BOOST_TEST(action.orderly);
  BOOST_TEST(ours.peek().id == 1);
}

BOOST_FIXTURE_TEST_CASE(raises_no_signal_when_the_peer_is_gone, wire) {
  hang_up();
  ours.append("hello", 5);
  const auto action = ours.flush();
  BOOST_REQUIRE(action.ended);
  BOOST_TEST(!action.orderly);
  BOOST_TEST((action.ended->code == errc::connection_failed));
  ours.close();
  BOOST_TEST(ours.fd() == -1);
  BOOST_TEST(ours.interest() == 0u);
}

BOOST_AUTO_TEST_CASE(keeps_places_in_the_stream_right_when_bytes_are_taken_back) {
  in_flight<int> open;
  for (int id = 1; id <= 3; ++id) {
    in_flight<int>::item one;
    one.begin = static_cast<std::uint64_t>(id) * 100;
    one.size = 100;
    open.add(id) = one;
  }
  const auto gone = open.abandon(2);
  open.close_gap(gone.begin, gone.size);
  BOOST_TEST(open.find(1)->begin == 100u);
  BOOST_TEST(open.find(2) == nullptr);
  BOOST_TEST(open.find(3)->begin == 200u);
  BOOST_TEST(open.came_late(2, 10).value_or(0) == 10u);
  BOOST_TEST(open.came_late(2, 5).value_or(0) == 15u);
  BOOST_TEST(!open.came_late(1, 5).has_value());
  open.forget(2);
  BOOST_TEST(!open.came_late(2, 5).has_value());
  const std::vector<int> left{1, 3};
  BOOST_TEST(open.ids() == left, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_this_process_or_machine_lacks_is_no_failure_of_the_server) {
  for (const int ours : {EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL})
    BOOST_TEST((errc_of_errno(ours) == errc::local_resources), errno_text(ours));
  for (const int theirs : {ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EPIPE})
    BOOST_TEST((errc_of_errno(theirs) == errc::connection_failed), errno_text(theirs));
}
