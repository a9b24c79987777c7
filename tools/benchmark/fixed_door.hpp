// The front door on the path of a search, in one thread: sockets, clients' actors, router, pools and connections.
#pragma once
#include <memory>

namespace understudy::benchmark {

/// Eight clients that have come in, eight connections to each of two directories that are answered here as well: what
/// happens, and in which order, depends on nothing outside, so that its instructions can be counted.
class fixed_door {
 public:
  /// `entries`: of each search's result.
  explicit fixed_door(int entries);
  ~fixed_door();
  fixed_door(const fixed_door&) = delete;
  fixed_door& operator=(const fixed_door&) = delete;

  /// `searches` of each client, sent together. Throws std::runtime_error when one is not answered as it should be.
  /// `work`: does what the runtime's thread has to do.
  void ask(int searches, void (*work)(fixed_door&));
  /// What the runtime's thread does when something has arrived, until there is nothing more to do.
  void run();

 private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

}  // namespace understudy::benchmark
