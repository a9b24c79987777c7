// The PROXY protocol, version 2: what a proxy says of its client before the client's first byte.
#pragma once
#include "understudy/messages/ip_network.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::internal {

/// Whose connection a proxy passes on.
struct proxied_client {
  ip_address address{};
  std::string text;  ///< for people: "192.0.2.7:51312", "[2001:db8::7]:51312"
};

/// Reads one header from bytes that may be anything. It takes no byte behind the header: that is the client's.
class proxy_header_reader {
 public:
  enum class status { reading, done, malformed };

  /// Most bytes of a header, what may be added by extensions included.
  static constexpr std::size_t longest = 16 + 2048;

  /// How many bytes may be given to take() next; 0: it is not reading any more.
  std::size_t wanted() const noexcept;
  /// `bytes`: no more than wanted().
  status take(std::string_view bytes);
  status state() const noexcept { return status_; }
  /// Of a header that is done: its client. Nothing where the proxy speaks for itself (a health check), or does not say
  /// for whom: that is the address of the connection.
  const std::optional<proxied_client>& client() const noexcept { return client_; }
  /// The proxy speaks for a client and does not say for whom: nobody knows where that one is.
  bool speaks_for_unnamed() const noexcept { return unnamed_; }
  /// Of one that is malformed: what is wrong with it.
  const std::string& problem() const noexcept { return problem_; }

 private:
  status fail(std::string problem);
  status read_start();
  status read_rest();
  bool read_additions(std::string_view bytes);

  std::string bytes_;
  status status_ = status::reading;
  std::optional<proxied_client> client_;
  bool unnamed_ = false;
  std::string problem_;
};

}  // namespace understudy::internal
