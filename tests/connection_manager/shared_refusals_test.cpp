// A secret that one node was refused is not tried by the others: guards that tell each other, on injected time.
#include "understudy/actors/connection/secret_fingerprint.hpp"
#include "understudy/actors/connection_manager/bind_lockout_guard.hpp"

#include <boost/test/unit_test.hpp>

using namespace understudy;
using namespace understudy::internal;
using std::chrono::minutes;

namespace {

using kind = credential_verdict::kind;

connection_info with_password(std::string_view password, std::string bind_dn = "cn=service") {
  connection_info info;
  info.bind_dn = std::move(bind_dn);
  info.password = secret{password};
  return info;
}

bind_lockout_options sharing() {
  bind_lockout_options o;
  o.shares = true;
  return o;
}

/// One node's guard, with a worker that makes the fingerprints of a test.
struct node {
  explicit node(std::string_view password, time_point& clock) : now(clock) { configure(password); }

  void configure(std::string_view password) { put(guard.set_servers({{0, with_password(password)}}, now)); }
  std::uint64_t ask() {
    put(guard.ask(++requests, 0, now + seconds{30}, now));
    return requests;
  }
  void on_verdict(std::uint64_t request, kind outcome) {
    credential_verdict v;
    v.version = told.at(request).value.version;
    v.what = outcome;
    v.cause = make_failure(errc::service_authentication_failed, stage::bind, "invalid credentials", "ldap1:389");
    put(guard.on_verdict(v, now, {}));
  }
  void hears(const node& other) {
    auto all = const_cast<node&>(other).guard.refused_here(now);
    for (auto& each : all) each.told_by = "other";
    put(guard.set_refused_elsewhere(std::move(all), now));
    work();
  }
  void work() {
    if (!works) return;
    for (const auto& w : std::exchange(wanted, {})) {
      ++made;
      const auto print = w.identity + "/" + std::string{w.value.reveal()};
      put(guard.fingerprint_done(w.number, print, now));
    }
  }
  void put(const bind_lockout_actions& done) {
    for (const auto& a : done.answers) {
      BOOST_TEST(told.count(a.request_id) == 0U);
      told[a.request_id] = a;
    }
    wanted.insert(wanted.end(), done.fingerprints.begin(), done.fingerprints.end());
  }
  bool waits(std::uint64_t r) const { return told.count(r) == 0; }
  bool may_bind(std::uint64_t r) const { return !waits(r) && !told.at(r).refusal; }
  bool refused(std::uint64_t r) const { return !waits(r) && told.at(r).refusal; }
  /// A bind that the directory refuses.
  void bind_in_vain() {
    const auto r = ask();
    BOOST_TEST_REQUIRE(may_bind(r));
    on_verdict(r, kind::refused);
    work();
  }

