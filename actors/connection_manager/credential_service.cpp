// Carries out what the bind lockout guard decides.
#include "understudy/actors/connection_manager/credential_service.hpp"

#include "understudy/actors/connection/secret_fingerprint.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

bind_lockout_options options_of(const settings& all, bool shares) {
  bind_lockout_options o;
  o.shares = shares;
  o.retry = all.recovery.credential_retry;
  // A server that does not answer its bind cannot count it against the account: the others' binds go on.
  o.silence = std::max<duration>(all.breaker.suspect_after, milliseconds{100});
  o.turn = std::max<duration>({all.failover.failover_timeout, o.silence, seconds{1}});
  o.renewed_turn = o.silence;
  o.slow_reading = o.silence;
  return o;
}

/// How long a node that has just begun waits at most for what others know of its secrets, and they for it: what it
/// makes of their word is bounded already (peers_state::may_try()), and this is for when that is never said.
constexpr seconds patience_with_nodes{8};

failure_ptr other_nodes_try() {
  return make_failure(errc::connection_timeout, stage::queue,
                      "Another node of the cluster tries the service's password, or was not heard so far, and has not "
                      "told what came of it; the bind was not sent.");
}

/// A client waits no longer for what the source, or the directory, says of its password: longer than a node that has
/// just begun waits for others.
constexpr seconds claim_patience{9};
/// Whether servers answer a bind is found out within this, as a hung one keeps the binds of others back for a second …
constexpr seconds longest_try{5};
/// … and no more often than this.
constexpr seconds between_tries{3};
/// More clients at once are told what is known.
constexpr std::size_t most_open_claims = 256;

}  // namespace

credential_service::credential_service(manager_interface::pointer self, environment_ptr env, const settings& all,
                                       secret_reader read)
    : self_(self),
      env_(std::move(env)),
      read_(std::move(read)),
      guard_(options_of(all, env_->cluster != nullptr)),
      timer_(env_->poller, self->address()) {
  if (!env_->cluster || env_->cluster->peers().empty()) return;
  nodes_heard_by_ = undecided_until_ = env_->clock->now() + patience_with_nodes;
  undecided_ = true;
  env_->cluster->tell_refused([manager = self->address()](std::vector<refused_secret> elsewhere) {
    if (const auto handle = caf::actor_cast<manager_interface>(manager))
      caf::anon_send(handle, credential_atom_v, std::move(elsewhere));
  });
}

void credential_service::set_servers(const std::vector<guarded_server>& servers, const settings& all) {
  guard_.configure(options_of(all, env_->cluster != nullptr));
  knows_servers_ = knows_servers_ || !servers.empty();
  carry_out(guard_.set_servers(servers, env_->clock->now()));
}

/// A node that has just begun may hear from another one that its secret is refused: it binds after that, not before.
void credential_service::ask(server_id server, promise answer) {
  const auto now = env_->clock->now();
  const auto patience = guard_.patience_of(server);
  if (now >= nodes_heard_by_ || patience <= duration::zero()) return begin(server, std::move(answer));
  early_.push_back({server, std::move(answer), now + patience * 3 / 4});
  arm();
}

void credential_service::begin(server_id server, promise answer) {
  // Also where nobody said that the others were heard.
  if (undecided_ && guard_.patience_of(server) > duration::zero())
    env_->cluster->set_standing(secrets_standing::trying);
  const auto request_id = ++last_request_id_;
  waiting_.emplace(request_id, std::move(answer));
  const auto now = env_->clock->now();
  carry_out(guard_.ask(request_id, server, now + guard_.patience_of(server), now));
}

void credential_service::admit_early() {
  for (auto& each : std::exchange(early_, {})) begin(each.server, std::move(each.answer));
}

/// Who waited as long as he may is told, and asks again: a bind that goes out before the others were heard may be the
/// second one with a wrong password.
void credential_service::end_waits_for_nodes(time_point now) {
  if (now >= nodes_heard_by_) return admit_early();
  const auto late = std::stable_partition(early_.begin(), early_.end(),
                                          [now](const early_request& each) { return now < each.until; });
  std::vector<early_request> ended{std::make_move_iterator(late), std::make_move_iterator(early_.end())};
  early_.erase(late, early_.end());
  for (auto& each : ended) each.answer.deliver(to_error(other_nodes_try()));
}

/// Other nodes wait for that.
void credential_service::note_decision() {
  const bool decided = knows_servers_ && guard_.all_decided();
  if (!undecided_ || (!decided && env_->clock->now() < undecided_until_)) return;
  undecided_ = false;
  undecided_until_ = time_point::max();
  env_->cluster->set_standing(secrets_standing::decided);
}

