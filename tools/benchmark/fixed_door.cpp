// A runtime without threads, its directories and its clients.
#include "fixed_door.hpp"

#include "understudy/actors/circuit_breaker/circuit_breaker_actor.hpp"
#include "understudy/actors/connection/connection_actor.hpp"
#include "understudy/actors/connection/pdu_codec.hpp"
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/front_door/client_actor.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/actors/pool/pool_actor.hpp"
#include "understudy/messages/ldap_message.hpp"
#include "understudy/messages/type_ids.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/execution_unit.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/send.hpp>

#include <cstring>
#include <deque>
#include <map>
#include <stdexcept>

namespace understudy::benchmark {

using namespace internal;
namespace {

constexpr int clients = 8, connections = 8, servers = 2;
// More are not needed to come to rest.
constexpr int most_turns = 10'000;

void require(bool good, const char* problem) {
  if (!good) throw std::runtime_error(std::string{"fixed_door: "} + problem);
}

class fixed_clock final : public clock_port {
 public:
  time_point now() const override { return now_; }
  wall_time wall_now() const override { return {}; }
  void advance(duration span) { now_ += span; }

 private:
  time_point now_ = time_point{} + std::chrono::hours{1};
};

class no_log final : public log_port {
 public:
  bool enabled(log_level) const override { return false; }
  void write(log_level, std::string_view, std::string_view, const fields&) override {}
};

/// Runs actors in turns, like the poller's thread.
class turns final : public caf::execution_unit {
 public:
  explicit turns(caf::actor_system& system) : caf::execution_unit(&system) {}
  void exec_later(caf::resumable* job) override { due_.push_back(job); }
  bool run() {
    const bool some = !due_.empty();
    running_.swap(due_);
    for (auto* job : running_)
      if (job->resume(this, messages_a_turn) == caf::resumable::resume_later)
        due_.push_back(job);
      else
        caf::intrusive_ptr_release(job);
    running_.clear();
    return some;
  }

 private:
  static constexpr std::size_t messages_a_turn = 512;
  std::vector<caf::resumable*> due_, running_;
};

/// Readiness by poll().
class fixed_poller final : public poller_port {
 public:
  fixed_poller(caf::actor_system& system, const fixed_clock& clock)
      : starts_(dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())), turns_(system), clock_(clock) {}

  io_id add(int fd, caf::actor_addr owner) override {
    files_[++last_] = {fd, 0, std::move(owner)};
    return last_;
  }
  void arm(io_id id, std::uint32_t interest) override {
    if (const auto at = files_.find(id); at != files_.end()) at->second.armed = interest;
  }
  void remove(io_id id) override { files_.erase(id); }
  timer_id add_timer(caf::actor_addr owner) override {
    timers_[++last_] = {time_point::max(), std::move(owner)};
    return last_;
  }
  void set_timer(timer_id id, time_point when) override { timers_.at(id).due = when; }
  void clear_timer(timer_id id) override { timers_.at(id).due = time_point::max(); }
  void remove_timer(timer_id id) override { timers_.erase(id); }
  caf::execution_unit* unit() noexcept override { return &turns_; }

  /// False when nothing was ready and no actor had anything to do.
  bool turn() {
    const bool ready = tell_ready();
    tell_due();
    bool some = false;
    while (starts_.run() > 0 || turns_.run()) some = true;
    return ready || some;
  }

 private:
  struct file {
    int fd = -1;
    std::uint32_t armed = 0;
    caf::actor_addr owner;
  };
  struct timer {
    time_point due;
    caf::actor_addr owner;
  };

  template <class Atom, class... Ts>
  static void tell(const caf::actor_addr& owner, Atom atom, Ts... content) {
    if (const auto there = caf::actor_cast<caf::strong_actor_ptr>(owner))
      there->get()->eq_impl(caf::make_message_id(), nullptr, nullptr, atom, content...);
  }

  bool tell_ready() {
    std::vector<pollfd> looked;
    std::vector<io_id> ids;
    for (const auto& [id, f] : files_) {
      if (f.armed == 0) continue;
      const int events = ((f.armed & readable) != 0 ? POLLIN : 0) | ((f.armed & writable) != 0 ? POLLOUT : 0);
      looked.push_back({f.fd, static_cast<short>(events), 0});
      ids.push_back(id);
    }
    if (::poll(looked.data(), looked.size(), 0) <= 0) return false;
    for (std::size_t i = 0; i < looked.size(); ++i) {
      const auto at = looked[i].revents;
      if (at == 0) continue;
      auto& f = files_.at(ids[i]);
      f.armed = 0;
      const std::uint32_t events = ((at & (POLLIN | POLLHUP | POLLERR)) != 0 ? readable : 0U) |
                                   ((at & (POLLOUT | POLLHUP | POLLERR)) != 0 ? writable : 0U);
      tell(f.owner, io_atom_v, ids[i], events);
    }
    return true;
  }

