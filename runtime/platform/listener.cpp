// Listening, and what happens to a client until it is handed over: see listener.hpp.
#include "understudy/runtime/platform/listener.hpp"

#include "understudy/actors/connection/socket.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/host_and_port.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/addresses.hpp"
#include "understudy/runtime/platform/certificate_watch.hpp"
#include "understudy/runtime/platform/event_source.hpp"
#include "understudy/runtime/platform/proxy_protocol.hpp"
#include "understudy/runtime/platform/repeated_lines.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace understudy::internal {
namespace {

constexpr int backlog = 512;
// Clients taken in one turn of the poller: those who are in are served between.
constexpr int most_at_once = 64;
// Without a descriptor left the kernel keeps who waits; asked again after this.
constexpr milliseconds pause_without_descriptors{100};

std::string failed_call(const std::string& address, const char* doing) {
  const int code = errno;
  auto text = "cannot listen at " + address + ": " + doing + ": " + errno_text(code);
  if (code == EADDRINUSE) text += " (another process listens there)";
  if (code == EACCES) text += " (ports below 1024 need CAP_NET_BIND_SERVICE, a socket's folder write permission)";
  if (code == EADDRNOTAVAIL) text = "cannot listen at " + address + ": this machine has no such address";
  return text;
}

/// What `text` spells out; throws listener_error.
socket_address parse_address(const std::string& text) {
  if (!text.empty() && text.front() == '/') {
    auto local = local_address(text);
    if (local.bytes.empty())
      throw listener_error("cannot listen at " + text + ": the path of a socket has at most " +
                           std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
    return local;
  }
  std::string problem;
  const auto place = parse_listening_place(text, problem);
  if (!place)
    throw listener_error("\"" + printable(text) +
                         "\" is no address to listen at: \"HOST:PORT\", \":PORT\" or the path of a socket");
  auto found = literal_address(place->host, place->port);
  if (!found)
    throw listener_error("\"" + printable(place->host) +
                         "\" is no address of this machine: listeners take numbers, no names");
  return std::move(*found);
}

/// A socket that nobody listens at any more is in the way of a new one.
void remove_dead_socket(const socket_address& at) {
  struct stat found {};
  if (::lstat(at.text.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  const auto probe = open_socket(at);
  if (probe.fd >= 0) ::close(probe.fd);
  if (probe.error == ECONNREFUSED) ::unlink(at.text.c_str());
}

constexpr mode_t owner_alone = 0600, all_users = 0666;

/// What the umask took away is there again before anybody can connect: nobody listens yet. Follows no link.
void set_permissions(const socket_address& at, socket_access access) {
  const auto mode = access == socket_access::everybody ? all_users : owner_alone;
  if (::fchmodat(AT_FDCWD, at.text.c_str(), mode, AT_SYMLINK_NOFOLLOW) == 0) return;
  // Linux has no such call before 6.6: the C library goes by /proc/self/fd.
  const bool without_proc = errno == EOPNOTSUPP;
  throw listener_error(failed_call(at.text, "chmod") + (without_proc ? " (/proc has to be mounted for that)" : ""));
}

/// The file of a Unix socket, which goes with it; empty: of none.
class socket_file {
 public:
  socket_file() = default;
  explicit socket_file(std::string path) : path_(std::move(path)) {}
  socket_file(socket_file&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  socket_file& operator=(socket_file&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~socket_file() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
};

struct listening_socket {
  descriptor socket;
  socket_file file;  // goes first
};

listening_socket listen_at(const socket_address& at, socket_access access) {
  if (at.family == AF_UNIX) remove_dead_socket(at);
  const int fd = ::socket(at.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw listener_error(failed_call(at.text, "socket"));
  listening_socket made{descriptor{fd, "socket"}, {}};
  const int on = 1, off = 0;
  if (at.family != AF_UNIX) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // "[::]" is every address, of both families.
  if (at.family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  // bind(2) makes the file with the permissions of the descriptor, less the umask's: at no moment others may more.
  if (at.family == AF_UNIX && ::fchmod(fd, owner_alone) != 0) throw listener_error(failed_call(at.text, "fchmod"));
  const auto* address = reinterpret_cast<const sockaddr*>(at.bytes.data());
  if (::bind(fd, address, static_cast<socklen_t>(at.bytes.size())) != 0)
    throw listener_error(failed_call(at.text, "bind"));
  if (at.family == AF_UNIX) {
    made.file = socket_file{at.text};
    set_permissions(at, access);
  }
  if (::listen(fd, backlog) != 0) throw listener_error(failed_call(at.text, "listen"));
  return made;
}

/// A client whose host or network has vanished says no goodbye: its place is given back two minutes after its last sign
/// of life, idle or with bytes that it has not acknowledged.
void set_tcp_options(int fd) noexcept {
  constexpr int idle_s = 60, interval_s = 10, probes = 6, unacknowledged_ms = 120'000;
  const auto set = [fd](int level, int name, int value) {
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, idle_s);
  set(IPPROTO_TCP, TCP_KEEPINTVL, interval_s);
  set(IPPROTO_TCP, TCP_KEEPCNT, probes);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms);
}

std::string bound_address(int fd) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  auto* address = reinterpret_cast<sockaddr*>(&own);
  return ::getsockname(fd, address, &size) == 0 ? to_socket_address(address, size).text : std::string{};
}

/// Of a client: as accepted_client has it, and for networks; a Unix socket's has no `ip`.
struct client_address {
  std::string text;
  std::string host;  // what limits are counted by
  bool local = false;
  std::optional<ip_address> ip;
};

client_address address_of(int fd, const sockaddr_storage& from, socklen_t size) {
  const auto* address = reinterpret_cast<const sockaddr*>(&from);
  if (from.ss_family != AF_UNIX) {
    auto text = to_socket_address(address, size).text;
    const auto ip = ip_of(from);
    return {std::move(text), ip ? counted_as(*ip) : std::string{}, ip && is_loopback(*ip), ip};
  }
  ucred peer{};
  socklen_t length = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return {"local", "local", true, {}};
  auto user = "local, uid " + std::to_string(peer.uid);
  return {user + ", pid " + std::to_string(peer.pid), user, true, {}};
}

}  // namespace

/// Lives on the poller's thread; the mutex is for whoever destroys the listener elsewhere.
class listener::acceptor : public std::enable_shared_from_this<acceptor> {
 public:
  acceptor(environment_ptr env, listener_options options, std::shared_ptr<admission> places, accept_handler on_accept)
      : env_(std::move(env)),
        places_(std::move(places)),
        options_(std::move(options)),
        on_accept_(std::move(on_accept)),
        at_(parse_address(options_.address)),
        socket_(listen_at(at_, options_.access)),
        name_(at_.family == AF_UNIX ? at_.text : bound_address(socket_.socket.get())),
        certificates_(std::make_shared<certificate_watch>(env_, name_)) {
    if (!options_.tls) return;
    if (const auto why = certificates_->load(*options_.tls))
      throw listener_error("cannot listen at " + name_ + ": " + why->message);
  }

  const std::string& name() const noexcept { return name_; }

  void start(caf::actor_system& system) {
    std::lock_guard guard{mutex_};
    const auto alive = weak_from_this();
    event_handlers handlers;
    handlers.on_tick = [alive] {
      if (const auto self = alive.lock()) self->guarded([&] { self->on_tick(); });
    };
    handlers.on_ready = [alive](poller_port::io_id id, std::uint32_t) {
      if (const auto self = alive.lock()) self->guarded([&] { self->on_ready(id); });
    };
    events_.start(system, env_->poller, std::move(handlers));
    io_ = env_->poller->add(socket_.socket.get(), events_.address());
    env_->poller->arm(io_, poller_port::readable);
  }

  void use_certificates(server_certificates files, tls_server_context_ptr context) {
    certificates_->use(std::move(files), std::move(context));
  }

  void set_networks(std::vector<ip_network> allow_from, std::vector<ip_network> proxies) {
    std::lock_guard guard{mutex_};
    options_.allow_from = std::move(allow_from);
    options_.proxies = std::move(proxies);
  }

  void stop() noexcept {
    std::lock_guard guard{mutex_};
    if (!events_.is_running()) return;
    env_->poller->remove(io_);
    for (auto& [io, client] : arriving_) env_->poller->remove(io);
    arriving_.clear();
    on_accept_ = nullptr;
    options_.on_refused = nullptr;
    options_.make_room = nullptr;
    socket_.file = {};
    socket_.socket = {};
    events_.stop();
  }

 private:
  /// Whose proxy has not named it yet, or whose handshake is under way.
  struct arriving_client {
    accepted_client client;
    client_address from;
    std::optional<proxy_header_reader> header;  // then it has no place yet
    tls_server_stream* tls = nullptr;           // client.stream
    time_point deadline{};
  };
  using arriving_map = std::map<poller_port::io_id, arriving_client>;  // in the order of their arrival

  /// Nothing is thrown at the poller. What is thrown here means that the system has nothing left to give.
  template <class Body>
  void guarded(Body body) noexcept {
    std::lock_guard guard{mutex_};
    if (!events_.is_running()) return;
    try {
      body();
      set_timer();
    } catch (const std::exception& e) {
      try {
        log(log_level::error, "a client was lost", {{"cause", printable(e.what())}});
        paused_until_ = env_->clock->now() + pause_without_descriptors;
        set_timer();
      } catch (...) {
        // Not even that can be said; the next event tries again.
      }
    }
  }

  void on_ready(poller_port::io_id id) {
    if (id == io_)
      accept_some();
    else if (const auto at = arriving_.find(id); at != arriving_.end())
      at->second.header ? read_header(at) : shake(at);
  }

  void on_tick() {
    events_.gone_off();
    const auto now = env_->clock->now();
    while (!arriving_.empty() && arriving_.begin()->second.deadline <= now)
      give_up(arriving_.begin(),
              (arriving_.begin()->second.header ? "the header of the PROXY protocol took longer than "
                                                : "the TLS handshake took longer than ") +
                  config::format_span(options_.handshake_timeout));
    if (now >= paused_until_) {
      paused_until_ = time_point::max();
      env_->poller->arm(io_, poller_port::readable);
    }
  }

  void set_timer() {
    auto due = paused_until_;
    if (!arriving_.empty()) due = std::min(due, arriving_.begin()->second.deadline);
    events_.arm(due);
  }

  void accept_some() {
    certificates_->look();
    for (int taken = 0; taken < most_at_once; ++taken) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const int fd =
          ::accept4(socket_.socket.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        take(descriptor{fd, "accept4"}, address_of(fd, from, size));
        continue;
      }
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        refused("descriptors", "nobody can be accepted: " + errno_text(errno));
        paused_until_ = env_->clock->now() + pause_without_descriptors;
        return;
      }
      // The client went, or the network failed, before it was accepted.
    }
    env_->poller->arm(io_, poller_port::readable);
  }

  void take(descriptor socket, client_address from) {
    if (!from.ip || !contains(options_.proxies, *from.ip)) return let_in(std::move(socket), std::move(from));
    arriving_client proxied;
    proxied.client.socket = std::move(socket);
    proxied.from = std::move(from);
    proxied.header.emplace();
    read_header(arrive(std::move(proxied)));
  }

  arriving_map::iterator arrive(arriving_client client) {
    if (arriving_.size() >= places_->limits().handshakes)
      give_up(first_to_go([](const arriving_client&) { return true; }), "too many other handshakes are under way");
    client.deadline = env_->clock->now() + options_.handshake_timeout;
    const auto io = env_->poller->add(client.client.socket.get(), events_.address());
    return arriving_.emplace(io, std::move(client)).first;
  }

  /// Takes what belongs to the header and nothing behind it.
  void read_header(arriving_map::iterator at) {
    auto& header = *at->second.header;
    std::array<char, proxy_header_reader::longest> bytes;
    while (header.wanted() > 0) {
      const auto size =
          ::recv(at->second.client.socket.get(), bytes.data(), std::min(header.wanted(), bytes.size()), 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return env_->poller->arm(at->first, poller_port::readable);
      if (size <= 0) return give_up(at, "the connection was closed before the header of the PROXY protocol");
      header.take({bytes.data(), static_cast<std::size_t>(size)});
    }
    if (header.state() == proxy_header_reader::status::malformed) return give_up(at, header.problem());
    env_->poller->remove(at->first);
    auto socket = std::move(at->second.client.socket);
    auto from = std::move(at->second.from);
    // Where the proxy speaks for itself, it is the client.
    if (const auto& named = header.client())
      from = {named->text, counted_as(named->address), from.local && is_loopback(named->address), named->address};
    else if (header.speaks_for_unnamed())
      from.local = false;
    arriving_.erase(at);
    let_in(std::move(socket), std::move(from));
  }

  void let_in(descriptor socket, client_address from) {
    if (from.ip && !options_.allow_from.empty() && !contains(options_.allow_from, *from.ip))
      return turn_away("networks", from.text + " was turned away: nobody may come from there (allow_from)");
    auto entry = places_->enter(from.host);
    // A client whose handshake is not complete keeps its place from nobody who comes.
    while (entry.verdict != admission_verdict::welcome) {
      // Of those whose going gives the place that is missing.
      const auto stranger = first_to_go([&](const arriving_client& each) {
        return each.client.place && (entry.verdict == admission_verdict::too_many || each.from.host == from.host);
      });
      if (stranger != arriving_.end())
        give_up(stranger, "its handshake was not complete when another client came, and there is no place left");
      else if (!options_.make_room || !options_.make_room(entry.verdict, from.host))
        break;
      entry = places_->enter(from.host);
    }
    if (entry.verdict != admission_verdict::welcome) {
      const auto limits = places_->limits();
      return turn_away("places", from.text + " was turned away: " +
                                     (entry.verdict == admission_verdict::too_many
                                          ? "there are " + std::to_string(limits.connections) + " connections"
                                          : "there are " + std::to_string(limits.by_address) +
                                                " connections from that address, or its network"));
    }
    arriving_client arriving;
    auto& client = arriving.client;
    const int fd = socket.get();
    if (at_.family != AF_UNIX) set_tcp_options(fd);
    client.socket = std::move(socket);
    client.address = from.text;
    client.host = from.host;
    client.local = from.local;
    client.place = std::move(entry.given);
    const auto context = certificates_->context();
    if (!context) {
      client.stream = make_plain_stream(fd);
      on_accept_(std::move(client));
      return;
    }
    auto stream = std::make_unique<tls_server_stream>(context, fd);
    arriving.tls = stream.get();
    client.stream = std::move(stream);
    arriving.from = std::move(from);
    shake(arrive(std::move(arriving)));
  }

  /// The one that came first among those who may be ended; whose bytes lie unread here after the others.
  template <class Condition>
  arriving_map::iterator first_to_go(Condition may_be_ended) {
    const auto mute = std::find_if(arriving_.begin(), arriving_.end(), [&](const auto& each) {
      return may_be_ended(each.second) && !is_ready(each.second.client.socket.get(), POLLIN);
    });
    if (mute != arriving_.end()) return mute;
    return std::find_if(arriving_.begin(), arriving_.end(),
                        [&](const auto& each) { return may_be_ended(each.second); });
  }

  void shake(arriving_map::iterator at) {
    auto& one = at->second;
    const auto step = one.tls->handshake();
    switch (step.what) {
      case byte_stream_result::kind::want_read:
        return env_->poller->arm(at->first, poller_port::readable);
      case byte_stream_result::kind::want_write:
        return env_->poller->arm(at->first, poller_port::writable);
      case byte_stream_result::kind::done:
        break;
      default:
        return give_up(at, step.error ? step.error->message : "the client closed the connection");
    }
    env_->poller->remove(at->first);
    auto client = std::move(one.client);
    client.certificate = one.tls->client();
    arriving_.erase(at);
    on_accept_(std::move(client));
  }

  void give_up(arriving_map::iterator at, const std::string& why) {
    turn_away(why, at->second.from.text + " did not get in: " + why);
    env_->poller->remove(at->first);
    if (at->second.client.stream) at->second.client.stream->shut_down();
    arriving_.erase(at);
  }

  void turn_away(const std::string& reason, const std::string& text) {
    refused(reason, text);
    if (options_.on_refused) options_.on_refused();
  }

  /// Anybody can make these happen, any number of times. `reason`: what may come again, without who it was.
  void refused(const std::string& reason, const std::string& text) {
    const auto untold = refusals_.pass(reason, env_->clock->now());
    if (!untold) return;
    log_port::fields more;
    if (*untold != 0) more.emplace_back("refused", std::to_string(*untold + 1));
    log(log_level::warning, printable(text), more);
  }

  void log(log_level level, const std::string& text, log_port::fields more) const {
    more.emplace_back("listener", name_);
    if (env_->log) env_->log->write(level, "listener", text, more);
  }

  const environment_ptr env_;
  const std::shared_ptr<admission> places_;
  std::mutex mutex_;  // of everything below
  listener_options options_;
  accept_handler on_accept_;
  const socket_address at_;
  listening_socket socket_;
  const std::string name_;
  const std::shared_ptr<certificate_watch> certificates_;
  event_source events_;
  poller_port::io_id io_ = 0;
  arriving_map arriving_;
  time_point paused_until_ = time_point::max();  // accepts nobody, for want of descriptors
  repeated_lines refusals_;
};

listener::listener(caf::actor_system& system, environment_ptr env, listener_options options, accept_handler on_accept)
    : admission_(std::make_shared<admission>(options.limits)) {
  acceptor_ = std::make_shared<acceptor>(std::move(env), std::move(options), admission_, std::move(on_accept));
  address_ = acceptor_->name();
  acceptor_->start(system);
}

listener::~listener() { acceptor_->stop(); }

void listener::use_certificates(server_certificates files, tls_server_context_ptr context) {
  acceptor_->use_certificates(std::move(files), std::move(context));
}

void listener::set_networks(std::vector<ip_network> allow_from, std::vector<ip_network> proxies) {
  acceptor_->set_networks(std::move(allow_from), std::move(proxies));
}

}  // namespace understudy::internal
