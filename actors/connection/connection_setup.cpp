// From an address to a connection that is ready, step by step.
#include "understudy/actors/connection/connection_setup.hpp"

#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/messages/ldap_protocol.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/stage_words.hpp"

#include <algorithm>
#include <array>

namespace understudy::internal {
namespace {

constexpr std::array<const char*, 5> step_names{"connecting", "securing", "binding", "ready", "closed"};

// Who waits for it longer asks the server meanwhile whether it lives.
constexpr milliseconds credential_patience{50};

}  // namespace

const request_ptr& root_dse_read() {
  static const auto read = [] {
    search_request r;
    r.scope = search_scope::base;
    r.attributes = {"1.1"};
    return make_request(std::move(r));
  }();
  return read;
}

connection_setup::connection_setup(const connection_dependencies& dependencies, ldap_wire& bytes, time_point now)
    : dependencies_(dependencies),
      wire_(bytes),
      endpoint_(endpoint_of(dependencies_.server)),
      now_(now),
      attempt_(dependencies_.server_name, now_, dependencies_.server.timeout, dependencies_.all.breaker.suspect_after),
      deadline_(attempt_.deadline()) {}

void connection_setup::finish_turn() const {
  auto& load = *dependencies_.load;
  load.held_up = attempt_.held_up();
  load.awaits_credential = step_ == step::binding && attempt_.paused();
  load.awaited_since = attempt_.awaited_since();
}

const char* connection_setup::state_name() const noexcept { return step_names[static_cast<std::size_t>(step_)]; }

failure connection_setup::server_failure(errc code, stage where, std::string message) const {
  failure f;
  f.code = code;
  f.where = where;
  f.server = dependencies_.server_name;
  f.message = std::move(message);
  return f;
}

/// None of the addresses would be of use.
void connection_setup::give_up(errc code, stage where, std::string message) {
  attempt_.failed(server_failure(code, where, std::move(message)));
  fail(attempt_.verdict());
}

void connection_setup::ask(pending_answer asked, const encoded_request& at, request_ptr request, time_point deadline) {
  asked_ = asked;
  act(setup_action::ask{at, std::move(request), deadline});
}

void connection_setup::ask_for_life(time_point deadline) {
  ask(pending_answer::first_answer, wire_.encode(*root_dse_read()), root_dse_read(), deadline);
}

void connection_setup::answered(const result& answer) {
  switch (std::exchange(asked_, pending_answer::none)) {
    case pending_answer::start_tls:
      return start_tls_answered(answer);
    case pending_answer::bind:
      return bind_answered(answer);
    case pending_answer::first_answer:
      return liveness_answered(answer);
    case pending_answer::none:
      break;
  }
}

void connection_setup::bind_again() {
  deadline_ = now_ + dependencies_.server.timeout;
  wake_by(deadline_);
  authenticate();
}

void connection_setup::end(bool polite, const failure_ptr& cause) {
  step_ = step::ended;
  wake_ = time_point::max();
  bind_over(false);
  close_wire(polite);
  pass_verdict(credential_verdict::kind::unknown, cause);
}

void connection_setup::start() {
  if (endpoint_.host.empty()) return give_up(errc::invalid_config, stage::resolve, "the URI cannot be understood");
  wake_by(attempt_.deadline());
  attempt_.begin(stage::resolve, now_);
  act(connection_action::resolve{attempt_.deadline()});
}

void connection_setup::on_resolved(resolution found) {
  if (step_ != step::connecting || attempt_.step() != stage::resolve) return;
  if (found.error || found.addresses.empty()) {
    attempt_.finish(false, now_);
    failure why = found.error ? *found.error : failure{};
    if (!found.error) why = server_failure(errc::connection_failed, stage::resolve, "the name has no address");
    attempt_.failed(why);
    return fail(attempt_.verdict());
  }
  attempt_.set_addresses(std::move(found.addresses));
  attempt_.begin(stage::connect, now_);
  dial();
}

/// Dials whatever is due, each address on a socket of its own; whichever is reached first becomes the connection.
void connection_setup::dial() {
  while (const auto order = attempt_.next(now_, dependencies_.may_dial_beside)) {
    if (order->in_place_of) act(connection_action::hang_up{*order->in_place_of});
    act(connection_action::dial{order->number, *order->to});
  }
  if (!attempt_.exhausted(now_)) return wake_by(attempt_.due_at());
  attempt_.finish(false, now_);
  fail(attempt_.verdict());
}

void connection_setup::dial_failed(std::size_t number, errc code, std::string message) {
  if (step_ != step::connecting) return;
  attempt_.dial_failed(number, server_failure(code, stage::connect, std::move(message)));
  dial();
}

void connection_setup::reached(std::size_t number, std::uint64_t socket) {
  attempt_.reached(number);
  socket_ = socket;
}

void connection_setup::address_failed(failure why) {
  // It was asked only because the bind had to wait, and may answer nobody before that: it is to be bound to all the
  // same.
  const bool for_liveness_alone =
      attempt_.waits_for_liveness() && why.code == errc::connection_failed && !std::exchange(asked_in_vain_, true);
  bind_over(false);
  if (attempt_.paused()) attempt_.ask(now_);  // what it waited for was for this address
  why.where = attempt_.step();
  attempt_.finish(false, now_);
  for_liveness_alone ? attempt_.dial_again() : attempt_.failed(why);
  asked_ = pending_answer::none;
  act(setup_action::forget_asked{});
  close_wire(false);
  pass_verdict(credential_verdict::kind::unknown, make_failure(std::move(why)));
  waits_for_certificates_ = false;
  if (attempt_.exhausted(now_)) return fail(attempt_.verdict());
  step_ = step::connecting;
  attempt_.begin(stage::connect, now_);
  dial();
}

void connection_setup::close_wire(bool polite) {
  socket_ = 0;
  wire_.close(polite);
}

void connection_setup::on_connected() {
  if (auto why = wire_.open()) return address_failed(*why);
  if (endpoint_.use_tls) return request_start_tls();
  if (!endpoint_.use_ssl) return authenticate();
  attempt_.begin(stage::secure, now_);
  begin_tls();
}

void connection_setup::request_start_tls() {
  step_ = step::securing;
  attempt_.begin(stage::secure, now_);
  const auto request = make_request(extended_request{std::string{extension::start_tls}, std::nullopt, false});
  ask(pending_answer::start_tls, wire_.encode_start_tls(), request, attempt_.deadline());
}

/// Anything but success ends it: nothing is ever sent in plain text instead.
void connection_setup::start_tls_answered(const result& answer) {
  if (answer.code == result_code::success) return begin_tls();
  auto why = server_failure(errc::ssl_error, stage::secure,
                            "StartTLS (use_tls) was refused with " + result_code_name(answer.code) +
                                (answer.diagnostic.empty() ? "" : ": " + shortened(answer.diagnostic)));
  why.ldap_code = answer.code;
  why.diagnostic = answer.diagnostic;
  address_failed(std::move(why));
}

/// Certificates are read by a worker; it tells by an event of the socket that they are there.
void connection_setup::begin_tls() {
  step_ = step::securing;
  if (!attempt_.paused()) attempt_.pause(now_);
  const auto tls = wire_.secure();
  waits_for_certificates_ = tls.waits;
  if (tls.waits) return;
  attempt_.ask(now_);
  if (tls.error) return address_failed(*tls.error);
  act(connection_action::shake_hands{socket_});
}

void connection_setup::authenticate() {
  step_ = step::binding;
  const bool again = was_ready_;
  if (!binds(dependencies_.server) || dependencies_.kind == connection_kind::bind) {
    // One for binds is not bound again: whoever gets it binds.
    if (!again) return check_liveness();
    credential nobody;
    return bind_as(nobody);
  }
  if (!again) {
    attempt_.begin(stage::bind, now_);
    check_liveness_at_ = asked_in_vain_ ? time_point::max() : now_ + credential_patience;
  }
  ask_for_credential();
}

void connection_setup::ask_for_credential() {
  if (!attempt_.paused()) attempt_.pause(now_);
  if (!was_ready_) wake_by(check_liveness_at_);
  ++credentials_asked_;
  // The bind lockout guard answers in time; until then no deadline of ours counts against the server.
  act(connection_action::ask_for_credential{socket_});
}

void connection_setup::no_credential(failure why, std::uint64_t socket) {
  --credentials_asked_;
  if (step_ == step::ended || socket != socket_) return;  // of an address that was given up
  if (why.where != stage::queue) why.where = stage::bind;
  attempt_.finish(false, now_);
  fail(make_failure(std::move(why)));
}

void connection_setup::nobody_knows_credentials() {
  --credentials_asked_;
  if (step_ == step::ended) return;
  give_up(errc::stopped, stage::bind, "nobody is left who knows the service's credentials");
}

/// To wait for the bind lockout guard says nothing about the server; it is asked meanwhile whether it lives. So one
/// that is silent shows that itself, and does not keep others waiting with a bind that it would leave unanswered.
void connection_setup::check_liveness_meanwhile() {
  check_liveness_at_ = time_point::max();
  attempt_.check_liveness(now_);
  ask_for_life(attempt_.due_at());
  wake_by(attempt_.due_at());
}

void connection_setup::on_credential(const credential& given, std::uint64_t socket) {
  --credentials_asked_;
  // While the server is asked whether it lives: asked for again when that is answered.
  if (step_ != step::binding || socket != socket_ || attempt_.waits_for_liveness()) {
    if (given.version != 0) pass_verdict(given.version, credential_verdict::kind::unknown, nullptr);
    return;
  }
  // Before anything can fail: it has to be judged in any case.
  if (given.version != 0) credential_version_ = given.version;
  secret_number_ = given.secret_number;
  attempt_.ask(now_);
  deadline_ = was_ready_ ? now_ + dependencies_.server.timeout : attempt_.deadline();
  wake_by(deadline_);
  if (given.version == 0) return was_ready_ ? become_ready() : check_liveness();
  if (binds_externally(dependencies_.server)) return bind_as(given);
  if (given.bind_dn.empty()) {
    return give_up(errc::invalid_config, stage::bind,
                   "the service has a password and no bind DN, which would make the bind anonymous");
  }
  if (given.password.size() == 0) {
    return give_up(errc::invalid_config, stage::bind,
                   "the service's password is empty, which would make the bind anonymous");
  }
  bind_as(given);
}

void connection_setup::bind_as(const credential& given) {
  if (given.version != 0 && binds_externally(dependencies_.server)) {
    auth_method_ = "external";
    return send_bind(wire_.encode_external_bind(), {});
  }
  if (given.bind_dn.find('\0') != std::string::npos)
    return give_up(errc::invalid_config, stage::bind, "the bind DN contains a NUL byte");
  auth_method_ = given.bind_dn.empty() ? "anonymous" : "simple";
  send_bind(wire_.encode_bind(given.bind_dn, given.password), given.bind_dn);
}

void connection_setup::send_bind(const encoded_request& at, const std::string& bind_dn) {
  attempt_.ask(now_);
  bind_under_way_ = true;
  dependencies_.pace->bind_sent(now_);
  bound_as_ = bind_dn;
  ask(pending_answer::bind, at, make_request(bind_request{bind_dn, {}}), deadline_);
}

/// Answered, or given up with its connection.
void connection_setup::bind_over(bool was_answered) {
  if (std::exchange(bind_under_way_, false)) dependencies_.pace->bind_over(was_answered, now_);
}

void connection_setup::bind_answered(const result& answer) {
  bind_over(true);
  const auto policy = read_password_policy(answer.controls);
  if (answer.code == result_code::success) {
    warning_.reset();
    if (policy.notable()) warning_ = password_warning{bound_as_, describe(policy), policy.must_change};
    pass_verdict(credential_verdict::kind::accepted, nullptr);
    return become_ready();
  }
  const bool overload = is_overload(answer.code);
  auto why = server_failure(overload ? errc::ldap_error : errc::service_authentication_failed, stage::bind,
                            dependencies_.server_name + " refused the service's bind " +
                                (auth_method_ == "external" ? std::string{"by SASL EXTERNAL"}
                                                            : "as \"" + dependencies_.server.bind_dn + "\"") +
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
  fail(cause);
}

/// Everyone who got a credential says what became of it.
void connection_setup::pass_verdict(credential_verdict::kind kind, failure_ptr cause) {
  if (credential_version_) pass_verdict(*std::exchange(credential_version_, std::nullopt), kind, std::move(cause));
}

void connection_setup::pass_verdict(std::uint64_t version, credential_verdict::kind kind, failure_ptr cause) {
  credential_verdict verdict{dependencies_.server_number, version, kind, std::move(cause)};
  if (kind == credential_verdict::kind::accepted) verdict.warning = warning_;
  act(connection_action::report_verdict{std::move(verdict)});
}

/// A peer that takes connections need not be a directory that lives: a balancer without backends takes them too. Only
/// an LDAP message from it counts; where no bind brings one, the root DSE is read, which everybody may do.
void connection_setup::check_liveness() {
  attempt_.begin(stage::operation, now_);
  ask_for_life(attempt_.deadline());
}

/// Whatever it says, it lives; unless it says that it is not there for anybody. Where it is bound to, its answer to the
/// bind decides about that.
void connection_setup::liveness_answered(const result& answer) {
  if (attempt_.waits_for_liveness()) {
    attempt_.liveness_answered();
    if (credentials_asked_ == 0) ask_for_credential();
    return;
  }
  if (!is_overload(answer.code)) return become_ready();
  auto why = server_failure(
      errc::ldap_error, stage::operation,
      dependencies_.server_name + " refused a read of its root DSE with " + result_code_name(answer.code));
  why.ldap_code = answer.code;
  why.diagnostic = answer.diagnostic;
  address_failed(std::move(why));
}

void connection_setup::become_ready() {
  step_ = step::done;
  wake_ = time_point::max();
  if (!std::exchange(was_ready_, true)) {
    attempt_.finish(true, now_);
    act(connection_action::established{attempt_.took()});
    if (!attempt_.held_up()) dependencies_.pace->connected(attempt_.took());
  }
  act(setup_action::ready{});
}

/// Deadlines and patience.
void connection_setup::tick() {
  wake_ = time_point::max();
  if (was_ready_) {
    if (credentials_asked_ > 0) return;
    if (now_ < deadline_) return wake_by(deadline_);
    return fail(
        make_failure(server_failure(errc::connection_timeout, stage::bind,
                                    dependencies_.server_name + " did not answer the service's bind in time.")));
  }
  const bool for_liveness = attempt_.waits_for_liveness();
  const bool for_ours = attempt_.paused() && !for_liveness;
  // The bind lockout guard answers in any case: the request for the credentials has a time-out of its own.
  if (for_ours && !waits_for_certificates_)
    return now_ < check_liveness_at_ ? wake_by(check_liveness_at_) : check_liveness_meanwhile();
  if (now_ < attempt_.due_at()) return wake_by(attempt_.due_at());
  const auto at = for_liveness ? stage::operation : attempt_.step();
  // What we waited for on our own account is no failure of the server.
  auto why = server_failure(
      errc::connection_timeout, for_ours ? stage::queue : at,
      "timed out waiting for " + (waits_for_certificates_ ? "the files and the password of the client's certificate"
                                                          : std::string{awaited_at(at)}));
  if (at == stage::resolve || for_ours) {
    attempt_.finish(false, now_);
    attempt_.failed(why);
    return fail(attempt_.verdict());
  }
  if (attempt_.has_reached_one()) return address_failed(std::move(why));
  if (now_ >= attempt_.deadline()) {
    for (const auto number : attempt_.dialled()) attempt_.dial_failed(number, why);
    act(connection_action::hang_up{});
  }
  dial();
}

}  // namespace understudy::internal
