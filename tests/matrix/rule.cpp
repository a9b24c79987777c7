// Judging what was observed.
#include "matrix/rule.hpp"

#include <algorithm>
#include <cmath>
#include <map>

namespace understudy::matrix {
namespace {

constexpr double jitter_down = 0.8;  // of a breaker's backoff, and more than enough for that of probes
constexpr std::size_t kinds_of_connections = 2;

double in_seconds(duration span) { return std::chrono::duration<double>(span).count(); }
std::string in_ms(duration span) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(span).count()) + " ms";
}

std::string_view name_of(request_kind kind) {
  return kind == request_kind::read ? "read" : kind == request_kind::write ? "write" : "user's bind";
}

/// Collects sentences; of many alike the first is kept and the rest counted.
class verdict {
 public:
  void add(const std::string& kind, const std::string& example) {
    auto& [count, text] = found_[kind];
    if (count++ == 0) text = example;
  }
  std::vector<std::string> sentences() const {
    std::vector<std::string> all;
    for (const auto& [kind, one] : found_)
      all.push_back((one.first > 1 ? std::to_string(one.first) + " × " : "") + kind + ": " + one.second);
    return all;
  }

 private:
  std::map<std::string, std::pair<int, std::string>> found_;
};

class rule_check {
 public:
  rule_check(const cell& of, const terms& allowed, const observation& seen)
      : cell_(of),
        terms_(allowed),
        seen_(seen),
        serves_(allowed.level * faulty_count(of.servers)),
        came_back_(came_back()) {}

  std::vector<std::string> operator()() {
    for (const auto& one : seen_.requests) {
      outcome_of(one);
      if (one.outcomes == 0) continue;
      if (someone_served(one))
        served(one);
      else
        typed(one);
    }
    start_and_reload();
    connects();
    recovery();
    const auto stop_began = cell_.when == moment::stop ? seen_.fault_began : seen_.repaired;
    if (exceeds(seen_.stop_took, terms_.stop, stop_began, time_point::max()))
      broken_.add("the stop took too long", in_ms(seen_.stop_took));
    for (const auto& one : seen_.left_behind) broken_.add("left behind", one);
    return broken_.sentences();
  }

 private:
  duration stalled(time_point from, time_point to) const {
    return seen_.stalled ? seen_.stalled(from, to) : duration{};
  }
  bool exceeds(duration took, duration limit, time_point from, time_point to) const {
    return took > limit && took - stalled(from, to) > limit;
  }
  std::string describe(const request_note& note) const {
    return std::string{name_of(note.what)} + " begun " + in_ms(note.began - seen_.fault_began) + " after the fault" +
           (note.began > seen_.repaired ? " (" + in_ms(note.began - seen_.repaired) + " after the repair)" : "") +
           (note.outcomes > 0 ? " ended after " + in_ms(note.ended - note.began) : "") +
           (note.error.empty() ? note.server.empty() ? "" : ", served by " + note.server : ": " + note.error);
  }

  void outcome_of(const request_note& note) {
    if (note.outcomes == 0) broken_.add("without an outcome", describe(note));
    if (note.outcomes > 1) broken_.add("with two outcomes", describe(note));
    if (note.outcomes > 0 && exceeds(note.ended - note.deadline, terms_.late, note.began, note.ended))
      broken_.add("an outcome after its deadline", in_ms(note.ended - note.deadline) + " late; " + describe(note));
  }

  bool stopping(const request_note& note) const {
    return cell_.when == moment::stop && note.ended >= seen_.fault_began;
  }
  /// Somebody answered for the whole time that it was given.
  bool someone_served(const request_note& note) const {
    if (stopping(note)) return false;
    if (recovers_first() && note.ended >= seen_.trouble_began && note.began <= came_back_) return false;
    if (someone_serves(cell_) || note.ended < seen_.trouble_began) return true;
    return seen_.serves_again && note.began > *seen_.serves_again;
  }

  /// An only server serves nobody in the outage before its fault; one that serves in spite of that comes back from the
  /// outage first.
  bool recovers_first() const {
    return cell_.servers == layout::sole && someone_serves(cell_) && seen_.trouble_began < seen_.fault_began;
  }
  /// When it served a read first since its fault began, which is the end of the outage.
  time_point came_back() const {
    time_point first = time_point::max();
    for (const auto& one : seen_.requests)
      if (one.what == request_kind::read && one.code == errc::none && one.outcomes > 0 &&
          one.ended >= seen_.fault_began)
        first = std::min(first, one.ended);
    return first;
  }

