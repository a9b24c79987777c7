// A bare TCP client that speaks LDAP byte by byte: for tests of servers and proxies, free of any LDAP library.
#pragma once
#include "support/eventually.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace understudy::test {

/// How the last read ended.
enum class read_end : std::uint8_t { data, end_of_stream, reset, nothing };

/// Blocking, with a deadline on everything.
class raw_client {
 public:
  /// Connects to 127.0.0.1; connected() says whether that succeeded within `limit`.
  explicit raw_client(std::uint16_t port, std::chrono::milliseconds limit = patience);
  ~raw_client();
  raw_client(const raw_client&) = delete;
  raw_client& operator=(const raw_client&) = delete;

  bool connected() const noexcept { return fd_ >= 0; }
  int connect_error() const noexcept { return error_; }  ///< errno of the connect; 0 when it was not answered
  void send(std::string_view bytes);
  /// What arrives next, as it comes; empty at the end, after a reset, or when nothing came: see last().
  std::string read_some(std::chrono::milliseconds limit = patience);
  /// The next whole LDAP message; empty when there is none, see last().
  std::string read_message(std::chrono::milliseconds limit = patience);
  read_end last() const noexcept { return last_; }

 private:
  int fd_ = -1;
  int error_ = 0;
  std::string in_;
  read_end last_ = read_end::nothing;
};

/// Requests as bytes.
std::string bind_message(int id, std::string_view dn, std::string_view password);
std::string search_message(int id, std::string_view base, std::string_view uid);
std::string compare_message(int id, std::string_view dn, std::string_view name, std::string_view value);
std::string replace_message(int id, std::string_view dn, std::string_view name, std::string_view value);
std::string extended_message(int id, std::string_view oid);
std::string abandon_message(int id, int abandoned);
std::string unbind_message(int id);

/// An answer, as far as tests look at it.
struct raw_answer {
  int id = -1;
  std::uint8_t tag = 0;  ///< of the response
  int code = -1;         ///< of an LDAPResult
  std::string diagnostic;
  std::string dn;  ///< of an entry
};
/// Decodes a response; throws std::runtime_error when it is none (an empty one too).
raw_answer decode_answer(std::string_view message);

}  // namespace understudy::test
