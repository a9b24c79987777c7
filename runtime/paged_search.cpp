// A paged search as its reader sees it: see paged_search.hpp.
#include "understudy/runtime/paged_search.hpp"

#include "understudy/runtime/client/lease_handle.hpp"
#include "understudy/runtime/client/page_cursor.hpp"
#include "understudy/runtime/exceptions.hpp"

namespace understudy {

using namespace internal;
namespace {

// Nobody waits for the answer to it but the lease.
constexpr seconds abandon_timeout{5};

failure_ptr problem_of(const paged_options& options) {
  if (options.page_size >= 1) return nullptr;
  return make_failure(errc::invalid_request, stage::queue,
                      "paged_options::page_size is " + std::to_string(options.page_size) + "; it must be at least 1");
}

failure_ptr with_advice(const failure& why) {
  failure more = why;
  more.message +=
      " If it is paging that this server does not know, use stream(), or set paged_options::critical to "
      "false and take everything as one page.";
  return make_failure(std::move(more));
}

}  // namespace

struct [[gnu::visibility("hidden")]] paged_search::state {
  lease_handle on;
  search_request request;
  paged_options options;
  page_cursor cursor;
  duration next_timeout{};  ///< of the next page
  failure_ptr error{};
  result last{};
  another_lease elsewhere{};  ///< while nothing was read, if it takes its own leases

  /// Nothing was read yet: another connection, perhaps another server's, begins as well.
  outcome read_first_page(outcome got) {
    while (!got && elsewhere) {
      auto next = elsewhere(on, *got.error());
      if (!next) break;
      on.give_back();
      on = std::move(next->on);
      call_options how;
      how.timeout = next->rest;
      got = on.perform(make(cursor.next()), how);
    }
    elsewhere = nullptr;
    return got;
  }

  request_ptr make(control paging) const {
    auto controls = options.controls;
    controls.push_back(std::move(paging));
    return make_request(request, std::move(controls));
  }

  void finish(failure_ptr why) {
    error = std::move(why);
    cursor.end();
    on.give_back();
  }

  std::optional<std::vector<entry>> read(duration timeout) {
    if (cursor.finished()) return std::nullopt;
    call_options how;
    how.timeout = std::exchange(next_timeout, options.timeout);
    if (timeout != duration{}) how.timeout = timeout;
    auto got = read_first_page(on.perform(make(cursor.next()), how));
    if (!got) {
      const bool refused = got.error()->ldap_code == result_code::unavailable_critical_extension;
      finish(refused && options.critical ? with_advice(*got.error()) : got.error());
      return std::nullopt;
    }
    last = std::move(*got);
    auto entries = std::exchange(last.entries, {});
    if (auto why = cursor.note(last.controls, entries.empty() && last.references.empty())) {
      finish(std::move(why));
      return std::nullopt;
    }
    if (cursor.finished()) on.give_back();
    return entries;
  }

  /// Before the end: the server may forget it.
  void give_up() {
    const auto abandon_control = cursor.abandon_control();
    cursor.end();
    if (!abandon_control) return on.give_back();
    call_options how;
    how.timeout = abandon_timeout;
    on.start(make(*abandon_control), [lease = on](outcome) { lease.give_back(); }, how, {});
  }
};

paged_search::paged_search(failure_ptr why)
    : state_(std::make_unique<state>(state{lease_handle{lease{}}, {}, {}, page_cursor{1, false}})) {
  state_->finish(std::move(why));
}

[[gnu::visibility("hidden")]] paged_search::paged_search(lease_handle on, search_request request,
                                                         const paged_options& options, duration first)
    : state_(std::make_unique<state>(
          state{std::move(on), std::move(request), options, page_cursor{options.page_size, options.critical}, first})) {
  if (auto why = problem_of(options)) state_->finish(std::move(why));
}

paged_search::paged_search(paged_search&&) noexcept = default;
paged_search& paged_search::operator=(paged_search&& other) noexcept {
  if (this != &other) {
    paged_search ended{std::move(*this)};
    state_ = std::move(other.state_);
  }
  return *this;
}

paged_search::~paged_search() {
  if (state_) state_->give_up();
}

std::optional<std::vector<entry>> paged_search::try_next_page(duration timeout) {
  return state_ ? state_->read(timeout) : std::nullopt;
}

std::optional<std::vector<entry>> paged_search::next_page(duration timeout) {
  auto got = try_next_page(timeout);
  if (got) return got;
  if (auto why = error()) throw_failure(std::move(why));
  return std::nullopt;
}

failure_ptr paged_search::error() const {
  return state_ ? state_->error : make_failure(errc::invalid_request, stage::queue, "this paged search was moved from");
}

bool paged_search::ended() const noexcept { return !state_ || state_->cursor.finished(); }
const result& paged_search::last() const noexcept {
  static const result none;
  return state_ ? state_->last : none;
}
std::int32_t paged_search::estimate() const noexcept { return state_ ? state_->cursor.estimate() : 0; }

void paged_search::cancel() {
  if (ended()) return;
  state_->error = make_failure(caller_cancelled(stage::operation));
  state_->give_up();
}

[[gnu::visibility("hidden")]] paged_search paged_search::on_own_lease(runtime_client& client, search_request request,
                                                                      const paged_options& options) {
  if (auto why = problem_of(options)) return paged_search{std::move(why)};
  const auto deadline = client.deadline_of(options.timeout);
  auto got = client.acquire_until(deadline);
  if (!got) return paged_search{std::move(got.error)};
  paged_search made{lease_handle{std::move(*got.value)}, std::move(request), options, client.left_until(deadline)};
  made.state_->elsewhere = lease_handle::others(made.state_->on.client(), deadline);
  return made;
}

}  // namespace understudy
