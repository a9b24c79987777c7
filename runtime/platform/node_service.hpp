// What a runtime offers to clients and other nodes: a gateway, its links, and the listeners of the settings.
#pragma once
#include "understudy/actors/node/gateway_actor.hpp"
#include "understudy/actors/node/peers_supervisor.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/runtime/platform/node_clients.hpp"
#include "understudy/runtime/platform/node_links.hpp"

#include <caf/actor_addr.hpp>

#include <atomic>

namespace understudy::internal {

/// Why the listeners cannot be as the settings say; the message names the address or the file.
failure_ptr cannot_listen(const std::string& why);

/// The name of a node: as configured, or the machine's.
std::string name_of_node(const node_settings& node);

/// Leases that one name of a certificate may have at a time: three quarters of the connections to the servers that
/// serve first, so that one client that holds what it has keeps nobody out. At least 1.
std::uint32_t leases_of_a_client(const settings& all);

/// Listens from its construction on, until drain() or close(). One thread at a time calls what changes it.
class node_service {
 public:
  struct dependencies {
    environment_ptr env;
    circuit_breaker_actor router;
    connection_manager_actor manager;
    std::function<failure_ptr()> reload, drain;  ///< as gateway_dependencies has them
    bool compresses = false;                     ///< the same
    std::shared_ptr<node_cluster> cluster = {};  ///< null: there are no other nodes, and no budget
    std::shared_ptr<node_clients> clients = {};  ///< is told whose clients there are; may be null
    std::uint32_t most_leases = 38;              ///< leases_of_a_client()
  };
  /// A place where clients and other nodes come in.
  struct place {
    node_listener_settings as;  ///< as it counts now
    std::string address;        ///< with the port that the system chose
    bool encrypted = false;
  };
  /// Other settings, ready to count: everything that can fail has been done.
  class change {
   public:
    change(node_links& links, node_settings next) : links_(links), next_(std::move(next)) {}
    ~change();
    change(const change&) = delete;
    change& operator=(const change&) = delete;

   private:
    friend class node_service;
    struct update {
      std::string address;
      node_listener_options options;
      tls_server_context_ptr context;  ///< null: plain text
    };

    node_links& links_;
    node_settings next_;
    std::vector<std::string> opened_;  ///< closed again unless the change is applied
    std::vector<place> places_;        ///< all of them, as they will be
    std::vector<update> updates_;      ///< of those that stay
    tls_server_context_ptr dialled_;   ///< by which those that are dialled are judged; null: nobody is
  };

  /// Throws listener_error. `system` was prepared by configure_nodes().
  node_service(caf::actor_system& system, dependencies with, const node_settings& node);
  /// close(), for two seconds at most.
  ~node_service();
  node_service(const node_service&) = delete;
  node_service& operator=(const node_service&) = delete;

  /// Opens what is new in `next` and reads the certificates of what stays; nobody notices before apply(). Throws
  /// listener_error, and nothing has changed then. When the change is destroyed without apply(), neither.
  std::unique_ptr<change> prepare(const node_settings& next);
  /// Listeners that are gone close, and who came by one is to leave: it is refused what is new, so that it turns to
  /// another node, and may finish what it holds. One that stays, at the same address, takes its new permission and
  /// certificates, which count for who is in as well: who would not be let in any more gets its answers, and goes. So
  /// does a node that this one has dialled and would not dial any more.
  void apply(std::unique_ptr<change> prepared);
  /// Keys of `next` that take a restart.
  std::vector<std::string> needs_restart(const node_settings& next) const;

  /// Thread-safe.
  std::vector<place> places() const;
  /// Its gateway has ended by a defect, or what speaks with other nodes has too often: nobody is served here any more,
  /// or it is no part of its cluster, which only a new process changes.
  bool has_failed() const noexcept { return *failed_; }

  /// Leases of one name from now on; those that are held stay.
  void set_most_leases(std::uint32_t most) noexcept;
  /// Nobody comes in any more, and nothing new is taken; what was asked is answered.
  void drain();
  /// Waits until everybody has been answered, then ends what speaks with other nodes, and all links; within `limit` and
  /// two seconds. False when somebody got no answer, or links are left. To be called before the actor system goes.
  bool close(duration limit);

 private:
  place opened(const node_settings& node, const node_listener_settings& listener);
  void speak_with_peers(caf::actor_system& system, const dependencies& with, const node_settings& node);
  void end_peers();
  void say(log_level level, std::string_view text, const place& at) const;

  const environment_ptr env_;
  const std::shared_ptr<caf::actor_addr> told_ = std::make_shared<caf::actor_addr>();  ///< of links that end
  const std::shared_ptr<node_links> links_;
  /// What this node shows to those that it dials, and by what it judges them.
  struct shown_certificates;
  const std::shared_ptr<shown_certificates> shown_;
  const std::shared_ptr<std::atomic<bool>> failed_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<peers_supervisor> peers_;  ///< null: there is no cluster
  bool dials_ = false;                       ///< others of it
  std::shared_ptr<std::atomic<std::uint32_t>> most_leases_;
  gateway_actor gateway_;
  mutable std::mutex mutex_;  ///< of what follows
  std::vector<place> places_;
};

}  // namespace understudy::internal