void credential_service::check_claim(const std::string& bind_dn, const secret& password, claim_promise answer) {
  const auto now = env_->clock->now();
  const auto claim = guard_.check_claim(bind_dn, password);
  const bool in_vain = nobody_answers_ && now < next_try_;
  const bool may_change = claim == service_claim::wrong ||
                          (claim == service_claim::unknown && !in_vain && guard_.is_undecided(bind_dn, password));
  if (closed_ || !may_change || claims_.size() >= most_open_claims) {
    answer.deliver(claim);
    return;
  }
  claims_.push_back({bind_dn, password, std::move(answer), now, now + claim_patience});
  carry_out(guard_.look_again(bind_dn, now));
}

/// Answers those about whom nothing more is to be found out.
void credential_service::settle_claims() {
  const auto now = env_->clock->now();
  bool is_any_undecided = false;
  for (auto& each : std::exchange(claims_, {})) {
    const auto claim = guard_.check_claim(each.bind_dn, each.password);
    const bool undecided = claim == service_claim::unknown && guard_.is_undecided(each.bind_dn, each.password);
    const bool reading = claim == service_claim::wrong && guard_.is_reading(each.bind_dn);
    if (now < each.until && (undecided || reading)) {
      is_any_undecided = is_any_undecided || undecided;
      claims_.push_back(std::move(each));
    } else {
      each.answer.deliver(claim);
    }
  }
  if (is_any_undecided) have_secret_tried(now);
}

/// By the first bind of a probe, which the guard lets go alone. Connections of the pools follow when they are renewed.
void credential_service::have_secret_tried(time_point now) {
  if (trying_secret_ || now < next_try_) return;
  trying_secret_ = true;
  next_try_ = now + between_tries;
  const auto ended = [this, now](bool nobody_answers) { secret_was_tried(nobody_answers, now); };
  self_
      ->request(caf::actor_cast<manager_interface>(self_->address()), longest_try + seconds{1}, health_atom_v,
                now + longest_try)
      .then(
          [ended](const std::vector<probe_report>& found) {
            ended(std::all_of(found.begin(), found.end(),
                              [](const probe_report& r) { return verdict(r) == probe_verdict::dead; }));
          },
          [ended](const caf::error&) { ended(false); });
}

/// Where no server would let anybody in, who waited for that is told now, and who comes next at once.
void credential_service::secret_was_tried(bool nobody_answers, time_point began) {
  trying_secret_ = false;
  nobody_answers_ = nobody_answers;
  const auto now = env_->clock->now();
  if (nobody_answers_) {
    next_try_ = std::max(next_try_, now + between_tries);
    for (auto& each : claims_)
      if (each.since <= began) each.until = now;
  }
  settle_claims();
  arm();
}

void credential_service::on_verdict(const credential_verdict& verdict) {
  note_warning(verdict);
  if (verdict.what == credential_verdict::kind::refused) last_refusal_ = verdict.cause;
  carry_out(guard_.on_verdict(verdict, env_->clock->now(), env_->clock->wall_now()));
}

/// Once for each name, however many connections bind with it and wherever; again when it gets worse.
void credential_service::note_warning(const credential_verdict& verdict) {
  if (verdict.what != credential_verdict::kind::accepted) return;
  if (!verdict.warning) {
    if (const auto before = warnings_.extract(verdict.server); !before.empty()) {
      const auto same = [&](const auto& entry) { return entry.second.bind_dn == before.mapped().bind_dn; };
      if (std::none_of(warnings_.begin(), warnings_.end(), same)) warned_.erase(before.mapped().bind_dn);
    }
    return;
  }
  const auto& said = *verdict.warning;
  warnings_.insert_or_assign(verdict.server, said);
  const auto [known, first] = warned_.emplace(said.bind_dn, said.restricted);
  if (!first && (known->second || !said.restricted)) return;
  known->second = said.restricted;
  env_->log->write(log_level::warning, "credentials", said.text, {{"bind_dn", said.bind_dn}});
}

std::string credential_service::warning(server_id server) const {
  const auto known = warnings_.find(server);
  return known == warnings_.end() ? std::string{} : text_of(known->second);
}

void credential_service::read_done(std::uint64_t number, const secret_reading& found) {
  if (running_.erase(number) == 0) return;  // it was ended because nobody wants it
  if (!found.ok())
    env_->log->write(log_level::warning, "credentials", "a secret could not be read", {{"why", found.problem}});
  carry_out(guard_.read_done(number, found, env_->clock->now()));
}

