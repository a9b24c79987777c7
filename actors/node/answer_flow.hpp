// How many bytes of answers a slow client may leave untaken before further ones wait: bookkeeping only.
#pragma once
#include "understudy/actors/node/gateway_state.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>

namespace understudy::internal {

/// CAF buffers what it is given without a bound. So of each link it is noted what was given to CAF and is not with the
/// kernel yet; answers that would be too much wait here, first come, first served. Which answers may wait is for the
/// owner to say, and how many: all others count, and go at once.
class answer_flow {
 public:
  using link_id = gateway_state::link_id;
  using request_key = gateway_state::request_key;

  /// An answer that may go now.
  struct ready_answer {
    request_key key;
    std::string bytes;
  };

  explicit answer_flow(const gateway_limits& limits) noexcept : most_untaken_(limits.most_untaken) {}

  /// How many answers over a link are with the kernel, as peer_registry tells; nothing: all of them.
  using answer_count = std::optional<std::uint64_t>;

  /// An answer of so many bytes that may wait, has to: until the client has taken others.
  bool has_to_wait(link_id link, std::size_t bytes, answer_count answered);
  /// It waits.
  void keep(const request_key& key, std::string bytes);
  /// An answer of so many bytes was given to CAF; each of that link has to be noted.
  void sent(link_id link, std::size_t bytes);
  /// The next one of those that wait for that link, if it may go now. To be noted as sent, unless nobody wants it.
  std::optional<ready_answer> next(link_id link, answer_count answered);
  /// Nobody waits for that answer any more. False when it did not wait here.
  bool forget(const request_key& key);
  /// That link ended.
  void lost(link_id link) { links_.erase(link); }

  /// Bytes that wait for that link.
  std::size_t waiting_bytes(link_id link) const;

 private:
  struct link_record {
    std::deque<std::size_t> untaken;  // bytes of each answer that is not with the kernel, oldest first
    std::size_t untaken_bytes = 0;
    std::uint64_t sent = 0;  // answers, with these
    std::deque<ready_answer> waiting;
    std::size_t waiting_bytes = 0;
  };

  static void take(link_record& link, answer_count answered);
  bool has_room(const link_record& link, std::size_t bytes) const;

  const std::size_t most_untaken_;
  std::map<link_id, link_record> links_;
};

}  // namespace understudy::internal
