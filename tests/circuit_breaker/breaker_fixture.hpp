// A breaker between pools and a monitor made for the test: they note what they are told.
#pragma once
#include "moments.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/circuit_breaker/circuit_breaker_actor.hpp"

namespace understudy::test {

using namespace internal;

/// A pool that answers at once, keeps its requests, or dies.
struct noting_pool {
  std::vector<call> calls;
  std::vector<lease_request> leases;
  std::vector<breaker_state> states;
  std::vector<cancel_token_ptr> cancels;
  bool keeps = false;  ///< answers nothing until let_go()
  std::vector<caf::typed_response_promise<result_ptr>> kept;
  pool_actor handle;
};

struct noting_monitor {
  std::vector<server_id> probes;
  std::vector<std::pair<server_id, breaker_state>> states;
  std::vector<bool> replaceable_when_asked;  ///< of each of `probes`, by what was told until then
  stand_ins told;
  health_monitor_actor handle;
};

struct breaker_fixture : virtual_runtime {
  /// One server on each of these levels.
  explicit breaker_fixture(std::vector<int> priorities = {1, 2});
  ~breaker_fixture();

  void tell_servers();
  call ask_for(any_operation op = search_request{}) const;
  answer<result_ptr> perform(call c) { return ask<result_ptr>(breaker, perform_atom_v, std::move(c)); }
  answer<result_ptr> perform() { return perform(ask_for()); }
  void fail(server_id server, int times = 5, failure_class kind = failure_class::transport);
  void report(const outcome_report& r) { tell(breaker, report_atom_v, r); }
  void probe(server_id server, bool ok) { tell(breaker, probe_atom_v, probed(ok, server)); }
  server_snapshot status(server_id server);

  settings all;
  std::vector<std::shared_ptr<noting_pool>> pools;
  std::shared_ptr<noting_monitor> monitor = std::make_shared<noting_monitor>();
  circuit_breaker_actor breaker;
};

/// One server, one level.
struct sole_server : breaker_fixture {
  sole_server() : breaker_fixture({1}) {}
};

}  // namespace understudy::test
