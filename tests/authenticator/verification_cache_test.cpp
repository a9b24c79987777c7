// What is remembered of logins, and for how long.
#include "understudy/actors/authenticator/cached_login.hpp"

#include "authenticator/played_dialogue.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using understudy::test::played_dialogue;
using understudy::test::settings_with;

namespace {

/// A cache on a clock of its own, with hashes that can be read.
struct cache_fixture {
  explicit cache_fixture(cache_limits limits = {10s, 60s, 3})
      : memory(std::make_shared<login_memory>(limits,
                                              password_hashing{[this](const std::string& salt, const secret& password) {
                                                                 ++hashed;
                                                                 return salt + "/" + std::string{password.reveal()};
                                                               },
                                                               [this] { return "salt" + std::to_string(++salts); }},
                                              20s)),
        cache(&memory->verifications) {
    how.base = "dc=a";
  }

  /// A login that goes to the directory, which says that.
  login_result ask(const std::string& user, const std::string& password, login_outcome says, bool retryable = true) {
    auto attempt = cache->begin(user, secret{password});
    BOOST_TEST_REQUIRE(!cache->known(attempt, now).has_value());
    return cache->settle(attempt, answer_of(user, says, retryable), now);
  }
  std::optional<login_result> known(const std::string& user, const std::string& password) const {
    return cache->known(cache->begin(user, secret{password}), now);
  }
  static login_result answer_of(const std::string& user, login_outcome says, bool retryable = true) {
    login_result answer;
    answer.outcome = says;
    answer.dn = "uid=" + user;
    answer.retryable = retryable;
    if (says == login_outcome::unavailable)
      answer.failed = make_failure(retryable ? errc::no_server : errc::cancelled, stage::queue, "x");
    return answer;
  }

  time_point now = time_point{} + 1h;
  mutable int hashed = 0, salts = 0;
  authenticator_settings how;
  std::shared_ptr<login_memory> memory;
  verification_cache* cache;
};

constexpr auto ok = login_outcome::ok;

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_login_is_remembered_for_cache_ttl_and_asked_for_again_after_it, cache_fixture) {
  BOOST_TEST(!ask("jane", "right", ok).cached);
  now += 9s;
  const auto again = known("jane", "right");
  BOOST_TEST_REQUIRE(again.has_value());
  BOOST_TEST(again->outcome == ok);
  BOOST_TEST(again->dn == "uid=jane");
  BOOST_TEST(again->cached);
  BOOST_TEST(!known("jane", "wrong").has_value());
  BOOST_TEST(!known("joe", "right").has_value());
  BOOST_TEST(!known("jane", "").has_value());
  now += 1s;
  BOOST_TEST(!known("jane", "right").has_value());
}

BOOST_FIXTURE_TEST_CASE(while_no_directory_can_be_asked_cache_grace_counts, cache_fixture) {
  ask("jane", "right", ok);
  now += 59s;
  const auto spared = ask("jane", "right", login_outcome::unavailable);
  BOOST_TEST(spared.outcome == ok);
  BOOST_TEST(spared.cached);
  BOOST_TEST(spared.detail != "");
  BOOST_TEST(ask("jane", "wrong", login_outcome::unavailable).outcome == login_outcome::unavailable);
  BOOST_TEST(ask("joe", "right", login_outcome::unavailable).outcome == login_outcome::unavailable);
  // Cancelled, or a mistake of the configuration: it is no outage.
  BOOST_TEST(ask("jane", "right", login_outcome::unavailable, false).outcome == login_outcome::unavailable);
  BOOST_TEST(ask("jane", "right", login_outcome::service_identity_rejected, false).outcome ==
             login_outcome::service_identity_rejected);
  now += 1s;
  BOOST_TEST(ask("jane", "right", login_outcome::unavailable).outcome == login_outcome::unavailable);
}

