// Evidence, refusals, loans.
#include "understudy/actors/node/peers_state.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/messages/time_units.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr std::size_t most_budgets = exchange_limits::servers;
/// What a peer says of the moment of a failure differs by what is on its way; a later one is another failure.
constexpr duration same_moment = seconds{3};
/// How long a node that begins waits for a peer that it does not hear of, and for one that does not come to a decision
/// on its secrets: a directory that hangs must not keep all nodes from binding.
constexpr duration patience_with_absent = seconds{3}, patience_with_undecided = seconds{4};

bool is_down(breaker_state s) noexcept { return s == breaker_state::open || s == breaker_state::half_open; }

}  // namespace

peers_state::peers_state(peers_options options, time_point now) : options_(std::move(options)), begun_(now) {
  nodes_ = options_.peers;
  nodes_.push_back(options_.self);
  std::sort(nodes_.begin(), nodes_.end());
  for (const auto& name : options_.peers) {
    auto& p = peers_[name];
    p.shown.name = name;
    p.heard = now;
  }
}

// ---- what this node knows ----

connection_budget* peers_state::budget_of(const std::string& server, time_point now) {
  const auto known = budgets_.find(server);
  if (known != budgets_.end()) return &known->second;
  if (options_.budget == 0 || budgets_.size() >= most_budgets || server.size() > exchange_limits::name) return nullptr;
  budget_options of;
  of.total = options_.budget;
  of.nodes = nodes_;
  of.self = options_.self;
  of.incarnation = options_.incarnation;
  of.term = options_.term;
  return &budgets_.try_emplace(server, of, now).first->second;
}

std::shared_ptr<socket_permits> peers_state::permits(const std::string& server, time_point now) {
  if (options_.budget == 0) return nullptr;
  if (const auto* known = budget_of(server, now)) return known->permits();
  auto& fixed = without_loans_[server];
  if (!fixed) {
    const auto share = options_.budget / static_cast<std::uint32_t>(nodes_.size());
    fixed = std::make_shared<socket_permits>(share - share / 2);
  }
  return fixed;
}

void peers_state::set_health(const std::vector<server_snapshot>& servers, time_point now) {
  auto before = std::exchange(servers_, {});
  for (const auto& s : servers) {
    if (servers_.size() >= exchange_limits::servers) break;
    const auto name = server_name(s);
    auto one = before[name];
    one.id = s.id;
    if (one.breaker == breaker_state::closed && s.breaker != breaker_state::closed) one.since = now;
    one.breaker = s.breaker;
    one.reason = s.breaker == breaker_state::closed ? std::string{} : s.last_error;
    servers_[name] = std::move(one);
  }
}

void peers_state::set_refused(std::vector<refused_secret> here) {
  news_ = news_ || here != refused_here_;
  refused_here_ = std::move(here);
}

void peers_state::set_standing(secrets_standing now) {
  news_ = news_ || (now != standing_ && now == secrets_standing::decided);
  standing_ = now;
}

bool peers_state::may_try(time_point now) const {
  return std::all_of(peers_.begin(), peers_.end(), [&](const auto& entry) {
    const auto& [name, p] = entry;
    if (p.incarnation == 0) return p.away || now - begun_ >= patience_with_absent;
    if (p.standing == secrets_standing::decided) return true;
    // It has heard of us, as we have heard of it, and waits for us.
    if (p.standing == secrets_standing::waiting && name > options_.self) return true;
    return now - p.standing_since >= patience_with_undecided;
  });
}

std::optional<std::vector<refused_secret>> peers_state::take_release(time_point now) {
  if (released_ || !may_try(now)) return std::nullopt;
  released_ = true;
  if (standing_ == secrets_standing::waiting) standing_ = secrets_standing::trying;
  return listed_;
}

// ---- links ----

void peers_state::show(peer& p, bool connected, wall_time wall) {
  if (p.shown.connected == connected && p.shown.since) return;
  p.shown.connected = connected;
  p.shown.since = wall;
}

void peers_state::linked(const std::string& name, std::uint64_t link, time_point now, wall_time wall,
                         const std::string& how) {
  const auto found = peers_.find(name);
  if (found == peers_.end() || found->second.link == link) return;
  auto& p = found->second;
  lose_requests(name, p, now);
  p.link = link;
  p.answers.clear();
  p.heard = now;
  p.shown.link = how;
  show(p, true, wall);
  for (auto& [server, b] : budgets_) b.met(name, now);
}

