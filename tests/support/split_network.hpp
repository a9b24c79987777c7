// Two networks of this test's own with a cable between them, which breaks in either direction or in both.
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace understudy::test {

/// True inside of a network that belongs to this process (user_namespaces(7)). Otherwise the test case of that name is
/// played again in a process that has one, its failures are reported here, and the result is false. Where the machine
/// permits no such thing, or has no ip(8), that is said, and nothing is tested.
bool in_a_network_of_its_own(const std::string& test_case);

/// Needs in_a_network_of_its_own(). Throws std::runtime_error when it cannot be made.
class split_network {
 public:
  static constexpr const char* here = "10.99.0.1";
  static constexpr const char* there = "10.99.0.2";

  split_network();
  ~split_network();
  split_network(const split_network&) = delete;
  split_network& operator=(const split_network&) = delete;

  /// Runs it on the other side: sockets, threads and processes that it makes belong there from then on. Exceptions come
  /// back here.
  void run_there(const std::function<void()>& work) const;

  /// Nothing passes.
  void cut();
  /// Packets from here get lost, those from there arrive.
  void lose_what_is_sent_there();
  /// The other way round.
  void lose_what_is_sent_here();
  /// Everything passes again.
  void heal();

 private:
  void configure(std::vector<std::string> command) const;
  void configure_there(const std::vector<std::string>& command) const;

  int there_ = -1;  ///< the other network
};

}  // namespace understudy::test
