// Requests in, answers out, and when to give up: see http_session.hpp.
#include "understudy/actors/http/http_session.hpp"

#include <algorithm>

namespace understudy::internal {

http_session::http_session(http_rules_ptr rules, time_point now)
    : rules_(std::move(rules)), read_until_(now + request_patience) {}

std::size_t http_session::on_received(std::string_view bytes, time_point now) {
  if (!reads() || bytes.empty()) return 0;
  if (!std::exchange(begun_, true)) read_until_ = now + request_patience;
  const auto used = parser_.feed(bytes);
  if (const auto& refusal = parser_.refusal()) {
    refuse(*refusal, now);
  } else if (const auto request = parser_.take()) {
    begun_ = false;
    read_until_ = time_point::max();
    take_request(*request, now);
  }
  return used;
}

void http_session::take_request(const http_request& request, time_point now) {
  keep_alive_ = request.keep_alive;
  with_body_ = request.method != "HEAD";
  auto wish = wish_of(request, *rules_);
  if (const auto* refusal = std::get_if<http_response>(&wish)) return respond(*refusal, keep_alive_, now);
  if (const auto* refused = std::get_if<refused_order>(&wish)) {
    actions_.emplace_back(http_action::note_refusal{refused->what, refused->response.status});
    return respond(refused->response, keep_alive_, now);
  }
  ++number_;
  if (auto* page = std::get_if<page_wish>(&wish)) {
    state_ = phase::answers;
    actions_.emplace_back(http_action::fetch{number_, std::move(*page)});
  } else if (auto* order = std::get_if<http_order>(&wish)) {
    state_ = phase::answers;
    actions_.emplace_back(http_action::obey{number_, std::move(*order)});
  } else {
    state_ = phase::streams;
    seen_ = std::get<events_wish>(wish).after;
    details_ = std::get<events_wish>(wish).details;
    look_at_ = now;
    sign_of_life_at_ = now + sign_of_life_every;
    send(event_stream_head(), now);
  }
}

void http_session::answer(std::uint64_t number, const http_response& response, time_point now) {
  if (state_ == phase::answers && number == number_) respond(response, keep_alive_, now);
}

void http_session::respond(const http_response& response, bool keep_alive, time_point now) {
  send(to_bytes(response, keep_alive, with_body_), now);
  if (!keep_alive) return close("it was answered");
  state_ = phase::reads;
  read_until_ = now + idle_patience;
}

void http_session::events(std::string_view text, std::uint64_t latest, time_point now) {
  if (state_ != phase::streams) return;
  // After a restart of the process numbers begin anew.
  seen_ = latest;
  if (!text.empty()) send(std::string{text}, now);
}

void http_session::send(std::string bytes, time_point now) {
  if (write_until_ == time_point::max()) write_until_ = now + write_patience;
  actions_.emplace_back(http_action::send{std::move(bytes)});
}

void http_session::on_written(std::size_t unsent) {
  if (unsent == 0)
    write_until_ = time_point::max();
  else if (state_ == phase::streams && unsent > most_unsent_events)
    close("it does not take its events");
}

void http_session::tick(time_point now) {
  if (state_ == phase::closes) return;
  if (now >= write_until_) return close("it does not take its answers");
  if (state_ == phase::reads && now >= read_until_) {
    if (begun_) return refuse(plain_response(408, "the request took too long"), now);
    return close("it asked nothing");
  }
  if (state_ != phase::streams) return;
  if (now >= sign_of_life_at_) {
    sign_of_life_at_ = now + sign_of_life_every;
    send(": here\n\n", now);
  }
  if (now < look_at_) return;
  look_at_ = now + events_every;
  actions_.emplace_back(http_action::look_for_events{seen_, details_});
}

time_point http_session::next_event() const noexcept {
  if (state_ == phase::closes) return time_point::max();
  auto next = write_until_;
  if (state_ == phase::reads) next = std::min(next, read_until_);
  if (state_ == phase::streams) next = std::min({next, look_at_, sign_of_life_at_});
  return next;
}

/// Of a client that cannot be understood any more.
void http_session::refuse(const http_response& response, time_point now) {
  send(to_bytes(response, false), now);
  close("it was refused", true);
}

void http_session::close(std::string why, bool linger) {
  if (std::exchange(state_, phase::closes) != phase::closes)
    actions_.emplace_back(http_action::close{std::move(why), linger});
}

}  // namespace understudy::internal
