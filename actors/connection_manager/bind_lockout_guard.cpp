// Accounts and the reading of their secrets; verdicts: turns of the untried, silence of the refused.
#include "understudy/actors/connection_manager/bind_lockout_guard.hpp"

#include "understudy/config/text.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/time_units.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

// A version is the secret's number and, below it, the turn: a late "unknown" must not end somebody else's turn.
constexpr unsigned turn_bits = 20;
// Of one account; far more than may be refused within any time to retry.
constexpr std::size_t remembered_attempts = 32;
// Silent servers hold a turn for `suspect_after` each. With a time-out as short as that, who waits behind them would
// leave just as its turn comes, and find a hung server in its place.
constexpr seconds shortest_patience{5};

std::uint64_t version_of(std::uint64_t secret, std::uint64_t turn) {
  return (secret << turn_bits) | (turn & ((std::uint64_t{1} << turn_bits) - 1));
}

std::uint64_t secret_of(std::uint64_t version) noexcept { return version >> turn_bits; }

// Names the source for people; of a command only the program, its arguments may be secret.
std::string name_of_source(const connection_info& info) {
  if (binds_externally(info))
    return info.client_cert_path.empty() ? "identity of this process" : "client_cert_path " + info.client_cert_path;
  if (!info.password_file.empty()) return "password_file " + info.password_file;
  if (!info.password_command.empty()) return "password_command " + info.password_command.front();
  return info.password_callback ? "password_callback" : "password in the configuration";
}

// What to do about a source that takes its time.
std::string advice_for(const connection_info& info) {
  return info.password_command.empty() ? "" : "; run it by hand, without input, to see what it waits for";
}

// A certificate may be replaced in its file, which is a new identity.
bool is_constant(const connection_info& info) {
  return !binds_externally(info) && info.password_file.empty() && info.password_command.empty() &&
         !info.password_callback;
}

// Whom the directory refuses, for people.
std::string name_of_identity(const connection_info& info) {
  return binds_externally(info) ? "SASL EXTERNAL" : info.bind_dn;
}

failure credential_failure(std::string message) {
  failure f;
  f.code = errc::service_authentication_failed;
  f.where = stage::bind;
  f.message = std::move(message);
  return f;
}

bool is_same_secret(const refused_secret& r, const std::string& identity, const std::string& fingerprint) {
  return !fingerprint.empty() && r.identity == identity && r.fingerprint == fingerprint;
}

std::string in_seconds(milliseconds span) { return std::to_string(std::chrono::ceil<seconds>(span).count()) + " s"; }

}  // namespace

// --- accounts
// ---------------------------------------------------------------------------------------------------------

// Callbacks cannot be compared: each server's is a source of its own, and equal bytes share their verdict all the same.
bool bind_lockout_guard::same_source(const connection_info& a, const connection_info& b) {
  return binds_externally(a) == binds_externally(b) &&
         (!binds_externally(a) || a.client_cert_path == b.client_cert_path) && a.bind_dn == b.bind_dn &&
         a.password == b.password && a.password_file == b.password_file && a.password_command == b.password_command &&
         !a.password_callback && !b.password_callback;
}

bind_lockout_actions bind_lockout_guard::set_servers(const std::vector<guarded_server>& servers, time_point now) {
  bind_lockout_actions out;
  const auto before = std::exchange(of_server_, {});
  patience_.clear();
  for (auto& [id, a] : accounts_) a.servers.clear();
  for (const auto& server : servers) {
    if (binds(server.info)) {
      const auto id = account_for(server, before, now, out);
      accounts_.at(id).servers.push_back(server.id);
      of_server_[server.id] = id;
      patience_[server.id] = std::max<duration>(server.info.timeout, shortest_patience);
    }
  }
  std::erase_if(unanswered_, [&](server_id id) { return of_server_.count(id) == 0; });
  drop_unused_accounts(now, out);
  return out;
}

bind_lockout_guard::account_id bind_lockout_guard::account_for(const guarded_server& server,
                                                               const server_accounts& before, time_point now,
                                                               bind_lockout_actions& out) {
  const auto& info = server.info;
  for (auto& [id, a] : accounts_) {
    const auto own = before.find(server.id);
    const bool called_before = own != before.end() && own->second == id && a.info.password_callback &&
                               info.password_callback && a.info.bind_dn == info.bind_dn;
    if (called_before || same_source(a.info, info)) {
      a.info = info;
      return id;
    }
  }
  const auto id = ++last_account_;
  auto& fresh = accounts_[id];
  fresh.info = info;
  fresh.constant = is_constant(info);
  if (fresh.constant) take(id, {info.password, {}}, now, out);
  return id;
}

