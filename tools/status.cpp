// understudy status: the state of a running node, once or again and again.
#include "understudy/config/endpoint.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/client/readiness.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/state_json.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/node_command.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/screen.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <poll.h>

#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr seconds refresh{1};

struct status_options {
  target where;
  bool json = false, watch = false;
};

std::string text_of(const budget_snapshot& b) {
  return std::to_string(b.share) + " of " + std::to_string(b.total) + " sockets owned, " + std::to_string(b.lent) +
         " lent, " + std::to_string(b.borrowed) + " borrowed; " + std::to_string(b.opened) + " in use, " +
         std::to_string(b.wanted) + " wanted";
}

std::string text_of(const peer_snapshot& p) {
  auto text = "peer " + printable(p.name) + "  " + (p.connected ? "connected" : "not connected") +
              (p.since ? " since " + utc(*p.since) : "") + (p.link.empty() ? "" : "  " + printable(p.link)) + "\n";
  if (!p.last_error.empty())
    text += "    last error" + (p.last_error_at ? " at " + utc(*p.last_error_at) : "") + ": " +
            printable(p.last_error) + "\n";
  return text;
}

std::string text_of(std::string_view which, const check_snapshot& check) {
  auto text = "    " + std::string{which} + " at " + utc(*check.at) + ": " + (check.ok ? "answered" : "failed") +
              " in " + milliseconds_text(check.took);
  for (const auto& step : check.steps)
    text +=
        "  " + std::string{to_string(step.what)} + (step.ok ? " " : " FAILED after ") + milliseconds_text(step.took);
  return text + (check.error.empty() ? "" : "  " + printable(check.error)) + "\n";
}

std::string text_of(const server_snapshot& s, const runtime_snapshot& all) {
  const auto& pool = s.pool.now;
  auto text = printable(internal::server_name(s)) + "  priority " + std::to_string(s.priority) + "  " +
              std::string{state_name(s)} + (is_serving(s, all) ? "  serving" : "") +
              (s.read_only        ? "  read only"
               : s.global_catalog ? "  global catalog"
                                  : "") +
              "  breaker " + std::string{to_string(s.breaker)};
  if (s.retry_after) text += " (again in " + milliseconds_text(*s.retry_after) + ")";
  text += "\n    pool: " + std::to_string(pool.size) + " of " + std::to_string(s.pool.max_connections) +
          " connections, " + std::to_string(pool.idle) + " idle, " + std::to_string(pool.in_use) + " in use (" +
          std::to_string(s.pool.leased) + " leased), " + std::to_string(pool.connecting) + " connecting; " +
          std::to_string(pool.in_flight) + " operations in flight, " + std::to_string(pool.waiters) + " waiting" +
          (pool.waiters > 0 ? " (the longest for " + milliseconds_text(s.pool.longest_wait) + ")" : "") + "; latency " +
          milliseconds_text(s.latency) + "\n";
  if (s.last_check.at) text += text_of("last check", s.last_check);
  if (s.last_connect_check.at && s.last_connect_check.at != s.last_check.at)
    text += text_of("last check with a new connection", s.last_connect_check);
  if (s.budget.total > 0) text += "    budget: " + text_of(s.budget) + "\n";
  if (!s.warning.empty()) text += "    warning: " + printable(s.warning) + "\n";
  if (!s.last_error.empty())
    text += "    last error" + (s.last_error_at ? " at " + utc(*s.last_error_at) : "") + ": " +
            printable(s.last_error) + "\n";
  return text;
}

/// "bind as user: 3 success, 1 refused": those of one kind and identity stand together.
std::string text_of(const std::vector<client_operations>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& each = all[i];
    const bool same = i > 0 && all[i - 1].operation == each.operation && all[i - 1].identity == each.identity;
    text += same ? ", " : text.empty() ? "    " : "\n    ";
    if (!same) text += printable(each.operation) + " as " + std::string{to_string(each.identity)} + ": ";
    text += std::to_string(each.count) + ' ' + std::string{to_string(each.ended)};
  }
  return text.empty() ? text : text + "\n";
}

std::string text_of(const client_listener_snapshot& l) {
  return "LDAP clients at " + printable(l.address) + ": " + std::to_string(l.clients) + " now, " +
         std::to_string(l.accepted) + " in all, " + std::to_string(l.turned_away) + " turned away\n" +
         text_of(l.operations);
}

std::string text_of(const client_snapshot& c) {
  return "    client " + printable(c.address) + " at " + printable(c.listener) + "  " +
         std::string{to_string(c.identity)} + "  " + std::to_string(c.pending) + " pending, " +
         std::to_string(c.operations) + " operations" + (c.parked ? ", holds a connection" : "") + "  for " +
         config::format_span(std::chrono::duration_cast<seconds>(c.age)) + "\n";
}