  time_point& now;
  bind_lockout_guard guard{sharing()};
  std::uint64_t requests = 0;
  std::map<std::uint64_t, bind_permission> told;
  std::vector<wanted_fingerprint> wanted;
  int made = 0;
  bool works = true;
};

struct two_nodes {
  time_point now{std::chrono::hours{1}};
  node a{"wrong", now}, b{"wrong", now};
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(what_one_node_was_refused_the_other_does_not_try, two_nodes) {
  a.bind_in_vain();
  now += seconds{1};
  b.hears(a);
  const auto r = b.ask();
  BOOST_TEST_REQUIRE(b.refused(r));
  const auto& why = *b.told.at(r).refusal;
  BOOST_TEST((why.code == errc::service_authentication_failed));
  BOOST_TEST(why.cause.find("node other") != std::string::npos, why.cause);
  BOOST_TEST(why.retry_after.value().count() > 0);
  BOOST_TEST(b.guard.any_refused());
  BOOST_TEST(b.guard.refused_here(now).empty());  // each tells what it was refused itself
}

BOOST_FIXTURE_TEST_CASE(another_secret_and_another_name_are_tried_at_once, two_nodes) {
  a.bind_in_vain();
  b.configure("right");
  b.hears(a);
  BOOST_TEST(b.may_bind(b.ask()));
  node c{"wrong", now};
  c.put(c.guard.set_servers({{0, with_password("wrong", "cn=other")}}, now));
  c.hears(a);
  BOOST_TEST(c.may_bind(c.ask()));
}

BOOST_FIXTURE_TEST_CASE(a_changed_secret_is_compared_before_it_is_sent, two_nodes) {
  a.bind_in_vain();
  b.configure("right");
  b.hears(a);
  BOOST_TEST(b.may_bind(b.ask()));
  b.works = false;
  b.configure("wrong");  // the old file again
  const auto r = b.ask();
  BOOST_TEST(b.waits(r));
  b.works = true;
  b.work();
  BOOST_TEST(b.refused(r));
}

BOOST_FIXTURE_TEST_CASE(a_secret_that_cannot_be_compared_is_tried, two_nodes) {
  a.bind_in_vain();
  b.works = false;
  b.hears(a);
  const auto r = b.ask();
  BOOST_TEST_REQUIRE(b.waits(r));
  for (const auto& w : std::exchange(b.wanted, {})) b.put(b.guard.fingerprint_done(w.number, {}, now));
  BOOST_TEST(b.may_bind(r));
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_a_comparison_waits_no_longer_than_its_deadline, two_nodes) {
  a.bind_in_vain();
  b.works = false;
  b.hears(a);
  const auto r = b.ask();
  BOOST_TEST_REQUIRE((b.guard.next_tick() <= now + seconds{30}));
  now += seconds{30};
  b.put(b.guard.tick(now));
  BOOST_TEST(b.refused(r));
}

BOOST_FIXTURE_TEST_CASE(what_was_accepted_here_since_counts_more, two_nodes) {
  a.bind_in_vain();
  now += seconds{1};
  const auto r = b.ask();
  BOOST_TEST_REQUIRE(b.may_bind(r));
  b.on_verdict(r, kind::accepted);
  b.hears(a);
  BOOST_TEST(b.may_bind(b.ask()));
  // Refused there after that: the password was changed in the directory.
  now += minutes{5};
  a.guard.resume(0, now);
  a.bind_in_vain();
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
}

BOOST_FIXTURE_TEST_CASE(who_was_refused_tries_again_first, two_nodes) {
  a.bind_in_vain();
  b.hears(a);
  const auto retry = bind_lockout_options{}.retry;
  now += retry - seconds{1};
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
  now += seconds{2};
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
  a.bind_in_vain();  // again
  now += seconds{4};
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
  now += seconds{1};
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
}

BOOST_FIXTURE_TEST_CASE(a_dead_node_s_word_holds_no_longer_than_our_own_would, two_nodes) {
  a.bind_in_vain();
  b.hears(a);
  const bind_lockout_options o;
  now += o.retry + o.after_others;
  BOOST_TEST(b.may_bind(b.ask()));
}

BOOST_FIXTURE_TEST_CASE(what_is_accepted_there_again_is_tried_here, two_nodes) {
  a.bind_in_vain();
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
  a.guard.resume(0, now);
  const auto r = a.ask();
  BOOST_TEST_REQUIRE(a.may_bind(r));
  a.on_verdict(r, kind::accepted);
  b.hears(a);
  BOOST_TEST(b.may_bind(b.ask()));
  BOOST_TEST(!b.guard.any_refused());
}

BOOST_FIXTURE_TEST_CASE(a_secret_that_was_replaced_where_it_was_refused_is_still_told, two_nodes) {
  a.bind_in_vain();
  a.configure("right");
  const auto r = a.ask();
  BOOST_TEST_REQUIRE(a.may_bind(r));
  a.on_verdict(r, kind::accepted);
  b.hears(a);
  BOOST_TEST(b.refused(b.ask()));
  now += std::chrono::hours{1};
  BOOST_TEST(a.guard.refused_here(now).empty());
}

BOOST_FIXTURE_TEST_CASE(an_operator_overrules_what_others_say, two_nodes) {
  a.bind_in_vain();
  b.hears(a);
  now += seconds{1};
  b.guard.resume(0, now);
  b.hears(a);  // the same again
  BOOST_TEST(b.may_bind(b.ask()));
}

BOOST_FIXTURE_TEST_CASE(a_fingerprint_is_made_once_and_only_when_there_is_something_to_compare, two_nodes) {
  for (int i = 0; i < 3; ++i) b.on_verdict(b.ask(), kind::accepted);
  BOOST_TEST(b.made + static_cast<int>(b.wanted.size()) == 0);
  now += seconds{1};
  a.bind_in_vain();
  for (int i = 0; i < 10; ++i) b.hears(a);
  BOOST_TEST(b.made == 1);
  BOOST_TEST(a.made == 1);
}

BOOST_AUTO_TEST_CASE(fingerprints_differ_by_name_and_secret_and_are_the_same_everywhere) {
  const auto one = fingerprint_of("cn=service", secret{"password"});
  BOOST_TEST(one.size() == 32U);
  BOOST_TEST((one == fingerprint_of("cn=service", secret{"password"})));
  BOOST_TEST((one != fingerprint_of("cn=service", secret{"passwore"})));
  BOOST_TEST((one != fingerprint_of("cn=servicf", secret{"password"})));
  BOOST_TEST((one != fingerprint_of("cn=service", secret{""})));
}