void bind_lockout_guard::drop_unused_accounts(time_point now, bind_lockout_actions& out) {
  for (auto it = accounts_.begin(); it != accounts_.end();) {
    const auto& [id, a] = *it;
    if (!a.servers.empty()) {
      ++it;
      continue;
    }
    if (a.reading != 0) out.unwanted.push_back(a.reading);
    for (const auto& request : a.waiting) out.answers.push_back({request.request_id, {}, no_longer_configured(a)});
    for (auto& [secret, t] : trials_) {
      std::erase_if(t.waiting, [&, dropped = id, &owner = a](const bind_request& request) {
        if (request.account != dropped) return false;
        out.answers.push_back({request.request_id, {}, no_longer_configured(owner)});
        return true;
      });
    }
    it = accounts_.erase(it);
  }
  drop_unused_trials(now);
}

duration bind_lockout_guard::patience_of(server_id server) const {
  const auto found = patience_.find(server);
  return found == patience_.end() ? duration::zero() : found->second;
}

bind_lockout_actions bind_lockout_guard::ask(std::uint64_t request_id, server_id server, time_point deadline,
                                             time_point now) {
  bind_lockout_actions out;
  const auto found = of_server_.find(server);
  if (found == of_server_.end()) {
    out.answers.push_back({request_id, {}, nullptr});
    return out;
  }
  const bind_request request{request_id, found->second, server, deadline};
  auto& a = accounts_.at(found->second);
  if (may_use_last_reading(a, now)) {
    admit(request, now, out);
    return out;
  }
  a.waiting.push_back(request);
  read(a, now, out);
  end_waits_for_reading(a, now, out);
  return out;
}

bind_lockout_actions bind_lockout_guard::on_verdict(const credential_verdict& verdict, time_point now, wall_time wall) {
  bind_lockout_actions out;
  const auto id = secret_of(verdict.version);
  if (verdict.what != credential_verdict::kind::unknown) note_answer(verdict.server, now);
  if (const auto found = trials_.find(id); found != trials_.end()) {
    auto& t = found->second;
    const auto ended = take_turn(t, verdict.version, id);
    switch (verdict.what) {
      case credential_verdict::kind::accepted:
        accept(id, t, now, out);
        break;
      case credential_verdict::kind::refused:
        refuse(id, t, verdict, now, wall, out);
        break;
      case credential_verdict::kind::unknown:
        if (ended && verdict.cause)
          unanswered_.insert(ended->server);
        else if (ended)
          t.last_turn_of[ended->server] = ended->before;
        if (t.state == standing::trying && ended) {
          if (t.turns.empty()) forget_unanswered(id);
          next_turns(t, now, out);
        }
    }
    drop_unused_trials(now);
  }
  watch_refusals(now, out);
  return out;
}

// The account may have gone, or have another source by now: then what was read is of no use.
bind_lockout_actions bind_lockout_guard::read_done(std::uint64_t number, const secret_reading& found, time_point now) {
  bind_lockout_actions out;
  const auto it = std::find_if(accounts_.begin(), accounts_.end(),
                               [&](const auto& known) { return known.second.reading == number; });
  if (number == 0 || it == accounts_.end()) return out;
  auto& a = it->second;
  a.reading = 0;
  a.hung_before = !found.ok() && a.slow_at <= now;
  take(it->first, found, now, out);
  admit_waiting(a, now, out);
  watch_refusals(now, out);
  return out;
}

void bind_lockout_guard::resume(server_id server, time_point now) {
  const auto found = of_server_.find(server);
  if (found == of_server_.end()) return;
  auto& a = accounts_.at(found->second);
  clear_refusals(a);
  if (const auto known = trials_.find(a.current); known != trials_.end()) {
    auto& t = known->second;
    t.overruled_at = now;
    std::erase_if(here_, [&](const refused_secret& r) { return is_same_secret(r, t.identity, t.fingerprint); });
    here_without_.erase(a.current);
    if (t.state == standing::refused) t.state = standing::untried;
  }
}

bind_lockout_actions bind_lockout_guard::tick(time_point now) {
  bind_lockout_actions out;
  end_turns_and_waits(now, out);
  for (auto& [id, a] : accounts_) {
    end_waits_for_reading(a, now, out);
    if (a.next_read <= now) {
      a.next_read = now + options_.read_again;
      read(a, now, out);
    }
  }
  watch_refusals(now, out);
  return out;
}

