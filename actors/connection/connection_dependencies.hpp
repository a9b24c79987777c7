// What a connection knows and needs of the world, injected.
#pragma once
#include "understudy/actors/connection/retry_budget.hpp"
#include "understudy/actors/ports/connection_load.hpp"
#include "understudy/actors/ports/random.hpp"
#include "understudy/actors/ports/server_pace.hpp"
#include "understudy/actors/ports/unanswered_requests.hpp"
#include "understudy/config/settings.hpp"

#include <functional>

namespace understudy::internal {

/// What is referred to outlives it.
struct connection_dependencies {
  connection_id id = 0;
  connection_kind kind = connection_kind::pooled;
  bool has_breaker = true;  ///< a probe has none
  server_id server_number = 0;
  const std::string& server_name;
  const connection_info& server;
  const settings& all;
  std::shared_ptr<connection_load> load;
  std::shared_ptr<server_pace> pace;
  std::shared_ptr<unanswered_requests> unanswered;
  std::shared_ptr<retry_budget> retries;
  std::function<bool(const any_operation&)> may_repeat;  ///< also what may have been sent
  std::function<wall_time()> wall_now;                   ///< for people
  random_source random;
  /// Another address may be dialled beside those that say nothing; true: once. False: in place of one of them.
  std::function<bool()> may_dial_beside = [] { return true; };
};

}  // namespace understudy::internal