void peers_state::lost(const std::string& name, std::uint64_t link, const std::string& why, time_point now,
                       wall_time wall) {
  const auto found = peers_.find(name);
  if (found == peers_.end() || found->second.link != link || link == 0) return;
  auto& p = found->second;
  p.link = 0;
  p.answers.clear();
  p.down.clear();
  lose_requests(name, p, now);
  show(p, false, wall);
  p.shown.link.clear();
  p.shown.last_error = shortened(why);
  p.shown.last_error_at = wall;
}

void peers_state::lost_all(const std::string& why, time_point now, wall_time wall) {
  for (auto& [name, p] : peers_) lost(name, p.link, why, now, wall);
  // Also a request that was made and never sent.
  for (auto& [server, b] : budgets_) b.lost_all(now);
}

void peers_state::unreachable(const std::string& name, const std::string& why, wall_time wall) {
  const auto found = peers_.find(name);
  if (found == peers_.end()) return;
  if (found->second.link == 0) show(found->second, false, wall);
  found->second.away = true;
  found->second.shown.last_error = shortened(why);
  found->second.shown.last_error_at = wall;
}

/// No answer to those is taken any more.
void peers_state::lose_requests(const std::string& name, peer& p, time_point now) {
  for (const auto& one : std::exchange(p.sent, {}))
    if (auto* b = budget_of(one.server, now)) b->lost(name, one.number, now);
}

// ---- exchanges ----

exchange peers_state::tell(const std::string& name, time_point now) {
  exchange out;
  out.incarnation = options_.incarnation;
  out.budget = options_.budget;
  out.nodes = nodes_;
  for (const auto& [server, s] : servers_) {
    told_health h{server, s.breaker, milliseconds{0}, shortened(s.reason, exchange_limits::text / 2)};
    if (s.breaker != breaker_state::closed) h.down_for = whole_milliseconds(now - s.since);
    out.servers.push_back(std::move(h));
  }
  out.standing = standing_;
  for (const auto& r : refused_here_)
    out.refused.push_back({r.identity, r.fingerprint, whole_milliseconds(now - r.refused_at),
                           shortened(r.cause, exchange_limits::text / 2)});
  const auto found = peers_.find(name);
  if (found == peers_.end()) return out;
  auto& p = found->second;
  out.grants = std::exchange(p.answers, {});
  lose_requests(name, p, now);
  if (!p.agrees) return out;
  for (auto& [server, b] : budgets_) {
    if (out.requests.size() >= exchange_limits::servers) break;
    b.want(b.permits()->wanted(), now);
    if (b.recalls(name)) out.recalled.push_back(server);
    for (const auto& one : b.take_requests(now, [&name](const std::string& owner) { return owner == name; })) {
      p.sent.push_back({server, one.request.number});
      out.requests.push_back({server, one.request});
    }
  }
  return out;
}

peers_actions peers_state::hear(const std::string& name, const exchange& told, time_point now) {
  peers_actions out;
  const auto found = peers_.find(name);
  if (found == peers_.end()) return out;
  auto& p = found->second;
  p.heard = now;
  const bool same_process = p.incarnation == told.incarnation;
  if (!same_process) {
    // Another process, though perhaps by a link that we take for the same.
    lose_requests(name, p, now);
    p.answers.clear();
    p.incarnation = told.incarnation;
    for (auto& [server, b] : budgets_) b.met(name, now);
  }
  if (!same_process || p.standing != told.standing) p.standing_since = now;
  p.standing = told.standing;
  take_health(name, p, told, now, out);
  take_refusals(name, p, told, same_process, now, out);
  take_loans(name, p, told, now, out);
  return out;
}

/// One look for each failure that a peer sees, and not more than one a server in `suspect_after`, however many peers
/// see how many failures.
void peers_state::take_health(const std::string& name, peer& p, const exchange& told, time_point now,
                              peers_actions& out) {
  auto before = std::exchange(p.down, {});
  for (const auto& h : told.servers) {
    const auto ours = servers_.find(h.server);
    if (!is_down(h.breaker) || ours == servers_.end()) continue;
    auto& seen = p.down[h.server];
    const auto since = now - h.down_for;
    const auto known = before.find(h.server);
    if (known != before.end()) seen = known->second;
    if (known == before.end() || since > seen.since + same_moment) seen = {since, false};
    auto& s = ours->second;
    if (seen.looked || s.breaker != breaker_state::closed) continue;
    if (s.probed_at != time_point::min() && now < s.probed_at + options_.suspect_after) continue;
    seen.looked = true;
    s.probed_at = now;
    out.suspects.push_back({s.id, h.server, name});
  }
}

