// Entries in, entries out, credits back: see stream_buffer.hpp.
#include "understudy/runtime/client/stream_buffer.hpp"

#include "understudy/runtime/client/failures.hpp"

#include <utility>

namespace understudy::internal {

void stream_buffer::begin(granting grant) {
  std::lock_guard guard{mutex_};
  if (!ended_) grant_ = std::move(grant);
}

failure_ptr stream_buffer::add(search_batch part, time_point now) {
  std::lock_guard guard{mutex_};
  if (ended_) return nullptr;
  if (!first_heard_) first_heard_ = now;
  if (auto why = keep_references(part)) return why;
  added_ += part.entries.size();
  for (std::size_t i = 0; i < part.entries.size(); ++i)
    entries_.push_back({std::move(part.entries[i]), part.credits_of(i)});
  grant();
  arrived_.notify_all();
  return nullptr;
}

failure_ptr stream_buffer::keep_references(search_batch& part) {
  auto credits = part.credits();
  for (std::size_t i = 0; i < part.entries.size(); ++i) credits -= part.credits_of(i);
  used_up_ += credits;
  for (std::size_t i = 0; i < part.references.size(); ++i) {
    for (const auto& uri : part.references[i]) reference_bytes_ += uri.size() + footprint::text;
    reference_bytes_ += footprint::reference;
    if (i < part.reference_controls.size() && !part.reference_controls[i].empty()) {
      for (const auto& c : part.reference_controls[i])
        reference_bytes_ += footprint::control + c.oid.size() + c.value.value_or("").size();
      summary_.reference_controls.resize(summary_.references.size());
      summary_.reference_controls.push_back(std::move(part.reference_controls[i]));
    }
    summary_.references.push_back(std::move(part.references[i]));
    summary_.reference_positions.push_back(added_ + part.reference_positions[i]);
  }
  if (reference_bytes_ <= most_reference_bytes_) return nullptr;
  return make_failure(errc::result_too_large, stage::operation,
                      "the search's continuation references take more than limits.max_result_bytes (" +
                          std::to_string(most_reference_bytes_) + "); search a smaller part of the tree");
}

/// Few messages, and never so few credits out that both sides wait for each other.
void stream_buffer::grant() {
  if (!grant_ || used_up_ < (window_ + 1) / 2) return;
  grant_(std::exchange(used_up_, 0));
}

void stream_buffer::end(outcome answer) { finish(std::move(answer), false); }
void stream_buffer::abort(failure_ptr why) { finish(std::move(why), true); }

void stream_buffer::finish(outcome answer, bool drop) {
  granting dropped;
  std::lock_guard guard{mutex_};
  if (ended_ && !(drop && !entries_.empty())) return;
  if (drop) entries_.clear();
  ended_ = true;
  dropped.swap(grant_);
  if (answer) {
    auto references = std::move(summary_.references);
    auto positions = std::move(summary_.reference_positions);
    auto controls = std::move(summary_.reference_controls);
    summary_ = std::move(*answer);
    summary_.references = std::move(references);
    summary_.reference_positions = std::move(positions);
    summary_.reference_controls = std::move(controls);
  } else {
    error_ = answer.error();
  }
  arrived_.notify_all();
}

std::optional<entry> stream_buffer::take(duration patience) {
  std::unique_lock lock{mutex_};
  arrived_.wait_for(lock, patience, [this] { return ended_ || !entries_.empty(); });
  if (entries_.empty()) return std::nullopt;
  std::optional<entry> next{std::move(entries_.front().what)};
  used_up_ += entries_.front().credits;
  entries_.pop_front();
  grant();
  return next;
}

bool stream_buffer::finished() const {
  std::lock_guard guard{mutex_};
  return ended_ && entries_.empty();
}

failure_ptr stream_buffer::error() const {
  std::lock_guard guard{mutex_};
  return ended_ && entries_.empty() ? error_ : nullptr;
}

std::optional<time_point> stream_buffer::first_heard() const {
  std::lock_guard guard{mutex_};
  return first_heard_;
}

}  // namespace understudy::internal
