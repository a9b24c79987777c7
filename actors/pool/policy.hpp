// What one server's pool was told to do: the settings it lives by, resolved for that server.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/call.hpp"

namespace understudy::internal {

/// The settings of one pool, with everything that depends on the server or on other settings already worked out; to be
/// made by policy_of(), so that defaults are in the settings alone.
struct pool_policy {
  server_id server = 0;
  std::string server_name;  ///< "host:port", for people
  std::uint32_t min = 0;    ///< pooled connections to keep
  std::uint32_t max = 0;    ///< sockets of every kind
  std::uint32_t max_pooled = 0;
  std::uint32_t max_bind = 0;
  std::uint32_t max_in_flight = 0;
  std::uint32_t most_together = 1;  ///< requests that come in one moment and share a connection, though others are idle
  std::uint32_t max_waiters = 0;
  std::uint32_t max_connecting = 0;
  std::uint32_t max_attempts = 0;  ///< redispatches of one request
  duration wait_timeout{};         ///< the longest wait for a connection
  duration failover_timeout{};     ///< the longest wait before another server is asked; 0: there is no other
  duration suspect_after{};        ///< the same while nothing is ready here
  duration connect_timeout{};      ///< of connecting as a whole
  duration setup_patience{};       ///< a step of connecting that takes longer may hang
  /// The longest that this doubles to, while another set-up is waited for longer.
  duration longest_setup_patience{};
  duration max_idle_time{};
  duration max_lifetime{};       ///< 0: unlimited
  duration leak_threshold{};     ///< 0: never report
  duration validate_interval{};  ///< idle connections are read from this often; 0: never
  duration retry_base{};         ///< of the backoff between failing rounds of connects
  bool preload = false;
  bool reconnect = true;  ///< in the background, and when somebody asks; false: only when connect() is called
  bool single = false;    ///< no pooling: requests share one connection, a lease has one of its own beside it
  bool standby = false;   ///< another server is preferred: one warm connection until it is needed
};

/// The policy of the pool for `server` (one of `all.servers`). Never fails: the validator has seen the settings; a
/// minimum above the maximum is cut to it.
pool_policy policy_of(const settings& all, const connection_info& server, server_id id, std::string name);

}  // namespace understudy::internal
