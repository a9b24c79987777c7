// The link in memory: an actor that stands for a gateway, as remote ones do.
#include "remote_rig.hpp"

#include "understudy/actors/ports/guard.hpp"
#include "understudy/messages/ber.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/send.hpp>

namespace understudy::test {

/// One link: requests that were not answered yet.
struct remote_rig::pipe {
  std::map<std::uint64_t, caf::response_promise> open;
  std::uint64_t last = 0;
  bool ended = false;
  std::uint64_t link = 0;
  std::size_t node = 0;
  caf::actor actor;
};

remote_rig::one_node::one_node(remote_rig& rig, const std::string& name, bool compressed) : node(rig.system, script) {
  gateway_dependencies from;
  from.env = rig.env;
  from.node = name;
  from.router = node.router();
  from.manager = node.manager();
  from.peers = rig.peers;
  from.limits.most_requests = 4;
  from.compresses = compressed;
  gateway = spawn_gateway(rig.system, std::move(from));
}

remote_rig::remote_rig(const repeat_rule& may_repeat, bool compressed) {
  for (int i = 0; i < 2; ++i)
    nodes.push_back(std::make_unique<one_node>(*this, "node" + std::to_string(i), compressed));
  const auto connecting = [this](std::function<void(node_event)> tell, std::string avoid) -> std::shared_ptr<void> {
    avoided.push_back(std::move(avoid));
    auto made = std::make_shared<way>();
    made->tell = std::move(tell);
    begun_.push_back(made);
    ++ways;
    return std::shared_ptr<void>(nullptr, [this, made](void*) {
      --ways;
      if (made->over) anon_send(made->over->actor, close_atom_v);
    });
  };
  auto with = std::make_shared<environment>(*env);
  if (may_repeat) with->may_repeat = may_repeat;
  auto all = std::make_shared<settings>();
  all->pool.enable_compression = compressed;
  manager = spawn_remote_manager(system, std::move(all), std::move(with), connecting);
  run();
}

remote_rig::~remote_rig() {
  caf::anon_send_exit(manager, caf::exit_reason::user_shutdown);
  manager = nullptr;
  run();
  BOOST_TEST(ways == 0);
  for (auto& n : nodes) {
    caf::anon_send(n->node.actor(), close_atom_v);
    kill(n->gateway);
  }
  run();
  nodes.clear();
  for (auto& each : pipes_) kill(each->actor);
  pipes_.clear();
  begun_.clear();
}

void remote_rig::link_to(std::size_t node) {
  auto made = std::make_shared<pipe>();
  made->link = ++links_;
  made->node = node;
  made->actor = system.spawn([this, made, to = nodes[node]->gateway](caf::event_based_actor* self) -> caf::behavior {
    install_default_handlers(*self);
    peers->add(self->address(), {made->link, "client", node_permission::admin});
    const auto end = [self, made] {
      if (std::exchange(made->ended, true)) return;
      for (auto& [n, promise] : std::exchange(made->open, {}))
        promise.deliver(to_error(make_failure(errc::connection_failed, stage::operation, "the link was lost")));
    };
    return {[=, this](std::string& bytes) {
              auto promise = self->make_response_promise();
              if (made->ended) return promise.deliver(caf::make_error(caf::sec::request_receiver_down));
              const auto number = ++made->last;
              made->open[number] = promise;
              self->request(to, caf::infinite, std::move(bytes))
                  .then(
                      [=, this](std::string& back) {
                        const auto found = made->open.find(number);
                        if (found == made->open.end() || deaf) return;
                        auto asker = found->second;
                        made->open.erase(found);
                        if (garbled) back = "not an answer";
                        if (!replaced.empty()) back = replaced;
                        asker.deliver(std::move(back));
                      },
                      [](const caf::error&) {});
            },
            [=](close_atom) { end(); }};
  });
  auto& by = begun_.back()->over;
  if (by) anon_send(by->actor, close_atom_v);
  by = made;
  pipes_.push_back(made);
  tell_event({node_event::kind::linked,
              caf::actor_cast<node_gateway_actor>(caf::actor_cast<caf::strong_actor_ptr>(made->actor)),
              "node" + std::to_string(node), 0, nullptr, nodes.size()});
}

void remote_rig::cut() { cut(begun_.size()); }

void remote_rig::cut(std::size_t number) {
  const auto& by = *begun_.at(number - 1);
  if (by.over) {
    tell(by.over->actor, close_atom_v);
    tell(nodes[by.over->node]->gateway, removed_atom_v, by.over->link);
  }
  by.tell({node_event::kind::lost, {}, {}, 0, make_failure(errc::connection_failed, stage::operation, "cut")});
  run();
}

void remote_rig::tell_event(node_event event) {
  if (event.by == time_point::max()) event.by = now() + connect_timeout;
  begun_.back()->tell(std::move(event));
  run();
}

node_gateway_actor remote_rig::stranger() {
  const auto made = own(system.spawn([](caf::event_based_actor*) -> caf::behavior {
    return {
        [](const std::string&) { return ber_element(ber_tag::sequence, ber_integer(9, 0x80) + ber_integer(1, 0x81)); }};
  }));
  return caf::actor_cast<node_gateway_actor>(caf::actor_cast<caf::strong_actor_ptr>(made));
}

node_gateway_actor remote_rig::liar(bool agrees, answer_frame answer) {
  const auto made = own(system.spawn([agrees, answer](caf::event_based_actor*) -> caf::behavior {
    return {[agrees, answer](const std::string& bytes) {
      if (internal::decode_request(bytes).value.value().kind != request_kind::hello) return encode(answer);
      answer_frame hello;
      hello.kind = answer_kind::text;
      node_terms terms{"liar", node_permission::admin, 4, 1 << 20, 1 << 20, seconds{15}};
      terms.compression = agrees;
      hello.body = encode(terms);
      return encode(hello);
    }};
  }));
  return caf::actor_cast<node_gateway_actor>(caf::actor_cast<caf::strong_actor_ptr>(made));
}

circuit_breaker_actor remote_rig::router() { return *ask<circuit_breaker_actor>(manager, router_atom_v).value; }

answer_ptr<lease_grant> remote_rig::ask_for_lease(duration patience) {
  lease_request wish;
  wish.deadline = now() + patience;
  // By somebody who lives as long as the test.
  auto slot = std::make_shared<answer<lease_grant>>();
  own(system.spawn([to = router(), wish, slot](caf::event_based_actor* self) -> caf::behavior {
    self->request(to, caf::infinite, lease_atom_v, wish)
        .then([slot](const lease_grant& g) { slot->value = g; },
              [slot](const caf::error& e) { slot->error = failure_of(e); });
    return {[](close_atom) {}};
  }));
  run();
  return slot;
}

lease_grant remote_rig::take_lease() {
  const auto slot = ask_for_lease(seconds{5});
  BOOST_TEST_REQUIRE(slot->ok());
  tell(manager, claim_atom_v, slot->value->server, slot->value->id);
  return *slot->value;
}

std::shared_ptr<stream_reader> remote_rig::stream(const lease_grant& on, std::uint32_t credits) {
  auto made = std::make_shared<stream_reader>();
  auto what = call_of(make_request(search_request{}), seconds{600});
  what.token = made->token;
  made->actor = own(system.spawn([=](caf::event_based_actor* self) -> caf::behavior {
    self->request(on.connection, caf::infinite, stream_atom_v, on.id, what, std::uint64_t{9}, credits)
        .then([=](const result_ptr& r) { made->end.value = r; },
              [=](const caf::error& e) { made->end.error = failure_of(e); });
    return {[=](batch_atom, std::uint64_t number, const search_batch& batch) {
      BOOST_TEST_REQUIRE(number == 9U);
      BOOST_TEST_REQUIRE(!made->end.done());
      made->entries += batch.entries.size();
    }};
  }));
  run();
  return made;
}

call remote_rig::call_of(request_ptr request, duration patience) const {
  call c;
  c.what = std::move(request);
  c.deadline = now() + patience;
  return c;
}

std::vector<request_ptr> remote_rig::every_operation() {
  return {make_request(search_request{}),
          make_request(compare_request{"cn=a", "mail", "x"}),
          make_request(modify_request{"cn=a", {{modification::kind::add, {"mail", {"y"}}}}}),
          make_request(delete_request{"cn=a"}),
          make_request(bind_request{"cn=a", "secret"}),
          make_request(extended_request{"1.2.3", "v", true}),
          make_request(whoami_request{}),
          make_request(password_modify_request{"cn=a", "old", "new"})};
}

std::string remote_rig::text_of(const answer<result_ptr>& got) {
  if (got.error) {
    auto text = describe(*got.error) + " " + std::to_string(static_cast<int>(got.error->where));
    for (const auto& c : got.error->controls) text += " " + c.oid + c.value.value_or("-");
    if (got.error->partial) text += " partial " + std::to_string(got.error->partial->entries.size());
    return text;
  }
  if (!got.value) return "nothing";
  const auto& r = **got.value;
  auto text = std::to_string(r.code) + " " + r.diagnostic + " " + r.server + " " + r.response_value.value_or("-");
  for (const auto& e : r.entries) text += " " + e.dn + std::string{e.first("mail")};
  for (const auto& all : r.references) text += " " + all.at(0);
  for (const auto& c : r.controls) text += " " + c.oid + c.value.value_or("-");
  return text;
}

}  // namespace understudy::test
