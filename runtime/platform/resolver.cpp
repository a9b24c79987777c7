// Name look-ups on workers: see resolver.hpp.
#include "understudy/runtime/platform/resolver.hpp"

#include "understudy/actors/connection/socket.hpp"
#include "understudy/messages/error.hpp"
#include "understudy/runtime/platform/addresses.hpp"
#include "understudy/runtime/platform/event_source.hpp"
#include "understudy/runtime/platform/srv_lookup.hpp"

#include <netdb.h>
#include <caf/actor_cast.hpp>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace understudy::internal {
namespace {

struct seeker {
  caf::actor_addr owner;
  std::uint64_t number = 0;
  std::uint16_t port = 0;
  time_point deadline{};
};

template <class Answer>
void answer(const caf::actor_addr& to, std::uint64_t number, Answer found) {
  if (auto owner = caf::actor_cast<caf::strong_actor_ptr>(to))
    owner->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, resolved_atom_v, number, std::move(found));
}

void tell(const seeker& asker, resolution found) {
  found.addresses = with_port(std::move(found.addresses), asker.port);
  answer(asker.owner, asker.number, std::move(found));
}

resolution not_found(errc code, std::string message) {
  return {{}, make_failure(code, stage::resolve, std::move(message))};
}

}  // namespace

/// What is known and who waits for more. Shared with look-ups under way, so that they may outlive the resolver.
class name_resolver::state : public std::enable_shared_from_this<state> {
 public:
  state(std::shared_ptr<clock_port> clock, std::shared_ptr<poller_port> poller, std::shared_ptr<workers_port> workers,
        lookup look_up)
      : clock_(std::move(clock)),
        poller_(std::move(poller)),
        workers_(std::move(workers)),
        look_up_(std::move(look_up)) {}

  void start(caf::actor_system& system) {
    const std::lock_guard guard{mutex_};
    events_.start(system, poller_, {.on_tick = [weak = weak_from_this()] {
                    if (auto self = weak.lock()) self->expire();
                  }});
  }

  void stop() {
    const std::lock_guard guard{mutex_};
    events_.stop();
  }

  void resolve(const std::string& host, seeker asker) {
    resolution known;
    {
      std::lock_guard guard{mutex_};
      auto& n = names_[host];
      if (n.addresses.empty() || clock_->now() - n.learned >= fresh_for) {
        n.seekers.push_back(std::move(asker));
        if (!n.running) n.running = workers_->run([self = shared_from_this(), host] { self->look_up(host); });
        if (n.running) return set_timer();
        asker = std::move(n.seekers.back());
        n.seekers.pop_back();
      }
      known.addresses = n.addresses;
    }
    if (known.addresses.empty())
      known = not_found(errc::local_resources, "too many name look-ups wait already; '" + host + "' was not begun");
    tell(asker, std::move(known));
  }

 private:
  struct known_name {
    std::vector<socket_address> addresses;  // of the last look-up that found any
    time_point learned{};
    bool running = false;
    std::vector<seeker> seekers;
  };

  void look_up(const std::string& host) {
    auto found = look_up_(host);
    std::vector<seeker> told;
    {
      std::lock_guard guard{mutex_};
      auto& n = names_[host];
      n.running = false;
      told.swap(n.seekers);
      if (!found.addresses.empty()) {
        n.addresses = interleave(std::move(found.addresses));
        n.learned = clock_->now();
      }
      if (!n.addresses.empty()) found = {n.addresses, nullptr};
    }
    for (auto& who : told) tell(who, found);
  }

  void expire() {
    std::vector<std::pair<seeker, resolution>> told;
    {
      std::lock_guard guard{mutex_};
      if (!events_.is_running()) return;
      events_.gone_off();
      auto now = clock_->now();
      for (auto& [host, n] : names_) {
        auto late = std::partition(n.seekers.begin(), n.seekers.end(), [&](auto& s) { return s.deadline > now; });
        for (auto it = late; it != n.seekers.end(); ++it)
          told.emplace_back(std::move(*it), n.addresses.empty() ? not_found(errc::connection_timeout,
                                                                            "looking up '" + host + "' took too long")
                                                                : resolution{n.addresses, nullptr});
        n.seekers.erase(late, n.seekers.end());
      }
      set_timer();
    }
    for (auto& [asker, found] : told) tell(asker, std::move(found));
  }

  void set_timer() {
    auto next = time_point::max();
    for (auto& [host, n] : names_)
      for (auto& s : n.seekers) next = std::min(next, s.deadline);
    if (events_.is_running()) events_.arm(next);
  }

  std::shared_ptr<clock_port> clock_;
  std::shared_ptr<poller_port> poller_;
  std::shared_ptr<workers_port> workers_;
  lookup look_up_;
  std::mutex mutex_;  // of what follows
  event_source events_;
  std::unordered_map<std::string, known_name> names_;
};

name_resolver::name_resolver(caf::actor_system& system, std::shared_ptr<clock_port> clock,
                             std::shared_ptr<poller_port> poller, std::shared_ptr<workers_port> workers, lookup look_up,
                             srv_lookup services)
    : state_(std::make_shared<state>(std::move(clock), std::move(poller), workers, std::move(look_up))),
      workers_(std::move(workers)),
      services_(std::move(services)) {
  state_->start(system);
}

name_resolver::~name_resolver() { state_->stop(); }

void name_resolver::resolve(const std::string& host, std::uint16_t port, time_point deadline, caf::actor_addr owner,
                            std::uint64_t number) {
  seeker who{std::move(owner), number, port, deadline};
  if (auto literal = literal_address(host, port)) return tell(who, {{std::move(*literal)}, nullptr});
  state_->resolve(host, std::move(who));
}

void name_resolver::find_services(const std::string& name, caf::actor_addr owner, std::uint64_t number) {
  const bool begun =
      workers_->run([look_up = services_, name, owner, number] { answer(owner, number, look_up(name)); });
  if (!begun) answer(owner, number, service_answer{{}, {}, "too many name look-ups wait already"});
}

service_answer name_resolver::system_services(const std::string& name) { return system_srv_lookup(name); }

resolution name_resolver::system_lookup(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) {
    const int system_code = code == EAI_SYSTEM ? errno : 0;
    const auto reason = system_code != 0 ? errno_text(system_code) : std::string{::gai_strerror(code)};
    return not_found(code == EAI_MEMORY ? errc::local_resources : errc_of_errno(system_code),
                     "the name '" + host + "' was not resolved: " + reason);
  }
  resolution found;
  for (auto* a = list; a != nullptr; a = a->ai_next)
    found.addresses.push_back(to_socket_address(a->ai_addr, a->ai_addrlen));
  ::freeaddrinfo(list);
  if (found.addresses.empty()) return not_found(errc::connection_failed, "the name '" + host + "' has no address");
  return found;
}

}  // namespace understudy::internal
