// CAF's own network layer, without Understudy: what a request through a node is measured beside.
#pragma once
#include "arguments.hpp"
#include "measure.hpp"

namespace understudy::benchmark {

/// Sends what a search through a node takes to the actor at port `echo`, `window` at a time, which sends it back.
int run_echo_caller(meter& m, const arguments& given);

}  // namespace understudy::benchmark
