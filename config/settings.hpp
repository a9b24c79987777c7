// Every setting of the runtime as plain structs with their defaults; how they are written in files is in options.hpp.
#pragma once
#include "understudy/config/connection_info.hpp"

#include <memory>

namespace understudy {

/// How important a line of the log is; a level includes those before it.
enum class log_level : std::uint8_t { error, warning, info, debug };
/// How the log is written: lines for people, or one JSON object a line.
enum class log_format : std::uint8_t { text, json };

/// The section `[pool]`; meaning, unit and range of each key are in docs/configuration.md.
struct pool_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  int min_connections = 5;
  int max_connections = 50;
  duration timeout = seconds{60};
  duration max_idle_time = seconds{300};
  duration health_check_interval = seconds{60};
  bool enable_metrics = true;
  bool preload_connections = false;
  bool enable_compression = false;
  ///@}
  duration max_lifetime = seconds{3600};  ///< 0: unlimited
  int max_in_flight = 32;                 ///< shared operations on one connection
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  int max_waiters = 1000;
  int max_connecting = 4;
  ///@}
  duration leak_threshold = seconds{60};  ///< 0: never report
  int bind_connections = 4;               ///< at most, for users' binds
  bool use_pool = true;  ///< false: requests share one connection, opened on demand; a lease beside it gets a new one
};

/// The section `[failover]`; meaning, unit and range of each key are in docs/configuration.md.
struct failover_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  duration failover_timeout = seconds{5};
  bool auto_failback = true;
  duration health_check_interval = seconds{10};
  duration hold_down = seconds{10};
  duration ramp = seconds{10};
  bool spill = false;
  ///@}
};

/// The section `[breaker]`; meaning, unit and range of each key are in docs/configuration.md.
struct breaker_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  int circuit_breaker_threshold = 5;
  int failure_rate = 50;  ///< percent of at least 20 calls in `window`
  duration window = seconds{10};
  duration slow_call = seconds{5};
  duration suspect_after = seconds{1};
  duration open_base = seconds{1};
  duration open_cap = seconds{60};
  ///@}
};

/// The section `[recovery]`; meaning, unit and range of each key are in docs/configuration.md.
struct recovery_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  bool auto_reconnect = true;
  int reconnect_attempts = 5;
  duration reconnect_delay = seconds{2};
  bool auto_recovery = true;
  int recovery_attempts = 3;
  duration recovery_delay = seconds{5};
  duration credential_retry = seconds{900};
  ///@}
};

/// The section `[limits]`; meaning, unit and range of each key are in docs/configuration.md.
struct limit_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  duration operation_timeout = seconds{30};
  duration drain_timeout = seconds{10};
  int max_requests = 10000;
  std::int64_t max_result_bytes = 64 * 1024 * 1024;
  std::int64_t max_pdu_bytes = 16 * 1024 * 1024;
  ///@}
};

/// The section `[monitoring]`; meaning, unit and range of each key are in docs/configuration.md.
struct monitoring_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  bool enable_monitoring = true;
  int max_connection_time = 100;     ///< milliseconds
  double min_success_rate = 95;      ///< percent
  double max_pool_utilization = 80;  ///< percent
  ///@}
};

/// The section `[log]`; meaning, unit and range of each key are in docs/configuration.md.
struct log_settings {
  ///@{
  /// Meaning, unit and range: docs/configuration.md, the key of that name.
  log_level level = log_level::info;
  log_format format = log_format::text;
  std::string file;  ///< empty: standard error
  ///@}
};

/// The whole configuration. Each server is complete: defaults from [ldap] are already in it.
struct settings {
  std::vector<connection_info> servers;  ///< in order of preference where priorities are equal
  pool_settings pool;                    ///< [pool]
  failover_settings failover;            ///< [failover]
  breaker_settings breaker;              ///< [breaker]
  recovery_settings recovery;            ///< [recovery]
  limit_settings limits;                 ///< [limits]
  monitoring_settings monitoring;        ///< [monitoring]
  log_settings log;                      ///< [log]
  /// True when the servers' own pool_size, max_pool_size and pool_timeout count rather than [pool]'s; see pool_for() in
  /// settings_from.hpp.
  bool server_pools = false;
};
/// How settings are handed on.
using settings_ptr = std::shared_ptr<const settings>;

}  // namespace understudy