time_point bind_lockout_guard::next_tick() const {
  auto first = time_point::max();
  const auto consider = [&](time_point at) { first = std::min(first, at); };
  for (const auto& [id, t] : trials_) {
    if (t.state == standing::trying) consider(busy_until(t));
    for (const auto& request : t.waiting) {
      consider(t.state == standing::trying ? std::min(request.deadline, may_go_at(t, request.server))
                                           : request.deadline);
    }
  }
  for (const auto& [id, a] : accounts_) {
    for (const auto& request : a.waiting) consider(std::min(request.deadline, wait_for_reading_ends(a)));
    consider(a.next_read);
  }
  return first;
}

service_claim bind_lockout_guard::check_claim(std::string_view bind_dn, const secret& password) const {
  const auto name = comparable_dn(bind_dn);
  auto found = service_claim::other;
  for (const auto& [id, a] : accounts_) {
    if (!is_of(a, name)) continue;
    const auto known = trials_.find(a.current);
    const bool refused = known != trials_.end() && known->second.state == standing::refused;
    const bool accepted = known != trials_.end() && known->second.was_accepted && !refused;
    const bool same = known != trials_.end() && equal_in_constant_time(known->second.value, password);
    const bool same_as_before = equal_in_constant_time(a.replaced, password);
    if ((accepted && same) || same_as_before) return service_claim::right;
    // Of one that was not accepted yet it is not known whether it is the password; another one may be right in place of
    // one that is refused.
    const bool decided = accepted || (!a.replaced.empty() && !same) || (refused && same);
    const auto here = decided ? service_claim::wrong : service_claim::unknown;
    if (found != service_claim::unknown) found = here;
  }
  return found;
}

bind_lockout_actions bind_lockout_guard::look_again(std::string_view bind_dn, time_point now) {
  bind_lockout_actions out;
  const auto name = comparable_dn(bind_dn);
  for (auto& [id, a] : accounts_) {
    if (!is_of(a, name) || a.constant) continue;
    // Whoever guesses passwords must not have programs run as often as he likes.
    const auto pause = a.info.password_file.empty() ? options_.read_again : options_.look_again;
    const auto last = std::max(a.read_at.value_or(time_point::min()), a.looked_again_at.value_or(time_point::min()));
    if (last != time_point::min() && now - last < pause) continue;
    a.looked_again_at = now;
    read(a, now, out);
  }
  return out;
}

bool bind_lockout_guard::is_reading(std::string_view bind_dn) const {
  const auto name = comparable_dn(bind_dn);
  return std::any_of(accounts_.begin(), accounts_.end(),
                     [&](const auto& each) { return is_of(each.second, name) && each.second.reading != 0; });
}

bool bind_lockout_guard::is_undecided(std::string_view bind_dn, const secret& password) const {
  const auto name = comparable_dn(bind_dn);
  return std::any_of(accounts_.begin(), accounts_.end(), [&](const auto& each) {
    const auto& a = each.second;
    if (!is_of(a, name)) return false;
    const auto known = trials_.find(a.current);
    if (known == trials_.end()) return a.problem.empty() || a.reading != 0;
    if (known->second.was_accepted || known->second.state == standing::refused) return false;
    // Of the first one the answer comes as late for a wrong guess as for the right one.
    return a.replaced.empty() || equal_in_constant_time(known->second.value, password);
  });
}

bool bind_lockout_guard::is_of(const account& a, const std::string& comparable_name) {
  return !binds_externally(a.info) && comparable_dn(a.info.bind_dn) == comparable_name;
}

bool bind_lockout_guard::any_refused() const {
  return std::any_of(trials_.begin(), trials_.end(), [](const auto& each) { return each.second.was_refused; });
}

bool bind_lockout_guard::all_decided() const {
  return here_without_.empty() && std::all_of(accounts_.begin(), accounts_.end(), [&](const auto& each) {
           const auto known = trials_.find(each.second.current);
           return known != trials_.end() && (known->second.was_accepted || known->second.state == standing::refused);
         });
}

// --- the reading of sources
// -------------------------------------------------------------------------------------------

// A command may be dear: while its secret is refused, those who ask have it run again only now and then.
bool bind_lockout_guard::may_use_last_reading(const account& a, time_point now) const {
  const bool dear = !a.info.password_command.empty() && retry_at(a, now);
  return a.constant || (a.read_at && now < *a.read_at + (dear ? options_.fresh_command : options_.fresh_reading));
}

