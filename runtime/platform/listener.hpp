// Accepts clients at one address, TCP or a Unix socket, plain or TLS: for nodes, the front door and HTTP alike.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/config/node_rules.hpp"
#include "understudy/messages/ip_network.hpp"
#include "understudy/runtime/platform/admission.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/runtime/platform/tls_server.hpp"

#include <algorithm>
#include <stdexcept>

namespace understudy::internal {

/// What has come in at a listener that closes is told, and waited for so long at the most.
inline constexpr seconds patience_at_the_end{2};

/// Why it cannot listen, in words that name the address or the file.
class listener_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Which users of this machine may connect to a Unix socket, whatever the process's umask is. The folder that it is in
/// may keep out more.
enum class socket_access : std::uint8_t {
  owner,     ///< who runs this process, and root
  everybody  ///< whoever connects has to show then who he is
};

/// Where a listener accepts, and whom.
struct listener_options {
  /// "192.0.2.1:636", "[::1]:636", ":636" (every address of this machine), or the path of a Unix socket, which begins
  /// with '/'. Port 0: any free one.
  std::string address;
  socket_access access = socket_access::owner;  ///< to a Unix socket
  std::optional<server_certificates> tls;       ///< without: plain
  duration handshake_timeout = seconds{10};     ///< for the whole of TLS, and for the header of a proxy before it
  admission_limits limits;
  ///@{
  /// Networks that clients may come from, empty: any; and those of proxies, which have to name their clients first
  /// (proxy_protocol.hpp). Clients of a Unix socket have no address.
  std::vector<ip_network> allow_from, proxies;
  ///@}
  /// Told of each that did not get in, on the poller's thread: must be quick and not throw. May be empty.
  std::function<void()> on_refused;
  /// When no place is left, of all or of that host (accepted_client::host): ends one of those that were handed over and
  /// have not shown since who they are, so that its place is free at once. False: there is none. On the poller's
  /// thread, with the listener locked: must be quick and not throw. Empty: nobody is ended.
  std::function<bool(admission_verdict missing, const std::string& host)> make_room = {};
};

/// A client that came in; with TLS, whose handshake is complete and whose certificate was checked.
struct accepted_client {
  descriptor socket;                    ///< non-blocking
  std::unique_ptr<byte_stream> stream;  ///< over it
  std::string address;  ///< for people: "192.0.2.7:51312", or "local, uid 1000, pid 4711"; that of a proxy's client
  std::string host;     ///< what limits count it by: as counted_as() has it, or the user of the process
  bool local = false;   ///< nothing of it crosses a network: it is of this machine, and so is its proxy
  client_certificate certificate;  ///< empty without one
  admission::place place;          ///< goes with the connection
};
/// Told of each, on the poller's thread: must be quick and not throw.
using accept_handler = std::function<void(accepted_client client)>;

/// Listens from its construction on, until it is destroyed. A client that says nothing, or speaks no TLS, is ended at
/// `handshake_timeout`; when `limits.handshakes` are under way, the oldest makes room for a new one. One that is over
/// the other limits is closed at once, unless a handshake that is under way, or `make_room`, can make room for it; so
/// is one that comes from where nobody may. Certificate files that change are read again (certificate_watch.hpp).
class listener {
 public:
  /// Throws listener_error when it cannot listen there or the certificates are no good.
  listener(caf::actor_system& system, environment_ptr env, listener_options options, accept_handler on_accept);
  /// Nobody is accepted any more, handshakes under way end; those who were handed over are not touched. `on_accept` is
  /// not called afterwards.
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  /// Where it listens: with the port that the system chose.
  const std::string& address() const noexcept { return address_; }
  /// These count for who comes from now on; `context` was made of `files`.
  void use_certificates(server_certificates files, tls_server_context_ptr context);
  void set_limits(admission_limits limits) { admission_->set_limits(limits); }
  /// As listener_options have them, for who comes from now on.
  void set_networks(std::vector<ip_network> allow_from, std::vector<ip_network> proxies);
  /// Clients that are in, or on their way in.
  std::size_t connections() const { return admission_->connections(); }

 private:
  class acceptor;
  std::shared_ptr<admission> admission_;
  std::string address_;
  std::shared_ptr<acceptor> acceptor_;
};

/// Of what is open, the element that is at `address` by its settings, taken out of `open`; nothing: there is none, and
/// it has to be opened. `places_of` gives the address of an element by its settings and the one where it listens.
/// Throws listener_error when another one is in the way; `listening`: whose they are ("this node").
template <class Open, class PlacesOf>
std::optional<Open> take_listener_at(std::vector<Open>& open, const std::string& address, std::string_view listening,
                                     PlacesOf places_of) {
  using config::listening_places;
  const auto at = [&](listening_places relation) {
    return std::find_if(open.begin(), open.end(), [&](const Open& each) {
      const auto [as_given, listens_at] = places_of(each);
      // Port 0 may be given again, or the port that the system chose then.
      const auto by_settings = config::compare_listening_places(as_given, address);
      return (by_settings == listening_places::apart ? config::compare_listening_places(listens_at, address)
                                                     : by_settings) == relation;
    });
  };
  const auto same = at(listening_places::same);
  if (same == open.end()) {
    const auto in_the_way = at(listening_places::overlap);
    if (in_the_way == open.end()) return std::nullopt;
    throw listener_error("cannot listen at " + address + " while " + std::string{listening} + " listens at " +
                         places_of(*in_the_way).second + ", which has an address of it: that takes a restart");
  }
  auto taken = std::move(*same);
  open.erase(same);
  return taken;
}

}  // namespace understudy::internal
