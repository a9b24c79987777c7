// Looking at files, and reading them where that may take its time: see certificate_watch.hpp.
#include "understudy/runtime/platform/certificate_watch.hpp"

#include "understudy/messages/printable.hpp"
#include "understudy/runtime/platform/listener.hpp"

namespace understudy::internal {
namespace {

// How often files are looked at.
constexpr seconds files_looked_at_every{1};
// What could not be read is tried again after this, although nobody has written it: a descriptor was missing, a
// permission, the other half of a pair.
constexpr seconds failed_files_read_every{60};

bool same_files(const server_certificates& a, const server_certificates& b) {
  return a.certificate_path == b.certificate_path && a.key_path == b.key_path && a.ca_path == b.ca_path &&
         a.crl_path == b.crl_path;
}

}  // namespace

failure_ptr certificate_watch::load(const server_certificates& files) {
  auto made = make_tls_server_context(files);
  if (made.error) return made.error;
  use(files, std::move(made.context));
  return nullptr;
}

void certificate_watch::use(server_certificates files, tls_server_context_ptr context) {
  const std::lock_guard lock{mutex_};
  files_ = std::move(files);
  states_ = context ? states_of(*context) : std::string{};
  failed_states_.clear();
  context_ = std::move(context);
}

tls_server_context_ptr certificate_watch::context() const {
  const std::lock_guard lock{mutex_};
  return context_;
}

void certificate_watch::look() {
  const std::lock_guard lock{mutex_};
  const auto now = env_->clock->now();
  if (!context_ || reading_ || (looked_at_ && now - *looked_at_ < files_looked_at_every)) return;
  looked_at_ = now;
  auto states = states_of(files_);
  if (states == states_ || (states == failed_states_ && now < failed_again_at_)) return;
  reading_ = env_->workers->run([alive = weak_from_this(), files = files_, states = std::move(states)] {
    auto made = make_tls_server_context(files);
    if (const auto self = alive.lock()) self->on_read(files, states, std::move(made));
  });
}

void certificate_watch::on_read(const server_certificates& read, const std::string& states,
                                tls_server_context_result made) {
  const std::lock_guard lock{mutex_};
  reading_ = false;
  if (!context_ || !same_files(read, files_)) return;  // others are in use by now
  if (made.error) {
    failed_states_ = states;
    failed_again_at_ = env_->clock->now() + failed_files_read_every;
  } else {
    states_ = states;
    failed_states_.clear();
    context_ = std::move(made.context);
  }
  if (!env_->log) return;
  log_port::fields more{{"listener", listener_}};
  if (made.error) more.emplace_back("cause", printable(made.error->message));
  env_->log->write(made.error ? log_level::warning : log_level::info, "listener",
                   made.error ? "the changed certificates cannot be used, the earlier ones stay"
                              : "the changed certificates are in use",
                   more);
}

tls_server_context_ptr read_certificates_for(const std::string& address, const server_certificates& files) {
  auto read = make_tls_server_context(files);
  if (read.error) throw listener_error("cannot listen at " + address + ": " + read.error->message);
  return std::move(read.context);
}

}  // namespace understudy::internal