// One read at a time: a source that never comes to an end costs one worker, not one each minute.
void bind_lockout_guard::read(account& a, time_point now, bind_lockout_actions& out) {
  if (a.reading != 0) return;
  a.reading = ++last_read_;
  a.slow_at = a.hung_before ? now : now + options_.slow_reading;
  a.overdue = now + options_.read_timeout;
  out.reads.push_back({a.reading, a.info});
}

// A bind with an empty password is anonymous (RFC 4513, 5.1.2) and would be taken for success.
void bind_lockout_guard::take(account_id id, const secret_reading& found, time_point now, bind_lockout_actions& out) {
  auto& a = accounts_.at(id);
  a.problem = found.ok() && found.value.size() == 0 ? name_of_source(a.info) + " is empty" : found.problem;
  if (!a.problem.empty()) return;
  a.read_at = now;
  set_secret(id, found.value, now, out);
}

// A source that cannot be read now does not make the secret wrong that it gave before.
void bind_lockout_guard::admit(const bind_request& request, time_point now, bind_lockout_actions& out) {
  const auto& a = accounts_.at(request.account);
  if (!trials_.contains(a.current)) {
    out.answers.push_back({request.request_id, {}, unreadable(a)});
    return;
  }
  end_turns_and_waits(now, out);
  decide(request, now, out);
}

void bind_lockout_guard::admit_waiting(account& a, time_point now, bind_lockout_actions& out) {
  for (const auto& request : std::exchange(a.waiting, {})) admit(request, now, out);
}

// When those who wait for the running read go on without it. A source that hangs must not keep anybody from a secret
// that the directory accepted; what the read brings in the end counts for the next ones.
time_point bind_lockout_guard::wait_for_reading_ends(const account& a) const {
  if (a.reading == 0) return time_point::max();
  const auto last = trials_.find(a.current);
  return last != trials_.end() && last->second.was_accepted ? a.slow_at : a.overdue;
}

void bind_lockout_guard::end_waits_for_reading(account& a, time_point now, bind_lockout_actions& out) {
  if (a.reading != 0 && a.overdue <= now) {
    a.problem = name_of_source(a.info) + " was not read within " + config::format_span(options_.read_timeout) +
                advice_for(a.info);
  }
  if (wait_for_reading_ends(a) <= now) admit_waiting(a, now, out);
  std::erase_if(a.waiting, [&](const bind_request& request) {
    if (request.deadline > now) return false;
    out.answers.push_back({request.request_id, {}, unreadable(a)});
    return true;
  });
}

// Keeps the schedule of refused accounts: a look at the source at once, then every minute.
void bind_lockout_guard::watch_refusals(time_point now, bind_lockout_actions& out) {
  for (auto& [id, a] : accounts_) {
    if (a.constant) continue;
    if (!retry_at(a, now)) {
      a.next_read = time_point::max();
    } else if (a.next_read == time_point::max()) {
      a.next_read = now + options_.read_again;
      read(a, now, out);
    }
  }
}

// --- verdicts on secrets
// ----------------------------------------------------------------------------------------------

bind_lockout_guard::secret_id bind_lockout_guard::find_or_add_trial(const std::string& identity, const secret& value,
                                                                    bool shared) {
  for (const auto& [id, t] : trials_)
    if (t.identity == identity && t.value == value) return id;
  auto& fresh = trials_[++last_secret_];
  fresh.identity = identity;
  fresh.value = value;
  fresh.shared = shared;
  return last_secret_;
}

// A secret that no account has any more is wiped as soon as its last bind lets go of it; while one is under way it is
// remembered, so that the same secret does not go a second time meanwhile.
void bind_lockout_guard::drop_unused_trials(time_point now) {
  std::erase_if(trials_, [&](const auto& each) {
    const auto& [id, t] = each;
    const bool used = std::any_of(accounts_.begin(), accounts_.end(),
                                  [secret = id](const auto& known) { return known.second.current == secret; });
    return !used && busy_until(t) <= now;
  });
}

// The same bytes change nothing. Requests that wait go on with the new secret.
void bind_lockout_guard::set_secret(account_id id, const secret& value, time_point now, bind_lockout_actions& out) {
  drop_unused_trials(now);
  auto& a = accounts_.at(id);
  const auto before = a.current;
  // A certificate is a node's own.
  a.current = find_or_add_trial(name_of_identity(a.info), value, !binds_externally(a.info));
  if (before == 0 || before == a.current) return;
  // Clients present the former one until they have been told the new one, which may not count in the directory yet.
  if (const auto& former = trials_.at(before); former.was_accepted && former.state != standing::refused)
    a.replaced = former.value;
  if (trials_.at(a.current).was_accepted) a.replaced = {};
  std::vector<bind_request> moving;
  std::erase_if(trials_.at(before).waiting, [&](const bind_request& request) {
    if (request.account != id) return false;
    moving.push_back(request);
    return true;
  });
  drop_unused_trials(now);
  for (const auto& request : moving) decide(request, now, out);
}