  void tell_due() {
    for (auto& [id, t] : timers_) {
      if (t.due > clock_.now()) continue;
      t.due = time_point::max();
      tell(t.owner, tick_atom_v, id);
    }
  }

  caf::scheduler::test_coordinator& starts_;  // where actors begin
  turns turns_;
  const fixed_clock& clock_;
  std::uint64_t last_ = 0;
  std::map<io_id, file> files_;
  std::map<timer_id, timer> timers_;
};

/// One end of a connection, with what was read of it and not dealt with.
struct peer {
  int fd = -1;
  std::string in;

  /// Calls `each` with every message that has arrived; false when there is none.
  template <class Each>
  bool read(Each each) {
    char bytes[65536];
    for (ssize_t n; (n = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0;)
      in.append(bytes, static_cast<std::size_t>(n));
    std::string_view rest = in;
    for (auto frame = frame_pdu(rest, rest.size() + 1); frame.state != pdu_frame::status::partial;
         frame = frame_pdu(rest, rest.size() + 1)) {
      require(frame.state == pdu_frame::status::complete, "no LDAP message");
      each(frame, rest.substr(0, frame.size));
      rest.remove_prefix(frame.size);
    }
    const bool some = rest.size() < in.size();
    in.erase(0, in.size() - rest.size());
    return some;
  }
  /// As much of `bytes` as there is room for.
  void send(std::string& bytes) {
    const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) bytes.erase(0, static_cast<std::size_t>(n));
  }
};

/// Answers every search with the same entries.
class directory {
 public:
  directory(const std::string& path, int entries)
      : path_(path), entries_(entries), listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path.copy(at.sun_path, sizeof at.sun_path - 1);
    require(::bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 && ::listen(listener_, 64) == 0,
            "the directory does not listen");
  }
  ~directory() {
    ::unlink(path_.c_str());
    for (auto& each : peers_) ::close(each.from.fd);
    ::close(listener_);
  }
  directory(const directory&) = delete;
  directory& operator=(const directory&) = delete;

  /// False when there was nothing to do.
  bool serve() {
    bool some = false;
    pollfd waiting{listener_, POLLIN, 0};
    while (::poll(&waiting, 1, 0) > 0) {
      peers_.push_back({{::accept(listener_, nullptr, nullptr), {}}, {}});
      some = true;
    }
    for (auto& each : peers_) {
      some = each.from.read([&](const pdu_frame& frame, std::string_view) { answer(frame, each.out); }) || some;
      if (each.out.empty()) continue;
      some = true;
      each.from.send(each.out);
    }
    return some;
  }

 private:
  struct server_side {
    peer from;
    std::string out;
  };

  void answer(const pdu_frame& frame, std::string& out) const {
    if (frame.op != opaque_request::search) return;
    entry found{"uid=user1,ou=people,dc=example,dc=com", {{"mail", {"user1@example.com"}}}};
    const auto one = encode_entry(frame.id, found);
    for (int i = 0; i < entries_; ++i) out += one;
    out += encode_answer(frame.id, response_tag(frame.op), {});
  }

  const std::string path_;
  const int entries_;
  const int listener_;
  std::vector<server_side> peers_;
};

struct quiet_config : caf::actor_system_config {
  quiet_config() {
    configure(*this);
    // No threads of its own: the poller's turns are all that runs.
    set("scheduler.policy", caf::atom("testing"));
  }
};

std::string path_of(int number) {
  return "/tmp/fixed_door." + std::to_string(::getpid()) + "." + std::to_string(number);
}

client_rules_ptr rules() {
  auto made = std::make_shared<client_rules>();
  made->allow_anonymous = made->anonymous_service = true;
  return made;
}

std::string search_message(std::int32_t id) {
  search_request what;
  what.base = "dc=example,dc=com";
  what.filter = "(uid=user4711)";
  what.attributes = {"mail"};
  std::string out;
  require(encode_search(id, what, {}, out).empty(), "the search cannot be encoded");
  return out;
}

}  // namespace

