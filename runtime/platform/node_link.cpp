// Bytes between a peer and CAF, both ways: see node_link.hpp.
#include "understudy/runtime/platform/node_link.hpp"

#include "understudy/actors/connection/socket.hpp"
#include "understudy/config/text.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace understudy::internal {
namespace {

// A whole TLS record: nothing stays behind in OpenSSL, where no readiness of the socket would tell of it.
constexpr std::size_t read_size = 16 * 1024;
// In one turn of CAF's multiplexer, so that one peer does not hold up the others.
constexpr std::size_t written_at_once = 256 * 1024;

}  // namespace

node_link::node_link(node_peer peer, connection over, std::unique_ptr<basp_guard> guard,
                     std::shared_ptr<clock_port> clock, node_link_limits limits, handlers told)
    : peer_(std::move(peer)),
      over_(std::move(over)),
      guard_(std::move(guard)),
      clock_(std::move(clock)),
      limits_(limits),
      told_(std::move(told)),
      begun_(clock_->now()),
      heard_(begun_) {}

bool node_link::read(char* to, std::size_t room, std::size_t& moved) {
  moved = 0;
  if (!holds_bytes() && !receive()) return false;
  moved = std::min(room, passed_.size() - next_);
  std::copy_n(passed_.begin() + static_cast<std::ptrdiff_t>(next_), moved, to);
  next_ += moved;
  return true;
}

/// Reads once, and has it judged.
bool node_link::receive() {
  if (ended_) return false;
  passed_.clear();
  next_ = 0;
  std::array<char, read_size> bytes;
  const auto got = read_some(bytes.data(), bytes.size());
  switch (got.what) {
    case byte_stream_result::kind::want_read:
    case byte_stream_result::kind::want_write:
      return true;
    case byte_stream_result::kind::done:
      break;
    case byte_stream_result::kind::closed:
      end("the peer closed the link", errc::connection_failed, manner::closed_there);
      return false;
    case byte_stream_result::kind::failed:
      cut(got.error->message, got.error->code);
      return false;
  }
  heard_ = clock_->now();
  received_ += got.bytes;
  if (!guard_->receive({bytes.data(), got.bytes}, passed_)) {
    cut("the peer sent " + std::string{guard_->why()});
    return false;
  }
  unanswered_ = guard_->unanswered();
  if (!established_ && guard_->established()) {
    {
      const std::lock_guard lock{mutex_};
      node_ = guard_->node();
      established_ = true;
    }
    told_.on_established();
  }
  return true;
}

bool node_link::write(const char* from, std::size_t size, std::size_t& moved) {
  moved = 0;
  if (peer_.side == link_side::dialled && !established_) {
    // CAF introduces itself at once, and again when it has heard who the other side is. That we judge first: whoever
    // has a link to that node already must not have it ended by another.
    moved = size;
    return !ended_;
  }
  while (!ended_ && moved < size && moved < written_at_once) {
    const auto part = std::min(size - moved, over_.stream->largest_write());
    const auto step = write_some(from + moved, part);
    switch (step.what) {
      case byte_stream_result::kind::done:
        guard_->send({from + moved, step.bytes});
        unanswered_ = guard_->unanswered();
        if (const auto answered = guard_->answered(); answered != answered_) {
          answered_ = answered;
          if (tells_of_answer_ && tells_of_answer_.exchange(false)) told_.on_answered();
        }
        moved += step.bytes;
        sent_ += step.bytes;
        continue;
      case byte_stream_result::kind::want_read:
      case byte_stream_result::kind::want_write:
        return true;
      case byte_stream_result::kind::closed:
        end("the peer closed the link", errc::connection_failed, manner::closed_there);
        return false;
      case byte_stream_result::kind::failed:
        cut(step.error->message, step.error->code);
        return false;
    }
  }
  return !ended_;
}

void node_link::waits_for_peer() noexcept {
  if (untaken_since_.load() == time_point::max()) untaken_since_ = clock_->now();
}

void node_link::peer_took(std::size_t left) noexcept { untaken_since_ = left == 0 ? time_point::max() : clock_->now(); }

byte_stream_result node_link::read_some(char* to, std::size_t room) {
  const std::lock_guard lock{stream_mutex_};
  return over_.stream->read(to, room);
}

byte_stream_result node_link::write_some(const char* from, std::size_t size) {
  const std::lock_guard lock{stream_mutex_};
  auto step = over_.stream->write(from, size);
  write_blocked_ =
      step.what == byte_stream_result::kind::want_write || step.what == byte_stream_result::kind::want_read;
  return step;
}

void node_link::finish() noexcept { close("it was closed here"); }

void node_link::cut(std::string_view why, errc code) noexcept { end(why, code, manner::cut); }

void node_link::close(std::string_view why) noexcept {
  const std::lock_guard lock{stream_mutex_};
  // Behind a part of a record no goodbye is understood.
  if (!ended_ && !write_blocked_) over_.stream->shut_down();
  end(why, errc::connection_failed, manner::closed_here);
}

void node_link::end(std::string_view why, errc code, manner how) noexcept {
  const std::lock_guard lock{mutex_};
  if (ended_) return;
  why_code_ = code;
  try {
    why_ = why;
  } catch (const std::bad_alloc&) {
    // It ends without a reason then.
  }
  closed_ = how != manner::cut;
  ended_ = true;
  over_.place = {};
  // CAF's multiplexer wakes up by it, whichever thread this is.
  ::shutdown(over_.socket.get(), SHUT_RDWR);
}

std::string node_link::why() const {
  const std::lock_guard lock{mutex_};
  return why_;
}

errc node_link::why_code() const {
  const std::lock_guard lock{mutex_};
  return why_code_;
}

void node_link::leave(link_standing standing, std::string why, time_point now) {
  const std::lock_guard lock{mutex_};
  if (standing <= standing_) return;
  why_it_leaves_ = std::move(why);
  leave_by_ = std::min(leave_by_, now + limits_.leaving);
  standing_ = standing;
}

bool node_link::has_unread() const noexcept { return is_ready(over_.socket.get(), POLLIN); }

void node_link::look_at_clock(time_point now) {
  if (standing_ != link_standing::stays) {
    std::string why;
    {
      const std::lock_guard lock{mutex_};
      if (now >= leave_by_ || (standing_ == link_standing::distrusted && unanswered_ == 0)) why = why_it_leaves_;
    }
    if (!why.empty()) return close(why);
  }
  if (!established_ && now - begun_ >= limits_.handshake && !has_unread())
    cut("the nodes' handshake took longer than " + config::format_span(limits_.handshake));
  else if (now - heard_.load() >= limits_.silence && !has_unread())
    cut("nothing came from the peer for " + config::format_span(limits_.silence));
  else if (const auto since = untaken_since_.load();
           since != time_point::max() && now - since >= limits_.silence && !is_ready(over_.socket.get(), POLLOUT))
    cut("the peer took nothing for " + config::format_span(limits_.silence));
}

std::string node_link::node() const {
  const std::lock_guard lock{mutex_};
  return node_;
}

node_peer node_link::peer() const {
  auto now = peer_;
  if (over_.permission) now.permission = *over_.permission;
  now.received = received_;
  now.sent = sent_;
  return now;
}

}  // namespace understudy::internal