void bind_lockout_guard::end_turns_and_waits(time_point now, bind_lockout_actions& out) {
  for (auto& [id, t] : trials_) {
    std::erase_if(t.waiting, [&](const bind_request& request) {
      if (request.deadline > now) return false;
      out.answers.push_back({request.request_id, {}, waited_too_long(accounts_.at(request.account))});
      return true;
    });
    if (t.state == standing::trying) next_turns(t, now, out);
  }
  drop_unused_trials(now);
}

void bind_lockout_guard::decide(const bind_request& request, time_point now, bind_lockout_actions& out) {
  const auto& a = accounts_.at(request.account);
  const auto id = a.current;
  auto& t = trials_.at(id);
  if (t.state == standing::refused && now >= retried_at(t)) t.state = standing::untried;
  if (lacks_fingerprint(t)) {
    want_fingerprint(id, t, out);
    t.waiting.push_back(request);
    return;
  }
  if (t.state != standing::refused && is_refused_elsewhere(t)) compare(id, t, now, out);
  switch (t.state) {
    case standing::refused:
      out.answers.push_back({request.request_id, {}, refusal_of(a, t, now)});
      return;
    case standing::accepted:  // it may have been changed in the directory since: one finds out for all
    case standing::trying:
      if (may_go_at(t, request.server) > now) {
        t.waiting.push_back(request);
        return;
      }
      break;
    case standing::untried:
      break;
  }
  // Another account may be trying this secret already: that says nothing about how much this one may still stand.
  if (const auto blocked = blocked_until(a, now); blocked && !t.was_accepted)
    out.answers.push_back({request.request_id, {}, too_many_refusals(a, *blocked, now)});
  else
    start_turn(id, t, request, now, out);
}

std::vector<bind_lockout_guard::attempt>::iterator bind_lockout_guard::attempt_of(account& a, secret_id id) {
  return std::find_if(a.attempts.begin(), a.attempts.end(), [&](const attempt& each) { return each.secret == id; });
}

void bind_lockout_guard::permit(secret_id id, trial& t, const bind_request& request, time_point counts_until,
                                bind_lockout_actions& out) {
  auto& a = accounts_.at(request.account);
  if (const auto known = attempt_of(a, id); known != a.attempts.end())
    known->under_way_until = std::max(known->under_way_until, counts_until);
  else
    a.attempts.push_back({id, counts_until, {}});
  if (a.attempts.size() > remembered_attempts) {
    a.attempts.erase(std::min_element(a.attempts.begin(), a.attempts.end(), [](const attempt& x, const attempt& y) {
      return x.counts_until() < y.counts_until();
    }));
  }
  out.answers.push_back({request.request_id, {a.info.bind_dn, t.value, version_of(id, ++t.last_turn), id}, nullptr});
}

void bind_lockout_guard::start_turn(secret_id id, trial& t, const bind_request& request, time_point now,
                                    bind_lockout_actions& out) {
  std::erase_if(t.turns, [&](const turn& each) {
    if (each.until > now) return false;
    if (each.number > t.last_turn_accepted) unanswered_.insert(each.server);
    return true;
  });
  const auto until = now + (t.was_accepted ? options_.renewed_turn : options_.turn);
  const auto silent_at = std::min(now + silence_of(t, request.server, now), until);
  t.state = standing::trying;
  permit(id, t, request, until, out);
  auto& turn_of_server = t.last_turn_of[request.server];
  t.turns.push_back({t.last_turn, request.server, silent_at, until, turn_of_server});
  turn_of_server = t.last_turn;
}

// It has answered since: what it left unanswered before says nothing any more, with whatever secret that was.
void bind_lockout_guard::note_answer(server_id server, time_point now) {
  unanswered_.erase(server);
  for (auto& [id, t] : trials_)
    std::erase_if(t.turns, [&](const turn& each) { return each.server == server && each.until <= now; });
}