  void served(const request_note& note) {
    const bool patient = note.deadline - note.began > serves_;
    const bool in_time = !exceeds(note.ended - note.began, serves_, note.began, note.ended);
    if (note.code == errc::none) {
      if (!in_time) broken_.add("served too late", describe(note));
      return;
    }
    // It may have been carried out, or was refused: nobody may send it again.
    if (note.what != request_kind::read && note.sent && note.began < seen_.repaired) return;
    if (patient)
      broken_.add("failed although a server was there", describe(note));
    else
      typed(note);
  }

  void typed(const request_note& note) {
    if (note.code == errc::none) return;
    const bool ours =
        note.code == errc::internal || note.code == errc::invalid_request || note.code == errc::invalid_config;
    const bool early = note.code == errc::stopped && cell_.when != moment::stop;
    if (ours || early || note.error.empty()) broken_.add("an error that helps nobody", describe(note));
  }

  void start_and_reload() {
    if (seen_.connect_took && someone_serves(cell_)) {
      if (!seen_.connected) broken_.add("connect() failed", "although a server was there");
      if (exceeds(*seen_.connect_took, serves_, seen_.fault_began, seen_.fault_began + *seen_.connect_took))
        broken_.add("connect() took too long", in_ms(*seen_.connect_took));
    }
    if (seen_.reload_took && exceeds(*seen_.reload_took, terms_.level, seen_.fault_began, seen_.repaired))
      broken_.add("reload() took too long", in_ms(*seen_.reload_took));
  }

  void connects() {
    const auto most = terms_.connects_within(seen_.repaired - seen_.fault_began);
    for (const auto& one : seen_.faulty)
      if (one.connects > most)
        broken_.add("too many connects",
                    std::to_string(one.connects) + " to " + one.name + " where " + std::to_string(most) + " would do");
  }

  void recovery() {
    if (cell_.when == moment::stop) return;
    if (recovers_first() && exceeds(came_back_ - seen_.fault_began, terms_.recovery, seen_.fault_began, came_back_))
      broken_.add("recovered too late", in_ms(came_back_ - seen_.fault_began) + " after the outage");
    if (!seen_.serves_again) return broken_.add("no recovery", "it does not serve again after the repair");
    if (exceeds(*seen_.serves_again - seen_.repaired, terms_.recovery, seen_.repaired, *seen_.serves_again))
      broken_.add("recovered too late", in_ms(*seen_.serves_again - seen_.repaired) + " after the repair");
  }

  const cell& cell_;
  const terms& terms_;
  const observation& seen_;
  const duration serves_;
  const time_point came_back_;
  verdict broken_;
};

}  // namespace

void request_note::end(time_point at, const std::string& by, const failure_ptr& why) {
  if (outcomes++ > 0) return;
  ended = at;
  server = by;
  if (!why) return;
  code = why->code;
  sent = code == errc::outcome_unknown || code == errc::ldap_error;
  error = describe(*why);
}

terms::terms(const settings& all)
    : level(all.breaker.suspect_after + milliseconds{500}),
      late(milliseconds{100}),
      recovery(all.breaker.open_cap * 6 / 5 + all.failover.hold_down * 2 + all.failover.ramp +
               all.failover.health_check_interval * 2),
      stop(all.limits.drain_timeout + late),
      backoff_base(in_seconds(all.breaker.open_base)),
      backoff_cap(in_seconds(all.breaker.open_cap)),
      probe_interval(in_seconds(all.failover.health_check_interval)),
      pool_size(static_cast<std::uint64_t>(all.servers.front().pool_size)),
      max_connecting(static_cast<std::uint64_t>(all.pool.max_connecting)) {}

std::uint64_t terms::connects_within(duration span) const {
  std::uint64_t rounds = 1;
  double pause = backoff_base, passed = 0;
  while ((passed += pause * jitter_down) < in_seconds(span)) {
    ++rounds;
    pause = std::min(pause * 2, backoff_cap);
  }
  const auto probes = static_cast<std::uint64_t>(std::ceil(in_seconds(span) / (probe_interval * jitter_down)));
  return pool_size + rounds * (max_connecting * kinds_of_connections + 1) + probes;
}

std::vector<std::string> broken_promises(const cell& of, const terms& allowed, const observation& seen) {
  return rule_check(of, allowed, seen)();
}

}  // namespace understudy::matrix
