// The servers with their breakers, loads and shares.
#include "understudy/actors/circuit_breaker/router.hpp"

#include "understudy/actors/ports/same_moment.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

/// The weight of the newest batch in the moving average of latency.
constexpr double newest_weight = 0.3;
/// So long a measured latency keeps requests away from a server that has none under way. After that one request
/// measures it again: else a server that was slow once would never be used again beside another one that is quick.
constexpr seconds latency_holds{1};
/// The count of requests in flight is dispatches minus reported outcomes. Not every outcome is reported (one failure
/// stands for a whole connection, and who left the queue of a server that hangs is told elsewhere), so what is left
/// over is halved so often …
constexpr seconds halving_interval{5};
/// … until it is less than this: a single request is forgotten after some 20 s.
constexpr double least_in_flight = 0.1;
/// Of a server with weight 0: "a very small chance of being selected" beside others (RFC 2782).
constexpr double least_weight = 0.01;

}  // namespace

router::router(router_options options, random_source random)
    : options_(options), random_(std::move(random)), selection_(random_) {
  selection_.configure(options_.failback.automatic, options_.spill);
}

void router::configure(const router_options& options) {
  options_ = options;
  selection_.configure(options_.failback.automatic, options_.spill);
  for (auto& e : servers_) {
    e.breaker.configure(options_.breaker);
    e.failback.configure(options_.failback);
  }
}

void router::update(std::vector<server_facts> servers, time_point now) {
  std::vector<entry> next;
  next.reserve(servers.size());
  for (auto& facts : servers) {
    if (const auto known = index_of(facts.id)) {
      next.push_back(servers_[*known]);
      next.back().facts = std::move(facts);
    } else {
      next.push_back({std::move(facts), internal::breaker{options_.breaker, random_}});
      next.back().breaker.set_probed(probed_);
    }
  }
  servers_ = std::move(next);
  end_vain_hold_downs(now);
}

void router::set_probed(bool probed) {
  probed_ = probed;
  for (auto& e : servers_) e.breaker.set_probed(probed);
}

std::optional<route> router::choose(const selection_query& query, time_point deadline, time_point now) {
  forget_lost_calls(now);
  fill_candidates(query.anew, now);
  const auto index = selection_.choose(candidates_, query);
  if (!index) return std::nullopt;
  auto& e = servers_[*index];
  const bool trial = e.breaker.admit(now, deadline);
  e.in_flight += 1;
  return route{*index, e.facts.id, e.breaker.generation(), trial};
}

void router::take_back(const route& chosen) {
  auto& e = servers_[chosen.index];
  e.in_flight = std::max(0.0, e.in_flight - 1);
  if (chosen.trial) e.breaker.give_permit_back();
}

bool router::known_down(time_point now) const {
  if (options_.wait_for_recovery || servers_.empty()) return false;
  return std::all_of(servers_.begin(), servers_.end(), [&](const entry& e) {
    return e.facts.global_catalog || e.down_until > now || !e.breaker.usable(now);
  });
}

failure router::refuse(const selection_query& query, const failure_ptr& last, time_point now) const {
  std::vector<refused_server> refused;
  for (const auto& e : servers_) {
    if (e.facts.global_catalog && !query.global_catalog) continue;
    refused_server one{e.facts.name, query.write && e.facts.read_only, e.breaker.state(), e.breaker.cause(),
                       e.breaker.retry_after(now)};
    if (one.state == breaker_state::closed && e.down_until > now) {
      one.cause = e.down_cause;
      one.retry_after = std::chrono::ceil<milliseconds>(e.down_until - now);
    }
    refused.push_back(std::move(one));
  }
  return refusal(refused, last);
}

void router::on_report(const outcome_report& report, const moment& at) {
  const auto index = index_of(report.server);
  if (!index) return;
  auto& e = servers_[*index];
  const std::uint32_t ended = std::max(report.successes + (report.failed ? 1 : 0), report.trial ? 1U : 0U);
  e.in_flight = std::max(0.0, e.in_flight - ended);
  if (report.successes > 0) {
    const double latest = std::chrono::duration<double>(report.latency_total).count() / report.successes;
    const bool first = e.latency <= 0 || at.now - e.measured_at >= latency_holds;
    e.latency = first ? latest : e.latency + newest_weight * (latest - e.latency);
    e.measured_at = at.now;
  }
  if (report.none_left) {
    e.down_until = at.now + e.facts.retry_delay;
    e.down_cause = {report.cause, at.wall};
  } else if (report.ready || report.successes > 0) {
    e.down_until = {};
  }
  // Its first connection is ready: until now nothing was under way there, whatever was sent to it.
  if (report.ready || report.answered) e.in_flight = 0;
  auto counted = report;
  // Nothing is left there. Among several servers that is reason enough to leave it; an only one is tried again by those
  // who wait for it, after their own pauses, and the breaker counts.
  counted.none_left = report.none_left && has_others(e);
  // A slow answer is better than none: it is a failure only where another server would have been better.
  if (report.failed == failure_class::slow && !replaceable(report.server, at.now)) counted.failed.reset();
  // A firewall may end any number of busy connections at once. What that means for the server a new connection tells.
  if (report.failed && report.open_since) {
    if (*report.open_since <= e.ended_at && at.now - e.ended_at < same_moment)
      counted.failed.reset();
    else
      e.ended_at = at.now;
  }
  // Probes decide when one is half open, and compete with the pool for what the server takes.
  if (report.none_left && probed_ && e.breaker.state() == breaker_state::half_open) counted.failed.reset();
  change(*index, at, [&](breaker& b) {
    b.on_report(counted, at);
    if (report.none_left && !counted.none_left) b.note_nothing_left(at.now);
  });
}

