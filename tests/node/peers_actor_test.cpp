// What speaks with the other nodes may fail or end at any moment: it begins again, and the cluster's state, above all
// what was lent, is as it was.
#include "understudy/actors/node/peers_supervisor.hpp"

#include "support/virtual_runtime.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

const std::string directory_server = "ldap1:389";

peers_options node_options(const std::string& self, const std::string& other, std::uint64_t incarnation) {
  peers_options o;
  o.self = self;
  o.peers = {other};
  o.budget = 12;
  o.incarnation = incarnation;
  return o;
}

/// Node a, which dials node b; of that there is its state, and who answers for it.
struct peers_rig : virtual_runtime {
  peers_rig() {
    permits = cluster->permits(directory_server);
    others = other.permits(directory_server, now());
    peers_dependencies from;
    from.env = env;
    from.cluster = cluster;
    from.router = caf::actor_cast<caf::actor_addr>(own(system.spawn([](caf::event_based_actor*) -> caf::behavior {
      return {[](status_atom) { return std::vector<server_snapshot>{}; }, [](suspect_atom, server_id) {}};
    })));
    from.dials.emplace("b", [this](std::function<void(node_event)> tell, const std::string&) -> std::shared_ptr<void> {
      ++dials;
      ++open;
      told_by.push_back(std::move(tell));
      return {nullptr, [this](void*) { --open; }};
    });
    gateway = own(system.spawn([this](caf::event_based_actor*) -> caf::behavior {
      return {[this](const std::string& bytes) {
        ++asked;
        const auto frame = decode_request(bytes).value.value();
        other.linked("a", link, now(), {});
        other.hear("a", decode_exchange(frame.value.value()).value.value(), now());
        answer_frame answer;
        answer.kind = answer_kind::text;
        answer.body = encode(other.tell("a", now()));
        return encode(answer);
      }};
    }));
    peers.emplace(system, std::move(from), [this] { given_up = true; });
    run();
  }
  ~peers_rig() {
    peers.reset();
    run();
    BOOST_TEST(open == 0);
  }

  /// b can be reached, by the way that was begun last.
  void link_to_b() {
    ++link;
    told_by.back()({node_event::kind::linked,
                    caf::actor_cast<node_gateway_actor>(caf::actor_cast<caf::strong_actor_ptr>(gateway)), "b (there)",
                    0, nullptr});
    run();
  }
  /// b wants all that there is, and has of a's six the three that are lent.
  void lend() {
    others->want(12);
    link_to_b();
    advance(seconds{4});
    must_have_lent();
    BOOST_TEST(others->allowed() == 6U + 3U);
  }
  void must_have_lent() {
    BOOST_TEST(cluster->budget(directory_server).lent == 3U);
    BOOST_TEST(permits->allowed() == 3U);
    BOOST_TEST(permits->allowed() + others->allowed() <= 12U);
  }
  peer_snapshot seen() { return cluster->peers().at(0); }
  /// In a handler of the first one: its way is lost, and the look at the clock throws.
  void fail() {
    clock->fail_once();
    caf::anon_send(peers->current(), event_atom_v, std::string{"b"},
                   node_event{node_event::kind::lost, {}, {}, dials, nullptr});
    scheduler.run();
    run();
  }

