// Reading requests, sending answers as scripted.
#include "support/stub_connection.hpp"

#include "support/ber.hpp"
#include "support/tcp_listener.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace understudy::test {
namespace {

constexpr std::size_t largest_message = 64u << 20;
constexpr const char* no_tls = "HTTP/1.0 400 Bad Request\r\n\r\n";
constexpr std::chrono::nanoseconds a_second = std::chrono::seconds{1};

}  // namespace

stub_connection::stub_connection(event_loop& loop, host& directory, int fd, std::uint64_t number)
    : loop_(loop), host_(directory), fd_(fd), number_(number) {}

stub_connection::~stub_connection() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  ::close(fd_);
}

void stub_connection::start(std::shared_ptr<ssl_ctx_st> tls, handshake how) {
  if (tls) {
    tls_pending_ = std::move(tls);
    handshake_ = how;
    begin_tls();
  }
  wake();
}

void stub_connection::secure_after_answer(std::shared_ptr<ssl_ctx_st> tls, handshake how) {
  tls_pending_ = std::move(tls);
  handshake_ = how;
}

void stub_connection::begin_tls() {
  const auto context = std::exchange(tls_pending_, nullptr);
  if (handshake_ == handshake::complete)
    tls_ = std::make_unique<tls_session>(context);
  else
    swallowing_ = true;
}