BOOST_AUTO_TEST_CASE(each_limit_counts_by_itself) {
  cache_fixture only_ttl({10s, 0s, 3});
  only_ttl.ask("jane", "right", ok);
  BOOST_TEST(only_ttl.known("jane", "right").has_value());
  only_ttl.now += 20s;
  BOOST_TEST(only_ttl.ask("jane", "right", login_outcome::unavailable).outcome == login_outcome::unavailable);
  cache_fixture only_grace({0s, 60s, 3});
  only_grace.ask("jane", "right", ok);
  BOOST_TEST(!only_grace.known("jane", "right").has_value());
  BOOST_TEST(only_grace.ask("jane", "right", login_outcome::unavailable).outcome == ok);
  BOOST_TEST(!cache_fixture({0s, 0s, 3}).cache->enabled());
}

BOOST_FIXTURE_TEST_CASE(a_refused_password_or_account_is_forgotten_at_once, cache_fixture) {
  const auto kept_after = [&](const std::string& password, login_outcome says) {
    cache->forget_all();
    ask("jane", "right", ok);
    now += 10s;  // over for answers, not for outages
    ask("jane", password, says);
    return ask("jane", "right", login_outcome::unavailable).outcome == ok;
  };
  BOOST_TEST(!kept_after("right", login_outcome::bad_credentials));
  for (const auto outcome : {login_outcome::account_locked, login_outcome::account_disabled, login_outcome::must_change,
                             login_outcome::no_such_user, login_outcome::password_expired})
    BOOST_TEST(!kept_after("other", outcome), to_string(outcome));
  // Whoever types other passwords takes nothing from the user.
  BOOST_TEST(kept_after("other", login_outcome::bad_credentials));
}

BOOST_FIXTURE_TEST_CASE(grace_logins_are_not_remembered_since_the_directory_counts_them, cache_fixture) {
  auto answer = answer_of("jane", ok);
  answer.password.grace_logins = 2;
  cache->settle(cache->begin("jane", secret{"right"}), answer, now);
  BOOST_TEST(!known("jane", "right").has_value());
}

BOOST_FIXTURE_TEST_CASE(what_is_forgotten_does_not_come_back_with_an_answer_on_its_way, cache_fixture) {
  const auto under_way = cache->begin("jane", secret{"right"});
  cache->forget("jane");
  cache->settle(under_way, answer_of("jane", ok), now);
  BOOST_TEST(cache->size() == 0U);
  ask("jane", "right", ok);
  cache->forget("joe");
  BOOST_TEST(known("jane", "right").has_value());
  cache->forget("jane");
  BOOST_TEST(!known("jane", "right").has_value());
}

BOOST_FIXTURE_TEST_CASE(the_oldest_login_is_forgotten_for_a_new_one, cache_fixture) {
  for (const auto* user : {"a", "b", "c"}) ask(user, "right", ok);
  cache->settle(cache->begin("a", secret{"right"}), answer_of("a", ok), now);
  ask("d", "right", ok);
  BOOST_TEST(cache->size() == 3U);
  BOOST_TEST(!known("b", "right").has_value());
  for (const auto* user : {"a", "c", "d"}) BOOST_TEST(known(user, "right").has_value(), user);
}

BOOST_AUTO_TEST_CASE(nothing_is_kept_when_there_is_no_hash) {
  verification_cache cache({10s, 60s, 3}, {[](const std::string&, const secret&) { return std::string{}; },
                                           [] { return std::string{"salt"}; }});
  const auto attempt = cache.begin("jane", secret{"right"});
  cache.settle(attempt, cache_fixture::answer_of("jane", ok), time_point{} + 1h);
  BOOST_TEST(cache.size() == 0U);
  BOOST_TEST(!cache.known(attempt, time_point{} + 1h).has_value());
}