  std::shared_ptr<node_cluster> cluster = std::make_shared<node_cluster>(node_options("a", "b", 1), clock);
  peers_state other{node_options("b", "a", 2), now()};
  std::shared_ptr<socket_permits> permits, others;
  std::vector<std::function<void(node_event)>> told_by;
  std::uint64_t dials = 0, link = 0;
  int open = 0, asked = 0;
  bool given_up = false;
  caf::actor gateway;
  std::optional<peers_supervisor> peers;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(after_an_exception_links_are_begun_again_and_what_was_lent_counts, peers_rig) {
  lend();
  BOOST_TEST(seen().connected);
  BOOST_TEST(seen().link == "dialled b (there)");
  const auto before = peers->current();
  fail();
  BOOST_TEST(log->contains("a handler failed; restarted in place"), log->text());
  BOOST_TEST((peers->current() == before));
  BOOST_TEST(dials == 2U);
  BOOST_TEST(open == 1);
  BOOST_TEST(!seen().connected);
  BOOST_TEST(seen().link.empty());
  must_have_lent();
  link_to_b();
  advance(seconds{3});
  BOOST_TEST(seen().connected);
  must_have_lent();
  // What the way tells that was given up does not count.
  told_by.front()({node_event::kind::lost, {}, {}, 0, make_failure(errc::connection_failed, stage::connect, "late")});
  run();
  BOOST_TEST(seen().connected);
  // And it is given back as if nothing had been.
  others->want(0);
  advance(seconds{40});
  BOOST_TEST(cluster->budget(directory_server).lent == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_peer_whose_budget_goes_to_and_fro_does_not_fill_the_log, peers_rig) {
  auto right = other.tell("a", now());
  auto wrong = right;
  wrong.budget = 11;
  const auto tell_both = [&](int times) {
    for (int i = 0; i < times; ++i)
      for (const auto& each : {wrong, right})
        BOOST_TEST(
            ask<std::string>(peers->current(), exchange_atom_v, std::string{"b"}, std::uint64_t{1}, encode(each)).ok());
  };
  tell_both(100);
  BOOST_TEST(log->count("is configured with a budget of 11") == 1U, log->text());
  advance(seconds{60});
  tell_both(1);
  BOOST_TEST(log->count("is configured with a budget of 11") == 2U);
  BOOST_TEST(log->contains("times=100"), log->text());
}

BOOST_FIXTURE_TEST_CASE(one_that_ended_has_a_successor_that_goes_on_where_it_ended, peers_rig) {
  lend();
  const auto before = peers->current();
  kill(before);
  BOOST_TEST_REQUIRE(static_cast<bool>(peers->current()));
  BOOST_TEST((peers->current() != before));
  BOOST_TEST(dials == 2U);
  BOOST_TEST(open == 1);
  must_have_lent();
  link_to_b();
  advance(seconds{3});
  BOOST_TEST(seen().connected);
  must_have_lent();
  // It is the one that hears of what is to be told soon.
  const auto so_far = asked;
  cluster->set_refused({{"cn=service", "print", now(), "bind refused", {}}});
  advance(milliseconds{200});
  BOOST_TEST(asked > so_far);
  BOOST_TEST(!given_up);
}

BOOST_FIXTURE_TEST_CASE(one_that_fails_too_often_ends_and_has_a_successor, peers_rig) {
  for (int i = 0; i < 6; ++i) fail();
  BOOST_TEST(log->count("restarted in place") == 5U);
  BOOST_TEST(log->count("it is begun again") == 1U);
  BOOST_TEST(static_cast<bool>(peers->current()));
  BOOST_TEST(open == 1);
  lend();
}

BOOST_FIXTURE_TEST_CASE(successors_without_end_are_given_up_and_the_budget_is_kept, peers_rig) {
  lend();
  for (int i = 0; i < 5; ++i) {
    kill(peers->current());
    BOOST_TEST_REQUIRE(static_cast<bool>(peers->current()));
    BOOST_TEST(!given_up);
  }
  kill(peers->current());
  BOOST_TEST(given_up);
  BOOST_TEST(!peers->current());
  BOOST_TEST(open == 0);
  must_have_lent();
  BOOST_TEST(peers->end(duration::zero()));
}

BOOST_FIXTURE_TEST_CASE(one_that_is_ended_has_no_successor, peers_rig) {
  link_to_b();
  const auto last = peers->current();
  BOOST_TEST(!peers->end(duration::zero()));  // it is ordered to
  run();
  BOOST_TEST(peers->end(duration::zero()));
  BOOST_TEST(!peers->current());
  BOOST_TEST(open == 0);
  BOOST_TEST(dials == 1U);
  BOOST_TEST(!given_up);
}