bool router::on_probe(const probe_report& report, const moment& at) {
  const auto index = index_of(report.server);
  if (!index) return false;
  const auto others = replaceable(report.server, at.now) ? other_servers::serve : other_servers::none;
  const auto found = verdict(report, others);
  if (found == probe_verdict::alive) servers_[*index].down_until = {};
  if (report.hurried && found == probe_verdict::dead && others == other_servers::none) return true;
  // After an outage of all, one that is just back is no reason to let another wait that answers as well.
  const bool needed = std::none_of(servers_.begin(), servers_.end(),
                                   [&](const entry& e) { return settled(e, at.now) && !e.breaker.suspected(at.now); });
  change(*index, at, [&](breaker& b) { b.on_probe(report, at, needed, others); });
  return false;
}

bool router::suspect(server_id id, time_point now) {
  const auto index = index_of(id);
  if (!index) return false;
  allow_for_slowness(servers_[*index]);
  return servers_[*index].breaker.suspect(now);
}

stand_ins router::stand_ins_at(time_point now) const {
  stand_ins found;
  for (const auto& e : servers_) {
    if (e.facts.global_catalog || !e.breaker.usable(now) || e.breaker.silent(now)) continue;
    if (++found.count == 2) break;
    found.first = e.facts.id;
  }
  return found;
}

std::vector<server_id> router::failed_before(time_point now) const {
  std::vector<server_id> found;
  for (const auto& e : servers_) {
    const auto state = e.breaker.state();
    const bool failed = state == breaker_state::open || state == breaker_state::half_open;
    if (failed && now - e.fell_at >= same_moment) found.push_back(e.facts.id);
  }
  return found;
}

std::vector<server_id> router::suspects(time_point now) const {
  std::vector<server_id> found;
  for (const auto& e : servers_)
    if (e.breaker.suspected(now)) found.push_back(e.facts.id);
  return found;
}

bool router::suspend(server_id id, duration ttl, const moment& at) {
  const auto index = index_of(id);
  if (index) change(*index, at, [&](breaker& b) { b.suspend(ttl, at.now); });
  return index.has_value();
}

bool router::resume(server_id id, const moment& at) {
  const auto index = index_of(id);
  if (index) change(*index, at, [&](breaker& b) { b.resume(at.now); });
  return index.has_value();
}

void router::advance(const moment& at) {
  for (std::size_t i = 0; i < servers_.size(); ++i) change(i, at, [&](breaker& b) { b.advance(at); });
}

time_point router::next_event() const {
  auto next = time_point::max();
  for (const auto& e : servers_) next = std::min(next, e.breaker.next_event());
  return next;
}

std::vector<breaker_change> router::take_changes() { return std::exchange(changes_, {}); }

std::vector<server_snapshot> router::snapshot(time_point now) const {
  const auto all = candidates(now);
  const auto level = selection_.serving_level(all);
  std::vector<server_snapshot> result;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const auto& facts = servers_[i].facts;
    const auto& b = servers_[i].breaker;
    server_snapshot s;
    s.id = facts.id;
    s.host = facts.host;
    s.port = facts.port;
    s.priority = facts.priority;
    s.read_only = facts.read_only;
    s.global_catalog = facts.global_catalog;
    s.state = b.health(now);
    s.untried = b.untried();
    s.breaker = b.state();
    if (b.cause().what) {
      s.last_error = b.cause().what->message;
      s.last_error_at = b.cause().at;
    }
    s.retry_after = b.retry_after(now);
    s.latency = std::chrono::duration_cast<duration>(std::chrono::duration<double>(servers_[i].latency));
    s.breaker_opened = b.opened();
    s.serving = !facts.global_catalog && all[i].usable && level == facts.priority;
    result.push_back(std::move(s));
  }
  return result;
}

