// A link to a node for the length of one command: see node_command.hpp.
#include "understudy/tools/node_command.hpp"

#include "understudy/actors/node/snapshot_fields.hpp"
#include "understudy/config/endpoint.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/manager_access.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr seconds default_patience{10};

std::shared_ptr<runtime> running_behind(session& directory, interrupt_watch& interrupts) {
  auto there = manager_access::running(directory.manager());
  if (!there && interrupts.tripped()) throw interrupted();
  if (!there) throw_failure(make_failure(runtime_ended(stage::queue)));
  return there;
}

template <class T>
T value_of(answer<T> got, interrupt_watch& interrupts) {
  if (!got && interrupts.tripped()) throw interrupted();
  if (!got) throw_failure(std::move(got.error));
  return std::move(*got.value);
}

}  // namespace

node_session::node_session(const target& where, interrupt_watch& interrupts)
    : interrupts_(interrupts),
      time_(where.timeout),
      directory_(one_shot_settings(where, time_, interrupts), where, time_, interrupts),
      stopping_(directory_.stop_on_interrupt()) {
  directory_.begin();
}

duration node_session::patience() const { return directory_.left(default_patience); }

runtime_snapshot node_session::state() {
  const auto there = running_behind(directory_, interrupts_);
  return value_of(there->client().ask<runtime_snapshot>(there->manager(), patience(), status_atom_v), interrupts_);
}

answer_frame node_session::ask(node_request question) {
  const auto there = running_behind(directory_, interrupts_);
  question.deadline = there->env()->clock->now() + patience();
  auto got = value_of(
      there->client().ask<answer_frame>(there->router(), patience() + seconds{1}, perform_atom_v, std::move(question)),
      interrupts_);
  if (got.kind == answer_kind::failed) throw_failure(std::move(got.error));
  return got;
}

void node_session::order(request_kind kind) {
  auto asked = make_node_request(kind, {});
  asked.repeatable = false;
  static_cast<void>(ask(std::move(asked)));
}

operation_samples node_session::ended(std::optional<std::uint64_t> from) {
  auto asked = make_node_request(request_kind::tap, {});
  asked.frame.flag = !from;
  asked.frame.target = from.value_or(0);
  auto read = decode_operation_samples(ask(std::move(asked)).body);
  if (!read.value) throw_failure(std::move(read.error));
  return std::move(*read.value);
}

int for_operators(const target& where, interrupt_watch& interrupts, const std::function<int(node_session&)>& body) {
  node_session node(where, interrupts);
  try {
    return body(node);
  } catch (const ldap_exception& e) {
    node.directory().check_interrupt();
    static_cast<void>(report(e.reason(), node.directory().given()));
    return exit_runtime;
  }
}

int for_one_node(const target& where, interrupt_watch& interrupts, const std::function<int(node_session&)>& body) {
  if (where.nodes.size() > 1)
    throw usage_error("--node: an order is for one node; give it to each of several by itself");
  return for_operators(where, interrupts, body);
}

void declare_order(CLI::App& program, command& chosen, const char* name, const char* meaning, request_kind kind) {
  auto* sub = program.add_subcommand(name, meaning);
  auto where = std::make_shared<target>();
  where->declare_node(*sub, true);
  where->declare_limits(*sub);
  sub->callback([where, kind, &chosen] {
    chosen = [where, kind](interrupt_watch& interrupts) {
      return for_one_node(*where, interrupts, [kind, &where](node_session& node) {
        node.order(kind);
        put(where->nodes.front() + " was told; its log says what comes of it\n");
        return exit_ok;
      });
    };
  });
}

std::string names_of(const runtime_snapshot& state) {
  return joined(state.servers, ", ", [](const server_snapshot& server) { return server_name(server); });
}

}  // namespace understudy::cli
