// Playing the router, the manager and the connections of a node.
#include "scripted_node.hpp"

#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/actors/ports/guard.hpp"
#include "understudy/messages/ber.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/response_promise.hpp>
#include <caf/send.hpp>

namespace understudy::test {
namespace {

operation kind_of(const any_operation& op) {
  if (const auto* opaque = std::get_if<opaque_request>(&op)) {
    switch (opaque->tag()) {
      case opaque_request::compare:
        return operation::compare;
      case opaque_request::add:
        return operation::add;
      case opaque_request::modify:
        return operation::modify;
      case opaque_request::remove:
        return operation::remove;
      case opaque_request::modify_dn:
        return operation::modify_dn;
      default:
        return operation::search;
    }
  }
  if (std::holds_alternative<bind_request>(op)) return operation::bind;
  if (std::holds_alternative<password_modify_request>(op)) return operation::password_modify;
  if (std::holds_alternative<extended_request>(op)) return operation::extended;
  if (std::holds_alternative<whoami_request>(op)) return operation::whoami;
  return kind_of(*std::make_shared<any_operation>(encode_operation(request{op, {}}).op));
}

std::string joined(const std::vector<std::string>& messages) {
  std::string all;
  for (const auto& m : messages) all += m;
  return all;
}

/// The entry that a delete is about.
std::string deleted_dn(const any_operation& op) {
  if (const auto* typed = std::get_if<delete_request>(&op)) return typed->dn;
  const auto* opaque = std::get_if<opaque_request>(&op);
  if (opaque == nullptr || opaque->tag() != opaque_request::remove) return {};
  return std::string{*ber_cursor{opaque->protocol_op}.element(opaque_request::remove)};
}

/// What a search in its LDAP encoding is below.
std::string base_of(const any_operation& op) {
  const auto* opaque = std::get_if<opaque_request>(&op);
  if (opaque == nullptr || opaque->tag() != opaque_request::search) return {};
  const auto body = ber_cursor{opaque->protocol_op}.element(opaque_request::search);
  return std::string{*ber_cursor{*body}.element(ber_tag::octet_string)};
}

struct kept {
  caf::response_promise promise;
  call what;
};

/// Answers one as a connection would.
void answer(node_script& script, caf::response_promise promise, const call& order) {
  if (script.refuse) return promise.deliver(to_error(script.refuse));
  if (const auto dn = deleted_dn(order.what->op); !dn.empty()) ++script.done[dn];
  const auto kind = kind_of(order.what->op);
  const auto scripted = script.answers.find(kind);
  auto told = scripted == script.answers.end() ? directory_answer{} : scripted->second;
  if (script.echo && kind == operation::search) told.entries = {{base_of(order.what->op), {}}};
  const auto messages = joined(encode_answer(kind, 1, told));
  if (order.metered) {
    order.metered->begin();
    if (!order.metered->take(messages.size()))
      return promise.deliver(to_error(make_failure(errc::queue_full, stage::operation, "no room")));
  }
  const bool opaque = std::holds_alternative<opaque_request>(order.what->op);
  result_ptr got;
  if (opaque && is_outcome(order.what->op, told.code)) {
    got = std::make_shared<result>();
    got->code = told.code;
    got->messages = messages;
    got->server = script.server;
  } else {
    auto decoded = decode_operation(*order.what, messages, script.server, 1 << 20);
    if (opaque) {
      result busy;
      busy.code = told.code;
      busy.server = script.server;
      busy.diagnostic = told.diagnostic;
      busy.matched_dn = told.matched_dn;
      busy.controls = told.controls;
      decoded.error = make_failure(refusal_of(order.what->op, busy));
    }
    if (decoded.error) return promise.deliver(to_error(decoded.error));
    got = decoded.answer;
  }
  promise.deliver(got);
}

bool take_cancelled(std::vector<kept>& all, const cancel_token_ptr& token) {
  for (auto at = all.begin(); at != all.end(); ++at) {
    if (at->what.token != token) continue;
    at->promise.deliver(to_error(caller_cancelled(stage::operation)));
    all.erase(at);
    return true;
  }
  return false;
}

/// A connection that somebody leased.
caf::behavior connection(caf::event_based_actor* self, std::shared_ptr<node_script> script) {
  install_default_handlers(*self);
  struct relay {
    caf::response_promise promise;
    call what;
    caf::actor reader;
    std::size_t sent = 0;
  };
  auto open = std::make_shared<std::optional<relay>>();
  auto waiting = std::make_shared<std::vector<kept>>();
  const auto go_on = [=] {
    constexpr std::size_t most_unread = 256 * 1024;
    if (!*open) return;
    auto& r = **open;
    while (script->unread <= most_unread) {
      if (script->break_stream && r.sent >= script->entries_of_stream / 2) {
        auto ended = std::move(**open);
        open->reset();
        return ended.promise.deliver(to_error(script->break_stream));
      }
      if (r.sent >= script->entries_of_stream) {
        auto last = std::make_shared<result>();
        last->messages = joined(encode_answer(operation::search, 1, script->end_of_stream));
        last->server = script->server;
        auto ended = std::move(**open);
        open->reset();
        return ended.promise.deliver(result_ptr{last});
      }
      directory_answer some;
      for (int i = 0; i < 10 && r.sent < script->entries_of_stream; ++i)
        some.entries.push_back({"cn=" + std::to_string(r.sent++), {{"mail", {std::string(script->entry_bytes, 'm')}}}});
      script->sent_entries = r.sent;
      auto messages = encode_answer(operation::search, 1, some);
      messages.pop_back();  // the result
      relayed_part part{5, joined(messages)};
      script->unread += part.messages.size();
      script->most_unread = std::max(script->most_unread, script->unread);
      self->send(r.reader, batch_atom_v, r.what.parts, part);
    }
  };
  return {
      [=](perform_atom, lease_id lease, const call& order) {
        auto promise = self->make_response_promise();
        script->seen.push_back(order);
        script->seen.back().metered = nullptr;  // its bytes count as long as somebody has it
        script->seen_leases.push_back(lease);
        if (order.parts != 0) {
          *open = relay{promise, order, caf::actor_cast<caf::actor>(promise.source()), 0};
          script->unread = 0;
          return go_on();
        }
        if (script->hold) return waiting->push_back({promise, order});
        answer(*script, promise, order);
      },
      [=](credit_atom, std::int32_t, std::uint64_t bytes) {
        script->unread -= std::min(bytes, script->unread);
        go_on();
      },
      [=](cancel_atom, const cancel_token_ptr& token) {
        script->cancelled.push_back(token);
        if (take_cancelled(*waiting, token)) return;
        if (!*open || (*open)->what.token != token) return;
        auto ended = std::move(**open);
        open->reset();
        ended.promise.deliver(to_error(caller_cancelled(stage::operation)));
      },
      [=](check_atom, time_point) {
        probe_report good;
        good.ok = true;
        good.took = milliseconds{3};
        return good;
      },
      [=](status_atom) {
        connection_snapshot s;
        s.id = 9;
        s.peer = "192.0.2.1:389";
        s.encryption = "TLSv1.3";
        return s;
      },
      [=](close_atom) {
        // As a connection that is reset: what is open is abandoned.
        const auto over = make_failure(errc::invalid_lease, stage::operation, "the lease ended", script->server);
        for (auto& one : std::exchange(*waiting, {})) one.promise.deliver(to_error(over));
        if (*open) std::exchange(*open, std::nullopt)->promise.deliver(to_error(over));
        self->quit();
      },
      [=](flush_atom) {
        for (auto& one : std::exchange(*waiting, {})) answer(*script, one.promise, one.what);
      },
  };
}

caf::behavior node(caf::event_based_actor* self, std::shared_ptr<node_script> script) {
  install_default_handlers(*self);
  auto waiting = std::make_shared<std::vector<kept>>();
  auto connections = std::make_shared<std::map<lease_id, caf::actor>>();
  return {
      [=](perform_atom, const call& order) {
        auto promise = self->make_response_promise();
        script->seen.push_back(order);
        script->seen.back().metered = nullptr;  // its bytes count as long as somebody has it
        script->seen_leases.push_back(0);
        if (script->hold) return waiting->push_back({promise, order});
        answer(*script, promise, order);
      },
      [=](lease_atom, const lease_request& wish) -> caf::result<lease_grant> {
        if (script->refuses_leases)
          return to_error(make_failure(errc::pool_exhausted, stage::queue, "none is free", script->server));
        script->wishes.push_back(wish);
        lease_grant g;
        g.id = 100 + script->wishes.size();
        g.connection_number = 7;
        g.server = 2;
        g.server_name = script->server;
        const auto made = self->spawn(connection, script);
        (*connections)[g.id] = made;
        g.connection = caf::actor_cast<connection_actor>(caf::actor_cast<caf::strong_actor_ptr>(made));
        return g;
      },
      [=](cancel_atom, const cancel_token_ptr& token) {
        script->cancelled.push_back(token);
        if (!script->deaf_to_cancel) take_cancelled(*waiting, token);
      },
      [=](claim_atom, server_id, lease_id id) { script->claimed.push_back(id); },
      [=](release_atom, server_id, lease_id id) {
        script->released.push_back(id);
        if (const auto found = connections->find(id); found != connections->end()) {
          self->send(found->second, close_atom_v);
          connections->erase(found);
        }
        return true;
      },
      [=](status_atom) { return script->state; },
      [=](health_atom, time_point) { return script->probes; },
      [=](health_atom, int, time_point) { return script->probes; },
      [=](suspend_atom, server_id id, std::uint32_t ttl) {
        script->suspended.emplace_back(id, ttl);
        return id == 2;
      },
      [=](resume_atom, server_id id) {
        script->resumed.push_back(id);
        return id == 2;
      },
      [=](flush_atom) {
        for (auto& one : std::exchange(*waiting, {})) answer(*script, one.promise, one.what);
        for (const auto& [id, one] : *connections) self->send(one, flush_atom_v);
      },
      [=](close_atom) {
        for (auto& one : std::exchange(*waiting, {})) one.promise.deliver(to_error(runtime_ended(stage::operation)));
        for (const auto& [id, one] : *connections) self->send(one, close_atom_v);
        self->quit();
      },
  };
}

}  // namespace

scripted_node::scripted_node(caf::actor_system& system, std::shared_ptr<node_script> script)
    : actor_(system.spawn(node, std::move(script))) {}

circuit_breaker_actor scripted_node::router() const {
  return caf::actor_cast<circuit_breaker_actor>(caf::actor_cast<caf::strong_actor_ptr>(actor_));
}
connection_manager_actor scripted_node::manager() const {
  return caf::actor_cast<connection_manager_actor>(caf::actor_cast<caf::strong_actor_ptr>(actor_));
}

}  // namespace understudy::test
