// Verdicts on secrets: turns of the untried, silence of the refused.
#include "understudy/actors/connection_manager/credential_gate.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

// A version is the trial's number and, below it, the turn: a late "unknown" must not end somebody else's turn.
constexpr unsigned turn_bits = 20;
// Of one account; far more than may be refused within any time to retry.
constexpr std::size_t remembered_attempts = 32;

std::uint64_t version_of(std::uint64_t number, std::uint64_t turn) {
  return (number << turn_bits) | (turn & ((std::uint64_t{1} << turn_bits) - 1));
}

failure credential_failure(std::string message) {
  failure f;
  f.code = errc::service_authentication_failed;
  f.where = stage::bind;
  f.message = std::move(message);
  return f;
}

milliseconds until(time_point when, time_point now) {
  return std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(when - now));
}

std::string in_seconds(milliseconds span) { return std::to_string(std::chrono::ceil<seconds>(span).count()) + " s"; }

}  // namespace

std::uint64_t credential_gate::secret_of(std::uint64_t version) noexcept { return version >> turn_bits; }

credential_gate::account_id credential_gate::add_account(std::string bind_dn, std::string source, duration read_again) {
  account a;
  a.bind_dn = std::move(bind_dn);
  a.source = std::move(source);
  a.read_again = read_again;
  const auto unused = std::find_if(accounts_.begin(), accounts_.end(), [](const account& old) { return !old.used; });
  if (unused != accounts_.end()) {
    *unused = std::move(a);
    return static_cast<account_id>(unused - accounts_.begin());
  }
  accounts_.push_back(std::move(a));
  return accounts_.size() - 1;
}

gate_answers credential_gate::drop_account(account_id id, time_point now) {
  gate_answers out;
  for (auto& [number, t] : trials_) {
    std::erase_if(t.waiting, [&](const asker& who) {
      if (who.account != id) {
        return false;
      }
      out.push_back({who.ticket, 0, replaced(accounts_[id])});
      return true;
    });
  }
  accounts_[id] = {};
  accounts_[id].used = false;
  drop_unused(now);
  return out;
}

std::uint64_t credential_gate::find_or_add(const std::string& bind_dn, const secret& value) {
  for (const auto& [number, t] : trials_) {
    if (t.bind_dn == bind_dn && t.value == value) {
      return number;
    }
  }
  trial fresh;
  fresh.bind_dn = bind_dn;
  fresh.value = value;
  trials_.emplace(++last_number_, std::move(fresh));
  return last_number_;
}

// A secret that no account has any more is wiped as soon as its last bind lets go of it; while one is under way it is
// remembered, so that the same secret does not go a second time meanwhile.
void credential_gate::drop_unused(time_point now) {
  for (auto it = trials_.begin(); it != trials_.end();) {
    const bool used =
        std::any_of(accounts_.begin(), accounts_.end(), [&](const account& a) { return a.current == it->first; });
    it = used || busy_until(it->second) > now ? std::next(it) : trials_.erase(it);
  }
}

gate_answers credential_gate::set_secret(account_id id, const secret& value, time_point now) {
  gate_answers out;
  drop_unused(now);
  auto& a = accounts_[id];
  const auto before = a.current;
  a.current = find_or_add(a.bind_dn, value);
  if (before == 0 || before == a.current) {
    return out;
  }
  std::deque<asker> moving;
  auto& waiting = trials_.at(before).waiting;
  for (const auto& who : waiting) {
    if (who.account == id) {
      moving.push_back(who);
    }
  }
  std::erase_if(waiting, [&](const asker& who) { return who.account == id; });
  drop_unused(now);
  for (const auto& who : moving) {
    admit(who, now, out);
  }
  return out;
}

gate_answers credential_gate::ask(std::uint64_t ticket, account_id id, server_id server, time_point deadline,
                                  time_point now) {
  auto out = tick(now);
  admit({ticket, id, server, deadline}, now, out);
  return out;
}

