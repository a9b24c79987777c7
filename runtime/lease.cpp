// A connection of one's own for a while: see lease.hpp.
#include "understudy/runtime/lease.hpp"

#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/lease_handle.hpp"

namespace understudy {

using namespace internal;

caf::strong_actor_ptr lease::state::target() {
  if (client->forked()) return nullptr;
  std::lock_guard guard{mutex};
  return connection;
}

lease::lease() noexcept = default;
lease::lease(std::shared_ptr<state> s) noexcept : state_(std::move(s)) {}
lease::lease(lease&&) noexcept = default;
lease& lease::operator=(lease&& other) noexcept {
  if (this != &other) {
    lease ended{std::move(state_)};
    state_ = std::move(other.state_);
  }
  return *this;
}

lease::~lease() {
  if (state_) state_->client->let_go(*state_);
}

lease::operator bool() const noexcept { return state_ != nullptr && state_->target() != nullptr; }

const std::string& lease::server() const {
  static const std::string none;
  return state_ ? state_->server_name : none;
}

std::uint64_t lease::id() const noexcept { return state_ ? state_->id : 0; }

bool lease::release() {
  if (!state_) return false;
  auto client = state_->client;
  auto given = client->give_back(*this);
  return given && *given.value;
}

outcome lease::perform(request_ptr request, const call_options& options) {
  return lease_handle{*this}.perform(std::move(request), options);
}

void lease::start(request_ptr request, completion done, const call_options& options, executor where) {
  lease_handle{*this}.start(std::move(request), std::move(done), options, std::move(where));
}

search_stream lease::stream(search_request request, const stream_options& options) {
  return search_stream{lease_handle{*this}, std::move(request), options};
}

paged_search lease::paged(search_request request, const paged_options& options) {
  return paged_search{lease_handle{*this}, std::move(request), options, options.timeout};
}

}  // namespace understudy
