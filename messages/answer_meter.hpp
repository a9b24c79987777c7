// A bound for all answers that are on their way to one reader, from their being read to their being passed on.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

namespace understudy {

/// Counts the bytes of the answers that one reader, or several, asked for and were not given. Thread-safe.
class answer_meter {
 public:
  /// `most`: bytes, for all of them together. `within`: what counts these too, with those of other readers; may be
  /// null.
  explicit answer_meter(std::size_t most, std::shared_ptr<answer_meter> within = nullptr) noexcept
      : most_(most), within_(std::move(within)) {}

  /// So many more. False when that would be more than there may be, here or in what this is within: nothing is counted
  /// then.
  bool take(std::size_t bytes) noexcept {
    auto now = taken_.load();
    do
      if (bytes > most_ - now) return false;
    while (!taken_.compare_exchange_weak(now, now + bytes));
    if (!within_ || within_->take(bytes)) return true;
    taken_ -= bytes;
    return false;
  }
  /// So many of what was taken are gone.
  void give_back(std::size_t bytes) noexcept {
    taken_ -= bytes;
    if (within_) within_->give_back(bytes);
  }
  /// Bytes that are counted now.
  std::size_t taken() const noexcept { return taken_; }

 private:
  const std::size_t most_;
  const std::shared_ptr<answer_meter> within_;
  std::atomic<std::size_t> taken_{0};
};

/// One of these answers. Its bytes count until it ends. Not thread-safe: it goes with the request, from hop to hop.
class metered_answer {
 public:
  /// `reserved`: bytes that were taken of `of` for it already.
  explicit metered_answer(std::shared_ptr<answer_meter> of, std::size_t reserved = 0) noexcept
      : of_(std::move(of)), taken_(reserved) {}
  /// Gives back what it has.
  ~metered_answer() { of_->give_back(taken_); }
  metered_answer(const metered_answer&) = delete;
  metered_answer& operator=(const metered_answer&) = delete;

  /// So many more bytes of it are about to be kept. False when there is no room for them: they are not to be kept.
  bool take(std::size_t bytes) noexcept {
    const auto more = used_ + bytes > taken_ ? used_ + bytes - taken_ : 0;
    if (!of_->take(more)) {
      refused_ = true;
      return false;
    }
    taken_ += more;
    used_ += bytes;
    return true;
  }
  /// It is asked for from its beginning, for the first time or again.
  void begin() noexcept {
    used_ = 0;
    refused_ = false;
  }
  /// It has so many bytes, no more than before: the rest is given back.
  void shrink_to(std::size_t bytes) noexcept {
    used_ = std::min(bytes, taken_);
    of_->give_back(taken_ - used_);
    taken_ = used_;
  }
  /// There was no room for some of it, since begin().
  bool refused() const noexcept { return refused_; }

 private:
  const std::shared_ptr<answer_meter> of_;
  std::size_t taken_;
  std::size_t used_ = 0;
  bool refused_ = false;
};
/// Shared by who asks and the hop that has the request.
using metered_answer_ptr = std::shared_ptr<metered_answer>;

}  // namespace understudy