struct fixed_door::parts {
  explicit parts(int entries);
  ~parts();

  quiet_config config;
  caf::actor_system system{config};
  const std::shared_ptr<fixed_clock> clock = std::make_shared<fixed_clock>();
  const std::shared_ptr<fixed_poller> poller = std::make_shared<fixed_poller>(system, *clock);
  std::deque<directory> directories;
  settings_ptr all;
  environment_ptr env;
  circuit_breaker_actor router;
  std::vector<pool_actor> pools;
  std::vector<client_actor> actors;
  std::vector<peer> ends;  // of the clients
  const int entries;
  std::int32_t last_id = 0;
};

fixed_door::parts::parts(int per_search) : entries(per_search) {
  auto given = std::make_shared<settings>();
  given->pool.min_connections = given->pool.max_connecting = connections;
  given->pool.max_connections = connections + 2;
  given->pool.preload_connections = true;
  for (int i = 0; i < servers; ++i) {
    directories.emplace_back(path_of(i), entries);
    connection_info one;
    one.host = path_of(i);
    one.port = 0;
    one.priority = 1;
    given->servers.push_back(std::move(one));
  }
  all = given;
  auto made = std::make_shared<environment>();
  made->clock = clock;
  made->poller = poller;
  made->log = std::make_shared<no_log>();
  made->metrics = std::make_shared<metrics_registry>();
  made->seed = 1;
  env = made;
  router = spawn_circuit_breaker(system, env, all, {});
  const auto factory = make_connection_factory();
  std::vector<routed_server> routed;
  for (const auto& each : all->servers) {
    auto context = std::make_shared<server_context>();
    context->id = static_cast<server_id>(routed.size());
    context->name = each.host;
    context->server = each;
    context->all = all;
    context->env = env;
    pools.push_back(spawn_pool(system, context, factory, router.address(), {}));
    routed.push_back({context, pools.back()});
  }
  caf::anon_send(router, servers_atom_v, routed);
  for (int i = 0; i < clients; ++i) {
    int pair[2];
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    ends.push_back({pair[0], {}});
    auto connection = std::make_shared<client_connection>();
    connection->fd = pair[1];
    connection->stream = make_plain_stream(pair[1]);
    connection->kept = std::shared_ptr<void>(nullptr, [fd = pair[1]](void*) { ::close(fd); });
    connection->origin.local = true;
    client_dependencies with;
    with.env = env;
    with.router = router;
    with.rules = rules();
    with.limiter = std::make_shared<bind_limiter>();
    with.permits = std::make_shared<request_permits>(100'000);
    actors.push_back(spawn_client(system, std::move(with), std::move(connection)));
  }
}

fixed_door::parts::~parts() {
  for (const auto& each : actors) caf::anon_send(each, close_atom_v);
  for (const auto& each : pools) caf::anon_send_exit(each, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(router, caf::exit_reason::user_shutdown);
  actors.clear();
  pools.clear();
  router = nullptr;
  while (poller->turn()) {
  }
  for (const auto& each : ends) ::close(each.fd);
  system.await_actors_before_shutdown(false);
}

fixed_door::fixed_door(int entries) : parts_(std::make_unique<parts>(entries)) {
  bool more = true;
  for (int i = 0; more && i < most_turns; ++i) {
    more = parts_->poller->turn();
    for (auto& each : parts_->directories) more = each.serve() || more;
  }
}

fixed_door::~fixed_door() = default;

void fixed_door::run() { parts_->poller->turn(); }

void fixed_door::ask(int searches, void (*work)(fixed_door&)) {
  auto& all = *parts_;
  for (auto& each : all.ends) {
    std::string out;
    for (int i = 0; i < searches; ++i) out += search_message(++all.last_id);
    each.send(out);
    require(out.empty(), "a client cannot send");
  }
  const int expected = searches * clients;
  int done = 0, found = 0;
  for (int i = 0; done < expected; ++i) {
    require(i < most_turns, "a search has no answer");
    all.clock->advance(std::chrono::microseconds{10});
    work(*this);
    for (auto& each : all.directories) each.serve();
    for (auto& each : all.ends)
      each.read([&](const pdu_frame& frame, std::string_view) {
        found += frame.op == pdu_op::search_entry ? 1 : 0;
        done += frame.op == pdu_op::search_done ? 1 : 0;
      });
  }
  require(found == expected * all.entries, "not all the entries came");
}

}  // namespace understudy::benchmark
