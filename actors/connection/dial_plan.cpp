// Shares of the time, order of addresses, and one failure made of all that happened.
#include "understudy/actors/connection/dial_plan.hpp"

#include <algorithm>

namespace understudy {
namespace {

// While other addresses are left, a silent one is not waited for any longer.
constexpr seconds longest_share{5};

}  // namespace

dial_plan::dial_plan(std::string server, time_point now, duration timeout)
    : server_(std::move(server)),
      start_(now),
      deadline_(now + timeout),
      address_deadline_(deadline_),
      step_begin_(now),
      last_(now) {}

void dial_plan::set_addresses(std::vector<socket_address> addresses) {
  addresses_ = std::move(addresses);
  next_ = 0;
}

const socket_address* dial_plan::next(time_point now) {
  if (next_ >= addresses_.size() || now >= deadline_) return nullptr;
  const auto left = static_cast<duration::rep>(addresses_.size() - next_);
  address_deadline_ = left == 1 ? deadline_ : now + std::min<duration>((deadline_ - now) / left, longest_share);
  return &addresses_[next_++];
}

std::string dial_plan::address() const { return next_ == 0 ? std::string{} : addresses_[next_ - 1].text; }

void dial_plan::failed(const failure& why) {
  last_failure_ = why;
  if (!history_.empty()) history_ += "; ";
  if (const auto at = address(); !at.empty() && at != server_) history_ += at + ": ";
  history_ += why.message;
}

void dial_plan::begin(stage what, time_point now) {
  if (in_step_) finish(true, now);
  step_ = what;
  step_begin_ = now;
  in_step_ = true;
}

void dial_plan::finish(bool ok, time_point now) {
  last_ = now;
  if (!in_step_) return;
  in_step_ = false;
  steps_.push_back({step_, now - step_begin_, ok});
}

failure_ptr dial_plan::verdict() const {
  failure f = last_failure_;
  if (f.code == errc::none) f.code = errc::connection_failed;
  f.server = server_;
  f.message = "Cannot connect to " + server_ + " (" + std::string{to_string(f.where)} +
              "): " + (history_.empty() ? "no address to connect to" : history_) + ".";
  return std::make_shared<const failure>(std::move(f));
}

}  // namespace understudy