std::vector<server_availability> router::availability(time_point now) const {
  const auto all = candidates(now);
  const auto level = selection_.serving_level(all);
  const auto on_level = [&](const candidate& c) { return !c.global_catalog && c.usable && level == c.priority; };
  const bool shared =
      std::any_of(all.begin(), all.end(), [&](const candidate& c) { return on_level(c) && c.share > 0; });
  std::vector<server_availability> result;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const auto& e = servers_[i];
    result.push_back({e.facts.id, e.facts.name, e.facts.priority, e.breaker.state(),
                      on_level(all[i]) && !(shared && all[i].share <= 0), e.breaker.cause().what,
                      e.breaker.retry_after(now), e.failback.held_until()});
  }
  return result;
}

std::optional<std::size_t> router::index_of(server_id id) const {
  for (std::size_t i = 0; i < servers_.size(); ++i)
    if (servers_[i].facts.id == id) return i;
  return std::nullopt;
}

std::optional<server_id> router::find(const std::string& name) const {
  for (const auto& e : servers_)
    if (e.facts.name == name) return e.facts.id;
  return std::nullopt;
}

bool router::has_others(const entry& e) const {
  return std::any_of(servers_.begin(), servers_.end(),
                     [&](const entry& other) { return other.facts.id != e.facts.id && !other.facts.global_catalog; });
}

template <class Change>
void router::change(std::size_t index, const moment& at, Change&& how) {
  allow_for_slowness(servers_[index]);
  auto& b = servers_[index].breaker;
  const auto before = b.state();
  const auto generation = b.generation();
  how(b);
  if (b.generation() != generation) note_transition(index, before, at.now);
}

void router::allow_for_slowness(entry& e) {
  if (e.facts.slowness) e.breaker.allow(e.facts.slowness());
}

void router::note_transition(std::size_t index, breaker_state before, time_point now) {
  auto& e = servers_[index];
  const auto state = e.breaker.state();
  if (state == breaker_state::open) {
    if (before == breaker_state::closed) e.fell_at = now;
    e.failback.fell();
    e.in_flight = 0;
    e.latency = 0;
  } else if (state == breaker_state::closed && before != breaker_state::suspended) {
    e.failback.recovered(options_.failback, e.breaker.flaps(now), any_settled(now), now);
  }
  if (before == breaker_state::closed && state != breaker_state::closed) end_vain_hold_downs(now);
  changes_.push_back({index, e.facts.id, state, e.breaker.cause(), e.breaker.retry_after(now)});
}

/// The hold-downs of one outage end at different times: requests would wander from the preferred server, which serves
/// by now, to whichever is through with its own first.
void router::end_vain_hold_downs(time_point now) {
  if (any_settled(now)) return;
  for (auto& e : servers_) e.failback.take_over();
}

bool router::any_usable(time_point now) const {
  return std::any_of(servers_.begin(), servers_.end(),
                     [&](const entry& e) { return !e.facts.global_catalog && e.breaker.usable(now); });
}

bool router::settled(const entry& e, time_point now) {
  return !e.facts.global_catalog && e.breaker.heard() && e.breaker.usable(now) && !e.breaker.silent(now) &&
         e.failback.settled(now);
}

bool router::any_settled(time_point now) const {
  return std::any_of(servers_.begin(), servers_.end(), [&](const entry& e) { return settled(e, now); });
}

bool router::outdated(const entry& e, time_point now) {
  return e.in_flight < 1 && now - e.measured_at >= latency_holds;
}

candidate router::candidate_of(const entry& e, time_point now) const {
  candidate c;
  c.id = e.facts.id;
  c.priority = e.facts.priority;
  c.weight = e.facts.weight > 0 ? e.facts.weight : least_weight;
  c.read_only = e.facts.read_only;
  c.global_catalog = e.facts.global_catalog;
  c.usable = e.breaker.usable(now);
  c.trial = e.breaker.state() == breaker_state::half_open;
  c.trial_due = e.breaker.trial_due();
  c.suspected = e.breaker.suspected(now);
  c.silent = e.breaker.silent(now);
  c.full = e.facts.capacity > 0 && e.in_flight >= e.facts.capacity;
  c.share = e.failback.share(options_.failback, now);
  c.latency = outdated(e, now) ? 0 : e.latency;
  c.in_flight = e.in_flight;
  return c;
}

std::vector<candidate> router::candidates(time_point now) const {
  std::vector<candidate> all;
  for (const auto& e : servers_) all.push_back(candidate_of(e, now));
  return all;
}

void router::fill_candidates(bool anew, time_point now) {
  candidates_.clear();
  for (const auto& e : servers_) {
    auto c = candidate_of(e, now);
    if (anew && !c.usable && e.breaker.state() != breaker_state::suspended) c.usable = c.trial = true;
    candidates_.push_back(c);
  }
}

void router::forget_lost_calls(time_point now) {
  if (now - halved_at_ < halving_interval) return;
  halved_at_ = now;
  for (auto& e : servers_) e.in_flight = e.in_flight < least_in_flight ? 0 : e.in_flight / 2;
}

}  // namespace understudy::internal
