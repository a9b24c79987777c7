// A streaming search as its reader sees it: see search_stream.hpp.
#include "understudy/runtime/search_stream.hpp"

#include "understudy/runtime/client/lease_handle.hpp"
#include "understudy/runtime/client/stream_buffer.hpp"
#include "understudy/runtime/exceptions.hpp"

namespace understudy {

using namespace internal;
namespace {

failure_ptr problem_of(const stream_options& options) {
  if (options.window >= 1 && options.window <= stream_buffer::largest_window) return nullptr;
  return make_failure(errc::invalid_request, stage::queue,
                      "stream_options::window is " + std::to_string(options.window) + "; it must be between 1 and " +
                          std::to_string(stream_buffer::largest_window));
}

}  // namespace

/// What the reader holds. The operation holds the buffer, and returns an own lease as soon as its outcome is there.
struct [[gnu::visibility("hidden")]] search_stream::state {
  state(lease_handle lent, std::uint32_t window, std::int64_t most_reference_bytes)
      : on(std::move(lent)),
        most_references(static_cast<std::size_t>(most_reference_bytes)),
        buffer(new_buffer(window)) {}

  std::mutex guard;  ///< of `on` and `buffer`, which are others when it was begun elsewhere, for who cancels
  lease_handle on;
  const std::size_t most_references;
  std::shared_ptr<stream_buffer> buffer;
  cancel_source given_up;
  bool cancelled = false;
  time_point give_up = time_point::max();  ///< the deadline
  request_ptr request;
  another_lease elsewhere;  ///< while nothing was read, if it takes its own leases

  std::shared_ptr<stream_buffer> new_buffer(std::uint32_t window) const {
    return std::make_shared<stream_buffer>(window, most_references);
  }
  void begin(duration timeout) {
    call_options how;
    how.timeout = timeout;
    how.cancel = &given_up;
    auto done = [buffer = buffer, on = on](outcome o) {
      buffer->end(std::move(o));
      on.give_back();
    };
    on.stream(request, std::move(done), how, buffer);
  }
  /// It failed before anything was read of it: another connection, perhaps another server's, begins anew.
  bool begin_elsewhere() {
    const auto why = buffer->error();
    if (!elsewhere || !why) return false;
    auto next = elsewhere(on, *why);
    if (!next) return false;
    std::lock_guard locked{guard};
    on = std::move(next->on);
    if (cancelled) {
      on.give_back();
      return false;
    }
    buffer = new_buffer(buffer->window());
    begin(next->rest);
    return true;
  }

  void cancel() {
    // A forked child has none of the threads that would do it, and the search is its parent's.
    if (const auto client = on.client(); client && client->forked()) return;
    std::lock_guard locked{guard};
    cancelled = true;
    buffer->abort(make_failure(caller_cancelled(stage::operation)));
    given_up.cancel();
    on.give_back();
  }
  std::optional<entry> take() {
    do {
      if (auto next = take_here()) {
        elsewhere = nullptr;
        return next;
      }
    } while (begin_elsewhere());
    return std::nullopt;
  }
  std::optional<entry> take_here() {
    if (auto at_hand = buffer->take(duration::zero())) return at_hand;
    if (buffer->finished()) return std::nullopt;
    // A stream without a client was born finished.
    const auto client = on.client();
    if (auto why = client->cannot_wait()) {
      buffer->abort(std::move(why));
      cancel();
      return std::nullopt;
    }
    auto next = wait_out(give_up - client->env_->clock->now(), [this](duration most) { return buffer->take(most); });
    if (!next && !buffer->finished()) buffer->abort(runtime_client::lost_answer());
    return next;
  }
};

search_stream::search_stream(failure_ptr why) : state_(std::make_shared<state>(lease_handle{lease{}}, 1, 0)) {
  state_->buffer->end(std::move(why));
}

[[gnu::visibility("hidden")]] search_stream::search_stream(const lease_handle& on, search_request request,
                                                           const stream_options& options) {
  const auto client = on.client();
  state_ = std::make_shared<state>(on, options.window, client ? client->live_.max_result_bytes.load() : 0);
  if (auto why = problem_of(options)) {
    state_->buffer->end(std::move(why));
    on.give_back();
    return;
  }
  if (client) state_->give_up = client->deadline_of(options.timeout);
  state_->request = make_request(std::move(request), options.controls);
  state_->begin(options.timeout);
}

search_stream::search_stream(search_stream&&) noexcept = default;
search_stream& search_stream::operator=(search_stream&& other) noexcept {
  if (this != &other) {
    search_stream ended{std::move(*this)};
    state_ = std::move(other.state_);
  }
  return *this;
}

search_stream::~search_stream() {
  if (state_) state_->cancel();
}

std::optional<entry> search_stream::try_next() { return state_ ? state_->take() : std::nullopt; }

std::optional<entry> search_stream::next() {
  auto got = try_next();
  if (got) return got;
  if (auto why = error()) throw_failure(std::move(why));
  return std::nullopt;
}

failure_ptr search_stream::error() const {
  if (state_) return state_->buffer->error();
  return make_failure(errc::invalid_request, stage::queue, "this stream was moved from");
}

const result& search_stream::summary() const {
  if (auto why = error()) throw_failure(std::move(why));
  if (!state_->buffer->finished())
    throw_failure(make_failure(errc::invalid_request, stage::operation,
                               "the summary of a search comes after its last entry: call next() until it says so"));
  return state_->buffer->summary();
}

void search_stream::cancel() {
  if (state_) state_->cancel();
}

[[gnu::visibility("hidden")]] search_stream search_stream::on_own_lease(runtime_client& client, search_request request,
                                                                        const stream_options& options) {
  if (auto why = problem_of(options)) return search_stream{std::move(why)};
  const auto deadline = client.deadline_of(options.timeout);
  auto got = client.acquire_until(deadline);
  if (!got) return search_stream{std::move(got.error)};
  auto rest = options;
  rest.timeout = client.left_until(deadline);
  search_stream made{lease_handle{std::move(*got.value)}, std::move(request), rest};
  made.state_->elsewhere = lease_handle::others(made.state_->on.client(), deadline);
  return made;
}

}  // namespace understudy
