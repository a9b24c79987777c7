// Who may come in at a listener: limits in all, by address, and for those who have not shown yet who they are.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace understudy::internal {

/// How many connections a listener has at the same time, at the most.
struct admission_limits {
  std::size_t connections = 10'000;  ///< in all
  std::size_t by_address = 1'000;    ///< from one address
  std::size_t handshakes = 256;      ///< in all, of those whose handshake is not complete
  bool counts_local = true;          ///< `by_address` holds for addresses of this machine too
};
/// Of a listener with so many places for everybody: one address has a tenth of them, or 100 where that is less. On this
/// machine all clients are of one address, and may have all places.
admission_limits shared_places(std::size_t connections, std::size_t handshakes);

/// What came of a client that connected.
enum class admission_verdict : std::uint8_t { welcome, too_many, too_many_of_address };

/// Counts connections. Thread-safe: a connection gives its place back wherever it ends.
class admission : public std::enable_shared_from_this<admission> {
 public:
  /// A place that one connection takes, given back when it goes.
  class place {
   public:
    place() = default;
    place(place&& other) noexcept = default;
    place& operator=(place&& other) noexcept;
    ~place();
    explicit operator bool() const noexcept { return of_ != nullptr; }

   private:
    friend class admission;
    place(std::shared_ptr<admission> of, std::string address) : of_(std::move(of)), address_(std::move(address)) {}
    std::shared_ptr<admission> of_;
    std::string address_;
  };
  /// A place, or why there is none.
  struct answer {
    admission_verdict verdict = admission_verdict::welcome;
    place given;
  };

  explicit admission(admission_limits limits) : limits_(limits) {}
  /// `address`: what is counted, without a port; what begins with "local" is of this machine too.
  answer enter(const std::string& address);
  /// Taken now.
  std::size_t connections() const;
  admission_limits limits() const;
  /// From now on; who is in stays.
  void set_limits(admission_limits limits);

 private:
  void leave(const std::string& address) noexcept;

  mutable std::mutex mutex_;  // of everything below
  admission_limits limits_;
  std::size_t all_ = 0;
  std::map<std::string, std::size_t> of_address_;
};

}  // namespace understudy::internal