std::optional<bind_lockout_guard::turn> bind_lockout_guard::take_turn(trial& t, std::uint64_t version, secret_id id) {
  const auto found = std::find_if(t.turns.begin(), t.turns.end(),
                                  [&](const turn& each) { return version_of(id, each.number) == version; });
  if (found == t.turns.end()) return std::nullopt;
  const auto ended = *found;
  t.turns.erase(found);
  return ended;
}

// A secret that was accepted a moment ago is likely right: hardly worth a wait, and none for a server that hangs.
duration bind_lockout_guard::silence_of(const trial& t, server_id server, time_point now) const {
  if (!t.was_accepted || now >= t.accepted_at + options_.fresh_verdict) return options_.silence;
  return unanswered_.count(server) > 0 ? duration::zero() : std::min(options_.silence, options_.fresh_silence);
}

time_point bind_lockout_guard::may_go_at(const trial& t, server_id server) noexcept {
  time_point at{};
  for (const auto& each : t.turns)
    if (each.number > t.last_turn_accepted) at = std::max(at, each.server == server ? each.until : each.silent_at);
  return at;
}

// When the last of its binds under way keeps nobody waiting any longer.
time_point bind_lockout_guard::busy_until(const trial& t) noexcept {
  time_point at{};
  for (const auto& each : t.turns) at = std::max(at, each.until);
  return at;
}

// Whoever had a turn brought no verdict: a server that had none may have more luck, then the one whose turn is longest
// ago. Else hung servers, which ask again and again, would take one turn after the other from a server that is well.
void bind_lockout_guard::next_turns(trial& t, time_point now, bind_lockout_actions& out) {
  const auto turn_of = [&](server_id server) {
    const auto known = t.last_turn_of.find(server);
    return known == t.last_turn_of.end() ? std::uint64_t{0} : known->second;
  };
  while (t.state == standing::trying) {
    auto next = t.waiting.end();
    for (auto it = t.waiting.begin(); it != t.waiting.end(); ++it)
      if (may_go_at(t, it->server) <= now && (next == t.waiting.end() || turn_of(it->server) < turn_of(next->server)))
        next = it;
    if (next == t.waiting.end()) break;
    const auto request = *next;
    t.waiting.erase(next);
    decide(request, now, out);
  }
  if (t.state == standing::trying && busy_until(t) <= now)
    t.state = t.was_accepted ? standing::accepted : standing::untried;
}

// No bind with that secret is under way any more, and none was refused: it counts against no account.
void bind_lockout_guard::forget_unanswered(secret_id id) {
  for (auto& [number, a] : accounts_) {
    std::erase_if(a.attempts, [&](attempt& each) {
      if (each.secret == id) each.under_way_until = {};
      return each.counts_until() == time_point{};
    });
  }
}

void bind_lockout_guard::accept(secret_id id, trial& t, time_point now, bind_lockout_actions& out) {
  t.state = standing::accepted;
  t.was_accepted = true;
  t.accepted_at = now;
  t.last_turn_accepted = t.last_turn;
  t.last_turn_of.clear();
  t.was_refused = false;
  t.refusal = nullptr;
  std::erase_if(here_, [&](const refused_secret& r) { return is_same_secret(r, t.identity, t.fingerprint); });
  here_without_.erase(id);
  for (auto& [number, a] : accounts_) {
    if (a.current == id) {
      a.replaced = {};
      if (const auto known = attempt_of(a, id); known != a.attempts.end())
        known->under_way_until = busy_until(t) > now ? busy_until(t) : time_point{};
      clear_refusals(a);
    }
  }
  for (const auto& request : std::exchange(t.waiting, {})) permit(id, t, request, now, out);
}

// The directory starts to count anew. What is still under way may be refused afterwards.
void bind_lockout_guard::clear_refusals(account& a) {
  std::erase_if(a.attempts, [](attempt& each) {
    each.refused_until = {};
    return each.under_way_until == time_point{};
  });
}

void bind_lockout_guard::refuse(secret_id id, trial& t, const credential_verdict& verdict, time_point now,
                                wall_time wall, bind_lockout_actions& out) {
  for (auto& [number, a] : accounts_)
    if (name_of_identity(a.info) == t.identity && a.replaced == t.value) a.replaced = {};
  t.refused_at = now;
  t.refused_wall = wall;
  t.refusal = verdict.cause;
  t.elsewhere = false;
  if (options_.shares && t.shared) {
    here_without_[id] = {t.identity, {}, now, t.refusal ? describe(*t.refusal) : std::string{}};
    if (t.fingerprint.empty())
      want_fingerprint(id, t, out);
    else
      note_refused_here(id, t.fingerprint);
  }
  hold_back(id, t, now + options_.retry, now, out);
}