std::string text_of(const node_client_snapshot& c) {
  return "    " + printable(c.name) + " (" + printable(c.address) + ")  " + printable(c.permission) + "  " +
         std::to_string(c.received) + " bytes received, " + std::to_string(c.sent) + " sent" +
         (c.since ? "  since " + utc(*c.since) : "") + "\n";
}

/// Other nodes that have dialled this one are among them.
std::string text_of_node_clients(const runtime_snapshot& state) {
  if (state.node_clients.empty()) return {};
  auto text = "clients of this node: " + std::to_string(state.node_clients.size() + state.more_node_clients) + " now\n";
  for (const auto& client : state.node_clients) text += text_of(client);
  if (state.more_node_clients > 0) text += "    and " + std::to_string(state.more_node_clients) + " more\n";
  return text;
}

std::string text_of(const runtime_snapshot& state) {
  std::string text;
  for (const auto& server : state.servers) text += text_of(server, state);
  if (state.servers.empty()) text += "no servers\n";
  for (const auto& peer : state.peers) text += text_of(peer);
  text += text_of_node_clients(state);
  std::uint64_t clients = 0;
  for (const auto& listener : state.client_listeners) {
    text += text_of(listener);
    clients += listener.clients;
  }
  for (const auto& client : state.clients) text += text_of(client);
  if (clients > state.clients.size())
    text += "    and " + std::to_string(clients - state.clients.size()) + " clients more\n";
  const auto& all = state.operations;
  text += "operations: " + std::to_string(all.total) + ", " + std::to_string(all.failed) + " failed (" +
          std::to_string(all.failed_by_directory) + " by the directory), " + std::to_string(state.requests_in_flight) +
          " under way; the last minute " + std::to_string(all.last_minute.total) + ", " +
          std::to_string(all.last_minute.failed) + " failed (" + std::to_string(all.last_minute.failed_by_directory) +
          " by the directory)\n";
  if (all.total > 0)
    text += "latency: p50 " + milliseconds_text(all.p50) + ", p99 " + milliseconds_text(all.p99) + ", p99.9 " +
            milliseconds_text(all.p999) + ", max " + milliseconds_text(all.max) + "\n";
  if (state.credentials_refused) text += "the directory refuses the service's own bind\n";
  return text;
}

std::string json_of(const runtime_snapshot& state, int indent) {
  return to_json(state).dump(indent, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

/// False when it was interrupted.
bool pause(const interrupt_watch& interrupts) {
  pollfd one{interrupts.descriptor(), POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(std::chrono::milliseconds{refresh}.count())) == 0;
}

/// One that does not answer is asked again: it may be starting.
int watch(node_session& node, interrupt_watch& interrupts, bool json) {
  const bool screen = !json && is_screen();
  if (screen) put("\x1b[2J");
  bool first = true;
  do {
    std::string text;
    try {
      const auto state = node.state();
      text = json ? json_of(state, -1) : utc(std::chrono::system_clock::now()) + "\n" + text_of(state);
    } catch (const ldap_exception& e) {
      if (interrupts.tripped()) break;
      if (json || !screen) {
        static_cast<void>(report(e.reason(), node.directory().given()));
      } else {
        text = utc(std::chrono::system_clock::now()) + "\n" + printable(explain(e.reason(), node.directory().given())) +
               "\n";
      }
    }
    if (!screen && !json && !first && !text.empty()) put("\n");
    if (!text.empty()) put(screen ? over_the_last(fitted(text, size_of_screen())) : text);
    first = false;
  } while (pause(interrupts));
  return exit_ok;
}

int status(interrupt_watch& interrupts, const status_options& options) {
  return for_operators(options.where, interrupts, [&](node_session& node) {
    if (options.watch) {
      try {
        return watch(node, interrupts, options.json);
      } catch (const interrupted&) {
        return exit_ok;
      }
    }
    const auto state = node.state();
    put(options.json ? json_of(state, 2) : text_of(state));
    return exit_ok;
  });
}

}  // namespace

void declare_status(CLI::App& program, command& chosen) {
  auto* sub =
      program.add_subcommand("status", "Print the state of a running node: servers, breakers, pools, operations");
  auto options = std::make_shared<status_options>();
  options->where.declare_node(*sub, true);
  options->where.declare_limits(*sub, "one look at the node");
  sub->add_flag("--json", options->json, "Print JSON");
  sub->add_flag("--watch", options->watch, "Again every second, until interrupted; with --json a line each");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return status(interrupts, *options); }; });
}

}  // namespace understudy::cli