BOOST_FIXTURE_TEST_CASE(a_login_asks_the_cache_before_the_directory, cache_fixture) {
  const auto login = [&](std::vector<std::string> attributes = {}) {
    return cached_login(memory, settings_with(how), "jane", secret{"right"}, std::move(attributes),
                        [&] { return now; });
  };
  auto first = login();
  played_dialogue talk(first);
  talk.find({"uid=jane"});
  talk.answer();
  BOOST_TEST(!talk.last().cached);
  auto second = login();
  played_dialogue again(second);
  BOOST_TEST(again.last().cached);
  BOOST_TEST(again.last().outcome == ok);
  const int before = hashed;
  auto reading = login({"mail"});
  played_dialogue asked(reading);
  BOOST_TEST(!asked.over());
  BOOST_TEST(hashed == before);
  now += 30s;  // the user's DN is not known any more either
  auto third = login();
  played_dialogue outage(third);
  outage.fail(errc::no_server);
  BOOST_TEST(outage.last().outcome == ok);
  BOOST_TEST(outage.last().cached);
  BOOST_TEST(outage.last().failed != nullptr);
}

BOOST_AUTO_TEST_CASE(a_refusal_is_remembered_for_cache_failure_ttl) {
  cache_fixture there({10s, 0s, 3, 5s});
  for (const auto says : {login_outcome::bad_credentials, login_outcome::no_such_user}) {
    there.cache->forget_all();
    there.ask("jane", "wrong", says);
    there.now += 4s;
    const auto again = there.known("jane", "wrong");
    BOOST_TEST_REQUIRE(again.has_value());
    BOOST_TEST(again->outcome == says);
    BOOST_TEST(again->cached);
    BOOST_TEST(!there.known("jane", "right").has_value());
    BOOST_TEST(!there.known("joe", "wrong").has_value());
    there.now += 1s;
    BOOST_TEST(!there.known("jane", "wrong").has_value());
  }
  // What may be over at any moment is not kept, nor what could not be found out.
  for (const auto says : {login_outcome::account_locked, login_outcome::must_change, login_outcome::unavailable}) {
    there.ask("jane", "wrong", says);
    BOOST_TEST(!there.known("jane", "wrong").has_value(), to_string(says));
  }
  there.ask("jane", "wrong", login_outcome::bad_credentials);
  there.ask("jane", "right", ok);
  BOOST_TEST(there.known("jane", "right")->outcome == ok);
  BOOST_TEST(there.known("jane", "wrong")->outcome == login_outcome::bad_credentials);
  there.cache->forget("jane");
  BOOST_TEST(there.cache->size() == 0U);
  cache_fixture off({10s, 0s, 3, 0s});
  off.ask("jane", "wrong", login_outcome::bad_credentials);
  BOOST_TEST(!off.known("jane", "wrong").has_value());
  BOOST_TEST(cache_fixture({0s, 0s, 3, 5s}).cache->enabled());
}

