// Streaming searches at a connection: credits, batches, a server that waits, and whose silence it is.
#include "stream_rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/send.hpp>

#include "support/certificates.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;
using kind = connection_event::kind;

BOOST_FIXTURE_TEST_CASE(streams_entries_in_batches_and_the_result_at_the_end, stream_rig) {
  directory.set_entries(people(1000, 200));
  const auto r = stream(everybody(), 5000);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST_REQUIRE(r->end.ok());
  check_in_order(*r, 1000);
  BOOST_TEST((*r->end.value)->code == 0);
  BOOST_TEST((*r->end.value)->entries.empty());
  BOOST_TEST((*r->end.value)->server == "127.0.0.1:" + std::to_string(directory.port()));
  BOOST_TEST(r->batches < 1000u);
  BOOST_TEST(leased(find_user()).ok());
}

BOOST_FIXTURE_TEST_CASE(an_entry_waits_for_a_credit_and_the_socket_is_not_read_meanwhile, stream_rig) {
  directory.set_entries(people(1000, 200));
  const auto r = paused(10);
  for (int round = 1; round < 100; ++round) {
    grant(10);
    BOOST_REQUIRE(reaches([&] { return r->entries.size() == 10u * (static_cast<unsigned>(round) + 1) || r->done(); }));
    BOOST_TEST(r->largest <= 10u);
  }
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 1000);
  BOOST_TEST(r->ends == 1u);
}

BOOST_FIXTURE_TEST_CASE(the_end_needs_no_credit, stream_rig) {
  directory.set_entries(people(10));
  const auto r = stream(everybody(), 10);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 10);
}

BOOST_FIXTURE_TEST_CASE(references_come_through_in_their_places, stream_rig) {
  directory.on(operation::search, [&](const directory_request& request) {
    auto usual = directory.usual(request);
    usual.what.entries = people(3);
    usual.what.references = {{"ldap://a/", "ldap://b/"}, {"ldap://c/"}};
    usual.what.controls = {{"1.2.3.4", false, std::string{"v\0w", 3}}};
    return usual;
  });
  const auto r = stream(everybody(), 4);
  BOOST_REQUIRE(reaches([&] { return r->entries.size() + r->references.size() == 4; }));
  run();
  BOOST_TEST(!r->done());
  grant(1);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_REQUIRE(r->end.ok());
  check_in_order(*r, 3);
  BOOST_TEST_REQUIRE(r->references.size() == 2u);
  BOOST_TEST(r->references[0].size() == 2u);
  BOOST_TEST(r->references[1].at(0) == "ldap://c/");
  BOOST_TEST(r->places[0] == 3u);
  BOOST_TEST_REQUIRE((*r->end.value)->controls.size() == 1u);
  BOOST_TEST(((*r->end.value)->controls[0].value.value_or("") == std::string{"v\0w", 3}));
  BOOST_TEST((*r->end.value)->references.empty());
}

BOOST_FIXTURE_TEST_CASE(a_slow_consumer_is_no_silent_server, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  advance(20s);
  BOOST_TEST(seen->suspicions == 0);
  BOOST_TEST(failures_reported() == 0u);
  BOOST_TEST(!load->silent.load());
  grant(100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 100);
  tell(one, reset_atom_v, mine);
  advance(1s);
  BOOST_TEST(failures_reported() == 0u);
  BOOST_TEST_REQUIRE(!seen->reports.empty());
  // How long the consumer took is no latency of the server's.
  BOOST_TEST((seen->reports.back().latency_total < 1s));
}

BOOST_FIXTURE_TEST_CASE(a_server_that_falls_silent_in_a_stream_is_suspected, stream_rig) {
  directory.set_entries(people(10));
  directory.disturb(operation::search, {.entries = 5});
  const auto r = stream(everybody(), 100, 30s);
  BOOST_REQUIRE(reaches([&] { return r->entries.size() == 5; }));
  advance(1500ms);
  BOOST_TEST(seen->suspicions == 1);
  BOOST_TEST(failures_reported() == 0u);
  advance(4s);
  BOOST_TEST_REQUIRE(failures_reported() == 1u);
  BOOST_TEST((seen->reports.back().failed == failure_class::slow));
  advance(30s);
  BOOST_TEST((r->end.code() == errc::operation_timeout));
  BOOST_TEST(failures_reported() == 1u);
  BOOST_REQUIRE(reaches([&] { return directory.count(operation::abandon) == 1; }));
}

