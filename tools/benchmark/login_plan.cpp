// The list of workloads of logins.
#include "login_plan.hpp"

namespace understudy::benchmark {

std::vector<series> login_plan(bool small) {
  struct client {
    const char *name, *kind;
    std::vector<std::string> words;
  };
  const std::vector<client> clients{
      {"hand-written: one connection under a mutex", "stock", {"paced", "pattern=mutex"}},
      {"hand-written: a connection for each login", "stock", {"paced", "pattern=connect"}},
      {"hand-written: pool that binds again on every loan", "stock", {"paced", "pattern=pool", "connections=8"}},
      {"understudy: authenticator", "ours", {"paced", "equal=0", "connections=4", "bind_connections=8"}}};
  std::vector<series> all;
  for (const std::string fault : {"", "hole and pause"})
    for (const auto& each : clients) {
      series made;
      made.group = fault.empty() ? "200 logins a second, three servers that are well"
                                 : "200 logins a second, the first of three servers black-holed, the second paused";
      made.name = each.name + std::string(fault.empty() ? "" : ", two servers away");
      made.client = each.kind;
      made.server = "null three";
      made.arguments = each.words;
      made.arguments.push_back(small ? "seconds=2.5" : fault.empty() ? "seconds=4" : "seconds=12");
      if (small) {
        made.arguments.push_back("timeout=0.5");
        made.arguments.push_back("patience=1.5");
      }
      made.fault = fault;
      made.rounds = 3;
      all.push_back(std::move(made));
    }
  return all;
}

}  // namespace understudy::benchmark
