// Sending and noting.
#include "matrix/request_log.hpp"

#include "scenarios/scenario.hpp"

namespace understudy::matrix {

using namespace internal;
namespace {

using namespace std::chrono_literals;

constexpr milliseconds between_requests{25};
constexpr duration impatient = 700ms;
constexpr duration grace = 2s;  // for an outcome that should have been there

struct drawn {
  request_kind kind;
  request_ptr what;
};

/// Of twenty: 14 searches, a who-am-i, a compare, two writes, two users' binds.
drawn request_number(std::size_t number) {
  const auto user = static_cast<int>(number % 10);
  switch (number % 20) {
    case 14:
      return {request_kind::read, make_request(whoami_request{})};
    case 15:
      return {request_kind::read, make_request(compare_request{test::user_dn(user), "cn", "x"})};
    case 8:
    case 16:
      return {request_kind::write, make_request(test::replace_description(test::user_dn(user), "x"))};
    case 6:
    case 18:
      return {request_kind::user_bind, make_request(bind_request{test::user_dn(user), secret{"the user's"}})};
    default:
      return {request_kind::read, make_request(test::search_for("(uid=user" + std::to_string(user) + ")"))};
  }
}

}  // namespace

void request_log::start() {
  thread_ = std::thread([this] {
    for (auto next = std::chrono::steady_clock::now(); !over_; next += between_requests) {
      std::this_thread::sleep_until(next);
      send();
    }
  });
}

void request_log::stop() {
  over_ = true;
  if (thread_.joinable()) thread_.join();
}

void request_log::outlast(time_point until) const {
  const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  test::eventually(
      [this, until] {
        const std::lock_guard lock(guard_);
        return !notes_.empty() && notes_.back().began >= until;
      },
      left + test::patience);
}

void request_log::send() {
  std::size_t number = 0;
  drawn drawn;
  call_options options;
  {
    const std::lock_guard lock(guard_);
    number = notes_.size();
    drawn = request_number(number);
    options.timeout = number % 20 == 3 ? impatient : patience_;
    request_note made;
    made.what = drawn.kind;
    made.began = std::chrono::steady_clock::now();
    made.deadline = made.began + options.timeout;
    notes_.push_back(made);
  }
  to_.start(
      drawn.what, [this, number](const outcome& answer) { note(number, answer); }, options);
}

void request_log::note(std::size_t number, const outcome& answer) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(guard_);
  notes_.at(number).end(now, answer ? answer->server : std::string{}, answer.error());
}

void request_log::settle() const {
  time_point latest = time_point::min();
  for (const auto& one : all()) latest = std::max(latest, one.deadline + grace);
  const auto left = std::chrono::duration_cast<milliseconds>(latest - std::chrono::steady_clock::now());
  test::eventually(
      [this] {
        const std::lock_guard lock(guard_);
        return std::all_of(notes_.begin(), notes_.end(), [](const request_note& note) { return note.outcomes > 0; });
      },
      left);
}

std::vector<request_note> request_log::all() const {
  const std::lock_guard lock(guard_);
  return {notes_.begin(), notes_.end()};
}

std::optional<time_point> request_log::first_served(const std::string& server, time_point since) const {
  const std::lock_guard lock(guard_);
  std::optional<time_point> first;
  for (const auto& one : notes_)
    if (one.what == request_kind::read && one.code == errc::none && one.outcomes > 0 && one.server == server &&
        one.began >= since && (!first || one.ended < *first))
      first = one.ended;
  return first;
}

std::size_t request_log::served(time_point since) const {
  const std::lock_guard lock(guard_);
  return static_cast<std::size_t>(std::count_if(notes_.begin(), notes_.end(), [since](const request_note& note) {
    return note.began >= since && note.outcomes > 0 && note.code == errc::none;
  }));
}

}  // namespace understudy::matrix