bool stub_connection::hung_up() const {
  pollfd one{fd_, POLLRDHUP, 0};
  return fd_ < 0 || (::poll(&one, 1, 0) > 0 && (one.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
}

void stub_connection::sleep() {
  asleep_ = true;
  if (fd_ >= 0) loop_.forget(fd_);
}

void stub_connection::go_dark() {
  if (fd_ < 0) return;
  lose_packets_to(fd_);
  dark_ = true;
}

void stub_connection::wake() {
  if (fd_ < 0) return;
  asleep_ = false;
  loop_.watch(fd_, EPOLLIN, [weak = weak_from_this()](std::uint32_t events) {
    if (const auto self = weak.lock()) self->on_events(events);
  });
  flush();
}

void stub_connection::on_events(std::uint32_t events) {
  in_turn_ = true;
  const bool open = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || read_all();
  in_turn_ = false;
  if (open)
    flush();
  else
    finish();
}

/// False at the end of the connection.
bool stub_connection::read_all() {
  std::array<char, 65536> buffer;
  while (fd_ >= 0 && !asleep_) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    take({buffer.data(), static_cast<std::size_t>(got)});
    if (static_cast<std::size_t>(got) < buffer.size()) return true;
  }
  return true;
}

void stub_connection::take(std::string_view wire) {
  if (over()) return;
  if (swallowing_) {
    if (handshake_ == handshake::garbage) queue_wire(no_tls, 0);
    return;
  }
  if (tls_) {
    const bool open = tls_->receive(wire, in_);
    queue_wire(tls_->take_output(), 0);
    if (!open) ending_ = ending::close;
  } else {
    host_.saw_plain(wire);
    in_ += wire;
  }
  handle_messages();
}

void stub_connection::handle_messages() {
  std::size_t begin = 0;
  try {
    while (!over()) {
      const std::string_view rest = std::string_view(in_).substr(begin);
      if (!rest.empty() && rest[0] != ber_tag::sequence) throw std::runtime_error("LDAP: no message");
      const auto size = ber_size(rest);
      if (size && *size > largest_message) throw std::runtime_error("LDAP: absurd size");
      if (!size || rest.size() < *size) break;
      auto request = decode_request(rest.substr(0, *size));
      begin += *size;
      handle(std::move(request));
    }
  } catch (const std::runtime_error&) {
    host_.broke_protocol();
    end(ending::close);
  }
  in_.erase(0, begin);
}

void stub_connection::handle(directory_request request) {
  request.connection = number_;
  request.encrypted = encrypted();
  request.identity = identity;
  reply answer = host_.decide(request);
  if (request.kind == operation::unbind) return end(ending::close);
  if (request.kind != operation::abandon) return deliver(request.kind, request.id, std::move(answer));
  const auto late = for_abandon_.extract(request.abandoned);
  if (!late.empty()) deliver(late.mapped().first, late.key(), std::move(late.mapped().second));
}

void stub_connection::deliver(operation kind, std::int32_t id, reply r) {
  if (fd_ < 0) return;
  if (r.how.after_abandon) {
    r.how.after_abandon = false;
    for_abandon_[id] = {kind, std::move(r)};
    return;
  }
  if (r.how.delay.count() > 0) {
    const auto delay = std::exchange(r.how.delay, std::chrono::milliseconds{0});
    loop_.after(delay, [weak = weak_from_this(), kind, id, later = std::move(r)] {
      if (const auto self = weak.lock()) self->deliver(kind, id, later);
    });
    return;
  }
  const ending then = r.how.then;
  if (!r.how.silent) put_messages(kind, id, std::move(r));
  if (then != ending::none) return end(then);
  if (!in_turn_) flush();
}

void stub_connection::put_messages(operation kind, std::int32_t id, reply r) {
  answered_ = true;
  auto messages = encode_answer(kind, r.how.id.value_or(id), r.what);
  if (r.how.entries) messages.resize(std::min(*r.how.entries, messages.size() - 1));
  std::string bytes;
  for (const auto& message : messages) bytes += message;
  if (r.how.raw) bytes = *r.how.raw;
  if (r.how.hold) {
    held_ += bytes;
    return;
  }
  bytes.insert(0, std::exchange(held_, {}));
  if (r.how.half) bytes.resize(bytes.size() / 2);
  queue(bytes, r.how.slice);
  if (r.how.half) dumb_ = true;
  if (kind == operation::start_tls && r.what.code == 0 && tls_pending_) begin_tls();
}

void stub_connection::send_now(const std::string& bytes) {
  queue(bytes, 0);
  flush();
}

void stub_connection::queue(std::string_view plain, std::size_t slice) {
  if (!tls_) return queue_wire(std::string{plain}, slice);
  if (!tls_->established()) return;
  tls_->send(plain);
  queue_wire(tls_->take_output(), slice);
}

void stub_connection::queue_wire(std::string wire, std::size_t slice) {
  if (dumb_ || wire.empty()) return;
  if (slice == 0) {
    if (out_.empty() || out_.back().pause)
      out_.push_back({std::move(wire)});
    else
      out_.back().bytes += wire;
    return;
  }
  if (!out_.empty()) out_.back().pause = true;
  for (std::size_t begin = 0; begin < wire.size(); begin += slice) out_.push_back({wire.substr(begin, slice), true});
}

void stub_connection::flush() {
  while (fd_ >= 0 && !asleep_ && !pausing_ && !out_.empty()) {
    chunk& next = out_.front();
    const std::size_t left = next.bytes.size() - next.sent;
    const ssize_t sent = ::send(fd_, next.bytes.data() + next.sent, pace_ > 0 ? 1 : left, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (sent < 0) return finish();
    next.sent += static_cast<std::size_t>(sent);
    const bool whole = next.sent == next.bytes.size();
    pausing_ = pace_ > 0 || (whole && next.pause && out_.size() > 1);
    if (whole) out_.pop_front();
    if (pausing_) go_on_after(pace_ > 0 ? a_second / static_cast<std::int64_t>(pace_) : std::chrono::nanoseconds{});
  }
  watch();
}

void stub_connection::go_on_after(std::chrono::nanoseconds pause) {
  loop_.after(pause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->pausing_ = false;
      self->flush();
    }
  });
}

void stub_connection::set_pace(std::size_t bytes_a_second) {
  pace_ = bytes_a_second;
  if (pace_ > 0) return;
  pausing_ = false;
  flush();
}

/// What was to be sent is out, or waits for the descriptor.
void stub_connection::watch() {
  if (fd_ < 0 || asleep_) return;
  if (out_.empty() && ending_ == ending::reset) return finish();
  if (out_.empty() && ending_ == ending::close && !shut_) {
    ::shutdown(fd_, SHUT_WR);
    shut_ = true;
  }
  loop_.change(fd_, EPOLLIN | (out_.empty() || pausing_ ? 0u : static_cast<std::uint32_t>(EPOLLOUT)));
}

void stub_connection::end(ending how) {
  ending_ = how;
  if (!in_turn_) flush();
}

void stub_connection::finish() {
  if (fd_ < 0) return;
  loop_.forget(fd_);
  if (ending_ == ending::reset)
    close_with_reset(fd_);
  else
    ::close(fd_);
  fd_ = -1;
  host_.ended(number_);
}

}  // namespace understudy::test
