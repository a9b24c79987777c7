// Starting a front door before a directory, and asking it.
#include "served_house.hpp"

#include "support/port_of.hpp"
#include "understudy/config/load.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;

namespace understudy::test {

settings settings_for(const std::vector<const slapd*>& servers, client_listener_settings door) {
  settings all;
  for (const auto* server : servers) {
    connection_info info;
    info.host = "127.0.0.1";
    info.port = server->port();
    info.bind_dn = admin_dn;
    info.password = secret{admin_password};
    info.priority = static_cast<int>(all.servers.size()) + 1;
    all.servers.push_back(std::move(info));
  }
  if (door.address.empty()) door.address = "127.0.0.1:0";
  all.front_door.listeners.push_back(std::move(door));
  all.pool.min_connections = 1;
  all.pool.max_connections = 5;
  all.log.level = log_level::error;
  all.failover.health_check_interval = 1h;
  return checked(std::move(all));
}

std::unique_ptr<runtime> serve_clients(settings all, client_listener_settings door) {
  if (door.address.empty()) door.address = "127.0.0.1:0";
  all.front_door.listeners.push_back(std::move(door));
  runtime_options options;
  options.serve_clients = true;
  return std::make_unique<runtime>(std::make_shared<const settings>(std::move(all)), std::move(options));
}

std::uint16_t client_port_of(const runtime& serving) {
  const auto address = serving.front_door()->addresses().front();
  return port_of(address);
}

std::unique_ptr<runtime> house::start(client_listener_settings door, const std::function<void(settings&)>& change) {
  runtime_options options;
  options.serve_clients = true;
  auto all = settings_for({&server}, std::move(door));
  change(all);
  auto made = std::make_unique<runtime>(std::make_shared<const settings>(std::move(all)), std::move(options));
  // The service's password is known once the directory has accepted it.
  BOOST_TEST_REQUIRE(eventually([&] {
    const auto now = made->snapshot();
    return now && now.value->servers.front().pool.now.idle > 0;
  }));
  return made;
}

program_result house::run(std::vector<std::string> command, const std::string& dn, const std::string& password,
                          const std::string& input) const {
  const auto program = command.front();
  command.erase(command.begin());
  std::vector<std::string> line{program, "-x", "-H", uri()};
  if (!dn.empty()) line.insert(line.end(), {"-D", dn, "-w", password});
  line.insert(line.end(), command.begin(), command.end());
  child_process::options with;
  with.command = std::move(line);
  with.input = input;
  with.environment = {"LDAPNOINIT=1"};
  return run_program(std::move(with));
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace understudy::test
