// Order of addresses, who is dialled beside whom, and one failure made of all that happened.
#include "understudy/actors/connection/connect_attempt.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

// A name may have hundreds of addresses; a message names so many.
constexpr std::size_t most_told = 8;
// A wait for ourselves that is shorter makes no difference to anybody.
constexpr milliseconds noticeable{10};

}  // namespace

connect_attempt::connect_attempt(std::string server, time_point now, duration timeout, duration patience)
    : server_(std::move(server)),
      start_(now),
      deadline_(now + timeout),
      step_begin_(now),
      last_(now),
      next_dial_(now),
      ours_since_(now),
      timeout_(timeout),
      patience_(patience) {}

bool connect_attempt::any(progress state) const noexcept {
  return std::any_of(candidates_.begin(), candidates_.end(), [&](const candidate& c) { return c.state == state; });
}

void connect_attempt::wait_for_ours(time_point now) noexcept {
  asked_at_.reset();
  ours_since_ = now;
}

void connect_attempt::ask(time_point now) noexcept {
  if (!asked_at_ && now - ours_since_ >= noticeable) was_held_up_ = true;
  if (paused_at_) {
    const auto waited = asked_at_.value_or(now) - *paused_at_;
    deadline_ += waited;
    start_ += waited;
    step_begin_ += waited;
  }
  asked_at_ = now;
  paused_at_.reset();
}

void connect_attempt::pause(time_point now) noexcept {
  wait_for_ours(now);
  paused_at_ = now;
}

time_point connect_attempt::due_at() const noexcept {
  if (paused_at_ && !asked_at_) return *paused_at_ + timeout_;
  // With nowhere else to go, it is waited for.
  if (!any(progress::waiting)) return deadline_;
  if (!chosen_) return std::min(deadline_, next_dial_);
  return asked_at_ ? std::min(deadline_, *asked_at_ + patience_) : deadline_;
}

void connect_attempt::set_addresses(std::vector<socket_address> addresses) {
  candidates_.clear();
  for (auto& each : addresses) candidates_.push_back({std::move(each)});
}

std::optional<connect_attempt::order> connect_attempt::next(time_point now, const std::function<bool()>& beside) {
  if (chosen_ || now >= deadline_) return std::nullopt;
  const auto under_way = dialled();
  if (!under_way.empty() && now < next_dial_) return std::nullopt;
  const auto at = std::find_if(candidates_.begin(), candidates_.end(),
                               [](const candidate& c) { return c.state == progress::waiting; });
  if (at == candidates_.end()) return std::nullopt;
  order made{static_cast<std::size_t>(at - candidates_.begin()), &at->address};
  if (under_way.size() >= most_dialled || (!under_way.empty() && beside && !beside())) {
    made.in_place_of = under_way.front();
    failure silent;
    silent.code = errc::connection_timeout;
    silent.where = stage::connect;
    silent.message = "no answer";
    dial_failed(under_way.front(), silent);
  }
  at->state = progress::dialled;
  next_dial_ = now + stagger;
  return made;
}

void connect_attempt::dial_failed(std::size_t number, const failure& why) {
  candidates_[number].state = progress::failed;
  note(candidates_[number].address.text, why);
}

std::vector<std::size_t> connect_attempt::dialled() const {
  std::vector<std::size_t> numbers;
  for (std::size_t i = 0; i < candidates_.size(); ++i)
    if (candidates_[i].state == progress::dialled && chosen_ != i) numbers.push_back(i);
  return numbers;
}

void connect_attempt::reached(std::size_t number) {
  for (auto& c : candidates_)
    if (c.state == progress::dialled) c.state = progress::waiting;
  candidates_[number].state = progress::dialled;
  chosen_ = number;
}

void connect_attempt::failed(const failure& why) {
  note(address(), why);
  if (chosen_) candidates_[*chosen_].state = progress::failed;
  chosen_.reset();
}

void connect_attempt::dial_again() {
  const auto at = candidates_.begin() + static_cast<std::ptrdiff_t>(*chosen_);
  at->state = progress::waiting;
  std::rotate(candidates_.begin(), at, at + 1);
  chosen_.reset();
}

void connect_attempt::note(const std::string& address, const failure& why) {
  last_failure_ = why;
  if (++failures_ > most_told) return;
  if (!history_.empty()) history_ += "; ";
  if (!address.empty() && address != server_) history_ += address + ": ";
  history_ += why.message;
}

bool connect_attempt::exhausted(time_point now) const {
  return !chosen_ && !any(progress::dialled) && (now >= deadline_ || !any(progress::waiting));
}

void connect_attempt::begin(stage step, time_point now) {
  if (in_step_) finish(true, now);
  step_ = step;
  step_begin_ = now;
  in_step_ = true;
  if (step == stage::resolve) return wait_for_ours(now);
  ask(now);
}

void connect_attempt::finish(bool ok, time_point now) {
  last_ = now;
  if (!in_step_) return;
  in_step_ = false;
  steps_.push_back({step_, now - step_begin_, ok});
}

std::vector<probe_step> connect_attempt::steps_until(time_point now) const {
  auto all = steps_;
  if (waits_for_liveness())
    all.push_back({stage::operation, now - *asked_at_, false});
  else if (in_step_ && !paused_at_)
    all.push_back({step_, now - step_begin_, false});
  return all;
}

failure_ptr connect_attempt::verdict() const {
  failure f = last_failure_;
  if (f.code == errc::none) f.code = errc::connection_failed;
  f.server = server_;
  const auto untold = failures_ > most_told ? failures_ - most_told : 0;
  f.message = "Cannot connect to " + server_ + " (" + std::string{to_string(f.where)} +
              "): " + (history_.empty() ? "no address to connect to" : history_) +
              (untold != 0 ? "; and " + std::to_string(untold) + " more" : "") + ".";
  return make_failure(std::move(f));
}

}  // namespace understudy::internal
