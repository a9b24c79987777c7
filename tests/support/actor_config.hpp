// The settings of an actor system for a test.
#pragma once
#include "understudy/messages/type_ids.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/atom.hpp>

namespace understudy::test {

/// Knows our messages; CAF's scheduler has so many threads.
struct actor_config : caf::actor_system_config {
  explicit actor_config(int threads = 1, caf::atom_value policy = caf::atom("stealing")) {
    configure(*this);
    set("scheduler.policy", policy);
    set("scheduler.max-threads", threads);
  }
};

}  // namespace understudy::test
