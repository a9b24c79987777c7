// From the name look-up to ready: addresses, TLS, StartTLS, the service's bind.
#include "understudy/actors/connection/connection.hpp"
#include "understudy/actors/connection/request_check.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/actors/metrics/registry.hpp"
#include "understudy/messages/password_policy.hpp"
#include "understudy/messages/stage_words.hpp"

#include <caf/send.hpp>

#include <unistd.h>
#include <algorithm>

namespace understudy {
namespace {

// The gate answers within `timeout` or 5 s, whichever is longer; its answer is waited for beyond that, because a
// credential that was given must be judged even when it comes too late to be used.
constexpr seconds credential_grace{10};
// Who waits for it longer asks the server meanwhile whether it lives.
constexpr milliseconds credential_patience{50};

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
  if (endpoint_.host.empty()) {
    attempt_.failed(setup_failure(errc::invalid_config, stage::resolve, "the URI cannot be understood"));
    return end(attempt_.verdict());
  }
  wake_by(attempt_.deadline());
  attempt_.begin(stage::resolve, now_);
  if (!endpoint_.local)
    return env_.resolver->resolve(endpoint_.host, endpoint_.port, attempt_.deadline(), self_->address(), spec_.id);
  resolution found;
  found.addresses.push_back(local_address(endpoint_.host));
  on_resolved(spec_.id, std::move(found));
}

void connection::on_resolved(std::uint64_t number, resolution found) {
  if (number != spec_.id || phase_ != phase::connecting || attempt_.step() != stage::resolve) return;
  if (found.error || found.addresses.empty()) {
    attempt_.finish(false, now_);
    failure why = found.error ? *found.error : failure{};
    if (!found.error) why = setup_failure(errc::connection_failed, stage::resolve, "the name has no address");
    attempt_.failed(why);
    return end(attempt_.verdict());
  }
  attempt_.set_addresses(std::move(found.addresses));
  attempt_.begin(stage::connect, now_);
  dial();
}

/// Dials whatever is due, each address on a socket of its own; whichever is reached first becomes the connection.
void connection::dial() {
  while (const auto order = attempt_.next(now_)) {
    if (order->in_place_of) hang_up(*order->in_place_of);
    const auto opened = order->to->bytes.empty() ? opened_socket{-1, ENAMETOOLONG} : open_socket(*order->to);
    if (opened.fd < 0) {
      attempt_.dial_failed(order->number,
                           setup_failure(errc_of_errno(opened.error), stage::connect, errno_text(opened.error)));
      continue;
    }
    const auto io = env_.poller->add(opened.fd, self_->address());
    dialled_.push_back({order->number, opened.fd, io});
    env_.poller->arm(io, transport::writable);
  }
  if (!attempt_.exhausted(now_)) return wake_by(attempt_.due_at());
  attempt_.finish(false, now_);
  end(attempt_.verdict());
}

/// A dialled socket came to an end: its address is reached, or it is not.
void connection::on_dialled(std::uint64_t io) {
  const auto at = std::find_if(dialled_.begin(), dialled_.end(), [&](const dialled_socket& d) { return d.io == io; });
  if (at == dialled_.end()) return;
  const auto number = at->number;
  if (const int code = pending_error(at->fd); code != 0) {
    hang_up(number);
    attempt_.dial_failed(number, setup_failure(errc_of_errno(code), stage::connect, errno_text(code)));
    return dial();
  }
  attempt_.reached(number);
  bytes_.open(at->fd);
  io_ = at->io;
  armed_ = 0;
  dialled_.erase(at);
  hang_up();
  react(bytes_.resume(transport::writable));
}

void connection::hang_up(std::optional<std::size_t> number) {
  const auto ends = [&](const dialled_socket& d) {
    if (number && d.number != *number) return false;
    env_.poller->remove(d.io);
    ::close(d.fd);
    return true;
  };
  dialled_.erase(std::remove_if(dialled_.begin(), dialled_.end(), ends), dialled_.end());
}

/// This address did not work; perhaps another one does.
void connection::address_failed(failure why) {
  bind_over(false);
  if (attempt_.paused()) attempt_.ask(now_);  // what it waited for was for this address
  why.where = attempt_.step();
  attempt_.finish(false, now_);
  attempt_.failed(why);
  forget_socket();
  for (const int id : open_.ids()) open_.take(id);
  ldap_.close(false);
  bytes_.close();
  pass_verdict(credential_verdict::kind::unknown, make_failure(std::move(why)));
  waits_for_certificates_ = false;
  if (attempt_.exhausted(now_)) return end(attempt_.verdict());
  phase_ = phase::connecting;
  attempt_.begin(stage::connect, now_);
  dial();
}

void connection::reached_peer() {
  if (auto why = ldap_.open()) return address_failed(*why);
  if (endpoint_.use_tls) return request_start_tls();
  if (!endpoint_.use_ssl) return authenticate();
  attempt_.begin(stage::secure, now_);
  shake_hands();
}

void connection::request_start_tls() {
  phase_ = phase::securing;
  attempt_.begin(stage::secure, now_);
  const auto what = make_request(extended_request{std::string{start_tls_oid}, std::nullopt, false});
  ticket whose;
  whose.why = purpose::start_tls;
  add_exchange(ldap_.encode_start_tls(), what, attempt_.deadline(), std::move(whose));
}

/// Anything but success ends it: nothing is ever sent in plain text instead.
void connection::start_tls_answered(const result& answer) {
  if (answer.code == result_code::success) return shake_hands();
  auto why = setup_failure(errc::ssl_error, stage::secure,
                           "StartTLS (use_tls) was refused with " + result_code_name(answer.code) +
                               (answer.diagnostic.empty() ? "" : ": " + answer.diagnostic));
  why.ldap_code = answer.code;
  why.diagnostic = answer.diagnostic;
  address_failed(std::move(why));
}

/// Certificates are read by a worker; it tells by an event of the socket that they are there.
void connection::shake_hands() {
  phase_ = phase::securing;
  attempt_.pause(now_);
  auto ready = [self = self_->address(), socket = io_] {
    if (auto it = caf::actor_cast<connection_actor>(self)) caf::anon_send(it, io_atom_v, socket, std::uint32_t{0});
  };
  const std::shared_ptr<const connection_info> server{spec_.context, &context_.server};
  auto tls = shared_->certificates->get(server, now_, *env_.workers, std::move(ready));
  waits_for_certificates_ = !tls.has_value();
  if (!tls) return;
  attempt_.ask(now_);
  if (tls->error) return address_failed(*tls->error);
  if (auto why = bytes_.secure(make_tls_channel(std::move(tls->context), bytes_.fd(), endpoint_))) {
    return address_failed(*why);
  }
  react(bytes_.resume(transport::writable));
}

void connection::authenticate() {
  phase_ = phase::binding;
  const bool again = was_ready_;
  if (!binds(context_.server) || spec_.kind == connection_kind::bind) {
    if (!again) return ask_for_life();
    credential nobody;
    return bind_as(nobody);
  }
  if (!again) {
    attempt_.begin(stage::bind, now_);
    ask_for_life_at_ = now_ + credential_patience;
  }
  ask_for_credential();
}

void connection::ask_for_credential() {
  auto gate = caf::actor_cast<connection_manager_actor>(spec_.gate);
  if (!gate) {
    attempt_.failed(setup_failure(errc::stopped, stage::bind, "nobody is left who knows the service's credentials"));
    return end(attempt_.verdict());
  }
  if (!attempt_.paused()) attempt_.pause(now_);
  if (!was_ready_) wake_by(ask_for_life_at_);
  ++credentials_asked_;
  // The gate answers in time (credential_grace); until then no deadline of ours counts against the server.
  self_->request(gate, context_.server.timeout + credential_grace, credential_atom_v, context_.id)
      .then(
          [this, socket = io_](const credential& given) {
            --credentials_asked_;
            turn([&] { on_credential(given, socket); });
          },
          [this, socket = io_](caf::error& why) {
            --credentials_asked_;
            turn([&] {
              if (phase_ == phase::closed) return quit_if_done();
              if (socket != io_) return;  // of an address that was given up
              auto cause = *failure_of(why);
              if (cause.where != stage::queue) cause.where = stage::bind;
              attempt_.finish(false, now_);
              end(make_failure(std::move(cause)));
            });
          });
}

/// To wait at the gate says nothing about the server; it is asked meanwhile whether it lives. So one that is silent
/// shows that itself, and does not keep others waiting with a bind that it would leave unanswered.
void connection::ask_for_life_meanwhile() {
  ask_for_life_at_ = time_point::max();
  attempt_.ask_for_life(now_);
  ticket whose;
  whose.why = purpose::first_answer;
  add_exchange(ldap_.encode(*root_dse_read()), root_dse_read(), attempt_.due_at(), std::move(whose));
  wake_by(attempt_.due_at());
}

/// `socket`: the one that it was asked for; another one asks again.
void connection::on_credential(const credential& given, poller_port::io_id socket) {
  if (phase_ != phase::binding || socket != io_) {
    if (given.version != 0) pass_verdict(given.version, credential_verdict::kind::unknown, end_cause_);
    return quit_if_done();
  }
  if (attempt_.waits_for_life()) {  // asked for again when that is answered
    if (given.version != 0) pass_verdict(given.version, credential_verdict::kind::unknown, nullptr);
    return;
  }
  // Before anything can fail: it has to be judged in any case.
  if (given.version != 0) credential_version_ = given.version;
  secret_number_ = given.secret_number;
  attempt_.ask(now_);
  setup_deadline_ = was_ready_ ? now_ + context_.server.timeout : attempt_.deadline();
  wake_by(setup_deadline_);
  if (given.version == 0) return was_ready_ ? become_ready() : ask_for_life();
  if (binds_externally(context_.server)) return bind_as(given);
  if (given.bind_dn.empty()) {
    attempt_.failed(setup_failure(errc::invalid_config, stage::bind,
                                  "the service has a password and no bind DN, which would make the bind anonymous"));
    return end(attempt_.verdict());
  }
  if (given.password.size() == 0) {
    attempt_.failed(setup_failure(errc::invalid_config, stage::bind,
                                  "the service's password is empty, which would make the bind anonymous"));
    return end(attempt_.verdict());
  }
  bind_as(given);
}

void connection::bind_as(const credential& given) {
  if (given.version != 0 && binds_externally(context_.server)) {
    auth_method_ = "external";
    return send_bind(ldap_.encode_external_bind(), {});
  }
  if (given.bind_dn.find('\0') != std::string::npos) {
    attempt_.failed(setup_failure(errc::invalid_config, stage::bind, "the bind DN contains a NUL byte"));
    return end(attempt_.verdict());
  }
  auth_method_ = given.bind_dn.empty() ? "anonymous" : "simple";
  send_bind(ldap_.encode_bind(given.bind_dn, given.password), given.bind_dn);
}

void connection::send_bind(const encoded_request& at, const std::string& bind_dn) {
  ticket whose;
  whose.why = purpose::bind;
  attempt_.ask(now_);
  bind_under_way_ = true;
  context_.pace->bind_sent(now_);
  bound_as_ = bind_dn;
  add_exchange(at, make_request(bind_request{bind_dn, {}}), setup_deadline_, std::move(whose));
}

/// Answered, or given up with its connection.
void connection::bind_over(bool answered) {
  if (std::exchange(bind_under_way_, false)) context_.pace->bind_over(answered, now_);
}

void connection::bind_answered(const result& answer) {
  bind_over(true);
  const auto policy = read_password_policy(answer.controls);
  if (answer.code == result_code::success) {
    warning_.reset();
    if (policy.notable()) warning_ = password_warning{bound_as_, describe(policy), policy.must_change};
    pass_verdict(credential_verdict::kind::accepted, nullptr);
    return become_ready();
  }
  const bool overload = is_overload(answer.code);
  auto why = setup_failure(
      overload ? errc::ldap_error : errc::service_authentication_failed, stage::bind,
      context_.name + " refused the service's bind " +
          (auth_method_ == "external" ? std::string{"by SASL EXTERNAL"} : "as \"" + context_.server.bind_dn + "\"") +
          " with " + result_code_name(answer.code) + ".");
  why.ldap_code = answer.code;
  why.matched_dn = answer.matched_dn;
  why.diagnostic = answer.diagnostic;
  why.controls = answer.controls;
  if (policy.notable()) why.cause = text_of({bound_as_, describe(policy), policy.must_change});
  attempt_.finish(false, now_);
  const auto cause = make_failure(std::move(why));
  pass_verdict(answer.code == result_code::invalid_credentials ? credential_verdict::kind::refused
                                                               : credential_verdict::kind::unknown,
               cause);
  end(cause);
}

/// Everyone who got a credential says what became of it.
void connection::pass_verdict(credential_verdict::kind what, failure_ptr cause) {
  if (credential_version_) pass_verdict(*std::exchange(credential_version_, std::nullopt), what, std::move(cause));
}

void connection::pass_verdict(std::uint64_t version, credential_verdict::kind what, failure_ptr cause) {
  credential_verdict verdict{context_.id, version, what, std::move(cause)};
  if (what == credential_verdict::kind::accepted) verdict.warning = warning_;
  if (auto gate = caf::actor_cast<connection_manager_actor>(spec_.gate)) {
    caf::anon_send(gate, credential_atom_v, std::move(verdict));
  }
}

/// A peer that takes connections need not be a directory that lives: a balancer without backends takes them too. Only
/// an LDAP message from it counts; where no bind brings one, the root DSE is read, which everybody may do.
void connection::ask_for_life() {
  attempt_.begin(stage::operation, now_);
  ticket whose;
  whose.why = purpose::first_answer;
  add_exchange(ldap_.encode(*root_dse_read()), root_dse_read(), attempt_.deadline(), std::move(whose));
}

/// Whatever it says, it lives; unless it says that it is not there for anybody. Where it is bound to, its answer to the
/// bind decides about that.
void connection::life_answered(const result& answer) {
  if (attempt_.waits_for_life()) {
    attempt_.life_answered();
    if (credentials_asked_ == 0) ask_for_credential();
    return;
  }
  if (!is_overload(answer.code)) return become_ready();
  auto why = setup_failure(errc::ldap_error, stage::operation,
                           context_.name + " refused a read of its root DSE with " + result_code_name(answer.code));
  why.ldap_code = answer.code;
  why.diagnostic = answer.diagnostic;
  address_failed(std::move(why));
}

void connection::become_ready() {
  phase_ = phase::ready;
  last_heard_ = now_;
  if (!was_ready_) {
    was_ready_ = true;
    open_since_ = now_;
    attempt_.finish(true, now_);
    if (env_.metrics) env_.metrics->connected(attempt_.took());
    if (!attempt_.held_up()) context_.pace->connected(attempt_.took());
    log(log_level::debug, "ready");
  }
  tell_owner(connection_event::kind::ready);
}

void connection::check_setup_deadline() {
  if (was_ready_) {
    if (credentials_asked_ > 0) return;
    if (now_ < setup_deadline_) return wake_by(setup_deadline_);
    return end(make_failure(setup_failure(errc::connection_timeout, stage::bind,
                                          context_.name + " did not answer the service's bind in time.")));
  }
  const bool for_life = attempt_.waits_for_life();
  const bool for_ours = attempt_.paused() && !for_life;
  // The gate answers in any case: the request for the credentials has a time-out of its own.
  if (for_ours && !waits_for_certificates_) {
    return now_ < ask_for_life_at_ ? wake_by(ask_for_life_at_) : ask_for_life_meanwhile();
  }
  if (now_ < attempt_.due_at()) return wake_by(attempt_.due_at());
  const auto step = for_life ? stage::operation : attempt_.step();
  // What we waited for on our own account is no failure of the server.
  auto why = setup_failure(
      errc::connection_timeout, for_ours ? stage::queue : step,
      "timed out waiting for " + (waits_for_certificates_ ? "the files and the password of the client's certificate"
                                                          : std::string{awaited_at(step)}));
  if (step == stage::resolve || for_ours) {
    attempt_.finish(false, now_);
    attempt_.failed(why);
    return end(attempt_.verdict());
  }
  if (attempt_.has_reached_one()) return address_failed(std::move(why));
  if (now_ >= attempt_.deadline()) {
    for (const auto number : attempt_.dialled()) attempt_.dial_failed(number, why);
    hang_up();
  }
  dial();
}

}  // namespace understudy
