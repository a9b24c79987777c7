// When the SRV records of a name are looked up, and what is known of them: a schedule on injected time.
#pragma once
#include "understudy/actors/ports/random.hpp"
#include "understudy/messages/error.hpp"
#include "understudy/messages/lookup.hpp"

namespace understudy::internal {

/// How patient a watch is.
struct watch_options {
  duration shortest = seconds{30};   ///< between look-ups that succeed, however short the records' time to live …
  duration longest = seconds{3600};  ///< … or long
  duration retry_base = seconds{1};  ///< after a look-up that failed; doubles each time …
  duration retry_cap = seconds{60};  ///< … up to this
  duration hurry = seconds{5};       ///< not more often than that when every server is down
  duration patience = seconds{5};    ///< a look-up that takes longer counts as failed; its answer serves all the same
  double jitter = 0.1;               ///< more or less by this fraction
};

/// One name and its records. One look-up runs at a time. Records that were found stay until others are found: a name
/// server that fails, or suddenly knows nothing, takes no server away.
class srv_watcher {
 public:
  /// What a look-up, or its absence, changed.
  struct news {
    bool changed = false;    ///< records() are others
    bool failing = false;    ///< it failed, and had not before
    bool recovered = false;  ///< it succeeded, and had not before
  };

  /// The first look-up is due at once.
  srv_watcher(std::string name, const watch_options& options, random_source random, time_point now);

  /// True when a look-up is to be started; it counts as running then.
  bool start_if_due(time_point now);
  news answered(const service_answer& found, time_point now);
  /// Notices a look-up that takes too long.
  news tick(time_point now);
  /// Every server is down: look soon.
  void hasten(time_point now);
  /// When start_if_due() or tick() has something to do; time_point::max() while an overdue look-up is still
  /// out.
  time_point next_event() const;

  const std::string& name() const noexcept { return name_; }
  const std::vector<service_record>& records() const noexcept { return records_; }
  /// True once the first look-up has brought an answer or has taken too long.
  bool settled() const noexcept { return settled_; }
  /// Why the latest look-up failed; empty when it did not.
  const std::string& problem() const noexcept { return problem_; }
  /// What a request is told while there are no records.
  failure_ptr no_server_reason(time_point now) const;

 private:
  news fail(std::string why, time_point now);
  duration pause();

  std::string name_;
  watch_options options_;
  random_source random_;
  std::vector<service_record> records_;
  std::string problem_;
  bool settled_ = false;
  bool running_ = false, overdue_ = false;
  int failures_ = 0;  ///< in a row
  time_point started_{}, next_;
};

}  // namespace understudy::internal
