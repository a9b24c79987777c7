// Accounts, readings of their secrets, and the way of an asker through both.
#include "understudy/actors/connection_manager/credential_desk.hpp"

#include "understudy/config/text.hpp"

#include <algorithm>
#include <utility>

namespace understudy::internal {
namespace {

// Names the source for people; of a command only the program, its arguments may be secret.
std::string name_of_source(const connection_info& info) {
  if (binds_externally(info)) {
    return info.client_cert_path.empty() ? "identity of this process" : "client_cert_path " + info.client_cert_path;
  }
  if (!info.password_file.empty()) {
    return "password_file " + info.password_file;
  }
  if (!info.password_command.empty()) {
    return "password_command " + info.password_command.front();
  }
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

// Silent servers hold the gate for `suspect_after` each. With a time-out as short as that, who waits behind them would
// leave just as its turn comes, and find a hung server in its place.
constexpr seconds shortest_patience{5};

// Whom the directory refuses, for people.
std::string name_of_identity(const connection_info& info) {
  return binds_externally(info) ? "SASL EXTERNAL" : info.bind_dn;
}

}  // namespace

// Callbacks cannot be compared: each server's is a source of its own, and equal bytes meet again at the gate.
bool credential_desk::same_source(const connection_info& a, const connection_info& b) {
  return binds_externally(a) == binds_externally(b) &&
         (!binds_externally(a) || a.client_cert_path == b.client_cert_path) && a.bind_dn == b.bind_dn &&
         a.password == b.password && a.password_file == b.password_file && a.password_command == b.password_command &&
         !a.password_callback && !b.password_callback;
}

credential_desk::credential_desk(const gate_options& gate, const desk_timing& timing) : timing_(timing), gate_(gate) {}

desk_actions credential_desk::set_servers(const std::vector<desk_server>& servers, time_point now) {
  desk_actions out;
  const auto before = std::exchange(of_server_, {});
  patience_.clear();
  for (auto& [number, a] : accounts_) {
    a.servers.clear();
  }
  for (const auto& server : servers) {
    if (binds(server.info)) {
      auto& a = account_for(server, before, now);
      a.servers.push_back(server.id);
      of_server_[server.id] = a.number;
      patience_[server.id] = std::max<duration>(server.info.timeout, shortest_patience);
    }
  }
  drop_unused(now, out);
  return out;
}

credential_desk::account& credential_desk::account_for(const desk_server& server, const server_accounts& before,
                                                       time_point now) {
  const auto& info = server.info;
  for (auto& [number, a] : accounts_) {
    const auto own = before.find(server.id);
    const bool called_before = own != before.end() && own->second == number && a.info.password_callback &&
                               info.password_callback && a.info.bind_dn == info.bind_dn;
    if (called_before || same_source(a.info, info)) {
      a.info = info;
      return a;
    }
  }
  account fresh;
  fresh.info = info;
  fresh.constant = is_constant(info);
  fresh.number = gate_.add_account(name_of_identity(info), name_of_source(info),
                                   fresh.constant ? duration::zero() : timing_.read_again);
  if (fresh.constant) {
    take(fresh, {info.password, {}}, now);
  }
  const auto number = fresh.number;
  return accounts_.insert_or_assign(number, std::move(fresh)).first->second;
}

void credential_desk::drop_unused(time_point now, desk_actions& out) {
  for (auto it = accounts_.begin(); it != accounts_.end();) {
    auto& a = it->second;
    if (!a.servers.empty()) {
      ++it;
      continue;
    }
    a.problem = "it is no longer configured";
    if (a.reading != 0) {
      out.unwanted.push_back(a.reading);
    }
    for (const auto& who : a.waiting) {
      out.answers.push_back({who.ticket, {}, unreadable(a)});
    }
    settle(gate_.drop_account(a.number, now), out);
    it = accounts_.erase(it);
  }
}

credential_desk::account* credential_desk::account_of(server_id server) {
  const auto found = of_server_.find(server);
  return found == of_server_.end() ? nullptr : &accounts_.at(found->second);
}

duration credential_desk::patience_of(server_id server) const {
  const auto found = patience_.find(server);
  return found == patience_.end() ? duration::zero() : found->second;
}

desk_actions credential_desk::ask(std::uint64_t ticket, server_id server, time_point deadline, time_point now) {
  desk_actions out;
  auto* a = account_of(server);
  if (a == nullptr) {
    out.answers.push_back({ticket, {}, nullptr});
    return out;
  }
  if (may_use_last_reading(*a, now)) {
    admit(*a, {ticket, server, deadline}, now, out);
    return out;
  }
  a->waiting.push_back({ticket, server, deadline});
  read(*a, now, out);
  drop_overdue(*a, now, out);
  return out;
}

// A command may be dear: while its secret is refused, those who ask have it run again only now and then.
bool credential_desk::may_use_last_reading(const account& a, time_point now) const {
  const bool dear = !a.info.password_command.empty() && gate_.retry_at(a.number, now);
  return a.constant || (a.read_at && now < *a.read_at + (dear ? timing_.fresh_command : timing_.fresh));
}

// One read at a time: a source that never comes to an end costs one worker, not one each minute.
void credential_desk::read(account& a, time_point now, desk_actions& out) {
  if (a.reading != 0) {
    return;
  }
  a.reading = ++last_read_;
  a.overdue = now + timing_.read_timeout;
  out.reads.push_back({a.reading, a.info});
}

// A source that cannot be read now does not make the secret wrong that it gave before.
void credential_desk::admit(account& a, const asker& who, time_point now, desk_actions& out) {
  if (a.value.empty()) {
    out.answers.push_back({who.ticket, {}, unreadable(a)});
    return;
  }
  asked_.emplace(who.ticket, a.number);
  settle(gate_.ask(who.ticket, a.number, who.server, who.deadline, now), out);
}

void credential_desk::admit_waiting(account& a, time_point now, desk_actions& out) {
  for (const auto& who : std::exchange(a.waiting, {})) {
    admit(a, who, now, out);
  }
}

void credential_desk::settle(const gate_answers& answers, desk_actions& out) {
  for (const auto& answer : answers) {
    const auto found = asked_.find(answer.ticket);
    const auto& a = accounts_.at(found->second);
    asked_.erase(found);
    if (answer.refusal) {
      out.answers.push_back({answer.ticket, {}, answer.refusal});
    } else {
      const auto number = credential_gate::secret_of(answer.version);
      out.answers.push_back({answer.ticket, {a.info.bind_dn, a.value, answer.version, number}, nullptr});
    }
  }
}

desk_actions credential_desk::on_verdict(const credential_verdict& verdict, time_point now, wall_time wall) {
  desk_actions out;
  settle(gate_.on_verdict(verdict, now, wall), out);
  watch_refusals(now, out);
  return out;
}

// Keeps the schedule of refused accounts: a look at the source at once, then every minute.
void credential_desk::watch_refusals(time_point now, desk_actions& out) {
  for (auto& [number, a] : accounts_) {
    if (a.constant) {
      continue;
    }
    if (!gate_.retry_at(a.number, now)) {
      a.next_read.reset();
    } else if (!a.next_read) {
      a.next_read = now + timing_.read_again;
      read(a, now, out);
    }
  }
}

// A bind with an empty password is anonymous (RFC 4513, 5.1.2) and would be taken for success.
gate_answers credential_desk::take(account& a, const secret_reading& found, time_point now) {
  a.problem = found.ok() && found.value.size() == 0 ? name_of_source(a.info) + " is empty" : found.problem;
  if (!a.problem.empty()) {
    return {};
  }
  a.read_at = now;
  a.value = found.value;
  return gate_.set_secret(a.number, found.value, now);
}

// The account may have gone, or have another source by now: then what was read is of no use.
desk_actions credential_desk::read_done(std::uint64_t number, const secret_reading& found, time_point now) {
  desk_actions out;
  const auto it = std::find_if(accounts_.begin(), accounts_.end(),
                               [&](const auto& known) { return known.second.reading == number; });
  if (number == 0 || it == accounts_.end()) {
    return out;
  }
  auto& a = it->second;
  a.reading = 0;
  settle(take(a, found, now), out);
  admit_waiting(a, now, out);
  watch_refusals(now, out);
  return out;
}

void credential_desk::resume(server_id server) {
  if (const auto* a = account_of(server)) {
    gate_.retry_now(a->number);
  }
}

void credential_desk::drop_overdue(account& a, time_point now, desk_actions& out) {
  if (a.reading != 0 && a.overdue <= now) {
    a.problem = name_of_source(a.info) + " was not read within " + config::format_span(timing_.read_timeout) +
                advice_for(a.info);
    admit_waiting(a, now, out);
  }
  std::vector<asker> patient;
  for (const auto& who : std::exchange(a.waiting, {})) {
    if (who.deadline > now) {
      patient.push_back(who);
    } else {
      out.answers.push_back({who.ticket, {}, unreadable(a)});
    }
  }
  a.waiting = std::move(patient);
}

desk_actions credential_desk::tick(time_point now) {
  desk_actions out;
  settle(gate_.tick(now), out);
  for (auto& [number, a] : accounts_) {
    drop_overdue(a, now, out);
    if (a.next_read && *a.next_read <= now) {
      a.next_read = now + timing_.read_again;
      read(a, now, out);
    }
  }
  watch_refusals(now, out);
  return out;
}

std::optional<time_point> credential_desk::next_tick() const {
  auto first = gate_.next_tick();
  const auto consider = [&](time_point at) { first = first ? std::min(*first, at) : at; };
  for (const auto& [number, a] : accounts_) {
    for (const auto& who : a.waiting) {
      consider(a.reading != 0 ? std::min(who.deadline, a.overdue) : who.deadline);
    }
    if (a.next_read) {
      consider(*a.next_read);
    }
  }
  return first;
}

failure_ptr credential_desk::unreadable(const account& a) const {
  return make_failure(errc::service_authentication_failed, stage::bind,
                      "There is no password for \"" + a.info.bind_dn + "\": " +
                          (a.problem.empty() ? name_of_source(a.info) + " has not given it yet, and has " +
                                                   config::format_span(timing_.read_timeout) + advice_for(a.info)
                                             : a.problem) +
                          ". Nothing was sent; it is read again when the next connection needs it.");
}

}  // namespace understudy::internal
