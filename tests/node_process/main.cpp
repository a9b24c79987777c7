// A node in a process of its own, for tests that stop or kill it: node_process CERTIFICATE KEY CA [PORT]. Says where it
// listens.
#include "runtime/test_node.hpp"

#include <unistd.h>

#include <cstdio>

int main(int count, char** argument) {
  using namespace understudy;
  if (count < 4) return 2;
  internal::node_links_options options;
  test::test_node node{options};
  internal::node_listener_options at;
  at.address = std::string{"127.0.0.1:"} + (count > 4 ? argument[4] : "0");
  at.tls = internal::server_certificates{argument[1], argument[2], argument[3], {}, tls_version::v1_3};
  std::printf("%d\n", int{node.listen(std::move(at))});
  std::fflush(stdout);
  for (;;) ::pause();
}
