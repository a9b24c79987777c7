// A connection of one's own for a while: see lease.hpp.
#include "understudy/runtime/lease.hpp"

#include "understudy/runtime/client.hpp"
#include "understudy/runtime/completing.hpp"
#include "understudy/runtime/lease_state.hpp"

namespace understudy {
namespace {

failure_ptr no_lease(std::string server) {
  return make_failure(errc::invalid_lease, stage::queue,
                      "this lease has ended (returned, taken back, moved from, or the runtime stopped)",
                      std::move(server));
}

}  // namespace

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

outcome lease::perform(request_ptr what, const call_options& options) {
  auto target = state_ ? state_->target() : nullptr;
  if (!target) return no_lease(server());
  return state_->client->perform_on({target, state_->id, state_->server_name}, std::move(what), options);
}

void lease::start(request_ptr what, completion done, const call_options& options, executor where) {
  auto target = state_ ? state_->target() : nullptr;
  if (target)
    return state_->client->start_on({target, state_->id, state_->server_name}, std::move(what), std::move(done),
                                    options, std::move(where));
  complete(std::move(done), where, no_lease(server()), nullptr);
}

}  // namespace understudy
