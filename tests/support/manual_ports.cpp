// Clock, poller, resolver, workers and log that tests move by hand.
#include "support/manual_ports.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include <algorithm>
#include <caf/actor.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace understudy::test {
namespace {

/// Tells an owner that may have ended.
template <class... Values>
void tell(const caf::actor_addr& owner, Values&&... values) {
  if (const auto target = caf::actor_cast<caf::actor>(owner)) caf::anon_send(target, std::forward<Values>(values)...);
}

std::string_view name_of(log_level level) {
  static constexpr std::string_view names[] = {"error", "warning", "info", "debug"};
  return names[static_cast<std::size_t>(level)];
}

}  // namespace

wall_time manual_clock::wall_now() const {
  return wall_time{std::chrono::duration_cast<wall_time::duration>(duration{now_.load() + wall_offset_.load()})};
}

void manual_clock::advance(duration span) {
  if (span < duration::zero()) throw std::invalid_argument("monotonic time does not go back");
  now_ += span.count();
}

manual_poller::io_id manual_poller::add(int fd, caf::actor_addr owner) {
  std::lock_guard lock(guard_);
  registrations_[++last_id_] = {fd, std::move(owner), 0};
  return last_id_;
}

void manual_poller::arm(io_id id, std::uint32_t interest) {
  std::lock_guard lock(guard_);
  const auto found = registrations_.find(id);
  if (found != registrations_.end()) found->second.interest = interest;
}

void manual_poller::remove(io_id id) {
  std::lock_guard lock(guard_);
  registrations_.erase(id);
}

manual_poller::timer_id manual_poller::add_timer(caf::actor_addr owner) {
  std::lock_guard lock(guard_);
  timers_[++last_id_] = {std::move(owner), {}};
  return last_id_;
}

void manual_poller::set_timer(timer_id id, time_point when) {
  std::lock_guard lock(guard_);
  const auto found = timers_.find(id);
  if (found != timers_.end()) found->second.due = {when, ++settings_};
}

void manual_poller::clear_timer(timer_id id) {
  std::lock_guard lock(guard_);
  const auto found = timers_.find(id);
  if (found != timers_.end()) found->second.due.reset();
}

void manual_poller::remove_timer(timer_id id) {
  std::lock_guard lock(guard_);
  timers_.erase(id);
}

bool manual_poller::fire(io_id id, std::uint32_t events) {
  std::lock_guard lock(guard_);
  const auto found = registrations_.find(id);
  if (found == registrations_.end() || (found->second.interest & events) == 0) return false;
  events &= found->second.interest;
  found->second.interest = 0;
  tell(found->second.owner, io_atom_v, id, events);
  return true;
}

std::size_t manual_poller::fire_ready() {
  std::vector<io_id> ids;
  std::vector<pollfd> asked;
  {
    std::lock_guard lock(guard_);
    for (const auto& [id, r] : registrations_) {
      if (r.interest == 0) continue;
      ids.push_back(id);
      const int events = ((r.interest & readable) != 0 ? POLLIN : 0) | ((r.interest & writable) != 0 ? POLLOUT : 0);
      asked.push_back({r.fd, static_cast<short>(events), 0});
    }
  }
  if (asked.empty() || ::poll(asked.data(), asked.size(), 0) <= 0) return 0;
  std::size_t fired = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const short got = asked[i].revents;
    std::uint32_t events = ((got & POLLIN) != 0 ? readable : 0u) | ((got & POLLOUT) != 0 ? writable : 0u);
    if ((got & (POLLERR | POLLHUP)) != 0) events = readable | writable;
    if (events != 0 && fire(ids[i], events)) ++fired;
  }
  return fired;
}

std::size_t manual_poller::fire_due() {
  std::lock_guard lock(guard_);
  std::map<std::pair<time_point, std::uint64_t>, timer_id> due;
  for (const auto& [id, t] : timers_)
    if (t.due && t.due->first <= clock_->now()) due[*t.due] = id;
  for (const auto& [when, id] : due) {
    timers_[id].due.reset();
    tell(timers_[id].owner, tick_atom_v, id);
  }
  return due.size();
}

time_point manual_poller::next_timer() const {
  std::lock_guard lock(guard_);
  auto next = time_point::max();
  for (const auto& [id, t] : timers_)
    if (t.due) next = std::min(next, t.due->first);
  return next;
}

manual_poller::io_id manual_poller::find(int fd) const {
  std::lock_guard lock(guard_);
  for (const auto& [id, r] : registrations_)
    if (r.fd == fd) return id;
  return 0;
}

