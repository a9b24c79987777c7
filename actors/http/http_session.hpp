// One connection of HTTP, from the server's side: a state machine on injected time, without I/O.
#pragma once
#include "understudy/actors/http/actions.hpp"
#include "understudy/actors/http/http_parser.hpp"

namespace understudy::internal {

/// Requests are answered one after the other. Every wait has an end: for a request to be complete, for the next one,
/// and for the client to take its answer.
class http_session {
 public:
  /// From a request's first byte to its last; between two requests; for an answer to be taken as a whole; between two
  /// looks for events, and between two signs of life of a stream.
  static constexpr seconds request_patience{10}, idle_patience{75}, write_patience{30};
  static constexpr milliseconds events_every{500};
  static constexpr seconds sign_of_life_every{15};
  /// Of events that a client has not taken: with more it is sent away.
  static constexpr std::size_t most_unsent_events = 256 * 1024;

  http_session(http_rules_ptr rules, time_point now);

  /// True while bytes may be given to it.
  bool reads() const noexcept { return state_ == phase::reads; }
  /// While it reads. Returns how many of the bytes it is done with; the rest are to be given again, with what has come
  /// behind them.
  std::size_t on_received(std::string_view bytes, time_point now);
  /// The answer to fetch or obey; others than the one waited for are ignored.
  void answer(std::uint64_t number, const http_response& response, time_point now);
  /// What has happened, each as the stream has it, and the number of the latest.
  void events(std::string_view text, std::uint64_t latest, time_point now);
  /// After each write: how much the client has not taken.
  void on_written(std::size_t unsent);
  void tick(time_point now);
  /// When tick() is due; time_point::max(): never.
  time_point next_event() const noexcept;

  /// True while the client waits for an answer, or takes one.
  bool is_busy() const noexcept { return state_ != phase::reads || write_until_ != time_point::max(); }
  bool is_stream() const noexcept { return state_ == phase::streams; }
  bool has_actions() const noexcept { return !actions_.empty(); }
  std::vector<http_action::any> take_actions() { return std::exchange(actions_, {}); }

 private:
  enum class phase : std::uint8_t { reads, answers, streams, closes };

  void take_request(const http_request& request, time_point now);
  void respond(const http_response& response, bool keep_alive, time_point now);
  void send(std::string bytes, time_point now);
  void refuse(const http_response& response, time_point now);
  void close(std::string why, bool linger = false);

  const http_rules_ptr rules_;
  http_parser parser_;
  std::vector<http_action::any> actions_;
  phase state_ = phase::reads;
  std::uint64_t number_ = 0;  ///< of what is waited for
  bool keep_alive_ = true, with_body_ = true;
  bool begun_ = false;  ///< a request has
  time_point read_until_;
  time_point write_until_ = time_point::max();
  time_point look_at_ = time_point::max(), sign_of_life_at_ = time_point::max();
  std::uint64_t seen_ = 0;  ///< number of the last event that was sent
  bool details_ = false;    ///< of events are sent
};

}  // namespace understudy::internal
