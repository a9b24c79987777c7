// Putting a runtime together from the test's parts.
#include "scenarios/bare_runtime.hpp"

#include "understudy/runtime/client/client.hpp"
#include "understudy/runtime/client/default_factories.hpp"

namespace understudy::test {

using namespace internal;

using namespace std::chrono_literals;

bare_runtime::bare_runtime(settings all, replaced_parts with) {
  runtime_options options;
  options.connections = std::move(with.connections);
  options.on_log = std::move(with.on_log);
  options.serve_clients = with.serve_clients;
  if (!with.manager) with.manager = default_manager();
  options.manager = [change = std::move(with.ports), make = std::move(with.manager)](
                        caf::actor_system& system, settings_ptr s, environment_ptr env, connection_factory connect) {
    auto changed = std::make_shared<environment>(*env);
    if (change) change(*changed);
    return make(system, std::move(s), std::move(changed), std::move(connect));
  };
  runtime_ = std::make_unique<runtime>(std::make_shared<const settings>(completed(std::move(all))), std::move(options));
}

bool bare_runtime::connect() {
  return eventually([this] { return static_cast<bool>(try_search(search_for("(objectClass=*)"), {5s})); });
}

runtime_snapshot bare_runtime::snapshot() const {
  auto got = runtime_->snapshot(20s);
  if (!got) throw std::runtime_error("no snapshot: " + describe(*got.error));
  return std::move(*got.value);
}

bare_runtime::operator running() {
  return {*this, [this] { return snapshot(); },
          [this] { return runtime_->stop(runtime_->all()->limits.drain_timeout); }};
}

outcome bare_runtime::perform(request_ptr request, const call_options& options) {
  return runtime_->client().perform(std::move(request), options);
}

void bare_runtime::start(request_ptr request, completion done, const call_options& options, executor where) {
  runtime_->client().start(std::move(request), std::move(done), options, std::move(where));
}

}  // namespace understudy::test
