// The closed loop behind `bench`.
#include "understudy/tools/load_generator.hpp"

#include <algorithm>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr milliseconds rest_after_failure{5};
constexpr seconds patience_at_end{1};

}  // namespace

load_generator::load_generator(load_operation operation, std::size_t concurrency, std::int64_t first, std::int64_t last,
                               duration timeout_each)
    : what_(std::move(operation)), first_(first), last_(last), timeout_each_(timeout_each) {
  for (std::size_t i = 0; i < concurrency; ++i) slots_.push_back(std::make_unique<slot>());
}

void load_generator::launch(slot& s) {
  const auto span = static_cast<std::uint64_t>(last_ - first_) + 1;
  const auto number = first_ + static_cast<std::int64_t>(next_.fetch_add(1, std::memory_order_relaxed) % span);
  call_options options;
  options.timeout = timeout_each_;
  options.cancel = &s.cancel;
  s.started = clock::now();
  what_(number, options, [this, &s](const outcome& o) { finished(s, o); });
}

void load_generator::finished(slot& s, const outcome& o) {
  if (o)
    latency_.add(clock::now() - s.started);
  else if (!ending_ || o.code() != errc::cancelled)
    errors_[static_cast<std::size_t>(o.code())].fetch_add(1, std::memory_order_relaxed);
  if (o && !ending_) return launch(s);
  const std::lock_guard lock(mutex_);
  --running_;
  resting_.push_back(&s);
  // Under the lock: run() may end, and this object with it, as soon as it is released.
  changed_.notify_all();
}

// Starts rested slots again until the end.
void load_generator::pace(clock::time_point end) {
  std::unique_lock lock(mutex_);
  while (!ending_ && clock::now() < end) {
    auto due = std::exchange(resting_, {});
    running_ += due.size();
    lock.unlock();
    for (auto* s : due) launch(*s);
    lock.lock();
    if (changed_.wait_until(lock, end, [this] { return ending_ || !resting_.empty(); }) && !ending_)
      changed_.wait_until(lock, std::min(end, clock::now() + rest_after_failure), [this] { return ending_.load(); });
  }
  ending_ = true;
}

void load_generator::drain() {
  std::unique_lock lock(mutex_);
  const auto done = [this] { return running_ == 0; };
  if (changed_.wait_for(lock, patience_at_end, done)) return;
  lock.unlock();
  for (auto& s : slots_) s->cancel.cancel();
  lock.lock();
  changed_.wait(lock, done);
}

load_report load_generator::run(duration span) {
  const auto begin = clock::now();
  for (auto& s : slots_) resting_.push_back(s.get());
  pace(begin + span);
  const auto took = clock::now() - begin;
  drain();
  load_report report;
  report.operations = latency_.count();
  report.took = took;
  report.p50 = latency_.percentile(0.5);
  report.p99 = latency_.percentile(0.99);
  report.p999 = latency_.percentile(0.999);
  report.max = latency_.max();
  for (std::size_t i = 0; i < errors_.size(); ++i)
    if (const auto count = errors_[i].load(); count != 0) report.errors.emplace(to_string(static_cast<errc>(i)), count);
  return report;
}

void load_generator::stop() {
  const std::lock_guard lock(mutex_);
  ending_ = true;
  changed_.notify_all();
}

}  // namespace understudy::cli
