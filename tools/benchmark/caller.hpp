// A service's own actor that keeps searches in flight.
#pragma once
#include "understudy/messages/request.hpp"

#include "arguments.hpp"
#include "measure.hpp"

#include <future>

namespace understudy::benchmark {

using namespace internal;

/// The search that every client of the benchmark does.
search_request search_for(std::uint64_t turn);

/// What is left without an answer for so long is lost.
inline constexpr std::chrono::seconds answer_patience{30};

/// Measures for the seconds that `given` says, waits until those who ask have `ended`, and prints. Returns the process'
/// exit code; throws when they do not end.
int run_until_ended(meter& m, const arguments& given, std::promise<void>& ended);

/// Runs `window` searches at once from one actor, for the seconds that `given` says, and prints what was measured.
/// `relayed` (0): as bytes, as another client's are relayed.
/// `on_poller` (1): on the poller's thread; 0: on a worker of CAF's scheduler.
/// Returns the process' exit code.
int run_caller(meter& m, const arguments& given);

}  // namespace understudy::benchmark
