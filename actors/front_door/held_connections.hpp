// The connections that single clients hold, and which of them is given up first when there are too many.
#pragma once
#include "understudy/messages/call.hpp"
#include "understudy/messages/time.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace understudy::internal {

/// What a client holds a connection for.
enum class holding : std::uint8_t {
  none,
  user,         ///< the directory has accepted a bind there: it is that user's
  pages,        ///< a search in pages (RFC 2696), which has to be gone on with there
  negotiation,  ///< a SASL bind of several steps that has not come to its end
};

/// Those of one kind. Shared by all clients of a front door; thread-safe, on injected time. Who holds most comes first
/// when one has to go: a client that comes from one address in great number takes nothing from the others.
class held_connections {
 public:
  using key = std::uint64_t;

  /// That client holds one to `server` and uses it; `address`: whose it is, without the port. `give_up` is called, on
  /// the thread of who needs one, to have it given up, and must not call back. Of a client that has one: it is another
  /// now.
  void enter(key client, server_id server, const std::string& address, std::function<void()> give_up);
  /// It has asked nothing there since then; nothing: it is in use. Unknown clients are ignored.
  void set_idle(key client, std::optional<time_point> since);
  void leave(key client);

  bool contains(key client) const;
  /// To that server; nothing: to all.
  std::size_t count(std::optional<server_id> server = {}) const;

  /// Has one given up that has been idle for `least_idle` or more: of the address with the most of all such, the one
  /// that has been idle for longest. True when one was told; it is counted no more, unless set_idle() says that it was
  /// used before it heard of that, and has it still.
  bool give_up_one(std::optional<server_id> server, duration least_idle, time_point now);

 private:
  struct held {
    server_id server = 0;
    std::string address;
    std::optional<time_point> idle_since;
    std::function<void()> give_up;
    bool told = false;
  };
  static bool counts(const held& each, std::optional<server_id> server) noexcept {
    return !each.told && (!server || each.server == *server);
  }

  mutable std::mutex mutex_;  // of what follows
  std::map<key, held> all_;
};

/// All that clients of a front door hold.
struct client_holdings {
  held_connections users, pages, negotiations;

  /// Those of that kind; null: there is nothing to be held for it.
  held_connections* of(holding kind) noexcept {
    switch (kind) {
      case holding::user:
        return &users;
      case holding::pages:
        return &pages;
      case holding::negotiation:
        return &negotiations;
      case holding::none:
        break;
    }
    return nullptr;
  }
};

}  // namespace understudy::internal
