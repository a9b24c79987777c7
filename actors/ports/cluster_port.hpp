// What the nodes of a cluster share, as the actors of one of them see it.
#pragma once
#include "understudy/actors/ports/socket_permits.hpp"
#include "understudy/messages/snapshot.hpp"
#include "understudy/messages/time.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace understudy {

/// A secret of the service that the directory has refused, told without the secret.
struct refused_secret {
  std::string identity;      ///< whose: the bind DN
  std::string fingerprint;   ///< of the secret: fingerprint_of(), actors/connection_manager/secret_fingerprint.hpp
  time_point refused_at{};   ///< on the clock of this process
  std::string cause;         ///< for people: which server, and what it said
  std::string told_by = {};  ///< the node whose bind it was; empty: this one
  /// The same in all of these.
  bool operator==(const refused_secret&) const = default;
};

/// What a node has found out of the service's secrets since it began: of nodes that begin together one tries a secret,
/// and the others wait for what it finds out.
enum class secrets_standing : std::uint8_t {
  decided,  ///< each was accepted, or refused and told; or there is none
  waiting,  ///< none is sent before the other nodes were heard
  trying,   ///< one is sent, or may be at any moment
};

/// Thread-safe, never blocks for long.
class cluster_port {
 public:
  virtual ~cluster_port() = default;
  /// For the pool of the server of that name ("host:port"): never null.
  virtual std::shared_ptr<internal::socket_permits> permits(const std::string& server) = 0;
  /// The secrets that the directory refuses here now; all of them.
  virtual void set_refused(std::vector<refused_secret> here) = 0;
  /// Who is told which ones it refuses elsewhere, all of them whenever that changes; on any thread, must not block.
  virtual void tell_refused(std::function<void(std::vector<refused_secret> elsewhere)> tell) = 0;
  /// How far this node is. It begins with `waiting`; that the others were heard makes it `trying`, before whoever is
  /// told of refusals is told.
  virtual void set_standing(secrets_standing now) = 0;
  ///@{
  /// For operators: how the sockets to that server are shared, and the other nodes.
  virtual budget_snapshot budget(const std::string& server) = 0;
  virtual std::vector<peer_snapshot> peers() = 0;
  ///@}
};

}  // namespace understudy
