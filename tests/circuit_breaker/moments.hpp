// Shorthand of the breaker's tests: moments, reports, probes.
#pragma once
#include "support/print.hpp"
#include "understudy/actors/circuit_breaker/breaker.hpp"
#include "understudy/messages/result.hpp"

namespace understudy::test {

using namespace internal;

/// `ms` milliseconds after the start of the test's time.
inline moment at(std::int64_t ms) {
  return {time_point{std::chrono::hours{1} + milliseconds{ms}},
          wall_time{std::chrono::hours{24 * 365 * 50} + milliseconds{ms}}};
}

inline failure_ptr refused(const std::string& text = "connection refused") {
  failure f;
  f.code = errc::connection_failed;
  f.where = stage::connect;
  f.message = text;
  return std::make_shared<const failure>(std::move(f));
}

inline outcome_report failed(std::uint32_t generation, failure_class kind = failure_class::transport,
                             server_id server = 0) {
  outcome_report r;
  r.server = server;
  r.generation = generation;
  r.failed = kind;
  r.cause = refused();
  return r;
}

inline outcome_report succeeded(std::uint32_t generation, std::uint32_t count = 1, server_id server = 0) {
  outcome_report r;
  r.server = server;
  r.generation = generation;
  r.successes = count;
  r.latency_total = milliseconds{count};
  return r;
}

/// Of a pool: a connection is ready, its bind was answered.
inline outcome_report ready(server_id server = 0) {
  outcome_report r;
  r.server = server;
  r.ready = true;
  return r;
}

inline outcome_report trial(outcome_report r) {
  r.trial = true;
  return r;
}

inline probe_report probed(bool ok, server_id server = 0) {
  probe_report r;
  r.server = server;
  r.ok = ok;
  r.error = ok ? nullptr : refused("probe refused");
  return r;
}

/// Always the middle: no jitter.
inline random_source no_jitter() {
  return [] { return 0.5; };
}

}  // namespace understudy::test