BOOST_AUTO_TEST_CASE(a_users_dn_is_known_for_cache_dn_ttl) {
  cache_fixture there(cache_limits{});  // no verifications
  const auto login = [&](const std::string& password, std::vector<std::string> attributes = {}) {
    return cached_login(there.memory, settings_with(there.how), "jane", secret{password}, std::move(attributes),
                        [&] { return there.now; });
  };
  auto first = login("right");
  played_dialogue talk(first);
  talk.find({"uid=jane,dc=a"});
  talk.answer();
  there.now += 19s;
  auto second = login("right");
  played_dialogue again(second);
  BOOST_TEST(again.asked<bind_request>().dn == "uid=jane,dc=a");
  again.answer();
  BOOST_TEST(again.last().outcome == ok);
  BOOST_TEST(again.last().dn == "uid=jane,dc=a");
  BOOST_TEST(!again.last().cached);
  auto reading = login("right", {"mail"});
  BOOST_TEST(played_dialogue(reading).asked<search_request>().base == "dc=a");

  // A wrong password, or an entry that was moved: a search tells, and the same entry is not bound as twice.
  auto wrong = login("wrong");
  played_dialogue refused(wrong);
  refused.refuse(result_code::invalid_credentials);
  refused.find({"UID=jane, dc=a"});
  BOOST_TEST(refused.last().outcome == login_outcome::bad_credentials);
  auto moved = login("right");
  played_dialogue elsewhere(moved);
  elsewhere.refuse(result_code::invalid_credentials);
  elsewhere.find({"uid=jane,ou=new,dc=a"});
  BOOST_TEST(elsewhere.asked<bind_request>().dn == "uid=jane,ou=new,dc=a");
  elsewhere.answer();
  BOOST_TEST(elsewhere.last().outcome == ok);
  auto knows = login("right");
  BOOST_TEST(played_dialogue(knows).asked<bind_request>().dn == "uid=jane,ou=new,dc=a");
  auto removed = login("right");
  played_dialogue gone(removed);
  gone.refuse(result_code::no_such_object);
  gone.find({});
  BOOST_TEST(gone.last().outcome == login_outcome::no_such_user);
  BOOST_TEST(gone.last().dn == "");
  BOOST_TEST(gone.last().user.dn == "");
  auto anew = login("right");
  played_dialogue searched(anew);
  searched.find({"uid=jane,dc=a"});
  searched.answer();
  there.now += 20s;
  auto late = login("right");
  BOOST_TEST(played_dialogue(late).asked<search_request>().base == "dc=a");
  there.now -= 1s;
  there.memory->forget("jane");
  auto forgotten = login("right");
  BOOST_TEST(played_dialogue(forgotten).asked<search_request>().base == "dc=a");
}

BOOST_AUTO_TEST_CASE(a_dn_that_was_forgotten_does_not_come_back_with_an_answer_on_its_way) {
  user_dn_cache dns(1h);
  const time_point now{};
  const auto asked = dns.find("jane", now);
  dns.forget_all();
  dns.note("jane", "uid=jane,dc=old", asked.generation, now);
  BOOST_TEST(!dns.find("jane", now).dn.has_value());
  dns.note("jane", "uid=jane,dc=new", dns.find("jane", now).generation, now);
  BOOST_TEST(dns.find("jane", now).dn.value_or("") == "uid=jane,dc=new");
}

BOOST_AUTO_TEST_CASE(a_user_is_forgotten_under_every_name_that_found_the_entry) {
  cache_fixture there({10s, 0s, 10, 5s});
  const auto log_in = [&](const std::string& user, const std::string& dn, login_outcome says) {
    const auto known = there.memory->dns.find(user, there.now);
    there.memory->dns.note(user, dn, known.generation, there.now);
    auto answer = cache_fixture::answer_of(user, says);
    answer.dn = dn;
    there.cache->settle(there.cache->begin(user, secret{"x"}), answer, there.now);
    BOOST_TEST_REQUIRE(there.known(user, "x").has_value());
  };
  const auto dn_known = [&](const std::string& user) { return there.memory->dns.find(user, there.now).dn.has_value(); };
  // The last two: the entry is known from a refusal, or from a search alone.
  for (const auto* forgotten : {"jane", "EXAMPLE\\jane", "JANE", "seen"}) {
    there.memory->forget_all();
    log_in("jane", "uid=jane,dc=a", ok);
    log_in("EXAMPLE\\jane", "UID=Jane, dc=a", ok);
    log_in("JANE", "uid=JANE,dc=a", login_outcome::bad_credentials);
    there.memory->dns.note("seen", "uid=jane,dc=a", there.memory->dns.find("seen", there.now).generation, there.now);
    log_in("joe", "uid=joe,dc=a", ok);
    log_in("nobody", "", login_outcome::no_such_user);
    there.memory->forget(forgotten);
    for (const auto* name : {"jane", "EXAMPLE\\jane", "JANE", "seen"}) {
      BOOST_TEST(!there.known(name, "x").has_value(), forgotten << ": " << name);
      BOOST_TEST(!dn_known(name), forgotten << ": " << name);
    }
    BOOST_TEST(there.known("joe", "x").has_value(), forgotten);
    BOOST_TEST(dn_known("joe"), forgotten);
    BOOST_TEST(there.known("nobody", "x").has_value(), forgotten);
  }
  // One that was never seen is nobody's other name.
  there.memory->forget("jane@example.com");
  BOOST_TEST(there.known("joe", "x").has_value());
}

