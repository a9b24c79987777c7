// One connection of a stub directory: bytes, TLS, and the many ways to send an answer badly.
#pragma once
#include "support/event_loop.hpp"
#include "support/stub_script.hpp"
#include "support/tls_server.hpp"

#include <deque>
#include <memory>

namespace understudy::test {

/// What a stub does when a client wants to speak TLS.
enum class handshake : std::uint8_t {
  complete,
  ignore,   ///< swallows the client's bytes and never answers
  garbage,  ///< answers with bytes that are no TLS
};

/// Lives on its loop's thread. The host decides, the connection carries out.
class stub_connection : public std::enable_shared_from_this<stub_connection> {
 public:
  /// What the connection tells and asks the directory.
  struct host {
    virtual ~host() = default;
    virtual reply decide(const directory_request& request) = 0;
    /// Bytes that came unencrypted.
    virtual void saw_plain(std::string_view bytes) = 0;
    virtual void broke_protocol() = 0;
    virtual void ended(std::uint64_t number) = 0;
  };

  stub_connection(event_loop& loop, host& directory, int fd, std::uint64_t number);
  ~stub_connection();
  stub_connection(const stub_connection&) = delete;
  stub_connection& operator=(const stub_connection&) = delete;

  /// Begins to read; with a context: TLS first.
  void start(std::shared_ptr<ssl_ctx_st> tls, handshake how);
  /// Answers a StartTLS that was granted: TLS begins after that answer.
  void secure_after_answer(std::shared_ptr<ssl_ctx_st> tls, handshake how);
  /// Sends bytes outside of any answer.
  void send_now(const std::string& bytes);
  /// Closes now, at the latest when what was sent is out.
  void end(ending how);
  /// From now on whatever the client sends is lost, unacknowledged.
  void go_dark();
  bool dark() const noexcept { return dark_; }
  /// Sends so many bytes a second, one at a time, whatever they belong to; 0: as fast as it can, from now on.
  void set_pace(std::size_t bytes_a_second);
  /// Neither reads nor writes until wake().
  void sleep();
  void wake();

  std::uint64_t number() const noexcept { return number_; }
  bool encrypted() const { return tls_ != nullptr; }
  /// The client has closed its end, whether or not that was read yet.
  bool hung_up() const;
  /// The client certificate's subject.
  std::string peer_subject() const { return tls_ ? tls_->peer() : std::string{}; }

  std::string identity;  ///< whom the client is bound as
  bool spoken = false;   ///< a request came
  /// Nothing has been sent to the client yet, who is still there.
  bool beginning() const { return !answered_ && !hung_up(); }

 private:
  struct chunk {
    std::string bytes;
    bool pause = false;  ///< the next chunk waits for another turn of the loop
    std::size_t sent = 0;
  };

  void on_events(std::uint32_t events);
  bool read_all();
  void take(std::string_view wire);
  void handle_messages();
  void handle(directory_request request);
  void deliver(operation kind, std::int32_t id, reply r);
  void put_messages(operation kind, std::int32_t id, reply r);
  void begin_tls();
  void queue(std::string_view plain, std::size_t slice);
  void queue_wire(std::string wire, std::size_t slice);
  void flush();
  void go_on_after(std::chrono::nanoseconds pause);
  void watch();
  void finish();
  bool over() const { return fd_ < 0 || ending_ != ending::none; }

  event_loop& loop_;
  host& host_;
  int fd_;
  std::uint64_t number_;
  std::string in_;    ///< decrypted, not yet a whole message
  std::string held_;  ///< answers kept for the next one
  std::deque<chunk> out_;
  std::map<std::int32_t, std::pair<operation, reply>> for_abandon_;
  std::unique_ptr<tls_session> tls_;
  std::shared_ptr<ssl_ctx_st> tls_pending_;
  handshake handshake_ = handshake::complete;
  bool swallowing_ = false;  ///< a handshake that is never answered
  bool dumb_ = false;        ///< sends no more
  bool answered_ = false;    ///< some request was
  bool asleep_ = false;
  bool dark_ = false;
  bool in_turn_ = false;  ///< reading: answers are sent together at the end
  bool pausing_ = false;  ///< between two slices
  std::size_t pace_ = 0;  ///< bytes a second; 0: no limit
  ending ending_ = ending::none;
  bool shut_ = false;  ///< FIN is sent; waits for the client's
};

}  // namespace understudy::test