// Binds that were under way together count as one refusal.
void bind_lockout_guard::hold_back(secret_id id, trial& t, time_point until, time_point now,
                                   bind_lockout_actions& out) {
  for (auto& [number, a] : accounts_) {
    const auto known = attempt_of(a, id);
    if (known != a.attempts.end())
      known->refused_until = std::max(known->refused_until, until);
    else if (a.current == id)
      a.attempts.push_back({id, {}, until});
  }
  t.state = standing::refused;
  t.was_accepted = false;
  t.was_refused = true;
  t.last_turn_of.clear();
  for (const auto& request : std::exchange(t.waiting, {}))
    out.answers.push_back({request.request_id, {}, refusal_of(accounts_.at(request.account), t, now)});
}

// When the account's refused secret may be tried again; nothing when it may be tried now.
std::optional<time_point> bind_lockout_guard::retry_at(const account& a, time_point now) const {
  const auto found = trials_.find(a.current);
  if (found == trials_.end()) return std::nullopt;
  const auto& t = found->second;
  if (t.state == standing::refused && now < retried_at(t)) return retried_at(t);
  return t.state == standing::untried ? blocked_until(a, now) : std::nullopt;
}

std::optional<time_point> bind_lockout_guard::blocked_until(const account& a, time_point now) const {
  std::vector<time_point> ends;  // of other secrets that count now
  for (const auto& each : a.attempts)
    if (each.secret != a.current && each.counts_until() > now) ends.push_back(each.counts_until());
  if (ends.size() < options_.refusals) return std::nullopt;
  std::sort(ends.begin(), ends.end());
  return ends[ends.size() - options_.refusals];
}

// --- what other nodes know
// --------------------------------------------------------------------------------------------

time_point bind_lockout_guard::retried_at(const trial& t) const noexcept {
  return t.refused_at + options_.retry + (t.elsewhere ? options_.after_others : duration::zero());
}

bool bind_lockout_guard::is_refused_elsewhere(const trial& t) const {
  return t.shared && std::any_of(elsewhere_.begin(), elsewhere_.end(),
                                 [&](const refused_secret& r) { return is_same_secret(r, t.identity, t.fingerprint); });
}

// It may be the one that was refused there: it is not sent before that is known.
bool bind_lockout_guard::lacks_fingerprint(const trial& t) const {
  return options_.shares && t.shared && t.fingerprint.empty() && !t.no_fingerprint &&
         std::any_of(elsewhere_.begin(), elsewhere_.end(),
                     [&](const refused_secret& r) { return r.identity == t.identity; });
}

void bind_lockout_guard::want_fingerprint(secret_id id, trial& t, bind_lockout_actions& out) {
  if (!std::exchange(t.asked_for_fingerprint, true)) out.fingerprints.push_back({id, t.identity, t.value});
}

bind_lockout_actions bind_lockout_guard::set_refused_elsewhere(std::vector<refused_secret> all, time_point now) {
  bind_lockout_actions out;
  elsewhere_ = std::move(all);
  for (auto& [id, t] : trials_) {
    if (lacks_fingerprint(t)) {
      want_fingerprint(id, t, out);
    } else if (is_refused_elsewhere(t)) {
      compare(id, t, now, out);
    } else if (t.state == standing::refused && t.elsewhere) {
      t.state = standing::untried;
      t.was_refused = false;
      t.refusal = nullptr;
      for (auto& [number, a] : accounts_)
        std::erase_if(a.attempts, [secret = id](const attempt& each) { return each.secret == secret; });
    }
  }
  watch_refusals(now, out);
  return out;
}

/// The latest word on one of ours that is refused elsewhere.
void bind_lockout_guard::compare(secret_id id, trial& t, time_point now, bind_lockout_actions& out) {
  const refused_secret* latest = nullptr;
  for (const auto& each : elsewhere_)
    if (is_same_secret(each, t.identity, t.fingerprint) && (latest == nullptr || each.refused_at > latest->refused_at))
      latest = &each;
  const auto known_since = std::max(t.overruled_at, t.was_accepted ? t.accepted_at : time_point{});
  if (latest == nullptr || latest->refused_at <= known_since ||
      now >= latest->refused_at + options_.retry + options_.after_others)
    return;
  if (t.state == standing::refused && latest->refused_at <= t.refused_at) return;
  t.refused_at = latest->refused_at;
  t.refused_wall = {};
  t.elsewhere = true;
  auto f = credential_failure(latest->cause);
  f.server = "node " + latest->told_by;
  t.refusal = make_failure(std::move(f));
  hold_back(id, t, retried_at(t), now, out);
}