void credential_gate::admit(const asker& who, time_point now, gate_answers& out) {
  const auto& a = accounts_[who.account];
  const auto number = a.current;
  auto& t = trials_.at(number);
  if (t.state == standing::refused && now >= t.refused_at + options_.retry) {
    t.state = standing::untried;
  }
  switch (t.state) {
    case standing::refused:
      out.push_back({who.ticket, 0, refusal_of(a, t, now)});
      return;
    case standing::accepted:
      if (now < t.accepted_at + options_.fresh) {
        let_go(number, t, who, now, out);
      } else {
        give_turn(number, t, who, now, out);
      }
      return;
    case standing::trying:
      if (may_go_at(t, who.server) > now) {
        t.waiting.push_back(who);
        return;
      }
      break;
    case standing::untried:
      break;
  }
  // Another account may be trying this secret already: that says nothing about how much this one may still stand.
  if (const auto blocked = blocked_until(a, now); blocked && !t.was_accepted) {
    out.push_back({who.ticket, 0, too_many_refusals(a, *blocked, now)});
  } else {
    give_turn(number, t, who, now, out);
  }
}

std::vector<credential_gate::attempt>::iterator credential_gate::attempt_of(account& a, std::uint64_t number) {
  return std::find_if(a.attempts.begin(), a.attempts.end(), [&](const attempt& one) { return one.number == number; });
}

void credential_gate::let_go(std::uint64_t number, trial& t, const asker& who, time_point counts_until,
                             gate_answers& out) {
  auto& a = accounts_[who.account];
  if (const auto known = attempt_of(a, number); known != a.attempts.end()) {
    known->under_way_until = std::max(known->under_way_until, counts_until);
  } else {
    a.attempts.push_back({number, counts_until, {}});
  }
  if (a.attempts.size() > remembered_attempts) {
    a.attempts.erase(std::min_element(a.attempts.begin(), a.attempts.end(), [](const attempt& x, const attempt& y) {
      return x.counts_until() < y.counts_until();
    }));
  }
  out.push_back({who.ticket, version_of(number, ++t.last_turn), nullptr});
}

void credential_gate::give_turn(std::uint64_t number, trial& t, const asker& who, time_point now, gate_answers& out) {
  std::erase_if(t.turns, [&](const turn& one) { return one.until <= now; });
  const auto until = now + (t.was_accepted ? options_.renewed_turn : options_.turn);
  t.state = standing::trying;
  let_go(number, t, who, until, out);
  t.last_turn_of[who.server] = t.last_turn;
  t.turns.push_back({t.last_turn, who.server, std::min(now + options_.silence, until), until});
}

time_point credential_gate::may_go_at(const trial& t, server_id server) noexcept {
  time_point at{};
  for (const auto& one : t.turns) {
    at = std::max(at, one.server == server ? one.until : one.silent_at);
  }
  return at;
}

// When the last of its binds under way keeps nobody waiting any longer.
time_point credential_gate::busy_until(const trial& t) noexcept {
  time_point at{};
  for (const auto& one : t.turns) {
    at = std::max(at, one.until);
  }
  return at;
}

// Whoever had a turn brought no verdict: a server that had none may have more luck, then the one whose turn is longest
// ago. Else hung servers, which ask again and again, would take one turn after the other from a server that is well.
void credential_gate::next_turns(trial& t, time_point now, gate_answers& out) {
  const auto turn_of = [&](server_id server) {
    const auto known = t.last_turn_of.find(server);
    return known == t.last_turn_of.end() ? std::uint64_t{0} : known->second;
  };
  while (t.state == standing::trying) {
    auto next = t.waiting.end();
    for (auto it = t.waiting.begin(); it != t.waiting.end(); ++it) {
      if (may_go_at(t, it->server) <= now && (next == t.waiting.end() || turn_of(it->server) < turn_of(next->server))) {
        next = it;
      }
    }
    if (next == t.waiting.end()) {
      break;
    }
    const auto who = *next;
    t.waiting.erase(next);
    admit(who, now, out);
  }
  if (t.state == standing::trying && busy_until(t) <= now) {
    t.state = t.was_accepted ? standing::accepted : standing::untried;
  }
}

