// Rounds of connects.
#include "understudy/actors/pool/connect_backoff.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

/// Of the pause between retries, what is added at random, so that many clients do not come back at the same moment.
constexpr int retry_spread = 10;  // a tenth

/// A pause made of `was`, as it is of the shorter `base`: in proportion, so that those of many clients stay spread.
duration shortened(duration pause, duration was, duration base) noexcept {
  if (pause <= base) return pause;
  const std::chrono::duration<double, duration::period> all{pause};
  const double part = static_cast<double>(base.count()) / static_cast<double>(was.count());
  return std::max(base, std::chrono::duration_cast<duration>(all * part));
}

}  // namespace

void connect_backoff::set_base(duration base) noexcept {
  if (base < base_) {
    for (auto* at : {&retry_at_, &retry_waited_at_})
      if (*at > failed_at_) *at = failed_at_ + shortened(*at - failed_at_, base_, base);
    const auto least = std::max(base, break_pause);
    if (early_retry_at_ > ended_at_ && least < base_)
      early_retry_at_ = ended_at_ + shortened(early_retry_at_ - ended_at_, base_, least);
  }
  base_ = base;
  backoff_.set_base(base);
  early_ends_.set_base(base);
}

std::uint64_t connect_backoff::open() noexcept {
  if (decided_ || outstanding_ == 0) {
    ++round_;
    decided_ = succeeded_ = false;
  }
  ++outstanding_;
  return round_;
}

void connect_backoff::abandon() noexcept {
  if (outstanding_ > 0) --outstanding_;
}

void connect_backoff::succeed(std::uint64_t round, duration took) noexcept {
  abandon();
  typical_ += (took - typical_) / 4;
  backoff_.succeed();
  impatience_ = 0;
  if (round == round_) succeeded_ = true;
  retry_at_ = retry_waited_at_ = held_until_ = time_point{};
}

bool connect_backoff::fail(std::uint64_t round, time_point now, const random_source& random, duration pause_at_most) {
  abandon();
  if (round != round_ || decided_) return false;
  const bool whole_round = !succeeded_;
  decided_ = true;
  failed_at_ = now;
  const auto retry = std::min(base_ + up_to(base_ / retry_spread, random), pause_at_most);
  const auto alone = std::min(base_ + backoff_.fail(random), pause_at_most);
  retry_waited_at_ = std::max(retry_waited_at_, now + retry);
  retry_at_ = std::max({retry_at_, retry_waited_at_, now + alone});
  return whole_round;
}

void connect_backoff::end_early(time_point ready, time_point now, const random_source& random) {
  if (ended_early_ && ready <= *ended_early_) return;
  if (!std::exchange(ended_early_, now)) return;
  ended_at_ = now;
  early_retry_at_ = now + early_ends_.fail(random);
}

void connect_backoff::break_protocol(time_point ready, time_point now, const random_source& random) {
  if (!broken_ || ready > *broken_) ++breaches_;
  broken_ = ended_at_ = now;
  const auto pause = exponential_backoff(break_pause, breaches_, std::max(base_, break_pause));
  early_retry_at_ = std::max(early_retry_at_, now + pause + up_to(pause / retry_spread, random));
}

void connect_backoff::prove() noexcept {
  early_ends_.succeed();
  ended_early_.reset();
  broken_.reset();
  breaches_ = 0;
}

void connect_backoff::reset(time_point now, const random_source& random, duration spread) noexcept {
  backoff_.succeed();
  early_retry_at_ = time_point{};
  impatience_ = 0;
  decided_ = true;
  retry_at_ = retry_waited_at_ = time_point{};
  held_until_ = now + up_to(spread, random);
}

duration connect_backoff::patience(duration usual, duration at_most) const noexcept {
  return exponential_backoff(std::max(usual, 2 * typical_), impatience_ + std::uint64_t{1}, at_most);
}

void connect_backoff::hold_until(time_point when) noexcept { held_until_ = std::max(held_until_, when); }

}  // namespace understudy::internal
