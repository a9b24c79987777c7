// What one node of a cluster knows of the others, and what it makes of that: evidence for probes, refused secrets,
// loans of sockets. Decisions on injected time; what is exchanged comes in and goes out as values.
#pragma once
#include "understudy/actors/node/exchange.hpp"
#include "understudy/actors/ports/cluster_port.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace understudy::internal {

/// The cluster as it is configured; alike on every node.
struct peers_options {
  std::string self;                ///< this node
  std::vector<std::string> peers;  ///< the others
  std::uint32_t budget = 0;        ///< sockets to a server over all nodes; 0: as many as each likes
  std::uint64_t incarnation = 1;   ///< of this process; a later one has a higher number: microseconds of its start
  duration term = seconds{30};     ///< of a loan
  /// Between two probes of a server for the sake of what peers say, whatever they say.
  duration suspect_after = seconds{1};
  /// What a node that began anew told before is remembered for so long: recovery.credential_retry, and a little more.
  duration refusals_last = seconds{920};
  duration silence = seconds{5};  ///< who says nothing for so long is not connected
};

/// A server to be probed.
struct peers_suspect {
  server_id id = 0;
  std::string server;  ///< the same, "host:port"
  std::string peer;    ///< who sees it down
};

/// What an operator has to put right.
struct peers_warning {
  std::string peer;
  std::string text;
};

/// What is to be done now.
struct peers_actions {
  std::vector<peers_suspect> suspects;
  /// The list of secrets that are refused elsewhere is another one.
  std::optional<std::vector<refused_secret>> refused_elsewhere;
  bool answer_soon = false;             ///< that peer waits for what we say next
  std::vector<peers_warning> warnings;  ///< for the log, which a peer that goes on is not to fill
};

/// Every node tells every other one each second; the one that dialled asks, the other answers. Neither is believed more
/// than is harmless: the worst that a peer can do is to have a server probed once in `suspect_after`, to hold back a
/// secret that it knows, and to have of this node's sockets the half that may be lent.
class peers_state {
 public:
  peers_state(peers_options options, time_point now);
  peers_state(const peers_state&) = delete;
  peers_state& operator=(const peers_state&) = delete;

  const peers_options& options() const noexcept { return options_; }
  bool is_peer(const std::string& name) const { return peers_.contains(name); }

  /// For the pool of that server, which is known from now on. Never null; more than 256 servers have what is never
  /// lent.
  std::shared_ptr<socket_permits> permits(const std::string& server, time_point now);

  // What this node knows.

  /// Every server, as the breaker sees it.
  void set_health(const std::vector<server_snapshot>& servers, time_point now);
  void set_refused(std::vector<refused_secret> here);
  void set_standing(secrets_standing now);
  /// True when that has changed since the last call.
  bool take_news() { return std::exchange(news_, false); }

  // What others know.

  /// There is a link to that peer, perhaps to another process of it, which we dialled or which an exchange came by.
  /// Calls for the same link change nothing. `how`: it, for people.
  void linked(const std::string& peer, std::uint64_t link, time_point now, wall_time wall, const std::string& how = {});
  /// That link ended; others of the same peer go on.
  void lost(const std::string& peer, std::uint64_t link, const std::string& why, time_point now, wall_time wall);
  /// What speaks with the peers has begun again, without what it knew of links; what was lent still counts.
  void lost_all(const std::string& why, time_point now, wall_time wall);
  /// A dial was in vain, or it refuses what this node tells.
  void unreachable(const std::string& peer, const std::string& why, wall_time wall);
  /// What is to be sent to it now. What it asked is answered in that.
  exchange tell(const std::string& peer, time_point now);
  /// What it sent; nothing is taken of it when it is no peer.
  peers_actions hear(const std::string& peer, const exchange& told, time_point now);
  /// Time passed: peers that fell silent, refusals that are over.
  peers_actions tick(time_point now, wall_time wall);
  /// True when a secret of the service may be tried here, as far as the peers go: each has decided its own, or cannot
  /// be reached. Of those who wait for each other the smallest name goes first. Nobody is waited for without end: three
  /// seconds for who says nothing, four for who waits or tries and does not come to an end with that.
  bool may_try(time_point now) const;
  /// Once, when that is so: what is refused elsewhere. From then on the peers hear that this node tries.
  std::optional<std::vector<refused_secret>> take_release(time_point now);
  bool is_released() const noexcept { return released_; }
  /// True when sockets are missing for which that peer should be asked before its second is over.
  bool in_need(const std::string& peer, time_point now);

  // For operators.

  budget_snapshot budget(const std::string& server) const;
  std::vector<peer_snapshot> snapshot() const;

 private:
  struct sent_request {
    std::string server;
    std::uint64_t number = 0;
  };
  struct down_report {
    time_point since{};  // as it says, on our clock
    bool looked = false;
  };
  struct peer {
    std::uint64_t link = 0, incarnation = 0;
    std::vector<sent_request> sent;   // with what we told last; not answered yet
    std::vector<told_grant> answers;  // to what it asked; they go with what we tell next
    std::map<std::string, down_report> down;
    std::vector<refused_secret> refused;
    secrets_standing standing = secrets_standing::decided;
    time_point standing_since{};  // heard of this process of it
    bool agrees = true;           // on the budget
    bool away = false;            // it could not be reached, and has never told anything
    time_point heard{};
    peer_snapshot shown;
  };
  struct local_server {
    server_id id = 0;
    breaker_state breaker = breaker_state::closed;
    time_point since{};  // of not being closed
    std::string reason;
    time_point probed_at = time_point::min();  // for the sake of peers
  };

  connection_budget* budget_of(const std::string& server, time_point now);
  void lose_requests(const std::string& name, peer& p, time_point now);
  void take_health(const std::string& name, peer& p, const exchange& told, time_point now, peers_actions& out);
  void take_refusals(const std::string& name, peer& p, const exchange& told, bool same_process, time_point now,
                     peers_actions& out);
  void take_loans(const std::string& name, peer& p, const exchange& told, time_point now, peers_actions& out);
  bool agrees(const exchange& told) const;
  void list_refused(peers_actions& out);
  void show(peer& p, bool connected, wall_time wall);

  const peers_options options_;
  std::vector<std::string> nodes_;  // all of them, sorted
  std::map<std::string, peer> peers_;
  std::map<std::string, connection_budget> budgets_;
  std::map<std::string, std::shared_ptr<socket_permits>> without_loans_;  // of servers that are too many
  std::map<std::string, local_server> servers_;
  std::vector<refused_secret> refused_here_, listed_;
  const time_point begun_;
  secrets_standing standing_ = secrets_standing::waiting;
  bool released_ = false;  // to try secrets
  bool news_ = false;
};

}  // namespace understudy::internal
