// Opens the directory for a command.
#include "understudy/tools/session.hpp"

#include "understudy/actors/connection/request_check.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/tools/report.hpp"

#include <algorithm>

namespace understudy::cli {

using namespace internal;
namespace {

std::vector<std::string> values_of(const entry& e, std::string_view name) {
  const auto* found = e.find(name);
  return found == nullptr ? std::vector<std::string>{} : found->values;
}

using clock = std::chrono::steady_clock;

// Whatever is under way when a command ends is of no use to anybody any more; less so when its time is over.
constexpr milliseconds stopping{200}, stopping_late{50};
constexpr milliseconds look_again_after{100};

settings quick_to_stop(settings all, bool bounded) {
  all.limits.drain_timeout = std::min<duration>(all.limits.drain_timeout, bounded ? stopping_late : stopping);
  return all;
}

std::string source_of_password(const connection_info& server, const target& where) {
  if (!where.password_file.empty()) return "the content of " + config::quote(where.password_file) + " (-y)";
  if (where.ask_password) return "what was typed (-W)";
  if (!server.password_file.empty()) return "the content of password_file " + config::quote(server.password_file);
  // Of a command the program alone: its arguments may be secret.
  if (!server.password_command.empty())
    return "what password_command " + config::quote(server.password_command.front()) + " writes";
  return "the one in " + config::quote(where.config);
}

given_options given_by(const settings& all, const target& where) {
  const auto& server = all.servers.front();
  given_options given;
  given.by_node = !where.nodes.empty();
  given.by_options = where.config.empty() && !given.by_node;
  given.bind_dn = server.bind_dn;
  if (!server.bind_dn.empty()) given.password_source = source_of_password(server, where);
  return given;
}

connection_manager manager_for(settings all, const target& where) {
  const auto nodes = nodes_of(where);
  return nodes ? connection_manager::for_nodes(*nodes, std::move(all)) : connection_manager(std::move(all));
}

}  // namespace

void require_sendable(const request& order) {
  if (auto why = check_request_and_filter(order)) throw_failure(std::move(why));
}

session::session(const settings& all, const target& where, const command_time& time, interrupt_watch& interrupts)
    : deadline_(time.deadline()),
      given_(given_by(all, where)),
      manager_(manager_for(quick_to_stop(all, deadline_.has_value()), where)),
      interrupts_(interrupts) {
  // What went wrong is told by the command itself, once.
  if (!where.verbose && all.log.file.empty()) manager_.set_log([](log_level, const std::string&) {});
}

interrupt_action session::stop_on_interrupt() {
  return {interrupts_, [this] { manager_.disconnect(); }};
}

void session::check_interrupt() const {
  if (interrupts_.tripped()) throw interrupted();
}

duration session::left(duration otherwise) const {
  // Zero would mean the default: what is over is refused all the same.
  return deadline_ ? std::max<duration>(*deadline_ - clock::now(), duration{1}) : otherwise;
}

void session::require_a_start(const connection_result& state) {
  if (state.failed && state.failed->code == errc::invalid_config) throw_failure(state.failed);
}

void session::begin() {
  // Its attempt is over before it can come to anything.
  const auto state = manager_.connect(milliseconds{1});
  require_a_start(state);
  if (state.failed && state.failed->code == errc::local_resources) throw_failure(state.failed);
}

connection_result session::begin_probing(duration patience) {
  if (given_.by_node) {
    begin();
    return {};
  }
  const auto until = clock::now() + left(patience);
  while (true) {
    auto state = manager_.connect(look_again_after);
    const bool over = clock::now() + look_again_after >= until;
    if (state.connected || over || !manager_.snapshot().servers.empty()) return state;
    check_interrupt();
  }
}

bool session::connect() {
  const auto stopping = stop_on_interrupt();
  const auto state = manager_.connect(left(duration::max()));
  check_interrupt();
  if (state.connected) return true;
  require_a_start(state);
  why_not_connected_ = state.failed;
  report(*state.failed, given_);
  // It names each node already.
  if (given_.by_node) return false;
  // That is of the server that was tried last; the others have their reasons too.
  for (const auto& server : manager_.snapshot().servers)
    if (state.failed->message.find(server.last_error) == std::string::npos) complain(server.last_error);
  return false;
}

outcome session::perform(request_ptr request) {
  cancel_source cancel;
  const interrupt_action on_signal(interrupts_, [&cancel] { cancel.cancel(); });
  call_options options;
  options.timeout = left();
  options.cancel = &cancel;
  return manager_.perform(std::move(request), options);
}

std::string session::base_or_default(const std::optional<std::string>& base) {
  if (base) return *base;
  search_request root;
  root.scope = search_scope::base;
  root.attributes = {"defaultNamingContext", "namingContexts"};
  const auto found = perform(make_request(std::move(root)));
  const auto& entries = found.value().entries;
  auto contexts = entries.empty() ? std::vector<std::string>{} : values_of(entries.front(), "defaultNamingContext");
  if (contexts.empty() && !entries.empty()) contexts = values_of(entries.front(), "namingContexts");
  if (contexts.size() == 1) return contexts.front();
  std::string names;
  const auto shown = std::min(contexts.size(), most_quoted_items);
  for (std::size_t i = 0; i < shown; ++i) names += " \"" + shortened(contexts[i]) + "\"";
  if (shown < contexts.size()) names += " and " + std::to_string(contexts.size() - shown) + " more";
  throw usage_error(names.empty() ? "the directory does not say what it holds: give a base with -b"
                                  : "the directory holds several trees: give one with -b:" + names);
}

}  // namespace understudy::cli