gate_answers credential_gate::on_verdict(const credential_verdict& verdict, time_point now, wall_time wall) {
  gate_answers out;
  const auto number = secret_of(verdict.version);
  const auto found = trials_.find(number);
  if (found == trials_.end()) {
    return out;
  }
  auto& t = found->second;
  const auto ended =
      std::erase_if(t.turns, [&](const turn& one) { return version_of(number, one.number) == verdict.version; });
  switch (verdict.what) {
    case credential_verdict::kind::accepted:
      accept(number, t, now, out);
      break;
    case credential_verdict::kind::refused:
      refuse(number, t, verdict, now, wall, out);
      break;
    case credential_verdict::kind::unknown:
      if (t.state == standing::trying && ended > 0) {
        if (t.turns.empty()) {
          forget_unanswered(number);
        }
        next_turns(t, now, out);
      }
  }
  drop_unused(now);
  return out;
}

// No bind with that secret is under way any more, and none was refused: it counts against no account.
void credential_gate::forget_unanswered(std::uint64_t number) {
  for (auto& a : accounts_) {
    std::erase_if(a.attempts, [&](attempt& one) {
      if (one.number == number) {
        one.under_way_until = {};
      }
      return one.counts_until() == time_point{};
    });
  }
}

void credential_gate::accept(std::uint64_t number, trial& t, time_point now, gate_answers& out) {
  t.state = standing::accepted;
  t.was_accepted = true;
  t.accepted_at = now;
  t.last_turn_of.clear();
  t.was_refused = false;
  t.refusal = nullptr;
  for (auto& a : accounts_) {
    if (a.current == number) {
      if (const auto known = attempt_of(a, number); known != a.attempts.end()) {
        known->under_way_until = busy_until(t) > now ? busy_until(t) : time_point{};
      }
      forgive(a);
    }
  }
  for (const auto& who : std::exchange(t.waiting, {})) {
    let_go(number, t, who, now, out);
  }
}

// The directory starts to count anew. What is still under way may be refused afterwards.
void credential_gate::forgive(account& a) {
  std::erase_if(a.attempts, [](attempt& one) {
    one.refused_until = {};
    return one.under_way_until == time_point{};
  });
}

void credential_gate::refuse(std::uint64_t number, trial& t, const credential_verdict& verdict, time_point now,
                             wall_time wall, gate_answers& out) {
  // Binds that were under way together count as one refusal.
  for (auto& a : accounts_) {
    const auto known = attempt_of(a, number);
    if (known != a.attempts.end()) {
      known->refused_until = now + options_.retry;
    } else if (a.current == number) {
      a.attempts.push_back({number, {}, now + options_.retry});
    }
  }
  t.state = standing::refused;
  t.was_accepted = false;
  t.was_refused = true;
  t.refused_at = now;
  t.refused_wall = wall;
  t.last_turn_of.clear();
  t.refusal = verdict.cause;
  for (const auto& who : std::exchange(t.waiting, {})) {
    out.push_back({who.ticket, 0, refusal_of(accounts_[who.account], t, now)});
  }
}

void credential_gate::retry_now(account_id id) {
  auto& a = accounts_[id];
  forgive(a);
  if (const auto found = trials_.find(a.current); found != trials_.end() && found->second.state == standing::refused) {
    found->second.state = standing::untried;
  }
}

gate_answers credential_gate::tick(time_point now) {
  gate_answers out;
  for (auto& [number, t] : trials_) {
    for (auto it = t.waiting.begin(); it != t.waiting.end();) {
      if (it->deadline > now) {
        ++it;
        continue;
      }
      out.push_back({it->ticket, 0, waited_too_long(accounts_[it->account])});
      it = t.waiting.erase(it);
    }
    if (t.state == standing::trying) {
      next_turns(t, now, out);
    }
  }
  drop_unused(now);
  return out;
}

