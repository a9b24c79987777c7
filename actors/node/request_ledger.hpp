// The requests of a client on their way to one node or another: what may be sent now, and what becomes of each when a
// link is lost. Plain decisions on injected time.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace understudy::internal {

class request_ledger {
 public:
  /// Of a request; unique, in the order of their coming.
  using number = std::uint64_t;
  /// Counts links, each time that one comes about; 0: none.
  using session_id = std::uint64_t;
  struct request {
    std::size_t bytes = 0;    ///< of its frame
    time_point deadline{};    ///< when nobody waits for the answer any more
    session_id session = 0;   ///< the only one that it makes sense on: its lease is there; 0: any
    bool repeatable = false;  ///< may be sent again although it may have been carried out
  };
  enum class verdict : std::uint8_t {
    again,    ///< waits for the next node
    unknown,  ///< it may have been carried out
    broken,   ///< its lease is no more, and nothing was carried out, or nothing that matters
  };
  struct fate {
    number which = 0;
    verdict what = verdict::again;
  };

  /// How often one is sent at most: the node that it was on may be lost because of it.
  static constexpr int most_sends = 3;

  number add(const request& asked);
  /// A link came about, over which so much may be under way at a time. New requests go there from now on; what is under
  /// way on earlier links, and what is bound to them, goes on. Requests that are bound to no link take three quarters
  /// of it at the most: what belongs to leases, which is how these return, never waits behind those.
  void linked(session_id session, std::uint32_t most_requests, std::uint64_t most_bytes);
  /// Nothing new is sent over it but what is bound to it.
  void leave(session_id session) noexcept;
  /// What may be sent now, what is bound to a link first, each in the order of its coming; it is under way from now on.
  std::vector<number> take_sendable();
  /// It was answered, or nobody waits for it any more. False when it is not known.
  bool remove(number which);
  /// It came to nothing, unlike the others on its link. `sent` false: it was not given to the node, or the node took
  /// nothing of it.
  verdict failed(number which, bool sent);
  /// That link was lost; those that are to be told are not known any more.
  std::vector<fate> lost(session_id session);
  /// No node can be reached: those that wait for any, which are not known any more.
  std::vector<number> give_up_waiting();
  /// One that is over.
  struct ending {
    number which = 0;
    session_id carried_by = 0;  ///< 0: it was not under way
    friend bool operator==(const ending&, const ending&) = default;
  };
  /// Those that are over; they are not known any more.
  std::vector<ending> expire(time_point now);
  time_point next_event() const noexcept { return due_.empty() ? time_point::max() : due_.begin()->first; }

  /// The link that it is under way on; 0: it waits, or is not known.
  session_id carried_by(number which) const;
  /// Neither under way on that link nor bound to it.
  bool is_idle(session_id session) const;
  std::size_t count() const noexcept { return all_.size(); }

 private:
  struct entry {
    request what;
    int sends = 0;
    session_id carried_by = 0;
  };
  /// What is under way of one kind.
  struct load {
    std::uint32_t requests = 0;
    std::uint64_t bytes = 0;
    bool takes(std::size_t more, std::uint32_t most_requests, std::uint64_t most_bytes) const noexcept;
  };
  struct link {
    std::uint32_t most_requests = 0;
    std::uint64_t most_bytes = 0;
    load all, unbound;
  };
  bool send_next(session_id over, session_id bound_to, std::vector<number>& sent);
  void unsend(entry& sent);
  void wait(number which, session_id bound_to) { waiting_[bound_to].insert(which); }
  void stop_waiting(number which, session_id bound_to);

  std::map<number, entry> all_;
  std::map<session_id, std::set<number>> waiting_;  ///< by what they are bound to; none is empty
  std::set<std::pair<time_point, number>> due_;
  std::map<session_id, link> links_;
  number last_ = 0;
  session_id current_ = 0;  ///< where new ones go
};

}  // namespace understudy::internal
