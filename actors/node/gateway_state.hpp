// What a node grants its peers: who may ask what, how much at a time, and what they hold. Plain decisions on injected
// time.
#pragma once
#include "understudy/actors/node/peer_registry.hpp"
#include "understudy/messages/node_silence.hpp"

#include <map>
#include <set>
#include <unordered_map>

namespace understudy::internal {

/// The bounds of one peer's link, of all links of one name, as its certificate has it, and of all links.
struct gateway_limits {
  std::uint32_t most_requests = 128;                     ///< not answered yet
  std::uint64_t most_bytes = 8 * 1024 * 1024;            ///< in these together
  std::uint32_t longest_frame = 4 * 1024 * 1024 - 1024;  ///< bytes, of a request and of an answer
  /// Bytes of answers that are given to its link and not taken, before those of further searches wait: one of the
  /// longest. CAF has two buffers for them that grow by doubling.
  std::size_t most_untaken = std::size_t{4} * 1024 * 1024;
  /// Bytes of answers to its searches that are being read, or wait: 64 of a megabyte with what they have beside their
  /// content, so that whoever asks for as much at a time is not asked to wait by what is read faster than it is sent.
  std::size_t most_held = std::size_t{66} * 1024 * 1024;
  ///@{ The same of all links of one name together, which may be many: 32 links may use what each may have, far more
  /// than pools carry out at a time. A quarter of what all names have, so that none keeps the others out.
  std::uint32_t most_requests_of_owner = 4'096;
  std::uint64_t most_bytes_of_owner = 64 * 1024 * 1024;
  std::size_t most_held_of_owner = 4 * most_held;
  ///@}
  ///@{ The same of all links. Operators are not held up by it.
  std::uint32_t most_requests_of_all = 4 * most_requests_of_owner;
  std::uint64_t most_bytes_of_all = 4 * most_bytes_of_owner;
  std::size_t most_held_of_all = 4 * most_held_of_owner;
  ///@}
  /// Requests for the health of all servers, of one name: each may be a probe of its own, when it has another deadline.
  std::uint32_t most_probes_of_owner = 64;
  /// Leases of one name, with those that pools are asked for; where nobody tells (gateway_dependencies::most_leases):
  /// three quarters of the connections that a pool has by default.
  std::uint32_t most_leases = 38;
  milliseconds silence = node_silence;   ///< without a word for so long a peer loses its leases
  milliseconds claim_time = seconds{5};  ///< within which the grant of a lease is to be claimed
  /// What answers for us has so much time beyond the deadline: it can say more.
  milliseconds grace{20};
};

/// What a request needs the permission for.
node_permission permission_for(const request_frame& frame) noexcept;

class gateway_state {
 public:
  using link_id = std::uint64_t;
  /// A request of a peer.
  struct request_key {
    link_id link = 0;
    std::uint64_t number = 0;                              ///< the peer's own
    auto operator<=>(const request_key&) const = default;  // NOLINT(modernize-use-nullptr): no pointer
  };
  /// A lease that a peer holds.
  struct held_lease {
    lease_id id = 0;
    server_id server = 0;
  };
  /// What has to be ended: those requests are forgotten already, those leases not held any more.
  struct endings {
    std::vector<request_key> requests;
    std::vector<held_lease> leases;
    bool empty() const noexcept { return requests.empty() && leases.empty(); }
  };

  explicit gateway_state(const gateway_limits& limits) noexcept : limits_(limits) {}

  const gateway_limits& limits() const noexcept { return limits_; }
  node_terms terms_for(const gateway_peer& peer, const std::string& node) const;

  /// A request of so many bytes came. Null: it is under way, until answered(), unless it is of a kind that is answered
  /// at once (is_tracked()). Else why it is not taken.
  failure_ptr admit(const gateway_peer& peer, const request_frame& frame, std::size_t bytes, time_point now);
  /// False for kinds that are answered at once and so take no credit.
  static bool is_tracked(request_kind kind) noexcept;
  /// True when the answer to that may wait for its client to take earlier ones, and may be asked for again: it may be
  /// long, and changes nothing. Parts of streams are not among them: they are short, and one at a time.
  static bool may_wait(const request_frame& frame) noexcept;
  /// It was answered. False when it is not under way (any more).
  bool answered(const request_key& key);
  bool is_open(const request_key& key) const { return open_.contains(key); }

  /// A request that is under way is about to ask pools for a lease, which counts until it is answered. False when its
  /// name has `most` leases already, with those that are asked for: it is not to ask yet.
  bool begin_acquire(const request_key& key, std::uint32_t most);
  /// Whose link that is, as all links of a name have it; empty when nothing is under way or held there.
  std::string owner_of(link_id link) const;
  /// The lease that a request asked for was granted. False: nobody waits for it any more, it is to be returned.
  bool granted(const request_key& key, const held_lease& lease, time_point now);
  /// False when it is not this peer's.
  bool claim(link_id link, lease_id lease);
  bool holds(link_id link, lease_id lease) const;
  std::optional<held_lease> release(link_id link, lease_id lease);

  /// The link ended.
  endings lost(link_id link);
  /// Time passed: requests whose deadline is over, leases that were not claimed, or whose holder is silent.
  endings expire(time_point now);
  /// When that may have an effect; time_point::max(): not at all.
  time_point next_event() const noexcept;

  /// From now on nothing new is taken; what is held may be finished.
  void drain() noexcept { draining_ = true; }
  std::size_t leases() const noexcept { return leases_.size(); }

 private:
  struct lease_record {
    link_id link = 0;
    server_id server = 0;
    time_point claim_by{};  ///< time_point::max(): claimed
  };
  /// What is under way or held.
  struct load {
    std::uint32_t requests = 0;
    std::uint64_t bytes = 0;
    std::uint32_t leases = 0;  ///< with those that are asked for
    std::uint32_t probes = 0;  ///< of all servers, among the requests
    bool empty() const noexcept { return requests == 0 && leases == 0; }
    load& operator+=(const load& more) noexcept;
    load& operator-=(const load& less) noexcept;
  };
  struct open_request {
    load taken;
    time_point deadline{};
  };
  /// Known while it has something open or held.
  struct peer_record {
    std::string owner;  ///< a name, and by which permission it came
    load now;
    time_point heard{};
  };

  failure_ptr refusal(const gateway_peer& peer, const request_frame& frame, std::size_t bytes) const;
  failure_ptr overload(const gateway_peer& peer, const request_frame& frame, std::size_t bytes) const;
  void add(link_id link, const load& more);
  void remove(link_id link, const load& less);
  void drop_lease(lease_id lease);

  const gateway_limits limits_;
  std::map<request_key, open_request> open_;
  std::map<lease_id, lease_record> leases_;
  std::unordered_map<link_id, peer_record> peers_;
  std::map<std::string, load> owners_;  ///< of all links of an owner together
  load all_;
  bool draining_ = false;
};

}  // namespace understudy::internal
