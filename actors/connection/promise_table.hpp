// Promises of an actor under numbers, so that what decides about them need not know them.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

namespace understudy::internal {

/// Numbers are never 0 and never used twice; places are, so that a request costs no allocation.
template <class Promise>
class promise_table {
 public:
  std::uint64_t add(Promise promise) {
    if (free_.empty()) {
      places_.emplace_back();
      free_.reserve(places_.capacity());  // so that giving back cannot fail
      free_.push_back(static_cast<std::uint32_t>(places_.size() - 1));
    }
    const auto at = free_.back();
    free_.pop_back();
    auto& p = places_[at];
    p.promise = std::move(promise);
    p.number = ++turns_ << 32 | at;
    return p.number;
  }
  /// The one with that number, which stays.
  Promise& at(std::uint64_t number) { return place_of(number).promise; }
  /// Removes it.
  Promise take(std::uint64_t number) {
    auto& p = place_of(number);
    p.number = 0;
    free_.push_back(static_cast<std::uint32_t>(number));
    return std::exchange(p.promise, Promise{});
  }

 private:
  struct place {
    Promise promise;
    std::uint64_t number = 0;
  };
  place& place_of(std::uint64_t number) {
    const auto at = static_cast<std::uint32_t>(number);
    if (number == 0 || at >= places_.size() || places_[at].number != number)
      throw std::logic_error("a connection answered somebody who does not wait");
    return places_[at];
  }

  std::vector<place> places_;
  std::vector<std::uint32_t> free_;
  std::uint64_t turns_ = 0;
};

}  // namespace understudy::internal
