// The neighbours of a connection under test.
#include "rig.hpp"

#include <boost/test/unit_test.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

namespace understudy::test {

using namespace internal;
namespace {

failure_ptr nowhere_else() {
  failure f;
  f.code = errc::no_server;
  f.message = "there is no other server in this test";
  return std::make_shared<const failure>(std::move(f));
}

caf::behavior noting_pool(caf::event_based_actor*, std::shared_ptr<neighbours> seen) {
  return {[seen](event_atom, const connection_event& e) {
            seen->events.push_back(e);
            seen->order.push_back("event");
          },
          [seen](load_atom, connection_id) { ++seen->loads; }};
}

caf::behavior noting_breaker(caf::event_based_actor*, std::shared_ptr<neighbours> seen) {
  return {[seen](report_atom, const outcome_report& r) {
            seen->reports.push_back(r);
            seen->order.push_back("report");
          },
          [seen](suspect_atom, server_id) { ++seen->suspicions; },
          [seen](perform_atom, const call& c) -> caf::result<result_ptr> {
            seen->redispatches.push_back(c);
            seen->order.push_back("redispatch");
            return to_error(nowhere_else());
          }};
}

caf::behavior noting_manager(caf::event_based_actor* self, std::shared_ptr<neighbours> seen) {
  return {[self, seen](credential_atom, server_id) -> caf::result<credential> {
            ++seen->credential_questions;
            if (seen->hold_credentials) return seen->waiting.emplace_back(self->make_response_promise<credential>());
            if (seen->refuse_credential) return to_error(seen->refuse_credential);
            return seen->secret;
          },
          [seen](credential_atom, const credential_verdict& v) { seen->verdicts.push_back(v); },
          [seen](flush_atom) {
            for (auto& one : std::exchange(seen->waiting, {})) one.deliver(seen->secret);
          }};
}

}  // namespace

connection_rig::connection_rig()
    : pool_(own(system.spawn(noting_pool, seen))),
      breaker_(own(system.spawn(noting_breaker, seen))),
      manager_(own(system.spawn(noting_manager, seen))) {
  server.host = "127.0.0.1";
  server.bind_dn = seen->secret.bind_dn;
}

void connection_rig::use(const stub_directory& directory) { use_port(directory.port()); }
void connection_rig::use_port(std::uint16_t port) { server.port = port; }

connection_actor connection_rig::open(connection_kind kind) { return own(open_unowned(kind)); }

connection_actor connection_rig::open_unowned(connection_kind kind) {
  connection_spec spec;
  spec.id = env->next_number();
  spec.kind = kind;
  spec.context = context(server, all, 3);
  pace = spec.context->pace;
  spec.load = load;
  spec.owner = pool_.address();
  if (kind != connection_kind::probe) spec.breaker = breaker_.address();
  spec.manager = manager_.address();
  return spawn_connection(system, std::move(spec));
}

connection_actor connection_rig::open_ready(connection_kind kind) {
  const auto before = seen->events.size();
  auto one = open(kind);
  BOOST_REQUIRE(reaches([&] { return seen->events.size() > before; }));
  BOOST_REQUIRE_MESSAGE(seen->events.back().what == connection_event::kind::ready,
                        (seen->events.back().cause ? describe(*seen->events.back().cause) : "closed without a cause"));
  return one;
}

bool connection_rig::reaches(const std::function<bool()>& condition) {
  return eventually([&] {
    settle();
    return condition();
  });
}

bool connection_rig::reaches_event(connection_event::kind kind) {
  return reaches([&] { return !seen->events.empty() && seen->events.back().what == kind; });
}

const failure& connection_rig::cause() const {
  BOOST_REQUIRE(!seen->events.empty());
  BOOST_REQUIRE(seen->events.back().cause != nullptr);
  return *seen->events.back().cause;
}

call connection_rig::order(request_ptr request, duration limit) const {
  call c;
  c.what = std::move(request);
  c.deadline = now() + limit;
  c.token = std::make_shared<cancel_token>();
  c.generation = 5;
  return c;
}

answer_ptr<result_ptr> connection_rig::perform(const connection_actor& to, request_ptr request, duration limit) {
  return perform(to, order(std::move(request), limit));
}

answer_ptr<result_ptr> connection_rig::perform(const connection_actor& to, call order) {
  return start<result_ptr>(to, perform_atom_v, std::move(order));
}

answer_ptr<result_ptr> connection_rig::perform_leased(const connection_actor& to, lease_id lease, request_ptr request) {
  return start<result_ptr>(to, perform_atom_v, lease, order(std::move(request)));
}

answer<result_ptr> connection_rig::outcome(const connection_actor& to, request_ptr request) {
  const auto slot = perform(to, std::move(request));
  BOOST_REQUIRE(reaches([&] { return slot->done(); }));
  return *slot;
}

connection_snapshot connection_rig::status(const connection_actor& of) {
  const auto answered = ask<connection_snapshot>(of, status_atom_v);
  BOOST_REQUIRE(answered.ok());
  return *answered.value;
}

void connection_rig::give_credentials() {
  caf::anon_send(manager_, flush_atom_v);
  run();
}

void connection_rig::remove(connection_actor& connection) {
  tell(connection, removed_atom_v);
  BOOST_TEST(poller->registrations() == 0u);
}

request_ptr find_user(int number) {
  search_request what;
  what.base = "ou=people,dc=example,dc=com";
  what.filter = "(uid=user" + std::to_string(number) + ")";
  what.attributes = {"mail"};
  return make_request(std::move(what));
}

request_ptr change_mail() {
  modify_request what;
  what.dn = "uid=user1,ou=people,dc=example,dc=com";
  what.changes.push_back({modification::kind::replace, {"mail", {"new@example.com"}}});
  return make_request(std::move(what));
}

}  // namespace understudy::test
