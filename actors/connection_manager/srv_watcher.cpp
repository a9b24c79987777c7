// The schedule of look-ups of SRV records: see srv_watcher.hpp.
#include "understudy/actors/connection_manager/srv_watcher.hpp"

#include "understudy/actors/ports/backoff.hpp"
#include "understudy/messages/time_units.hpp"

#include <algorithm>
#include <tuple>

namespace understudy::internal {
namespace {

std::vector<service_record> in_order(std::vector<service_record> records) {
  const auto all_of = [](const service_record& r) { return std::tie(r.priority, r.weight, r.target, r.port); };
  std::sort(records.begin(), records.end(), [&](const auto& a, const auto& b) { return all_of(a) < all_of(b); });
  return records;
}

bool same(const std::vector<service_record>& a, const std::vector<service_record>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const service_record& x, const service_record& y) {
    return std::tie(x.target, x.port, x.priority, x.weight) == std::tie(y.target, y.port, y.priority, y.weight);
  });
}

std::string why_useless(const service_answer& found) {
  if (!found.problem.empty()) return found.problem;
  const bool offered = std::any_of(found.records.begin(), found.records.end(),
                                   [](const service_record& r) { return r.target != "." && !r.target.empty(); });
  if (offered) return {};
  return found.records.empty() ? "the name has no SRV records"
                               : "the domain says that it does not offer the service (its target is \".\")";
}

}  // namespace

srv_watcher::srv_watcher(std::string name, const watch_options& options, random_source random, time_point now)
    : name_(std::move(name)), options_(options), random_(std::move(random)), next_(now) {}

bool srv_watcher::start_if_due(time_point now) {
  if (running_ || now < next_) return false;
  running_ = true;
  overdue_ = false;
  started_ = now;
  return true;
}

srv_watcher::news srv_watcher::answered(const service_answer& found, time_point now) {
  running_ = false;
  if (auto why = why_useless(found); !why.empty()) return fail(std::move(why), now);
  news out;
  out.recovered = !problem_.empty();
  settled_ = true;
  failures_ = 0;
  problem_.clear();
  auto records = in_order(found.records);
  out.changed = !same(records, records_);
  records_ = std::move(records);
  const auto ttl = std::clamp<duration>(found.ttl, options_.shortest, options_.longest);
  next_ = now + std::clamp(jittered(ttl, options_.jitter, random_), options_.shortest, options_.longest);
  return out;
}

srv_watcher::news srv_watcher::tick(time_point now) {
  if (!running_ || overdue_ || now < started_ + options_.patience) return {};
  overdue_ = true;
  const auto limit = std::chrono::ceil<seconds>(options_.patience).count();
  return fail("no answer within " + std::to_string(limit) + " s", now);
}

srv_watcher::news srv_watcher::fail(std::string why, time_point now) {
  news out;
  out.failing = problem_.empty();
  settled_ = true;
  problem_ = std::move(why);
  ++failures_;
  next_ = now + pause();
  return out;
}

duration srv_watcher::pause() {
  const auto pause =
      exponential_backoff(options_.retry_base, static_cast<std::uint64_t>(failures_), options_.retry_cap);
  return jittered(pause, options_.jitter, random_);
}

void srv_watcher::hasten(time_point now) { next_ = std::min(next_, std::max(now, started_ + options_.hurry)); }

time_point srv_watcher::next_event() const {
  if (!running_) return next_;
  return overdue_ ? time_point::max() : started_ + options_.patience;
}

failure_ptr srv_watcher::no_server_reason(time_point now) const {
  failure f;
  f.code = errc::no_server;
  f.where = stage::resolve;
  f.message = "There is no server: the SRV records of \"" + name_ + "\" ";
  if (problem_.empty()) {
    f.message += "are being looked up for the first time. Try again in a moment.";
  } else {
    f.message +=
        "could not be used (" + problem_ + "). Check ldap.srv and the name servers; it is tried again by itself.";
    f.cause = problem_;
    f.retry_after = time_until(next_, now);
  }
  return make_failure(std::move(f));
}

}  // namespace understudy::internal
