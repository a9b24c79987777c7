// A manager with its real children on virtual time. Only the connections are made up: they keep to the contract of real
// ones, and the servers behind them do what the test says.
#pragma once
#include "made_up_connection.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/connection_manager/connection_manager_actor.hpp"

namespace understudy::test {

using namespace internal;

/// The manager and its world; three servers on levels 1, 2 and 3 unless `levels` says otherwise.
struct whole : virtual_runtime {
  explicit whole(const std::vector<int>& levels = {1, 2, 3}, std::uint64_t seed = 1);
  ~whole();

  /// Starts the manager; begin() also gives it a second to connect.
  void launch();
  void begin();
  call call_of(any_operation op, duration patience) const;
  answer<result_ptr> search(duration patience = seconds{3});
  runtime_snapshot status() { return *ask<runtime_snapshot>(manager, status_atom_v).value; }

  // Faults; each runs what follows from it.
  void take_down(server_id id);
  void pause(server_id id);
  void bring_up(server_id id);
  /// All connections to it end in one moment, no more.
  void cut(server_id id);

  settings all;
  std::string in_file = "right";
  std::shared_ptr<directory_world> world = std::make_shared<directory_world>();
  connection_manager_actor manager;
};

}  // namespace understudy::test
