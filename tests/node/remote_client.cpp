// Asks nodes: see remote_client.hpp.
#include "remote_client.hpp"
#include "understudy/runtime/platform/node_connecting.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <future>

namespace understudy::test {

using namespace internal;

remote_client::remote_client(const std::vector<std::uint16_t>& ports, std::optional<dialling_certificates> tls,
                             settings all) {
  node_connector_options to;
  for (const auto port : ports) to.nodes.push_back({"127.0.0.1", port});
  to.tls = std::move(tls);
  to.longest_pause = milliseconds{200};
  manager = spawn_remote_manager(links.system, std::make_shared<const settings>(std::move(all)), links.env,
                                 connecting_over(links.system, links.env, *links.links, std::move(to)));
}

remote_client::~remote_client() {
  if (holder) caf::anon_send_exit(holder, caf::exit_reason::user_shutdown);
  holder = nullptr;
  caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
  manager = nullptr;
}

answer<result_ptr> remote_client::perform(any_operation op, milliseconds limit) {
  call what;
  what.what = make_request(std::move(op));
  what.deadline = links.env->clock->now() + limit;
  answer<result_ptr> got;
  caf::scoped_actor self{links.system};
  self->request(manager, limit + seconds{10}, perform_atom_v, what)
      .receive([&](const result_ptr& r) { got.value = r; }, [&](const caf::error& e) { got.error = failure_of(e); });
  return got;
}

bool remote_client::take_lease() {
  lease_request wish;
  wish.deadline = links.env->clock->now() + seconds{10};
  auto told = std::make_shared<std::promise<bool>>();
  auto granted = told->get_future();
  holder = links.system.spawn([to = manager, wish, told](caf::event_based_actor* self) -> caf::behavior {
    self->request(to, caf::infinite, lease_atom_v, wish)
        .then(
            [=](const lease_grant& grant) {
              self->send(to, claim_atom_v, grant.server, grant.id);
              told->set_value(true);
            },
            [=](const caf::error&) { told->set_value(false); });
    return {[](close_atom) {}};
  });
  return granted.get();
}

}  // namespace understudy::test
