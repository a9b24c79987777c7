// Entries wait for their reader, credits go back, and nobody waits for ever.
#include "understudy/runtime/client/stream_buffer.hpp"
#include "support/print.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t plenty = 1 << 20;

search_batch entries(int from, int n) {
  search_batch b;
  for (int i = 0; i < n; ++i) b.entries.push_back({std::to_string(from + i), {}});
  return b;
}

search_batch reference(std::string uri, std::size_t place) {
  search_batch b;
  b.references.push_back({std::move(uri)});
  b.reference_positions.push_back(place);
  return b;
}

failure_ptr failing(errc code) {
  failure f;
  f.code = code;
  return std::make_shared<const failure>(std::move(f));
}

result_ptr success() {
  auto r = std::make_shared<result>();
  r->server = "ldap1:389";
  return r;
}

struct granting_inbox : stream_buffer {
  explicit granting_inbox(std::uint32_t size) : stream_buffer(size, plenty) {
    begin([this](std::uint32_t more) { grants.push_back(more); });
  }
  std::vector<std::uint32_t> grants;
};

}  // namespace

BOOST_AUTO_TEST_CASE(credits_go_back_half_a_window_at_a_time) {
  granting_inbox inbox{4};
  BOOST_TEST(inbox.window() == 4u);
  BOOST_TEST(!inbox.add(entries(0, 4), {}));
  BOOST_TEST(inbox.take(0s)->dn == "0");
  BOOST_TEST(inbox.grants.empty());
  BOOST_TEST(inbox.take(0s)->dn == "1");
  BOOST_TEST(inbox.grants == std::vector<std::uint32_t>{2});
  granting_inbox smallest{1};
  smallest.add(entries(0, 1), {});
  BOOST_TEST(smallest.take(0s)->dn == "0");
  BOOST_TEST(smallest.grants == std::vector<std::uint32_t>{1});
}

BOOST_AUTO_TEST_CASE(a_reference_costs_no_room_and_its_credit_goes_back_by_itself) {
  granting_inbox inbox{2};
  inbox.add(entries(0, 1), {});
  inbox.add(reference("ldap://a/", 0), {});
  BOOST_TEST(inbox.grants == std::vector<std::uint32_t>{1});
  inbox.add(reference("ldap://b/", 0), {});
  BOOST_TEST(inbox.take(0s)->dn == "0");
  inbox.end(success());
  BOOST_TEST(inbox.finished());
  BOOST_TEST_REQUIRE(inbox.summary().references.size() == 2u);
  BOOST_TEST(inbox.summary().references[1].at(0) == "ldap://b/");
  BOOST_TEST(inbox.summary().reference_positions.at(1) == 1u);
  BOOST_TEST(inbox.summary().server == "ldap1:389");
}

