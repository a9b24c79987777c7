// A node with directories of its own and load on it, for the test of the console: told by standard input what happens.
#include "support/certificates.hpp"
#include "support/stub_directory.hpp"
#include "understudy/runtime/client/manager_access.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/http/http_service.hpp"

#include <atomic>
#include <iostream>
#include <sstream>
#include <string_view>
#include <thread>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

settings settings_for(const std::vector<std::unique_ptr<stub_directory>>& servers, const std::string& token) {
  settings all;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    auto& info = all.servers.emplace_back();
    info.uri = servers[i]->url();
    info.priority = i < 2 ? 1 : 2;
    info.retry_delay = 200ms;
  }
  all.pool.min_connections = 3;
  all.pool.max_connections = 20;
  all.failover.health_check_interval = 500ms;
  all.failover.hold_down = 1s;
  all.failover.ramp = 1s;
  all.node.name = "directory-1";
  all.http.listen = "127.0.0.1:0";
  all.http.admin_token = secret{token};
  all.log.level = log_level::error;
  return all;
}

/// Searches, at an uneven pace, as services ask.
void keep_asking(connection_manager& manager, const std::atomic<bool>& ending) {
  for (unsigned i = 0; !ending; ++i) {
    static_cast<void>(manager.try_search({}));
    std::this_thread::sleep_for(std::chrono::milliseconds{3 + (i / 200 % 3) * 6});
  }
}

}  // namespace

/// main TOKEN [everywhere]; then lines "stop N", "start N"; it ends with its input. Everywhere: at each address of the
/// machine, by TLS, without an authority whose certificates clients would have to show.
int main(int argc, char** argv) {
  std::vector<std::unique_ptr<stub_directory>> servers;
  for (int i = 0; i < 3; ++i) servers.push_back(std::make_unique<stub_directory>());
  auto all = settings_for(servers, argc > 1 ? argv[1] : "0123456789abcdef");
  const temporary_folder folder;
  if (argc > 2 && argv[2] == std::string_view{"everywhere"}) {
    const auto files = certificate_authority{folder.path(), "test-ca"}.issue("server");
    all.http.listen = "0.0.0.0:0";
    all.http.cert_path = files.certificate.string();
    all.http.key_path = files.key.string();
  }
  connection_manager manager(std::move(all));
  manager_access::serve_nodes(manager,
                              {[]() -> failure_ptr { return nullptr; }, []() -> failure_ptr { return nullptr; }});
  if (!manager.connect().connected) return 1;
  std::cout << manager_access::running(manager)->http()->address() << std::endl;
  for (const auto& server : servers) std::cout << "127.0.0.1:" << server->port() << std::endl;
  std::atomic<bool> ending{false};
  std::vector<std::thread> load;
  for (int i = 0; i < 3; ++i) load.emplace_back([&] { keep_asking(manager, ending); });
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words{line};
    std::string order;
    std::size_t which = 0;
    words >> order >> which;
    if (which >= servers.size()) continue;
    if (order == "stop") servers[which]->stop();
    if (order == "start") servers[which]->start();
  }
  ending = true;
  for (auto& each : load) each.join();
  manager.disconnect();
  return 0;
}
