// What a service does all day, in one process: reads, writes, logins and leases, each request and its outcome counted.
#pragma once
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/tools/load_generator.hpp"

#include <thread>

namespace understudy::soak {

using namespace internal;

/// Requests of one kind.
struct tally {
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> outcomes{0};
  std::atomic<std::uint64_t> doubled{0};  ///< outcomes beyond a request's first
};

/// One closed loop of operations.
class soak_load {
 public:
  using maker = std::function<request_ptr(std::int64_t number)>;

  /// `expected`: a failure with that code counts as success (a wrong password that is refused).
  soak_load(std::string name, directory& to, std::size_t in_flight, maker make, errc expected = errc::none);

  void start(duration span);
  void stop() { load_.stop(); }
  /// Waits for the end.
  const cli::load_report& finish();
  const std::string& name() const noexcept { return name_; }
  const tally& counted() const noexcept { return tally_; }

 private:
  cli::load_operation operation(directory& to, maker make, errc expected);

  std::string name_;
  tally tally_;
  cli::load_generator load_;
  std::thread thread_;
  cli::load_report report_;
};

/// Threads that borrow connections, use them, now and then as somebody else, and give them back.
class lease_load {
 public:
  lease_load(connection_manager& from, int threads);
  ~lease_load() { finish(); }
  lease_load(const lease_load&) = delete;
  lease_load& operator=(const lease_load&) = delete;

  void finish();
  std::uint64_t borrowed() const noexcept { return borrowed_; }
  std::uint64_t searches() const noexcept { return searches_; }
  std::uint64_t wrong_identity() const noexcept { return wrong_identity_; }
  std::map<std::string, std::uint64_t> errors() const;

 private:
  void work(int number);
  void use_one(std::int64_t round);
  void note(const failure& why);

  connection_manager& from_;
  std::atomic<bool> over_{false};
  std::atomic<std::uint64_t> borrowed_{0}, searches_{0}, wrong_identity_{0};
  std::array<std::atomic<std::uint64_t>, errc_count> errors_{};
  std::vector<std::thread> threads_;
};

}  // namespace understudy::soak
