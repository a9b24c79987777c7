// What stands behind a gateway in tests: a router, a manager and leased connections that answer as a test says, to
// operations in their LDAP encoding and to typed ones alike.
#pragma once
#include "support/ldap_wire.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/node/gateway_actor.hpp"

#include <map>

namespace understudy::test {

/// What came to one, and what it shall do.
struct node_script {
  std::string server = "ldap1:389";
  std::map<operation, directory_answer> answers;  ///< by operation; none: success
  failure_ptr refuse;                             ///< everything, with that
  bool hold = false;                              ///< requests are kept until answer_held()
  bool echo = false;                              ///< a search finds its base, whatever `answers` says
  bool deaf_to_cancel = false;                    ///< what was cancelled is kept all the same
  std::size_t entries_of_stream = 0;              ///< of a search that is answered in parts …
  std::size_t entry_bytes = 100;                  ///< … so large each
  directory_answer end_of_stream{};               ///< … and ends like this
  failure_ptr break_stream;                       ///< … which fails in the middle with that
  std::vector<call> seen;                         ///< performed, on leases too
  std::vector<lease_id> seen_leases;              ///< what each of these ran on; 0: none
  std::vector<lease_request> wishes;
  std::vector<cancel_token_ptr> cancelled;
  std::vector<lease_id> claimed, released;
  std::vector<std::pair<server_id, std::uint32_t>> suspended;
  std::vector<server_id> resumed;
  bool refuses_leases = false;
  std::uint64_t unread = 0, most_unread = 0;  ///< bytes of parts that were sent, and not said to be passed on
  std::size_t sent_entries = 0;
  runtime_snapshot state;
  std::vector<probe_report> probes;

  std::size_t leases_open() const { return wishes.size() - released.size(); }
  /// How often that operation was carried out, by what it is about: its DN.
  std::map<std::string, int> done;
};

/// One node's actors but the gateway.
class scripted_node {
 public:
  scripted_node(caf::actor_system& system, std::shared_ptr<node_script> script);

  circuit_breaker_actor router() const;
  connection_manager_actor manager() const;
  const caf::actor& actor() const { return actor_; }
  /// Answers what is kept.
  void answer_held() { caf::anon_send(actor_, flush_atom_v); }

 private:
  caf::actor actor_;
};

/// The registry of a test: who is asked for is whom it wrote down.
class written_registry final : public peer_registry {
 public:
  std::optional<gateway_peer> find(const caf::strong_actor_ptr& sender) const override {
    const auto found = peers_.find(caf::actor_cast<caf::actor_addr>(sender));
    return found == peers_.end() ? std::nullopt : std::optional{found->second};
  }
  /// As set; else everything was taken.
  std::optional<std::uint64_t> answered(std::uint64_t link, bool tell) const override {
    if (tell) {
      ++wishes;
      if (when_asked_to_tell) when_asked_to_tell();
    }
    const auto found = taken.find(link);
    return found == taken.end() ? std::nullopt : std::optional{found->second};
  }
  void add(const caf::actor_addr& actor, gateway_peer peer) { peers_[actor] = std::move(peer); }

  std::map<std::uint64_t, std::uint64_t> taken;  ///< answers, by link: of one that reads slowly
  mutable int wishes = 0;                        ///< to be told of the next
  std::function<void()> when_asked_to_tell;      ///< happens before the count is read

 private:
  std::map<caf::actor_addr, gateway_peer> peers_;
};

}  // namespace understudy::test
