// What crosses between a node and its clients: requests and answers as bytes, of a version that both understand.
#pragma once
#include "understudy/config/settings.hpp"
#include "understudy/messages/call.hpp"

namespace understudy::internal {

/// Versions of the encoding that are understood here. What both sides of a link may do without is no new version: a
/// field of a number that was not used before (older releases pass it over, and what is left out has its old meaning),
/// a request or an answer of a new kind that is sent only to who said in hello or its answer that it knows it, or that
/// is well answered by "not known". What a field, a kind or a number means is never changed, and no number is used
/// again: that is a new version. A release understands that of the release before too, and sends it until the other
/// side has said that it reads the newer one. What version 1 is a test has in bytes (version_1_is_these_bytes).
inline constexpr std::int64_t oldest_version = 1, newest_version = 1;

/// What a client asks; numbered as on the wire, so new ones go to the end.
enum class request_kind : std::uint8_t {
  hello,            ///< first on each link: who asks; `flag`: compressed answers are read; answered with node_terms
  ping,             ///< the client is still there
  operation,        ///< `protocol_op` and `controls`, on `lease` if there is one; answered with LDAP messages
  bind,             ///< a user's: `name`, `password`, `controls`
  password_modify,  ///< `value` (whose), `password` (the old one), `new_password`, `controls`
  extended,         ///< `name` (the OID), `value`, `flag` (repeatable), `controls`
  acquire,          ///< a lease: `name` (the holder), `flag` (wait), `anew`; `target`: servers tried, as bits
  claim,            ///< the grant of `lease` arrived
  release,          ///< `lease` is given back
  check,            ///< a small read on the connection of `lease`
  inspect,          ///< the state of the connection of `lease`
  begin_stream,     ///< a search on `lease`, as an operation; answered with its first part
  next_part,        ///< of the stream on `lease`
  cancel,           ///< the request of the number `target`; the stream on `lease`
  status,           ///< the state of everything
  health,           ///< every server is probed; with `flag`: until one of priority `target` is well
  suspend,          ///< the server of number `target`, for `span`
  resume,           ///< the server of number `target`
  drain,            ///< the node finishes what it has and ends
  reload,           ///< the node reads its settings again
  exchange,         ///< from another node of the cluster: `value` (exchange.hpp); answered with its counterpart
  tap,              ///< requests that ended since `target`; with `flag`: from now on
};
inline constexpr std::size_t request_kinds = static_cast<std::size_t>(request_kind::tap) + 1;
/// "operation", "begin stream" …
std::string_view to_string(request_kind kind) noexcept;

/// One request. What a kind does not use stays empty and takes no room.
struct request_frame {
  request_kind kind = request_kind::ping;
  std::uint64_t number = 0;  ///< the asker's own; not used twice on one link
  milliseconds left{};       ///< until its deadline: no clock is compared with another
  lease_id lease = 0;        ///< as the node numbers it
  std::uint64_t target = 0;
  bool flag = false, anew = false;
  milliseconds span{};
  std::string protocol_op, encoded_controls;  ///< as opaque_request has them
  std::string name;
  std::optional<std::string> value;
  secret password, new_password;
  std::vector<control> controls;
  server_wish wish{};
};

/// What is answered; numbered as on the wire.
enum class answer_kind : std::uint8_t {
  failed,    ///< `error`
  done,      ///< `flag`
  messages,  ///< of an operation
  outcome,   ///< of a bind, a password modify, an extended operation: `outcome`, without entries
  granted,   ///< `grant`
  part,      ///< of a stream: messages; `flag`: there is more
  text,  ///< `body`: what hello, status, health, check, inspect, reload, exchange and tap bring, each in its own form
  compressed,  ///< `body`: another answer, of `size` bytes, compressed; only to who said that it reads it
};

/// A lease that a node granted.
struct remote_grant {
  lease_id lease = 0;
  connection_id connection = 0;
  server_id server = 0;
  std::string server_name;
};

/// One answer.
struct answer_frame {
  answer_kind kind = answer_kind::done;
  failure_ptr error;  ///< of `failed`, never null
  bool flag = false;
  std::string messages;  ///< LDAP messages, one behind the other
  std::string server;    ///< who answered, as "host:port"
  result outcome;
  remote_grant grant;
  std::string body;
  std::uint64_t size = 0;
};

/// The answer that says why there is none.
answer_frame failed_answer(failure_ptr why);

using understudy::node_permission;
/// "read", "write", "admin".
std::string_view to_string(node_permission may) noexcept;

/// The answer to hello: with whom a client speaks, and on what terms.
struct node_terms {
  std::string name;                                    ///< of the node
  node_permission permission = node_permission::read;  ///< of this link
  std::uint32_t most_requests = 0;                     ///< unanswered ones at a time
  std::uint64_t most_bytes = 0;                        ///< in all of these together
  std::uint64_t longest_frame = 0;                     ///< bytes of a request
  milliseconds silence{};    ///< without a word for so long leases are lost: ping three times as often
  bool compression = false;  ///< answers may be compressed: both sides have it so
};

/// The bytes of a frame. Those of a request with a password are to be wiped (wipe_frame()).
std::string encode(const request_frame& frame);
std::string encode(const answer_frame& frame);
std::string encode(const node_terms& terms);
/// Overwrites it.
inline void wipe_frame(std::string&& frame) { const secret wiped{std::move(frame)}; }

/// What was read of bytes that may be anything: a value, or why there is none. A version that is not understood is
/// told with both sides' versions.
template <class T>
struct decoded {
  std::optional<T> value;
  failure_ptr error;
};
decoded<request_frame> decode_request(std::string_view bytes);
decoded<answer_frame> decode_answer(std::string_view bytes);
decoded<node_terms> decode_terms(std::string_view bytes);

}  // namespace understudy::internal
