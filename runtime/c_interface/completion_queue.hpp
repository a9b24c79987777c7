// Requests that were begun, by ticket, and what came of them until it is fetched.
#pragma once
#include "understudy/runtime/c_interface/c_result.hpp"
#include "understudy/runtime/platform/descriptor.hpp"

#include <condition_variable>
#include <list>
#include <mutex>
#include <unordered_map>

namespace understudy::internal {

/// What was fetched.
struct fetched_completion {
  std::uint64_t ticket = 0;
  void* context = nullptr;
  std::unique_ptr<understudy_result> result;
};

/// Bounded: a request whose ticket was given has its place here until its completion is fetched, so that telling it can
/// fail for nothing. Thread-safe.
class completion_queue {
 public:
  /// `most` tickets whose completions were not fetched. Throws std::system_error when there is no descriptor for it.
  explicit completion_queue(std::size_t most);

  /// What the descriptor says is never more than a moment behind: it can be read while a completion waits.
  int fd() const noexcept { return ready_fd_.get(); }

  /// A ticket and its cancel_source, or why there is none: UNDERSTUDY_QUEUE_FULL, UNDERSTUDY_STOPPED. The ticket is in
  /// `*ticket`, if that is not null, before anybody can fetch or cancel it.
  understudy_status open(void* context, std::uint64_t* ticket, std::uint64_t& number,
                         std::shared_ptr<cancel_source>& cancel);
  /// The request was refused: there is no such ticket. False when it was told already.
  bool withdraw(std::uint64_t number) noexcept;
  /// The request's outcome. The first one counts.
  void tell(std::uint64_t number, std::unique_ptr<understudy_result> result) noexcept;
  /// False when it is not under way.
  bool cancel(std::uint64_t number);
  /// All that are under way now.
  void cancel_all();

  /// The oldest, if there is one.
  std::optional<fetched_completion> next() noexcept;
  /// Tickets whose completions were not fetched.
  std::size_t size() const;

  /// No more tickets from now on.
  void close() noexcept;
  /// Waits until nothing is under way; false when something still is after `span`.
  bool wait_until_told(duration span);

 private:
  struct request {
    fetched_completion told;
    std::shared_ptr<cancel_source> cancel;
  };

  const std::size_t most_;
  const descriptor ready_fd_;
  mutable std::mutex guard_;
  std::condition_variable all_told_;
  bool closed_ = false;
  std::uint64_t last_ = 0;
  std::list<request> under_way_, ready_;
  std::unordered_map<std::uint64_t, std::list<request>::iterator> by_number_;  ///< under way
};

/// The duty to tell one request's outcome. Whoever lets go of the last one without having told it has told a defect.
class pending_completion {
 public:
  /// Of the ticket `number` of `to`.
  pending_completion(std::shared_ptr<completion_queue> to, std::uint64_t number)
      : to_(std::move(to)), number_(number), result_(std::make_unique<understudy_result>()) {}
  ~pending_completion() { to_->tell(number_, std::move(result_)); }
  pending_completion(const pending_completion&) = delete;
  pending_completion& operator=(const pending_completion&) = delete;

  /// Once.
  template <class Outcome>
  void tell(Outcome&& came) noexcept {
    if (!result_) return;
    try {
      result_->fill(std::forward<Outcome>(came));
    } catch (...) {
      result_->out_of_memory();
    }
    to_->tell(number_, std::move(result_));
  }

 private:
  const std::shared_ptr<completion_queue> to_;
  const std::uint64_t number_;
  std::unique_ptr<understudy_result> result_;
};

}  // namespace understudy::internal
