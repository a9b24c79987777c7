// The fault gate: faithful when healthy, and each fault does what it says and nothing else.
#include "support/fault_gate.hpp"
#include "support/leak_check.hpp"
#include "support/raw_client.hpp"
#include "support/stub_directory.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

constexpr auto a_moment = 50ms;

struct gate_fixture {
  leak_guard guard;
  stub_directory stub;
  fault_gate gate{stub.port()};

  static bool answers(raw_client& client, int id = 1) {
    client.send(compare_message(id, "o=x", "o", "x"));
    const std::string message = client.read_message();
    return !message.empty() && decode_answer(message).id == id;
  }
  static bool silent(raw_client& client) {
    client.read_some(a_moment);
    return client.last() == read_end::nothing;
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_healthy_gate_forwards_and_counts, gate_fixture) {
  {
    raw_client client(gate.port());
    BOOST_TEST(answers(client));
    BOOST_TEST(gate.open() == 1u);
    BOOST_TEST(eventually([&] { return gate.bytes_to_client() == 14; }));
    BOOST_TEST(gate.bytes_to_server() == compare_message(1, "o=x", "o", "x").size());
    BOOST_TEST(gate.saw("o=x"));
  }
  BOOST_TEST(eventually([&] { return gate.open() == 0 && stub.open_connections() == 0; }));
  BOOST_TEST(gate.accepted() == 1u);
}

BOOST_FIXTURE_TEST_CASE(large_data_passes_the_gate_unchanged, gate_fixture) {
  const std::string large(8u << 20, 'x');
  stub.set_entries({{"cn=large", {{"description", {large}}}}});
  raw_client client(gate.port());
  client.send(search_message(1, "o=x", large));
  BOOST_TEST(client.read_message().size() > large.size());
  BOOST_TEST(stub.requests().at(0).filter.size() == large.size() + 6);
}

BOOST_FIXTURE_TEST_CASE(delay_holds_back_each_way, gate_fixture) {
  raw_client client(gate.port());
  gate.set({.delay = 40ms});
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST(answers(client));
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 80ms));
}

BOOST_FIXTURE_TEST_CASE(drop_loses_bytes_and_darkens_their_link, gate_fixture) {
  raw_client client(gate.port()), quiet(gate.port());
  BOOST_TEST(answers(client));
  BOOST_TEST(answers(quiet));
  gate.set({.drop = true});
  client.send(compare_message(2, "o=x", "o", "x"));
  BOOST_TEST(silent(client));
  BOOST_TEST(stub.count(operation::compare) == 2u);
  gate.heal();
  client.send(compare_message(3, "o=x", "o", "x"));
  BOOST_TEST(silent(client));
  BOOST_TEST(answers(quiet, 2));
}

BOOST_FIXTURE_TEST_CASE(drop_does_not_pass_on_ends, gate_fixture) {
  raw_client client(gate.port());
  BOOST_TEST(answers(client));
  gate.set({.drop = true});
  stub.close_all();
  BOOST_TEST(silent(client));
  stub.reset_all();
  BOOST_TEST(silent(client));
}

BOOST_FIXTURE_TEST_CASE(hold_keeps_bytes_until_healed, gate_fixture) {
  raw_client client(gate.port());
  BOOST_TEST(answers(client));
  gate.set({.hold = true});
  client.send(compare_message(2, "o=x", "o", "x"));
  BOOST_TEST(silent(client));
  gate.heal();
  BOOST_TEST(decode_answer(client.read_message()).id == 2);
}

BOOST_FIXTURE_TEST_CASE(a_throttled_gate_takes_its_time, gate_fixture) {
  raw_client client(gate.port());
  gate.set({.bytes_per_second = 1000});
  const auto begin = std::chrono::steady_clock::now();
  client.send(compare_message(1, std::string(100, 'x'), "o", "x"));
  BOOST_TEST(decode_answer(client.read_message()).id == 1);
  BOOST_TEST((std::chrono::steady_clock::now() - begin >= 90ms));
}

BOOST_FIXTURE_TEST_CASE(slices_come_out_whole, gate_fixture) {
  raw_client client(gate.port());
  gate.set({.slice = 1});
  BOOST_TEST(answers(client));
}

BOOST_FIXTURE_TEST_CASE(cut_and_reset_reach_both_sides, gate_fixture) {
  raw_client first(gate.port());
  BOOST_TEST(answers(first));
  gate.cut();
  first.read_some();
  BOOST_TEST((first.last() == read_end::end_of_stream));
  raw_client second(gate.port());
  BOOST_TEST(answers(second));
  gate.reset();
  second.read_some();
  BOOST_TEST((second.last() == read_end::reset));
  BOOST_TEST(gate.open() == 0u);
  BOOST_TEST(eventually([&] { return stub.open_connections() == 0; }));
}

BOOST_FIXTURE_TEST_CASE(ends_of_either_side_are_forwarded, gate_fixture) {
  raw_client client(gate.port());
  BOOST_TEST(answers(client));
  stub.close_all();
  client.read_some();
  BOOST_TEST((client.last() == read_end::end_of_stream));
  raw_client other(gate.port());
  BOOST_TEST(answers(other));
  stub.reset_all();
  other.read_some();
  BOOST_TEST((other.last() == read_end::reset));
}

BOOST_FIXTURE_TEST_CASE(newcomers_are_refused_ignored_muted_reset_or_closed, gate_fixture) {
  raw_client old(gate.port());
  BOOST_TEST(answers(old));
  gate.set({.arriving = newcomers::refuse});
  BOOST_TEST(raw_client(gate.port()).connect_error() == ECONNREFUSED);
  gate.set({.arriving = newcomers::ignore});
  raw_client ignored(gate.port(), a_moment);
  BOOST_TEST(!ignored.connected());
  BOOST_TEST(ignored.connect_error() == 0);
  gate.set({.arriving = newcomers::mute});
  {
    raw_client muted(gate.port());
    muted.send(compare_message(1, "o=x", "o", "x"));
    BOOST_TEST(silent(muted));
    BOOST_TEST(gate.open() == 2u);
  }
  BOOST_TEST(eventually([&] { return gate.open() == 1; }));
  gate.set({.arriving = newcomers::reset});
  raw_client rejected(gate.port());
  if (rejected.connected()) rejected.read_some();
  BOOST_TEST((rejected.last() == read_end::reset || rejected.connect_error() == ECONNRESET));
  gate.set({.arriving = newcomers::close});
  raw_client closed(gate.port());
  closed.read_some();
  BOOST_TEST((closed.last() == read_end::end_of_stream));
  gate.heal();
  BOOST_TEST(answers(old, 2));
  raw_client after(gate.port());
  BOOST_TEST(answers(after));
}

BOOST_FIXTURE_TEST_CASE(a_gate_with_a_limit_closes_who_comes_beyond_it, gate_fixture) {
  gate.set({.most_links = 2});
  raw_client one(gate.port()), other(gate.port());
  BOOST_TEST(answers(one));
  BOOST_TEST(answers(other));
  raw_client third(gate.port());
  third.read_some();
  BOOST_TEST((third.last() == read_end::end_of_stream));
  BOOST_TEST(answers(one, 2));
}

BOOST_FIXTURE_TEST_CASE(a_gate_to_nowhere_resets, gate_fixture) {
  stub.stop();
  raw_client client(gate.port());
  if (client.connected()) client.read_some();
  BOOST_TEST((client.last() == read_end::reset || client.connect_error() == ECONNRESET));
}
