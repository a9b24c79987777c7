// An operation as a client asks a node for it, and the outcome that its caller is told.
#pragma once
#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/actors/node/frame.hpp"

namespace understudy::internal {

/// What is asked, but for number, time and lease; or why `order` cannot be asked: what a connection would say.
struct remote_request {
  request_frame frame;
  failure_ptr error;
};
remote_request remote_request_of(const request& order);

/// The outcome of `order` that a node's answer is: the same that a connection here would have told. `most_bytes`: of
/// memory, as limits.max_result_bytes. `repeatable` false: of an answer that nobody can read nobody knows whether it
/// was carried out.
operation_outcome outcome_of(const request& order, answer_frame came, std::size_t most_bytes, bool repeatable);
/// Why that is not known.
failure_ptr unknown_after(const std::string& about, const failure& cause, const std::string& node);

/// A failure of what was asked of a node, whatever that says.
failure_ptr unexpected_answer(const std::string& node);

///@{
/// What is said of nodes in several places, in one sentence each; `failure::server` is not set.
failure link_of_lease_lost();
failure parts_do_not_cross();
///@}

}  // namespace understudy::internal
