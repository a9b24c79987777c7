// Servers that do as they are told, and a manager before them.
#include "made_up_directory.hpp"

#include <boost/test/unit_test.hpp>

namespace understudy::test {

using namespace internal;
namespace {

void tell_all(const directory_world& world, server_id id, std::uint32_t order) {
  for (const auto& [number, where] : world.live)
    if (where.first == id)
      if (const auto c = caf::actor_cast<connection_actor>(where.second))
        caf::anon_send(c, io_atom_v, std::uint64_t{0}, order);
}

}  // namespace

whole::whole(const std::vector<int>& levels, std::uint64_t seed) : virtual_runtime(seed) {
  for (const int level : levels) {
    connection_info info;
    info.host = "ldap" + std::to_string(all.servers.size() + 1);
    info.priority = level;
    info.bind_dn = "cn=service";
    info.password_file = "/run/secret";
    all.servers.push_back(info);
  }
  all.pool.preload_connections = true;
}

whole::~whole() {
  if (manager) caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
  manager = nullptr;
  run();
  if (world->forgets_the_dead)
    for (server_id id = 0; id < all.servers.size(); ++id) cut(id);
  run();
  BOOST_TEST(poller->timers() == 0U);
}

void whole::launch() {
  const auto settings_now = std::make_shared<const settings>(all);
  auto parts = make_manager_dependencies(settings_now, env, made_up_connections(world));
  parts.read_secret = [this](const connection_info&, milliseconds, const still_wanted&) -> secret_reading {
    return {secret{std::string_view{in_file}}, {}};
  };
  manager = spawn_connection_manager(system, settings_now, env, std::move(parts));
  run();
}

void whole::begin() {
  launch();
  advance(seconds{1});
}

call whole::call_of(any_operation op, duration patience) const {
  call c;
  c.what = make_request(std::move(op));
  c.deadline = now() + patience;
  return c;
}

answer<result_ptr> whole::search(duration patience) {
  const auto found = virtual_runtime::start<result_ptr>(manager, perform_atom_v, call_of(search_request{}, patience));
  run();
  if (!found->done()) advance(patience + milliseconds{100});
  return *found;
}

void whole::take_down(server_id id) {
  world->servers[id].accepts = false;
  world->servers[id].paused = false;
  cut(id);
}

void whole::pause(server_id id) { world->servers[id].paused = true; }

void whole::bring_up(server_id id) {
  world->servers[id].accepts = true;
  world->servers[id].paused = world->servers[id].hangs_requests = world->servers[id].reads_entries = false;
  tell_all(*world, id, world_order::go_on);
  run();
}

void whole::cut(server_id id) {
  ++world->servers[id].cuts;
  tell_all(*world, id, world_order::die);
  run();
}

}  // namespace understudy::test
