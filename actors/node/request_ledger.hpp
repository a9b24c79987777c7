// The requests of a client on their way to one node or another: what may be sent now, and what becomes of each when a
// link is lost. Plain decisions on injected time.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <map>
#include <set>
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
  /// A link came about, over which so much may be under way at a time.
  void linked(session_id session, std::uint32_t most_requests, std::uint64_t most_bytes);
  /// Nothing new is sent over it: what is under way may finish.
  void leave() noexcept { leaving_ = true; }
  /// What may be sent now, in the order of its coming; it is under way from now on.
  std::vector<number> take_sendable();
  /// It was answered, or nobody waits for it any more. False when it is not known.
  bool remove(number which);
  /// It came to nothing, unlike the others on its link. `sent` false: it was not given to the node, or the node took
  /// nothing of it.
  verdict failed(number which, bool sent);
  /// The link was lost; those that are to be told are not known any more.
  std::vector<fate> lost();
  /// No node can be reached: those that wait for any, which are not known any more.
  std::vector<number> give_up_waiting();
  /// Those that are over, with whether they were under way; they are not known any more.
  std::vector<std::pair<number, bool>> expire(time_point now);
  time_point next_event() const noexcept { return due_.empty() ? time_point::max() : due_.begin()->first; }

  bool under_way(number which) const;
  std::size_t count_under_way() const noexcept { return requests_under_way_; }
  std::size_t count() const noexcept { return all_.size(); }

 private:
  struct entry {
    request what;
    int sends = 0;
    bool sent = false;
  };
  void unsend(entry& sent);

  std::map<number, entry> all_;
  std::set<number> waiting_;
  std::set<std::pair<time_point, number>> due_;
  number last_ = 0;
  session_id session_ = 0;
  bool leaving_ = false;
  std::uint32_t most_requests_ = 0;
  std::uint64_t most_bytes_ = 0;
  std::uint32_t requests_under_way_ = 0;
  std::uint64_t bytes_under_way_ = 0;
};

}  // namespace understudy::internal
