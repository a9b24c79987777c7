// Equal requests that are sent once.
#include "understudy/actors/authenticator/shared_requests.hpp"

#include <boost/test/unit_test.hpp>
#include <random>

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;

namespace {

constexpr time_point soon = time_point{} + 10s;

request_ptr search_for(const std::string& filter, const std::string& server = {}) {
  search_request request;
  request.base = "dc=a";
  request.filter = filter;
  return make_request(std::move(request), {}, {server, false});
}

request_ptr bind_as(const std::string& dn, const std::string& password, const std::string& server = {}) {
  return make_request(bind_request{dn, secret{password}}, {}, {server, false});
}

/// Who asks, and what each was told.
struct askers {
  std::uint64_t ask(const request_ptr& order, time_point deadline = soon) {
    return shared.join(*order, deadline, [this](const reply_to_request& reply) { told.push_back(reply); });
  }
  static reply_to_request found(const std::string& server) {
    auto answer = std::make_shared<result>();
    answer->server = server;
    return {std::move(answer), nullptr};
  }
  shared_requests shared;
  std::vector<reply_to_request> told;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(equal_requests_have_one_answer, askers) {
  const auto first = ask(search_for("(uid=a)"));
  BOOST_TEST(first != 0U);
  for (int i = 0; i < 99; ++i) BOOST_TEST(ask(search_for("(uid=a)")) == 0U);
  BOOST_TEST(shared.waiting() == 99U);
  shared.land(first, found("x:389"));
  BOOST_TEST(told.size() == 99U);
  BOOST_TEST(told.back().found->server == "x:389");
  BOOST_TEST(shared.waiting() == 0U);
  // It is over: who comes later asks.
  BOOST_TEST(ask(search_for("(uid=a)")) != 0U);
  shared.land(first, found("x:389"));
  BOOST_TEST(told.size() == 99U);
}

BOOST_FIXTURE_TEST_CASE(what_differs_is_asked_for_itself, askers) {
  std::vector<std::uint64_t> numbers{ask(search_for("(uid=a)")),
                                     ask(search_for("(uid=b)")),
                                     ask(search_for("(uid=a)", "s")),
                                     ask(bind_as("uid=a", "right")),
                                     ask(bind_as("uid=a", "wrong")),
                                     ask(bind_as("uid=b", "right")),
                                     ask(bind_as("uid=a", "right2")),
                                     ask(make_request(delete_request{"dc=a"})),
                                     ask(make_request(delete_request{"dc=a"}))};
  for (const auto number : numbers) BOOST_TEST(number != 0U);
  // A password is the same wherever it is checked.
  BOOST_TEST(ask(bind_as("uid=a", "right", "elsewhere:389")) == 0U);
  auto wider = *search_for("(uid=a)");
  std::get<search_request>(wider.op).attributes = {"mail"};
  BOOST_TEST(ask(std::make_shared<const request>(wider)) != 0U);
}

BOOST_FIXTURE_TEST_CASE(nobody_joins_what_was_under_way_when_it_was_forgotten, askers) {
  const auto before = ask(bind_as("uid=a", "old"));
  BOOST_TEST(ask(bind_as("uid=a", "old")) == 0U);
  shared.forget();
  const auto after = ask(bind_as("uid=a", "old"));
  BOOST_TEST_REQUIRE(after != 0U);
  BOOST_TEST(ask(bind_as("uid=a", "old")) == 0U);
  // Who waited for it is told, and what has begun since is joined as before.
  shared.land(before, found("before"));
  BOOST_TEST_REQUIRE(told.size() == 1U);
  BOOST_TEST(told[0].found->server == "before");
  BOOST_TEST(ask(bind_as("uid=a", "old")) == 0U);
  shared.land(after, found("after"));
  BOOST_TEST_REQUIRE(told.size() == 3U);
  BOOST_TEST(told[1].found->server == "after");
  BOOST_TEST(told[2].found->server == "after");
  BOOST_TEST(shared.waiting() == 0U);
}

BOOST_FIXTURE_TEST_CASE(nobody_waits_for_what_may_end_after_the_own_deadline, askers) {
  const auto first = ask(search_for("(uid=a)"), soon);
  BOOST_TEST(first != 0U);
  BOOST_TEST(ask(search_for("(uid=a)"), soon - 1ms) != 0U);
  BOOST_TEST(ask(search_for("(uid=a)"), soon + 1h) == 0U);
}

BOOST_AUTO_TEST_CASE(who_gave_up_says_nothing_of_what_was_asked) {
  for (const auto code : {errc::cancelled, errc::operation_timeout, errc::no_server, errc::ldap_error}) {
    const bool own = code == errc::cancelled || code == errc::operation_timeout;
    BOOST_TEST(shared_requests::is_the_askers_own({nullptr, make_failure(code, stage::queue, "x")}) == own);
  }
  BOOST_TEST(!shared_requests::is_the_askers_own(askers::found("x")));
}

BOOST_AUTO_TEST_CASE(each_asker_is_told_once_whatever_the_order) {
  std::mt19937 random{11};
  for (int round = 0; round < 200; ++round) {
    shared_requests shared;
    std::vector<std::uint64_t> open;
    int waits = 0, told = 0;
    for (int i = 0; i < 60; ++i) {
      if (random() % 16 == 0) shared.forget();
      if (!open.empty() && random() % 3 == 0) {
        const auto at = random() % open.size();
        shared.land(open[at], askers::found("x"));
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(at));
        continue;
      }
      const auto deadline = soon + milliseconds{random() % 3};
      const auto order = random() % 2 == 0 ? search_for("(uid=" + std::to_string(random() % 3) + ")")
                                           : bind_as("uid=a", std::to_string(random() % 2));
      const auto number = shared.join(*order, deadline, [&](const reply_to_request&) { ++told; });
      if (number == 0)
        ++waits;
      else
        open.push_back(number);
    }
    for (const auto number : open) shared.land(number, askers::found("x"));
    BOOST_TEST_REQUIRE(told == waits);
    BOOST_TEST_REQUIRE(shared.waiting() == 0U);
  }
}
