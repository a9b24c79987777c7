// Each call has its one result, also where an answer is lost between two requests because memory ran out.
#include "authenticator/manual_directory.hpp"
#include "authenticator/played_dialogue.hpp"
#include "understudy/runtime/client/request_sequence.hpp"

using namespace understudy;
using namespace understudy::internal;
using namespace std::chrono_literals;
using test::manual_directory;

namespace {

request_ptr some_search() {
  search_request request;
  request.filter = "(uid=jane)";
  return make_request(std::move(request));
}

/// Asks, and has no memory for the answer.
struct dialogue_out_of_memory final : dialogue<lookup_result> {
  step begin() override { return some_search(); }
  step answered(const reply_to_request&) override { throw std::bad_alloc{}; }
};

struct short_dialogue final : dialogue<lookup_result> {
  step begin() override { return some_search(); }
  step answered(const reply_to_request& reply) override {
    lookup_result made;
    made.outcome = reply.found ? login_outcome::ok : login_outcome::unavailable;
    made.failed = reply.failed;
    return made;
  }
};

/// Takes requests, and lets go of them untold.
struct forgetful_directory final : directory {
  outcome perform(request_ptr, const call_options&) override { throw std::bad_alloc{}; }
  void start(request_ptr, completion, const call_options&, executor) override {}
};

struct full_directory final : directory {
  outcome perform(request_ptr, const call_options&) override { throw std::bad_alloc{}; }
  void start(request_ptr, completion, const call_options&, executor) override { throw std::bad_alloc{}; }
};

struct lost_fixture {
  template <class Dialogue>
  void start(directory& through, std::shared_ptr<shared_requests> shared = nullptr) {
    std::make_shared<request_sequence<lookup_result>>(
        through, std::make_unique<Dialogue>(), sequence_limits{1h, nullptr, std::move(shared)},
        [this](lookup_result all) { told.push_back(std::move(all)); }, executor{})
        ->start();
  }
  void check_lost(std::size_t count) const {
    BOOST_TEST_REQUIRE(told.size() == count);
    BOOST_TEST(told.back().outcome == login_outcome::unavailable);
    BOOST_TEST(told.back().retryable);
    BOOST_TEST_REQUIRE(told.back().failed != nullptr);
    BOOST_TEST((told.back().failed->code == errc::local_resources));
    BOOST_TEST(!told.back().detail.empty());
  }
  std::vector<lookup_result> told;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(an_answer_for_which_there_is_no_memory_is_told_as_lost, lost_fixture) {
  manual_directory directory;
  start<dialogue_out_of_memory>(directory);
  BOOST_TEST(told.empty());
  BOOST_CHECK_THROW(directory.answer(), std::bad_alloc);  // the runtime contains what a completion throws
  check_lost(1);
}

BOOST_FIXTURE_TEST_CASE(a_request_that_is_let_go_of_untold_is_told_as_lost, lost_fixture) {
  forgetful_directory directory;
  start<short_dialogue>(directory);
  check_lost(1);
}

BOOST_FIXTURE_TEST_CASE(what_was_refused_at_once_is_not_told_besides, lost_fixture) {
  full_directory directory;
  BOOST_CHECK_THROW(start<short_dialogue>(directory), std::bad_alloc);
  BOOST_TEST(told.empty());
}

BOOST_FIXTURE_TEST_CASE(who_waits_for_an_answer_that_is_lost_asks_himself, lost_fixture) {
  manual_directory directory;
  const auto shared = std::make_shared<shared_requests>();
  start<dialogue_out_of_memory>(directory, shared);
  start<short_dialogue>(directory, shared);
  BOOST_TEST_REQUIRE(directory.waiting() == 1U);
  BOOST_CHECK_THROW(directory.answer(), std::bad_alloc);
  check_lost(1);
  directory.run();
  BOOST_TEST_REQUIRE(told.size() == 2U);
  BOOST_TEST(told.back().outcome == login_outcome::ok);
}

BOOST_AUTO_TEST_CASE(one_asker_without_memory_takes_the_answer_from_nobody) {
  shared_requests shared;
  int answered = 0;
  const auto order = some_search();
  const auto deadline = time_point{} + 10s;
  const auto number = shared.join(*order, deadline, [](const reply_to_request&) {});
  BOOST_TEST(shared.join(*order, deadline, [](const reply_to_request&) { throw std::bad_alloc{}; }) == 0U);
  BOOST_TEST(shared.join(*order, deadline, [&](const reply_to_request&) { ++answered; }) == 0U);
  shared.land(number, {std::make_shared<result>(), nullptr});
  BOOST_TEST(answered == 1);
  BOOST_TEST(shared.waiting() == 0U);
}

BOOST_AUTO_TEST_CASE(an_answer_that_others_owe_and_nobody_brings_is_told_as_lost) {
  failure_ptr why;
  int times = 0;
  for (const bool waits : {false, true}) {
    const auto awaited = std::make_shared<shared_answer>([&](const reply_to_request& reply) {
      why = reply.failed;
      ++times;
    });
    const auto taker = awaited->taker();
    if (waits) awaited->end_with(cancel_watch{nullptr});
    BOOST_TEST(times == 0);
  }
  BOOST_TEST(times == 1);
  BOOST_TEST_REQUIRE(why != nullptr);
  BOOST_TEST((why->code == errc::local_resources));
}
