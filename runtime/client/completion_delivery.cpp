// Telling a caller what came of a request: see completion_delivery.hpp.
#include "understudy/runtime/client/completion_delivery.hpp"

#include <deque>

namespace understudy::internal {
namespace {

/// A completion that can run once, from whichever place gets to it first.
class told_once {
 public:
  told_once(completion done, outcome answer, std::shared_ptr<log_port> log)
      : done_(std::move(done)), answer_(std::move(answer)), log_(std::move(log)) {}

  void operator()() {
    if (told_.exchange(true)) return;
    try {
      done_(std::move(answer_));
    } catch (const std::exception& e) {
      log_exception(e.what());
    } catch (...) {
      log_exception("unknown exception");
    }
    done_ = nullptr;
  }

 private:
  void log_exception(const char* exception) const {
    if (log_) log_->write(log_level::error, "client", "a completion threw; it must not", {{"exception", exception}});
  }

  std::atomic<bool> told_{false};
  completion done_;
  outcome answer_;
  std::shared_ptr<log_port> log_;
};

/// What this thread tells when the completion that it runs has returned; null while it runs none.
thread_local std::deque<std::function<void()>>* told_next = nullptr;

void run_unnested(std::function<void()> job) {
  if (told_next != nullptr) return told_next->push_back(std::move(job));
  std::deque<std::function<void()>> due{std::move(job)};
  told_next = &due;
  for (; !due.empty(); due.pop_front()) due.front()();
  told_next = nullptr;
}

}  // namespace

void completion_delivery::tell(outcome answer) noexcept {
  if (!where_) {
    told_once{std::move(done_), std::move(answer), log_}();
    return;
  }
  auto told = std::make_shared<told_once>(std::move(done_), std::move(answer), log_);
  try {
    where_([told] { (*told)(); });
  } catch (...) {
    // An executor that takes no more work: the caller is told all the same.
    (*told)();
  }
  // With whatever it holds.
  where_ = nullptr;
}

void completion_delivery::tell_elsewhere(poller_port* poller, outcome answer) {
  if (!where_ && done_.target<future_completion>() != nullptr) return tell(std::move(answer));
  auto job = [self = std::make_shared<completion_delivery>(std::move(*this)), answer = std::move(answer)] {
    self->tell(answer);
  };
  if (poller == nullptr || !poller->post(job)) run_unnested(std::move(job));
}

void completion_delivery::tell_unnested(outcome answer) { tell_elsewhere(nullptr, std::move(answer)); }

}  // namespace understudy::internal
