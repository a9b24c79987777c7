// The matrix: every fault at every moment under every setting, each combination a cell with a name.
#pragma once
#include "understudy/messages/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::matrix {

/// What is wrong with a server.
enum class fault : std::uint8_t {
  refused,             ///< nobody listens, open connections have ended
  blackholed,          ///< connects are not answered, what is sent on open connections is lost
  hung,                ///< as SIGSTOP: the kernel accepts, nobody reads or answers
  accepts_and_closes,  ///< a balancer without backends
  hung_at_bind,        ///< the service's bind is not answered
  hung_at_start_tls,   ///< StartTLS is not answered
  hung_at_tls,         ///< the TLS handshake is not answered
  connection_limit,    ///< takes two connections, ends every further one; those two are served
  busy,                ///< answers busy (51) to everything but binds
  slow_drip,           ///< one byte a second
  reset_in_answer,     ///< half an answer, then a reset
  goodbye,             ///< Notice of Disconnection and an end, to whoever is there and to whoever asks
};

/// When it begins.
enum class moment : std::uint8_t {
  before_start,
  filling,  ///< the pool has some of its connections
  idle,     ///< nothing is under way; requests come a little later
  under_load,
  reload,    ///< while other settings are taken over
  failback,  ///< while it comes back from an outage
  stop,      ///< the runtime stops just then
};

/// The servers, by level; it is the first that fails.
enum class layout : std::uint8_t {
  sole,
  two_levels,
  three_levels,  ///< the first two fail
  one_level,     ///< two that share the load; one of them fails
};

enum class security : std::uint8_t { plain, start_tls, ldaps };

struct cell {
  fault what = fault::refused;
  moment when = moment::before_start;
  layout servers = layout::sole;
  security wire = security::plain;
  bool binds = false;  ///< the service has a bind_dn
  seconds timeout{1};  ///< of connecting
};

std::string_view to_string(fault kind);
std::string_view to_string(moment when);

/// "hung/before_start/two_levels/plain/bind/30s".
std::string name(const cell& of);

/// False for what cannot be: StartTLS hangs only where StartTLS is spoken, TLS where there is TLS, a bind where there
/// is one.
bool makes_sense(const cell& candidate);

/// Every cell that makes sense, always in the same order.
std::vector<cell> all_cells();
std::optional<cell> find_cell(std::string_view name);
/// About one cell in `parts`, another selection with each seed; all together they are all cells.
std::vector<cell> sample(const std::vector<cell>& of, std::uint64_t parts, std::uint64_t seed);

int server_count(layout servers);
/// How many of them fail, from the first.
int faulty_count(layout servers);
/// The levels from 1 up, one for each server.
std::vector<int> priorities(layout servers);
/// True when somebody is left who answers.
bool someone_serves(const cell& played);

}  // namespace understudy::matrix