bind_lockout_actions bind_lockout_guard::fingerprint_done(std::uint64_t number, std::string fingerprint,
                                                          time_point now) {
  bind_lockout_actions out;
  const auto found = trials_.find(number);
  if (found == trials_.end()) {
    // It was replaced meanwhile; what was refused of it is told all the same.
    note_refused_here(number, std::move(fingerprint));
    return out;
  }
  auto& t = found->second;
  t.no_fingerprint = fingerprint.empty();
  t.fingerprint = std::move(fingerprint);
  note_refused_here(number, t.fingerprint);
  if (is_refused_elsewhere(t)) compare(number, t, now, out);
  for (const auto& request : std::exchange(t.waiting, {})) decide(request, now, out);
  watch_refusals(now, out);
  return out;
}

/// Its refusal, if there is one, waits to be told with its fingerprint.
void bind_lockout_guard::note_refused_here(secret_id id, std::string fingerprint) {
  auto waits = here_without_.extract(id);
  if (waits.empty() || fingerprint.empty()) return;
  auto& refused = waits.mapped();
  refused.fingerprint = std::move(fingerprint);
  std::erase_if(here_,
                [&](const refused_secret& r) { return is_same_secret(r, refused.identity, refused.fingerprint); });
  if (here_.size() >= remembered_attempts) here_.erase(here_.begin());
  here_.push_back(std::move(refused));
}

std::vector<refused_secret> bind_lockout_guard::refused_here(time_point now) {
  std::erase_if(here_,
                [&](const refused_secret& r) { return now >= r.refused_at + options_.retry + options_.after_others; });
  return here_;
}

// --- what is said
// -----------------------------------------------------------------------------------------------------

failure_ptr bind_lockout_guard::unreadable(const account& a) const {
  return make_failure(
      credential_failure("There is no password for \"" + a.info.bind_dn + "\": " +
                         (a.problem.empty() ? name_of_source(a.info) + " has not given it yet, and has " +
                                                  config::format_span(options_.read_timeout) + advice_for(a.info)
                                            : a.problem) +
                         ". Nothing was sent; it is read again when the next connection needs it."));
}

failure_ptr bind_lockout_guard::refusal_of(const account& a, const trial& t, time_point now) const {
  const auto again = time_until(retried_at(t), now);
  auto f = credential_failure(
      "The directory refused the password of \"" + t.identity +
      "\"; nothing binds with it any more, so that the account is not locked. Connections that "
      "are bound keep serving. Correct it at its source (" +
      name_of_source(a.info) + ")" +
      (a.constant ? ""
                  : ": it is read again every " + in_seconds(std::chrono::ceil<milliseconds>(options_.read_again)) +
                        " and tried at once") +
      ". The same password is tried again in " + in_seconds(again) + ", or when the server is resumed by command.");
  f.retry_after = a.constant ? again : std::min(again, std::chrono::ceil<milliseconds>(options_.read_again));
  f.cause_at = t.refused_wall;
  if (t.refusal) {
    f.server = t.refusal->server;
    f.ldap_code = t.refusal->ldap_code;
    f.diagnostic = t.refusal->diagnostic;
    f.cause = "bind refused by " + t.refusal->server;
  }
  return make_failure(std::move(f));
}

failure_ptr bind_lockout_guard::too_many_refusals(const account& a, time_point blocked_until, time_point now) const {
  const auto again = time_until(blocked_until, now);
  auto f = credential_failure(
      "The last " + std::to_string(options_.refusals) + " passwords of \"" + name_of_identity(a.info) +
      "\" were refused or are being tried; to keep the account from being locked, the next is tried in " +
      in_seconds(again) + ", or when the server is resumed by command. Check its source (" + name_of_source(a.info) +
      ").");
  f.retry_after = again;
  return make_failure(std::move(f));
}

failure_ptr bind_lockout_guard::no_longer_configured(const account& a) {
  return make_failure(credential_failure("The service's credentials as \"" + name_of_identity(a.info) +
                                         "\" are no longer configured; the bind was not sent."));
}

// A wait for us: it speaks neither against the request's server nor against the secret.
failure_ptr bind_lockout_guard::waited_too_long(const account& a) {
  return make_failure(errc::connection_timeout, stage::queue,
                      "Another connection tries the password of \"" + name_of_identity(a.info) +
                          "\" and its server has not answered in time; the bind was not sent.");
}

}  // namespace understudy::internal