/// What a process tells is all that it knows; what an earlier one told goes on to count until its time is over.
void peers_state::take_refusals(const std::string& name, peer& p, const exchange& told, bool same_process,
                                time_point now, peers_actions& out) {
  std::vector<refused_secret> next;
  for (const auto& r : told.refused) next.push_back({r.identity, r.fingerprint, now - r.ago, printable(r.cause), name});
  for (auto& known : p.refused) {
    const auto again = std::find_if(next.begin(), next.end(), [&](const refused_secret& r) {
      return r.identity == known.identity && r.fingerprint == known.fingerprint;
    });
    // The moment is the one that was told first, unless it was refused again.
    if (again != next.end() && again->refused_at <= known.refused_at + same_moment)
      *again = known;
    else if (again == next.end() && !same_process && next.size() < exchange_limits::refused)
      next.push_back(known);
  }
  p.refused = std::move(next);
  list_refused(out);
}

void peers_state::list_refused(peers_actions& out) {
  std::vector<refused_secret> all;
  for (const auto& [name, p] : peers_) all.insert(all.end(), p.refused.begin(), p.refused.end());
  if (all == listed_) return;
  listed_ = all;
  out.refused_elsewhere = std::move(all);
}

bool peers_state::agrees(const exchange& told) const {
  return told.budget == options_.budget && (options_.budget == 0 || told.nodes == nodes_);
}

void peers_state::take_loans(const std::string& name, peer& p, const exchange& told, time_point now,
                             peers_actions& out) {
  const bool agreed = std::exchange(p.agrees, agrees(told));
  if (!p.agrees && agreed)
    out.warnings.push_back(
        {name, "The node " + name + " is configured with " +
                   (told.budget != options_.budget ? "a budget of " + std::to_string(told.budget) +
                                                         " and this one with " + std::to_string(options_.budget)
                                                   : "other nodes (" + shortened(printable(joined(told.nodes, ", "))) +
                                                         ") than this one (" + joined(nodes_, ", ") + ")") +
                   ": all of them have to have the same, or together they open more sockets than the budget has. "
                   "Nothing is lent to it or borrowed of it."});
  if (!p.agrees) return lose_requests(name, p, now);
  for (const auto& g : told.grants) {
    const auto asked = std::find_if(p.sent.begin(), p.sent.end(), [&](const sent_request& sent) {
      return sent.server == g.server && sent.number == g.number;
    });
    if (asked == p.sent.end() || g.borrower != options_.incarnation) continue;
    p.sent.erase(asked);
    if (auto* b = budget_of(g.server, now)) b->granted(name, g.number, g.may_use, now);
  }
  lose_requests(name, p, now);
  for (const auto& r : told.requests) {
    auto* b = budget_of(r.server, now);
    if (b == nullptr || p.answers.size() >= exchange_limits::servers) continue;
    b->want(b->permits()->wanted(), now);
    p.answers.push_back({r.server, r.request.incarnation, r.request.number, b->lend(name, r.request)});
    out.answer_soon = true;
  }
  for (const auto& server : told.recalled)
    if (auto* b = budget_of(server, now)) b->recalled(name, now);
}

// ---- time ----

peers_actions peers_state::tick(time_point now, wall_time wall) {
  peers_actions out;
  for (auto& [name, p] : peers_) {
    if (p.link != 0 && now - p.heard >= options_.silence) show(p, false, wall);
    if (p.link != 0 && now - p.heard < options_.silence) show(p, true, wall);
    std::erase_if(p.refused, [&](const refused_secret& r) { return now >= r.refused_at + options_.refusals_last; });
  }
  // What was borrowed and not renewed goes back, also from who cannot be asked.
  for (auto& [server, b] : budgets_) {
    b.want(b.permits()->wanted(), now);
    b.take_requests(now, [](const std::string&) { return false; });
  }
  list_refused(out);
  return out;
}

bool peers_state::in_need(const std::string& name, time_point now) {
  for (auto& [server, b] : budgets_) b.want(b.permits()->wanted(), now);
  const auto found = peers_.find(name);
  return found != peers_.end() && found->second.link != 0 && found->second.agrees &&
         std::any_of(budgets_.begin(), budgets_.end(), [&](const auto& entry) { return entry.second.asks(name, now); });
}

// ---- for operators ----

budget_snapshot peers_state::budget(const std::string& server) const {
  budget_snapshot s;
  const auto found = budgets_.find(server);
  if (found == budgets_.end()) return s;
  const auto& b = found->second;
  return {options_.budget, b.share(), b.lent(), b.borrowed(), b.permits()->opened(), b.permits()->wanted()};
}

std::vector<peer_snapshot> peers_state::snapshot() const {
  std::vector<peer_snapshot> all;
  for (const auto& [name, p] : peers_) all.push_back(p.shown);
  return all;
}

}  // namespace understudy::internal