BOOST_FIXTURE_TEST_CASE(the_sum_of_a_stream_may_exceed_max_result_bytes, stream_rig) {
  BOOST_TEST(all.limits.max_result_bytes > 0);
  remove(one);
  all.limits.max_result_bytes = 1000;
  one = open_ready();
  tell(one, lease_atom_v, mine);
  directory.set_entries(people(100, 100));
  const auto whole = leased(everybody());
  BOOST_TEST((whole.code() == errc::result_too_large));
  BOOST_TEST(whole.error->message.find("stream()") != std::string::npos, whole.error->message);
  BOOST_TEST(whole.error->message.find("paged()") != std::string::npos, whole.error->message);
  const auto r = stream(everybody(), 200);
  // 200 credits are worth 1000 bytes together: entries of more than half of that come one or two at a time.
  BOOST_REQUIRE(reaches([&] { return !r->entries.empty() && poller_is_idle(); }));
  BOOST_TEST(r->entries.size() <= 2u);
  BOOST_REQUIRE(reaches([&] {
    if (r->credits != 0) grant(std::exchange(r->credits, 0));
    return r->done();
  }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 100);
}

BOOST_FIXTURE_TEST_CASE(an_entry_that_is_too_large_ends_its_stream_and_nobody_sees_half_of_it, stream_rig) {
  remove(one);
  all.limits.max_result_bytes = 2000;
  one = open_ready();
  tell(one, lease_atom_v, mine);
  auto some = people(3);
  some[2].attributes[1].values.assign(100, "");
  directory.set_entries(some);
  const auto r = stream(everybody(), 100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::result_too_large));
  BOOST_TEST(r->end.error->message.find("One entry") != std::string::npos, r->end.error->message);
  check_in_order(*r, 2);
}

BOOST_FIXTURE_TEST_CASE(an_entry_that_cannot_be_decoded_is_not_seen_by_half, stream_rig) {
  directory.set_entries(people(2));
  directory.when(
      [](const directory_request& r) { return r.kind == operation::search && r.scope == search_scope::subtree; },
      [this](const directory_request& r) {
        std::string all_bytes;
        for (const auto& each : encode_answer(operation::search, r.id, directory.usual(r).what)) all_bytes += each;
        // The last byte of the second entry's last element is missing: its lengths reach too far.
        const auto parts = encode_answer(operation::search, r.id, directory.usual(r).what);
        auto broken = parts[1];
        broken[broken.find("description") - 1] = static_cast<char>(0x7f);
        return reply{{}, {.raw = parts[0] + broken}};
      });
  const auto r = stream(everybody(), 100);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST((r->end.code() == errc::connection_unhealthy));
  check_in_order(*r, 1);
}

BOOST_FIXTURE_TEST_CASE(nothing_else_runs_on_the_lease_of_a_stream, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  const auto other = leased(find_user());
  BOOST_TEST((other.code() == errc::invalid_request));
  BOOST_TEST(other.error->message.find("streaming search is open") != std::string::npos, other.error->message);
  const auto second = stream(everybody(), 10);
  run();
  BOOST_TEST((second->end.code() == errc::invalid_request));
  const auto checked = ask<probe_report>(one, check_atom_v, now() + 1s);
  BOOST_TEST_REQUIRE(checked.ok());
  BOOST_TEST(checked.value->ok);
  grant(1000);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  BOOST_TEST(r->end.ok());
  check_in_order(*r, 100);
}

BOOST_FIXTURE_TEST_CASE(credits_for_another_stream_are_ignored, stream_rig) {
  directory.set_entries(people(100));
  const auto r = paused(10);
  grant(50, my_number + 1);
  tell(one, credit_atom_v, lease_id{99}, my_number, std::uint32_t{50});
  run();
  BOOST_TEST(r->entries.size() == 10u);
  grant(90);
  BOOST_REQUIRE(reaches([&] { return r->done(); }));
  check_in_order(*r, 100);
}

BOOST_AUTO_TEST_CASE(a_stream_through_tls_goes_on_although_no_event_tells_of_what_is_decrypted_already) {
  certificate_set certificates;
  stub_options with;
  with.tls = tls_files{certificates.server.certificate, certificates.server.key};
  with.ldaps = true;
  for (const std::uint32_t credits : {1u, 7u}) {
    stream_rig secure{with, certificates.ca.certificate().string()};
    secure.directory.set_entries(people(300, 200));
    const auto r = secure.paused(credits);
    while (!r->done()) {
      const auto before = r->entries.size();
      secure.grant(credits);
      BOOST_REQUIRE(secure.reaches([&] { return r->entries.size() > before || r->done(); }));
    }
    BOOST_TEST(r->end.ok());
    check_in_order(*r, 300);
  }
}
