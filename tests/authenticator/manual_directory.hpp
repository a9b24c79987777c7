// A directory that answers when the test says so.
#pragma once
#include "understudy/runtime/directory.hpp"

#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

namespace understudy::test {

/// Keeps every request until it is answered by hand; what needs no request is told when run() is called. Thread-safe.
class manual_directory final : public directory {
 public:
  outcome perform(request_ptr request, const call_options& options) override {
    const auto promise = std::make_shared<std::promise<outcome>>();
    start(std::move(request), [promise](outcome answer) { promise->set_value(std::move(answer)); }, options, {});
    return promise->get_future().get();
  }
  void start(request_ptr request, completion done, const call_options&, executor) override {
    std::lock_guard guard{mutex_};
    (request ? asked_ : told_).push_back({std::move(request), std::move(done)});
    changed_.notify_all();
  }

  /// Tells what waits to be told, and what comes of it.
  void run() {
    while (const auto next = take(told_))
      next->done(make_failure(errc::invalid_request, stage::queue, "there is no request"));
  }
  /// Waits until there are so many requests.
  void await(std::size_t count) {
    std::unique_lock lock{mutex_};
    BOOST_TEST_REQUIRE(changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return asked_.size() >= count; }));
  }
  /// Requests that wait for an answer.
  std::size_t waiting() const {
    std::lock_guard guard{mutex_};
    return asked_.size();
  }
  /// The oldest of them, as what it is to be.
  template <class Operation>
  Operation first() const {
    std::lock_guard guard{mutex_};
    BOOST_TEST_REQUIRE(!asked_.empty(), "nothing is asked");
    const auto* order = std::get_if<Operation>(&asked_.front().order->op);
    BOOST_TEST_REQUIRE(order != nullptr, "another operation is asked");
    return *order;
  }
  /// Answers the oldest one.
  void answer(result with = {}) {
    if (const auto next = take(asked_)) next->done(std::make_shared<result>(std::move(with)));
  }
  /// Answers the newest one.
  void answer_newest() {
    if (const auto next = take(asked_, true)) next->done(std::make_shared<result>());
  }
  void find(std::string dn) {
    result found;
    found.entries.push_back({std::move(dn), {}});
    answer(std::move(found));
  }
  void fail(errc code, int ldap_code = 0) {
    failure why;
    why.code = code;
    why.ldap_code = ldap_code;
    why.message = "It failed.";
    if (const auto next = take(asked_)) next->done(make_failure(std::move(why)));
  }

 private:
  struct pending {
    request_ptr order;
    completion done;
  };
  std::optional<pending> take(std::deque<pending>& from, bool newest = false) {
    std::lock_guard guard{mutex_};
    if (from.empty()) return std::nullopt;
    auto next = std::move(newest ? from.back() : from.front());
    newest ? from.pop_back() : from.pop_front();
    return next;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<pending> asked_, told_;
};

}  // namespace understudy::test
