// A name server inside the test: answers questions for SRV records over UDP.
#pragma once
#include "support/event_loop.hpp"
#include "understudy/messages/event.hpp"

namespace understudy::test {

/// A name server's message (RFC 1035) that answers the question `query` with `records`; `code`: its RCODE.
std::string name_server_message(const std::string& query, const std::vector<service_record>& records, std::uint32_t ttl,
                                int code = 0);

/// Listens on a port of 127.0.0.1 and answers on a thread of its own, from the constructor to the destructor.
class name_server {
 public:
  name_server();
  ~name_server();
  name_server(const name_server&) = delete;
  name_server& operator=(const name_server&) = delete;

  socket_address address() const;
  /// What it answers from now on, whatever is asked.
  void answer(std::vector<service_record> records, std::uint32_t ttl, int code = 0);
  /// True: it answers with bytes that are no message.
  void talk_nonsense(bool on);
  std::uint64_t questions() const;

 private:
  void reply();

  mutable std::mutex guard_;
  std::vector<service_record> records_;
  std::uint32_t ttl_ = 60;
  int code_ = 0;
  bool nonsense_ = false;
  std::uint64_t questions_ = 0;
  std::uint16_t port_ = 0;
  int fd_ = -1;
  event_loop loop_;
};

}  // namespace understudy::test
