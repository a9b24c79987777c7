// One link to another node, from the end of its TLS handshake on: bytes, guard, clock, and why it ended.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/actors/node/peer_registry.hpp"
#include "understudy/actors/ports/ports.hpp"
#include "understudy/messages/node_silence.hpp"
#include "understudy/runtime/platform/admission.hpp"
#include "understudy/runtime/platform/basp_guard.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/runtime/platform/tls_server.hpp"

namespace understudy::internal {

/// Who is at the other end of a link.
struct node_peer {
  std::uint64_t link = 0;  ///< its number in this process; never 0
  link_side side = link_side::accepted;
  std::string name;                                    ///< in its certificate
  std::string address;                                 ///< "192.0.2.7:51312"
  node_permission permission = node_permission::read;  ///< of a link that was accepted
  wall_time since{};
  std::uint64_t received = 0, sent = 0;  ///< bytes of BASP so far
};

/// How long and how much.
struct node_link_limits {
  duration handshake = seconds{10};  ///< for BASP's, after TLS
  /// Without a byte from the peer, although both sides send heartbeats; or with bytes of ours that it does not take.
  duration silence = node_silence;
  /// Bytes that CAF has for a peer that does not take them. Answers of searches wait in the gateway before that
  /// (gateway_limits::most_untaken); this is several times as much as those and the parts of streams come to, so that
  /// whoever takes some of them now and then is slow, and no more than that.
  std::size_t most_unsent = std::size_t{64} * 1024 * 1024;
  /// For what is under way on a link whose listener is gone, or whose certificate is not trusted any more.
  duration leaving = seconds{30};
};

/// Reading and writing belong to the thread of CAF's multiplexer; the rest is thread-safe. Every way in which it can
/// end comes down to cut(), and the first reason stays.
class node_link {
 public:
  /// What is handed over when the peer has shown who it is.
  struct connection {
    descriptor socket;                    ///< non-blocking
    std::unique_ptr<byte_stream> stream;  ///< over it
    admission::place place;               ///< goes with the link
    /// Of a link that was accepted: what its listener permits now.
    std::shared_ptr<const std::atomic<node_permission>> permission = {};
    std::string host = {};                ///< of the same: its address without the port
    std::vector<std::string> shown = {};  ///< the certificates that the peer showed, in DER; none in plain text
  };

  /// Told on the thread of CAF's multiplexer. Must be quick and not throw.
  struct handlers {
    std::function<void()> on_established;  ///< once
    std::function<void()> on_answered;     ///< an answer was given to the kernel whole: when that was wished for
  };

  node_link(node_peer peer, connection over, std::unique_ptr<basp_guard> guard, std::shared_ptr<clock_port> clock,
            node_link_limits limits, handlers told);

  /// Up to `room` bytes that CAF may see; `moved` is 0 when there are none now. False when the link has ended.
  bool read(char* to, std::size_t room, std::size_t& moved);
  /// Bytes were read that CAF has not seen.
  bool holds_bytes() const noexcept { return next_ < passed_.size(); }
  /// As many of these as the peer takes now; the rest is offered again, unchanged. False when the link has ended.
  bool write(const char* from, std::size_t size, std::size_t& moved);
  ///@{
  /// There are bytes for the peer; it took some, and so many are left. Readiness of the socket does not show that: of
  /// one that is full nothing is said.
  void waits_for_peer() noexcept;
  void peer_took(std::size_t left) noexcept;
  ///@}
  /// CAF lets go of it: announces the end to the peer, if that was not cut off before.
  void finish() noexcept;

  /// Ends it: both directions fail from now on, and its place is another's. `code`: what kind of failure that is.
  void cut(std::string_view why, errc code = errc::connection_failed) noexcept;
  /// The same, and the peer is told that this is no failure, as far as that is possible without waiting for it.
  void close(std::string_view why) noexcept;
  bool has_ended() const noexcept { return ended_; }
  /// One of the two sides ended it of its own accord, and nothing failed.
  bool was_closed() const noexcept { return closed_; }
  /// Why it ended; empty as long as it has not.
  std::string why() const;
  errc why_code() const;
  /// It is to end: when nothing is under way on it that was asked, or at limits().leaving at the latest; `leaves` at
  /// that time alone, unless the peer goes, which may hold leases. The first order to distrust it stays.
  void leave(link_standing standing, std::string why, time_point now);
  link_standing standing() const noexcept { return standing_; }
  /// Whether it came in where that is permitted; null: whether it was dialled.
  bool came_by(const std::shared_ptr<std::atomic<node_permission>>& listener) const {
    return over_.permission == listener;
  }
  const std::vector<std::string>& shown() const noexcept { return over_.shown; }
  const std::string& host() const noexcept { return over_.host; }
  /// Cuts it when its handshake or its silence took too long, and when it is to end.
  void look_at_clock(time_point now);
  /// BASP's handshake is complete.
  bool established() const noexcept { return established_; }
  /// What the peer sent lies in its socket: that it was not taken is our own doing.
  bool has_unread() const noexcept;
  /// The peer's node id, 32 bytes; empty before that.
  std::string node() const;
  node_peer peer() const;
  std::uint64_t number() const noexcept { return peer_.link; }
  /// Requests of the peer whose answers were not given to the kernel yet.
  std::size_t unanswered() const noexcept { return unanswered_; }
  /// Answers to the peer's requests that were given to the kernel whole so far. `tell`: the next one is told.
  std::uint64_t answered(bool tell = false) noexcept {
    // Before the count is read: what is not in it is told.
    if (tell) tells_of_answer_ = true;
    return answered_;
  }
  /// "none", or protocol and cipher.
  std::string encryption() const { return over_.stream->encryption(); }
  int socket() const noexcept { return over_.socket.get(); }
  const node_link_limits& limits() const noexcept { return limits_; }

 private:
  enum class manner : std::uint8_t { cut, closed_here, closed_there };

  bool receive();
  byte_stream_result read_some(char* to, std::size_t room);
  byte_stream_result write_some(const char* from, std::size_t size);
  void end(std::string_view why, errc code, manner how) noexcept;

  const node_peer peer_;
  /// Of the stream: close() may come from any thread. Nothing of ours is called under it.
  std::mutex stream_mutex_;
  bool write_blocked_ = false;  ///< a part of a record may have left; under that mutex
  connection over_;
  const std::unique_ptr<basp_guard> guard_;
  const std::shared_ptr<clock_port> clock_;
  const node_link_limits limits_;
  const handlers told_;
  const time_point begun_;

  std::vector<char> passed_;  // read and judged; CAF has seen those before next_
  std::size_t next_ = 0;

  std::atomic<bool> established_{false}, ended_{false}, tells_of_answer_{false};
  std::atomic<std::uint64_t> received_{0}, sent_{0}, answered_{0};
  std::atomic<std::size_t> unanswered_{0};
  std::atomic<link_standing> standing_{link_standing::stays};
  std::atomic<bool> closed_{false};
  std::atomic<time_point> heard_;  // when bytes came last
  /// Since when there are bytes that the peer does not take; never: there are none.
  std::atomic<time_point> untaken_since_{time_point::max()};
  mutable std::mutex mutex_;  // of what follows
  std::string why_, node_, why_it_leaves_;
  errc why_code_ = errc::none;
  time_point leave_by_ = time_point::max();
};
using node_link_ptr = std::shared_ptr<node_link>;

}  // namespace understudy::internal
