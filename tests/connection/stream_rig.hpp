// A leased connection and consumers of its streaming searches.
#pragma once
#include "rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

namespace understudy::test {

using namespace internal;

inline constexpr lease_id mine = 41;
inline constexpr std::uint64_t my_number = 7;

/// What a consumer was sent, in order.
struct reading {
  std::vector<entry> entries;
  std::vector<std::vector<std::string>> references;
  std::vector<std::size_t> places;  ///< entries before each reference
  std::size_t batches = 0, largest = 0, late = 0, ends = 0;
  std::uint32_t credits = 0;  ///< that it cost, for tests that give them back
  answer<result_ptr> end;
  caf::actor who;
  bool done() const { return ends != 0; }
};
using reading_ptr = std::shared_ptr<reading>;

inline void note(reading& r, const search_batch& b) {
  if (r.done()) ++r.late;
  for (const auto at : b.reference_positions) r.places.push_back(r.entries.size() + at);
  r.references.insert(r.references.end(), b.references.begin(), b.references.end());
  r.entries.insert(r.entries.end(), b.entries.begin(), b.entries.end());
  ++r.batches;
  r.credits += b.credits();
  r.largest = std::max(r.largest, b.size());
}

inline std::vector<entry> people(int n, std::size_t padding = 0) {
  std::vector<entry> all;
  for (int i = 0; i < n; ++i) {
    const auto uid = "user" + std::to_string(i);
    all.push_back({"uid=" + uid + ",ou=people,dc=example,dc=com",
                   {{"uid", {uid}}, {"description", {std::string(padding, 'x')}}}});
  }
  return all;
}

inline request_ptr everybody() {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  return make_request(std::move(what));
}

struct stream_rig : connection_rig {
  stub_directory directory;
  connection_actor one;

  /// With a CA: through TLS from the first byte.
  explicit stream_rig(stub_options with = {}, const std::string& ca = {}) : directory(std::move(with)) {
    server.ca_cert_path = ca;
    server.use_ssl = !ca.empty();
    use(directory);
    one = open_ready();
    tell(one, lease_atom_v, mine);
  }
  ~stream_rig() { remove(one); }

  reading_ptr stream(request_ptr request, std::uint32_t credits, duration limit = seconds{30}, lease_id lease = mine) {
    return stream(order(std::move(request), limit), credits, lease);
  }
  reading_ptr stream(call order, std::uint32_t credits, lease_id lease = mine) {
    auto seen_by = std::make_shared<reading>();
    seen_by->who = system.spawn([=, to = one](caf::event_based_actor* self) -> caf::behavior {
      self->request(to, caf::infinite, stream_atom_v, lease, order, my_number, credits)
          .then(
              [=](const result_ptr& value) {
                ++seen_by->ends;
                seen_by->end.value = value;
              },
              [=](const caf::error& e) {
                ++seen_by->ends;
                seen_by->end.error = failure_of(e);
              });
      return {[=](batch_atom, std::uint64_t number, const search_batch& b) {
        BOOST_TEST(number == my_number);
        note(*seen_by, b);
      }};
    });
    own(seen_by->who);
    return seen_by;
  }
  void grant(std::uint32_t more, std::uint64_t number = my_number) { tell(one, credit_atom_v, mine, number, more); }
  answer<result_ptr> leased(request_ptr request) {
    const auto slot = perform_leased(one, mine, std::move(request));
    BOOST_REQUIRE(reaches([&] { return slot->done(); }));
    return *slot;
  }
  /// Streams everybody with that many credits and waits until they are used up.
  reading_ptr paused(std::uint32_t credits, duration limit = seconds{30}) {
    auto r = stream(everybody(), credits, limit);
    BOOST_REQUIRE(reaches([&] { return r->entries.size() == credits && poller_is_idle(); }));
    return r;
  }
  /// Nothing is waited for: the socket is not read.
  bool poller_is_idle() const {
    for (poller_port::io_id id = 1; id < 100; ++id) {
      if (poller->interest(id) != 0) return false;
    }
    return true;
  }
  std::uint32_t failures_reported() const {
    return static_cast<std::uint32_t>(
        std::count_if(seen->reports.begin(), seen->reports.end(), [](const auto& r) { return r.failed.has_value(); }));
  }
};

inline void check_in_order(const reading& r, std::size_t n) {
  BOOST_TEST(r.entries.size() == n);
  for (std::size_t i = 0; i < r.entries.size(); ++i) {
    BOOST_TEST_REQUIRE(r.entries[i].first("uid") == "user" + std::to_string(i));
  }
  BOOST_TEST(r.late == 0u);
  BOOST_TEST(r.ends <= 1u);
}

}  // namespace understudy::test