std::uint32_t manual_poller::interest(io_id id) const {
  std::lock_guard lock(guard_);
  const auto found = registrations_.find(id);
  return found == registrations_.end() ? 0 : found->second.interest;
}

std::size_t manual_poller::registrations() const {
  std::lock_guard lock(guard_);
  return registrations_.size();
}

std::size_t manual_poller::timers() const {
  std::lock_guard lock(guard_);
  return timers_.size();
}

std::size_t manual_poller::timers_set() const {
  std::lock_guard lock(guard_);
  return static_cast<std::size_t>(
      std::count_if(timers_.begin(), timers_.end(), [](const auto& t) { return t.second.due.has_value(); }));
}

socket_address socket_address_of(const std::string& address, std::uint16_t port) {
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    return {AF_INET, {reinterpret_cast<const char*>(&v4), sizeof v4}, address + ":" + std::to_string(port)};
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1) throw std::invalid_argument("no address: " + address);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  return {AF_INET6, {reinterpret_cast<const char*>(&v6), sizeof v6}, "[" + address + "]:" + std::to_string(port)};
}

void scripted_resolver::resolve(const std::string& host, std::uint16_t port, time_point, caf::actor_addr owner,
                                std::uint64_t number) {
  ++asked_[host];
  waiting_.push_back([this, host, port, owner, number] { tell(owner, resolved_atom_v, number, find(host, port)); });
  if (!held_) release();
}

void scripted_resolver::find_services(const std::string& name, caf::actor_addr owner, std::uint64_t number) {
  ++asked_[name];
  waiting_.push_back([this, name, owner, number] {
    const auto known = services_.find(name);
    tell(owner, resolved_atom_v, number,
         known == services_.end() ? service_answer{{}, {}, name + " is not known"} : known->second);
  });
  if (!held_) release();
}

void scripted_resolver::release() {
  for (const auto& answer : std::exchange(waiting_, {})) answer();
}

void scripted_resolver::set(const std::string& host, std::vector<std::string> addresses) {
  failing_.erase(host);
  known_[host] = std::move(addresses);
}

void scripted_resolver::fail(const std::string& host, std::string why) { failing_[host] = std::move(why); }

int scripted_resolver::look_ups(const std::string& host) const {
  const auto found = asked_.find(host);
  return found == asked_.end() ? 0 : found->second;
}

resolution scripted_resolver::find(const std::string& host, std::uint16_t port) const {
  resolution answer;
  const auto no = [&](std::string why) {
    failure f;
    f.code = errc::connection_failed;
    f.where = stage::resolve;
    f.message = std::move(why);
    answer.error = std::make_shared<const failure>(std::move(f));
  };
  const auto failing = failing_.find(host);
  const auto known = known_.find(host);
  if (failing != failing_.end()) {
    no(failing->second);
  } else if (known != known_.end()) {
    for (const auto& address : known->second) answer.addresses.push_back(socket_address_of(address, port));
  } else {
    try {
      answer.addresses.push_back(socket_address_of(host == "localhost" ? "127.0.0.1" : host, port));
    } catch (const std::invalid_argument&) {
      no(host + " is not known");
    }
  }
  return answer;
}

bool manual_workers::run(std::function<void()> job) {
  if (refusing_) return false;
  jobs_.push_back(std::move(job));
  return true;
}

std::size_t manual_workers::run_all() {
  std::size_t done = 0;
  for (; !jobs_.empty(); ++done) {
    const auto job = std::move(jobs_.front());
    jobs_.pop_front();
    job();
  }
  return done;
}

void recording_log::write(log_level level, std::string_view component, std::string_view text, const fields& more) {
  line l{level, std::string{component}, std::string{text}, {}};
  for (const auto& [key, value] : more) l.more.emplace_back(key, value);
  std::lock_guard lock(guard_);
  lines_.push_back(std::move(l));
}

std::vector<recording_log::line> recording_log::lines() const {
  std::lock_guard lock(guard_);
  return lines_;
}

std::string recording_log::text() const {
  std::string all;
  for (const auto& l : lines()) {
    all += std::string{name_of(l.level)} + " " + l.component + ": " + l.text;
    for (const auto& [key, value] : l.more) all += " " + key + "=" + value;
    all += "\n";
  }
  return all;
}

std::size_t recording_log::count(std::string_view part) const {
  const std::string all = text();
  std::size_t found = 0;
  for (std::size_t begin = 0, end = 0; (end = all.find('\n', begin)) != std::string::npos; begin = end + 1)
    if (std::string_view(all).substr(begin, end - begin).find(part) != std::string_view::npos) ++found;
  return found;
}

void recording_log::clear() {
  std::lock_guard lock(guard_);
  lines_.clear();
}

}  // namespace understudy::test