BOOST_AUTO_TEST_CASE(a_sender_who_keeps_to_its_credits_never_overfills_nor_starves_it) {
  std::mt19937 random{3};
  for (const std::uint32_t size : {1u, 2u, 3u, 7u, 256u}) {
    granting_inbox inbox{size};
    std::uint32_t credits = size, held = 0;
    int sent = 0, read = 0;
    while (read < 2000) {
      const bool send = random() % 2 == 0;
      if (send && credits > 0) {
        const auto n = 1 + random() % credits;
        credits -= static_cast<std::uint32_t>(n);
        BOOST_TEST_REQUIRE(!inbox.add(entries(sent, static_cast<int>(n)), {}));
        sent += static_cast<int>(n);
        held += static_cast<std::uint32_t>(n);
      } else if (const auto next = inbox.take(0s)) {
        BOOST_TEST_REQUIRE(next->dn == std::to_string(read++));
        --held;
      } else {
        BOOST_TEST_REQUIRE(credits > 0u, "both sides wait for each other");
      }
      for (const auto more : std::exchange(inbox.grants, {})) credits += more;
      BOOST_TEST_REQUIRE(held + credits <= size);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_arrived_before_an_error_is_read_before_it) {
  granting_inbox inbox{4};
  inbox.add(entries(0, 2), {});
  inbox.end(failing(errc::connection_unhealthy));
  inbox.end(success());
  BOOST_TEST(!inbox.add(entries(2, 1), {}));
  BOOST_TEST(!inbox.finished());
  BOOST_TEST((inbox.error() == nullptr));
  BOOST_TEST(inbox.take(0s)->dn == "0");
  BOOST_TEST(inbox.take(0s)->dn == "1");
  BOOST_TEST(!inbox.take(1h).has_value());
  BOOST_TEST_REQUIRE((inbox.error() != nullptr));
  BOOST_TEST(inbox.error()->code == errc::connection_unhealthy);
  BOOST_TEST(inbox.grants.empty(), "credits were granted to a search that ended");
}

BOOST_AUTO_TEST_CASE(an_aborted_one_drops_what_it_has_and_a_finished_one_cannot_be_aborted) {
  granting_inbox inbox{4};
  inbox.add(entries(0, 2), {});
  inbox.abort(failing(errc::cancelled));
  BOOST_TEST(!inbox.take(0s).has_value());
  BOOST_TEST(inbox.error()->code == errc::cancelled);
  granting_inbox unread{4};
  unread.add(entries(0, 2), {});
  unread.end(success());
  unread.abort(failing(errc::cancelled));
  BOOST_TEST(!unread.take(0s).has_value());
  BOOST_TEST_REQUIRE((unread.error() != nullptr));
  granting_inbox done{4};
  done.end(success());
  done.abort(failing(errc::cancelled));
  BOOST_TEST((done.error() == nullptr));
}

BOOST_AUTO_TEST_CASE(references_are_not_gathered_without_bound) {
  stream_buffer inbox{256, 10000};
  failure_ptr why;
  int kept = 0;
  while (!(why = inbox.add(reference("ldap://ldap.example.com/dc=example,dc=com", 0), {})))
    BOOST_REQUIRE(++kept < 1000);
  BOOST_TEST(kept > 20);  // with what holds them in memory
  BOOST_TEST(why->code == errc::result_too_large);
}

BOOST_AUTO_TEST_CASE(a_reader_who_waits_is_woken_by_entries_and_by_the_end) {
  stream_buffer inbox{4, plenty};
  std::thread sender([&] {
    for (int i = 0; i < 100; ++i) inbox.add(entries(i, 1), {});
    inbox.end(success());
  });
  int read = 0;
  while (inbox.take(1min)) ++read;
  sender.join();
  BOOST_TEST(read == 100);
  BOOST_TEST(inbox.finished());
  BOOST_TEST(!stream_buffer(1, plenty).take(1ms).has_value());
}

BOOST_AUTO_TEST_CASE(what_large_entries_and_references_cost_goes_back_in_full) {
  granting_inbox inbox{10};
  auto part = entries(0, 3);
  part.entry_credits = {1, 7};
  inbox.add(std::move(part), {});
  BOOST_TEST(inbox.take(0s)->dn == "0");
  BOOST_TEST(inbox.grants.empty());
  BOOST_TEST(inbox.take(0s)->dn == "1");
  BOOST_TEST(inbox.grants == std::vector<std::uint32_t>{8});
  BOOST_TEST(inbox.take(0s)->dn == "2");
  auto refs = reference("ldap://x/", 0);
  refs.reference_credits = 6;
  refs.reference_controls = {{{"1.2.3", false, {}}}};
  BOOST_TEST(!inbox.add(reference("ldap://w/", 0), {}));
  BOOST_TEST(!inbox.add(std::move(refs), {}));
  BOOST_TEST(inbox.grants == (std::vector<std::uint32_t>{8, 8}));
  inbox.end(success());
  BOOST_TEST(inbox.summary().references.size() == 2u);
  BOOST_TEST_REQUIRE(inbox.summary().reference_controls.size() == 2u);
  BOOST_TEST(inbox.summary().reference_controls[1].at(0).oid == "1.2.3");
}

BOOST_AUTO_TEST_CASE(empty_references_take_memory_too) {
  stream_buffer inbox{1000, 10'000};
  failure_ptr why;
  int kept = 0;
  for (; !why && kept < 1000; ++kept) why = inbox.add(reference("", 0), {});
  BOOST_TEST_REQUIRE((why != nullptr));
  BOOST_TEST(why->code == errc::result_too_large);
  BOOST_TEST(kept < 100);
}