BOOST_AUTO_TEST_CASE(a_name_that_cannot_be_a_users_is_neither_hashed_nor_kept) {
  cache_fixture there({10s, 0s, 3, 5s});
  const auto size_after = [&](std::size_t length) {
    auto login = cached_login(there.memory, settings_with(there.how), std::string(length, 'a'), secret{"wrong"}, {},
                              [&] { return there.now; });
    played_dialogue talk(login);
    if (!talk.over()) talk.find({});
    BOOST_TEST(talk.last().outcome == login_outcome::no_such_user);
    return there.cache->size();
  };
  for (const std::size_t length : {std::size_t{0}, longest_login_name + 1, std::size_t{1} << 20}) {
    BOOST_TEST(size_after(length) == 0U);
    BOOST_TEST(there.hashed == 0);
  }
  BOOST_TEST(size_after(longest_login_name) == 1U);
  BOOST_TEST(there.hashed == 1);
}

BOOST_FIXTURE_TEST_CASE(grace_is_for_servers_that_are_away_and_for_nothing_else, cache_fixture) {
  how.timeout = 30s;
  ask("jane", "right", ok);
  const auto ends = [&](errc with, duration after, int ldap_code = 0) {
    const auto began = now;
    auto login = cached_login(memory, settings_with(how), "jane", secret{"right"}, {"cn"}, [&] { return now; });
    auto plain = cached_login(memory, settings_with(how), "jane", secret{"right"}, {}, [&] { return now; });
    played_dialogue talk(plain), reading(login);
    now += after;
    failure why;
    why.code = with;
    why.ldap_code = ldap_code;
    talk.fail(why);
    reading.fail(why);
    now = began;
    // Attributes are never from the cache.
    BOOST_TEST(reading.last().outcome == login_outcome::unavailable, to_string(with));
    BOOST_TEST(talk.last().cached == (talk.last().outcome == ok), to_string(with));
    return talk.last().outcome;
  };
  now += 11s;
  BOOST_TEST(ends(errc::no_server, 0s) == ok);
  BOOST_TEST(ends(errc::queue_full, 0s) == login_outcome::unavailable);
  BOOST_TEST(ends(errc::local_resources, 0s) == login_outcome::unavailable);
  BOOST_TEST(ends(errc::ldap_error, 0s, result_code::busy) == login_outcome::unavailable);
  // A caller with less time than is configured says nothing of the servers.
  for (const auto code : {errc::operation_timeout, errc::pool_timeout, errc::outcome_unknown}) {
    BOOST_TEST(ends(code, how.timeout - 1ms) == login_outcome::unavailable, to_string(code));
    BOOST_TEST(ends(code, how.timeout) == ok, to_string(code));
  }
  // One server has the user, another one does not: it was asked.
  auto moved = cached_login(memory, settings_with(how), "jane", secret{"right"}, {}, [&] { return now; });
  played_dialogue talk(moved);
  result at_a;
  at_a.server = "a:389";
  at_a.entries.push_back({"uid=jane", {}});
  talk.answer(at_a);
  failure at_b;
  at_b.code = errc::authentication_failed;
  at_b.ldap_code = result_code::invalid_credentials;
  at_b.server = "b:389";
  talk.fail(at_b);
  result without;
  without.server = "b:389";
  talk.answer(without);
  BOOST_TEST(talk.last().outcome == login_outcome::unavailable);
  BOOST_TEST(talk.last().retryable);
}
