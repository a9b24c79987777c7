// From the name look-up to ready: addresses, TLS, StartTLS, the service's bind.
#include "understudy/actors/connection/connection.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/metrics/registry.hpp"

#include <caf/send.hpp>

#include <unistd.h>

namespace understudy {
namespace {

// The gate answers within our own deadline; the answer is waited for a little longer, because a credential that was
// given must be judged even when it comes too late to be used.
constexpr seconds credential_grace{5};

}  // namespace

failure connection::setup_failure(errc code, stage where, std::string message) const {
  failure f;
  f.code = code;
  f.where = where;
  f.server = context_.name;
  f.message = std::move(message);
  return f;
}

void connection::start() {
  endpoint_ = endpoint_of(context_.server);
  if (!endpoint_) {
    plan_.failed(setup_failure(errc::invalid_config, stage::resolve, "the URI cannot be understood"));
    return end(plan_.verdict());
  }
  wake_by(plan_.deadline());
  plan_.begin(stage::resolve, now_);
  if (!endpoint_->is_local()) {
    return env_.resolver->resolve(endpoint_->host, endpoint_->port, plan_.deadline(), self_->address(), spec_.id);
  }
  resolution found;
  found.addresses.push_back(local_address(endpoint_->path));
  on_resolved(spec_.id, std::move(found));
}

void connection::on_resolved(std::uint64_t number, resolution found) {
  if (number != spec_.id || phase_ != phase::connecting || plan_.step() != stage::resolve) return;
  if (found.error || found.addresses.empty()) {
    plan_.finish(false, now_);
    failure why = found.error ? *found.error : failure{};
    if (!found.error) why = setup_failure(errc::connection_failed, stage::resolve, "the name has no address");
    plan_.failed(why);
    return end(plan_.verdict());
  }
  plan_.set_addresses(std::move(found.addresses));
  try_next_address();
}

void connection::try_next_address() {
  phase_ = phase::connecting;
  while (const auto* to = plan_.next(now_)) {
    plan_.begin(stage::connect, now_);
    const auto opened = to->bytes.empty() ? opened_socket{-1, ENAMETOOLONG} : open_socket(*to);
    if (opened.fd >= 0) {
      bytes_.open(opened.fd);
      io_ = env_.poller->add(opened.fd, self_->address());
      return wake_by(plan_.address_deadline());
    }
    plan_.finish(false, now_);
    plan_.failed(setup_failure(errc::connection_failed, stage::connect, errno_text(opened.error)));
  }
  end(plan_.verdict());
}

/// This address did not work; perhaps another one does.
void connection::address_failed(failure why) {
  why.where = plan_.step();
  plan_.finish(false, now_);
  plan_.failed(why);
  forget_socket();
  for (const int id : open_.ids()) open_.take(id);
  ldap_.close(false);
  bytes_.close();
  try_next_address();
}

void connection::reached_peer() {
  if (auto why = ldap_.open()) return address_failed(*why);
  switch (endpoint_->security) {
    case channel_security::none:
      return authenticate();
    case channel_security::tls:
      plan_.begin(stage::secure, now_);
      return shake_hands();
    case channel_security::start_tls:
      return request_start_tls();
  }
}

void connection::request_start_tls() {
  phase_ = phase::securing;
  plan_.begin(stage::secure, now_);
  const auto what = make_request(extended_request{std::string{start_tls_oid}, std::nullopt, false});
  ticket whose;
  whose.why = purpose::start_tls;
  add_exchange(ldap_.encode_start_tls(), what, plan_.address_deadline(), std::move(whose));
}

/// Anything but success ends it: nothing is ever sent in plain text instead.
void connection::start_tls_answered(const result& answer) {
  if (answer.code == result_code::success) return shake_hands();
  auto why = setup_failure(errc::ssl_error, stage::secure,
                           "StartTLS was refused with " + result_code_name(answer.code) +
                               (answer.diagnostic.empty() ? "" : ": " + answer.diagnostic));
  why.ldap_code = answer.code;
  why.diagnostic = answer.diagnostic;
  address_failed(std::move(why));
}

void connection::shake_hands() {
  phase_ = phase::securing;
  auto tls = contexts_ ? contexts_->get(context_.server) : make_tls_context(context_.server);
  if (tls.error) return address_failed(*tls.error);
  if (auto why = bytes_.secure(make_tls_channel(std::move(tls.context), bytes_.fd(), endpoint_->host))) {
    return address_failed(*why);
  }
  react(bytes_.resume(transport::writable));
}

void connection::secured() { authenticate(); }

void connection::authenticate() {
  phase_ = phase::binding;
  const bool again = was_ready_;
  if (context_.server.bind_dn.empty() || spec_.kind == connection_kind::bind) {
    if (!again) return become_ready();
    credential nobody;
    return bind_as(nobody);
  }
  if (!again) plan_.begin(stage::bind, now_);
  auto gate = caf::actor_cast<connection_manager_actor>(spec_.gate);
  if (!gate) {
    plan_.failed(setup_failure(errc::stopped, stage::bind, "nobody is left who knows the service's credentials"));
    return end(plan_.verdict());
  }
  credential_asked_ = true;
  self_->request(gate, setup_deadline_ - now_ + credential_grace, credential_atom_v, context_.id)
      .then(
          [this](const credential& given) {
            // Before anything can fail: it has to be judged in any case.
            credential_asked_ = false;
            if (given.version != 0) credential_version_ = given.version;
            turn([&] { on_credential(given); });
          },
          [this](caf::error& why) {
            credential_asked_ = false;
            turn([&] {
              if (phase_ == phase::closed) return quit_if_done();
              auto cause = *failure_of(why);
              cause.where = stage::bind;
              plan_.finish(false, now_);
              end(std::make_shared<const failure>(std::move(cause)));
            });
          });
}

void connection::on_credential(const credential& given) {
  secret_number_ = given.secret_number;
  if (phase_ != phase::binding) {
    pass_verdict(credential_verdict::kind::unknown, end_cause_);
    return quit_if_done();
  }
  if (given.version == 0) return become_ready();
  if (given.password.size() == 0) {
    plan_.failed(setup_failure(errc::invalid_config, stage::bind,
                               "the service's password is empty, which would make the bind anonymous"));
    return end(plan_.verdict());
  }
  bind_as(given);
}

void connection::bind_as(const credential& given) {
  const auto what = make_request(bind_request{given.bind_dn, {}});
  ticket whose;
  whose.why = purpose::bind;
  if (given.bind_dn.find('\0') != std::string::npos) {
    plan_.failed(setup_failure(errc::invalid_config, stage::bind, "the bind DN contains a NUL byte"));
    return end(plan_.verdict());
  }
  auth_method_ = given.bind_dn.empty() ? "anonymous" : "simple";
  add_exchange(ldap_.encode_bind(given.bind_dn, given.password), what, setup_deadline_, std::move(whose));
}

void connection::bind_answered(const result& answer) {
  if (answer.code == result_code::success) {
    pass_verdict(credential_verdict::kind::accepted, nullptr);
    return become_ready();
  }
  const bool overload = answer.code == result_code::busy || answer.code == result_code::unavailable;
  auto why = setup_failure(overload ? errc::ldap_error : errc::authentication_failed, stage::bind,
                           context_.name + " refused the service's bind with " + result_code_name(answer.code) + ".");
  why.ldap_code = answer.code;
  why.matched_dn = answer.matched_dn;
  why.diagnostic = answer.diagnostic;
  plan_.finish(false, now_);
  const auto cause = std::make_shared<const failure>(std::move(why));
  pass_verdict(answer.code == result_code::invalid_credentials ? credential_verdict::kind::refused
                                                               : credential_verdict::kind::unknown,
               cause);
  end(cause);
}

/// Everyone who got a credential says what became of it.
void connection::pass_verdict(credential_verdict::kind what, failure_ptr cause) {
  if (!credential_version_) return;
  credential_verdict verdict{context_.id, *credential_version_, what, std::move(cause)};
  credential_version_.reset();
  if (auto gate = caf::actor_cast<connection_manager_actor>(spec_.gate)) {
    caf::anon_send(gate, credential_atom_v, std::move(verdict));
  }
}

void connection::become_ready() {
  phase_ = phase::ready;
  last_heard_ = now_;
  if (!was_ready_) {
    was_ready_ = true;
    plan_.finish(true, now_);
    if (env_.metrics) env_.metrics->connected(plan_.took());
    log(log_level::debug, "ready");
  }
  tell_owner(connection_event::kind::ready);
}

void connection::check_setup_deadline() {
  const auto due = phase_ == phase::binding ? setup_deadline_ : plan_.address_deadline();
  if (now_ < due) return wake_by(due);
  static constexpr std::array<const char*, 5> waiting_for{"the name look-up", "the connection", "the TLS handshake",
                                                          "the answer to the bind", "an answer"};
  const auto step = was_ready_ ? stage::bind : plan_.step();
  auto why = setup_failure(errc::connection_timeout, step,
                           std::string{"timed out waiting for "} + waiting_for[static_cast<std::size_t>(step)]);
  if (phase_ != phase::binding && step != stage::resolve) return address_failed(std::move(why));
  plan_.finish(false, now_);
  plan_.failed(why);
  end(plan_.verdict());
}

}  // namespace understudy