std::optional<time_point> credential_gate::next_tick() const {
  std::optional<time_point> first;
  const auto consider = [&](time_point at) { first = first ? std::min(*first, at) : at; };
  for (const auto& [number, t] : trials_) {
    if (t.state == standing::trying) {
      consider(busy_until(t));
    }
    for (const auto& who : t.waiting) {
      consider(t.state == standing::trying ? std::min(who.deadline, may_go_at(t, who.server)) : who.deadline);
    }
  }
  return first;
}

bool credential_gate::refused(account_id id) const {
  const auto found = trials_.find(accounts_[id].current);
  return found != trials_.end() && found->second.was_refused;
}

bool credential_gate::any_refused() const {
  return std::any_of(trials_.begin(), trials_.end(), [](const auto& t) { return t.second.was_refused; });
}

std::optional<time_point> credential_gate::retry_at(account_id id, time_point now) const {
  const auto found = trials_.find(accounts_[id].current);
  if (found == trials_.end()) {
    return std::nullopt;
  }
  const auto& t = found->second;
  if (t.state == standing::refused && now < t.refused_at + options_.retry) {
    return t.refused_at + options_.retry;
  }
  return t.state == standing::untried ? blocked_until(accounts_[id], now) : std::nullopt;
}

std::optional<time_point> credential_gate::blocked_until(const account& a, time_point now) const {
  std::vector<time_point> ends;  // of other secrets that count now
  for (const auto& one : a.attempts) {
    if (one.number != a.current && one.counts_until() > now) {
      ends.push_back(one.counts_until());
    }
  }
  if (ends.size() < options_.refusals) {
    return std::nullopt;
  }
  std::sort(ends.begin(), ends.end());
  return ends[ends.size() - options_.refusals];
}

failure_ptr credential_gate::refusal_of(const account& a, const trial& t, time_point now) const {
  const auto again = until(t.refused_at + options_.retry, now);
  const bool changes = a.read_again > duration::zero();
  auto f = credential_failure(
      "The directory refused the password of \"" + a.bind_dn +
      "\"; nothing binds with it any more, so that the account is not locked. Connections that are bound keep serving. "
      "Correct it at its source (" +
      a.source + ")" +
      (changes ? ": it is read again every " + in_seconds(until(now + a.read_again, now)) + " and tried at once" : "") +
      ". The same password is tried again in " + in_seconds(again) + ", or when the server is resumed by command.");
  f.retry_after = changes ? std::min(again, std::chrono::ceil<milliseconds>(a.read_again)) : again;
  f.cause_at = t.refused_wall;
  if (t.refusal) {
    f.server = t.refusal->server;
    f.ldap_code = t.refusal->ldap_code;
    f.diagnostic = t.refusal->diagnostic;
    f.cause = "bind refused by " + t.refusal->server;
  }
  return make_failure(std::move(f));
}

failure_ptr credential_gate::too_many_refusals(const account& a, time_point until_then, time_point now) const {
  const auto again = until(until_then, now);
  auto f = credential_failure(
      "The last " + std::to_string(options_.refusals) + " passwords of \"" + a.bind_dn +
      "\" were refused or are being tried; to keep the account from being locked, the next is tried in " +
      in_seconds(again) + ", or when the server is resumed by command. Check its source (" + a.source + ").");
  f.retry_after = again;
  return make_failure(std::move(f));
}

failure_ptr credential_gate::replaced(const account& a) const {
  return make_failure(credential_failure("The service's credentials as \"" + a.bind_dn +
                                         "\" are no longer configured; the bind was not sent."));
}

// A wait for us: it speaks neither against the asker's server nor against the secret.
failure_ptr credential_gate::waited_too_long(const account& a) const {
  return make_failure(errc::connection_timeout, stage::queue,
                      "Another connection tries the password of \"" + a.bind_dn +
                          "\" and its server has not answered in time; the bind was not sent.");
}

}  // namespace understudy::internal