void credential_service::resume(server_id server) {
  guard_.resume(server, env_->clock->now());
  share_refusals();
}

void credential_service::on_refused_elsewhere(const std::vector<refused_secret>& all) {
  carry_out(guard_.set_refused_elsewhere(all, env_->clock->now()));
  nodes_heard_by_ = time_point::min();
  admit_early();
}

void credential_service::fingerprint_done(std::uint64_t number, const std::string& fingerprint) {
  carry_out(guard_.fingerprint_done(number, fingerprint, env_->clock->now()));
}

/// A tenth of a second of work: not for the thread that everything runs on.
void credential_service::start_fingerprint(const wanted_fingerprint& wanted) {
  if (closed_) return;
  auto job = [wanted, manager = self_->address()] {
    const auto found = fingerprint_of(wanted.identity, wanted.value);
    if (const auto handle = caf::actor_cast<manager_interface>(manager))
      caf::anon_send(handle, resolved_atom_v, wanted.number, found);
  };
  if (env_->workers->run(std::move(job))) return;
  env_->log->write(log_level::warning, "credentials",
                   "too many other reads and look-ups wait: a password is not compared with what other nodes were "
                   "refused");
  fingerprint_done(wanted.number, {});
}

void credential_service::share_refusals() {
  if (!env_->cluster) return;
  auto all = guard_.refused_here(env_->clock->now());
  if (all == shared_) return;
  shared_ = all;
  env_->cluster->set_refused(std::move(all));
}

bool credential_service::on_tick(std::uint64_t timer) {
  if (!timer_.fired(timer)) return false;
  carry_out(guard_.tick(env_->clock->now()));
  end_waits_for_nodes(env_->clock->now());
  note_decision();
  arm();
  return true;
}

void credential_service::close() {
  for (auto& each : std::exchange(early_, {}))
    each.answer.deliver(to_error(make_failure(runtime_stopping(stage::bind, "nothing binds any more"))));
  for (auto& [request_id, answer] : std::exchange(waiting_, {}))
    answer.deliver(to_error(make_failure(runtime_stopping(stage::bind, "nothing binds any more"))));
  running_.clear();
  closed_ = true;
  for (auto& each : std::exchange(claims_, {})) each.answer.deliver(service_claim::unknown);
}

void credential_service::carry_out(const bind_lockout_actions& todo) {
  for (const auto& answer : todo.answers) {
    auto found = waiting_.extract(answer.request_id);
    if (found.empty()) continue;
    if (answer.refusal)
      found.mapped().deliver(to_error(answer.refusal));
    else
      found.mapped().deliver(answer.value);
  }
  for (const auto number : todo.unwanted) running_.erase(number);
  note_standing();
  share_refusals();
  note_decision();
  arm();
  for (const auto& what : todo.reads) start_read(what);
  for (const auto& what : todo.fingerprints) start_fingerprint(what);
  settle_claims();
  arm();
}

void credential_service::start_read(const secret_read& wanted) {
  if (closed_) return;
  const auto mark = running_.emplace(wanted.number, std::make_shared<const std::uint64_t>(wanted.number)).first->second;
  auto job = [read = read_, wanted, patience = std::chrono::ceil<milliseconds>(bind_lockout_options{}.read_timeout),
              manager = self_->address(), mark = std::weak_ptr{mark}] {
    const auto found = read(wanted.source, patience, [&mark] { return !mark.expired(); });
    if (const auto handle = caf::actor_cast<manager_interface>(manager))
      caf::anon_send(handle, resolved_atom_v, wanted.number, found);
  };
  if (!env_->workers->run(std::move(job))) read_done(wanted.number, {{}, "too many other reads and look-ups wait"});
}

void credential_service::note_standing() {
  const bool refused = guard_.any_refused();
  if (refused == std::exchange(refused_before_, refused)) return;
  if (refused) {
    log_port::fields more;
    if (last_refusal_) more.emplace_back("cause", describe(*last_refusal_));
    env_->log->write(log_level::error, "credentials",
                     "the directory refused the service's password; nothing binds with it until it is changed", more);
  } else {
    env_->log->write(log_level::info, "credentials", "the service binds again: its password is no longer refused");
  }
}

void credential_service::arm() {
  auto next = std::min(guard_.next_tick(), undecided_until_);
  for (const auto& each : early_) next = std::min({next, each.until, nodes_heard_by_});
  for (const auto& each : claims_) next = std::min(next, each.until);
  timer_.arm(next);
}

}  // namespace understudy::internal
