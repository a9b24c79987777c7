// Compares a snapshot with the limits that a service set.
#include "understudy/runtime/client/thresholds.hpp"

#include "understudy/config/endpoint.hpp"
#include "understudy/messages/time_units.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace understudy::internal {
namespace {

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

void check_connection_time(duration average, double limit, std::vector<missed_limit>& found) {
  const auto ms = in_milliseconds(average);
  if (ms > limit) {
    found.push_back(
        {{"New connections took " + number(ms) + " ms on average to become ready, more than " + number(limit) + " ms.",
          ms, limit},
         "the time of connects"});
  }
}

void check_success_rate(const operation_window& requests, double limit, std::vector<missed_limit>& found) {
  const auto rate = success_rate(requests);
  if (rate < limit) {
    found.push_back({{"The directory failed " + std::to_string(requests.failed_by_directory) + " of the " +
                          std::to_string(requests.total) + " requests of the last five minutes: a success rate of " +
                          number(rate) + " %, less than " + number(limit) + " %.",
                      rate, limit},
                     "successful requests"});
  }
}

void check_pool(const server_snapshot& server, double limit, std::vector<missed_limit>& found) {
  const auto used = utilization(server.pool);
  if (used > limit) {
    found.push_back({{"The pool of " + server_name(server) + " has " + number(used) +
                          " % of its connections in use, more than " + number(limit) + " %.",
                      used, limit},
                     "the pool of " + server_name(server)});
  }
}

}  // namespace

performance_thresholds thresholds_of(const monitoring_settings& settings) {
  return {static_cast<double>(settings.max_connection_time), settings.min_success_rate, settings.max_pool_utilization};
}

double success_rate(const operation_window& requests) noexcept {
  if (requests.total == 0) return 100.0;
  const auto failed = std::min(requests.failed_by_directory, requests.total);
  return 100.0 * static_cast<double>(requests.total - failed) / static_cast<double>(requests.total);
}

double utilization(const pool_snapshot& pool) noexcept {
  return pool.max_connections == 0 ? 0.0 : 100.0 * pool.now.in_use / pool.max_connections;
}

std::vector<missed_limit> check_thresholds(const runtime_snapshot& now, duration average_connect,
                                           const performance_thresholds& limits) {
  std::vector<missed_limit> found;
  check_connection_time(average_connect, limits.max_connection_time, found);
  check_success_rate(now.operations.last_five_minutes, limits.min_success_rate, found);
  for (const auto& server : now.servers) check_pool(server, limits.max_pool_utilization, found);
  return found;
}

}  // namespace understudy::internal
