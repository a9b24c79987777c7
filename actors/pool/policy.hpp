// What one server's pool was told to do: the settings it lives by, resolved for that server.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/call.hpp"

namespace understudy::internal {

/// The settings of one pool, with everything that depends on the server or on other settings already worked out.
struct pool_policy {
  server_id server = 0;
  std::string server_name;  ///< "host:port", for people
  std::uint32_t min = 5;    ///< pooled connections to keep
  std::uint32_t max = 50;   ///< sockets of every kind
  std::uint32_t max_pooled = 50;
  std::uint32_t max_bind = 4;
  std::uint32_t max_in_flight = 32;
  std::uint32_t max_waiters = 1000;
  std::uint32_t max_connecting = 4;
  std::uint32_t max_attempts = 3;          ///< redispatches of one request
  duration wait_timeout = seconds{60};     ///< the longest wait for a connection
  duration failover_timeout = seconds{5};  ///< the longest wait before another server is asked; 0: there is no other
  duration suspect_after = seconds{1};     ///< the same while nothing is ready here
  duration connect_timeout = seconds{30};  ///< of connecting as a whole
  duration setup_patience = seconds{1};    ///< a step of connecting that takes longer may hang
  /// The longest that this doubles to, while another set-up is waited for longer.
  duration longest_setup_patience = seconds{30};
  duration max_idle_time = seconds{300};
  duration max_lifetime = seconds{3600};     ///< 0: unlimited
  duration leak_threshold = seconds{60};     ///< 0: never report
  duration validate_interval = seconds{60};  ///< idle connections are read from this often; 0: never
  duration retry_base = seconds{1};          ///< of the backoff between failing rounds of connects
  bool preload = false;
  bool reconnect = true;  ///< in the background, and when somebody asks; false: only when connect() is called
  bool single = false;    ///< no pooling: requests share one connection, a lease has one of its own beside it
  bool standby = false;   ///< another server is preferred: one warm connection until it is needed
};

/// The policy of the pool for `server` (one of `all.servers`). Never fails: the validator has seen the settings; a
/// minimum above the maximum is cut to it.
pool_policy policy_of(const settings& all, const connection_info& server, server_id id, std::string name);

}  // namespace understudy::internal
