// What a client's messages mean: who he is, what is passed on for him and where, and what is answered here.
#include "understudy/actors/front_door/client_session.hpp"

#include "understudy/actors/connection/operation_codec.hpp"
#include "understudy/actors/front_door/honest_answer.hpp"
#include "understudy/actors/front_door/sasl.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/paged_results.hpp"
#include "understudy/messages/printable.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

// RFC 4511 and RFC 3909.
constexpr int confidentiality_required = 13, constraint_violation = 19, no_such_operation = 119, cannot_cancel = 121;
// RFC 4370 and the draft before it.
constexpr int authorization_denied = 123, proxied_authorization_denied = 47;

// Nobody who has not shown who he is needs more.
constexpr std::size_t longest_before_bind = 64 * 1024;
// A message that has begun is not waited for longer than that without a byte of it; nor than that for all of it,
// however its bytes come, or than the longest takes at 1.2 megabits a second.
constexpr seconds partial_patience{30}, whole_message_patience{120};
constexpr std::size_t slowest_bytes_a_second = 150'000;
// Who asks for one more to be given up asks again after that.
constexpr milliseconds eviction_interval{500};
/// Who leaves sooner than this does not know what came of the password that he tried. Clients that give up a directory
/// which hangs wait for longer.
constexpr seconds patience_of_guessers{1};
// The next step of a SASL bind is a machine's, which has all that it needs.
constexpr seconds step_patience{10};
// SCRAM takes three.
constexpr int most_steps = 8;

constexpr const char* too_many_for_name = "Too many passwords were refused for this name; try again in a minute.";

const char* bind_first() { return "Bind first: clients that have not bound may read the root DSE alone."; }

bool is_read(std::uint8_t tag) noexcept { return tag == opaque_request::search || tag == opaque_request::compare; }

bool is_lease_lost(const failure& why) noexcept {
  return why.code == errc::connection_unhealthy || why.code == errc::invalid_lease;
}

std::optional<std::int32_t> cancelled_id(const extended_fields& asked) {
  if (!asked.value) return std::nullopt;
  ber_cursor outer{*asked.value};
  const auto content = outer.element(ber_tag::sequence);
  if (!content || !outer.finished()) return std::nullopt;
  ber_cursor parts{*content};
  const auto id = parts.integer();
  if (!id || !parts.finished() || *id < 0 || *id > INT32_MAX) return std::nullopt;
  return static_cast<std::int32_t>(*id);
}

}  // namespace

client_session::client_session(client_origin origin, client_rules_ptr rules, std::shared_ptr<bind_limiter> limiter,
                               time_point now, std::shared_ptr<proxied_authorization_offer> offer)
    : origin_(std::move(origin)),
      rules_(std::move(rules)),
      limiter_(std::move(limiter)),
      offer_(offer ? std::move(offer) : std::make_shared<proxied_authorization_offer>()),
      heard_(now) {}

std::size_t client_session::longest_message() const noexcept {
  return who_ == holder::nobody ? std::min(longest_before_bind, rules_->max_pdu_bytes) : rules_->max_pdu_bytes;
}

bool client_session::takes_messages() const noexcept {
  return phase_ == phase::takes && !draining_ && open_.size() < rules_->max_pending;
}

client_standing client_session::standing() const noexcept {
  switch (who_) {
    case holder::service:
      return client_standing::service;
    case holder::user:
      return client_standing::user;
    case holder::proxied:
      return client_standing::proxied;
    case holder::nobody:
      break;
  }
  return client_standing::anonymous;
}

bool client_session::is_confidential() const noexcept {
  return origin_.encrypted || origin_.local || rules_->allow_plaintext;
}

bool client_session::is_own_connection() const noexcept {
  return lease_ == lease_state::held && use_ == holding::user && who_ == holder::user;
}

holding client_session::holds() const noexcept {
  if (lease_ == lease_state::none) return holding::none;
  // That of a bind which has not been accepted yet is nobody's.
  if (use_ == holding::user && !is_own_connection()) return holding::none;
  return use_;
}

std::optional<time_point> client_session::idle_since() const noexcept {
  if (lease_ != lease_state::held || phase_ != phase::takes) return std::nullopt;
  const bool used = std::any_of(open_.begin(), open_.end(), [](const auto& each) { return each.second.leased; });
  return used || holds() == holding::none ? std::nullopt : std::optional{leased_used_};
}

void client_session::evict() {
  if (!idle_since()) return;
  switch (use_) {
    case holding::pages:
      pages_end_ = pages_end::given_up;
      return drop_lease();
    case holding::negotiation:
      limiter_->refused(origin_.address, {}, heard_);
      return drop_lease();
    default:
      send_away(result_code::unavailable, "nothing was asked, and its connection is needed for others; bind again");
  }
}

// ---- messages ----

void client_session::on_garbage(const char* why) {
  if (phase_ == phase::closed) return;
  send_away(result_code::protocol_error, why);
}

void client_session::on_no_room() {
  if (phase_ == phase::closed) return;
  send_away(result_code::busy, "too much of messages that are not complete waits here; try again in a moment");
}

void client_session::on_bytes(time_point now) noexcept {
  heard_ = now;
  if (silent_since_ != time_point::max()) silent_since_ = now;
}

void client_session::on_partial(bool partial, time_point now) noexcept {
  if (!partial) {
    begun_at_ = silent_since_ = time_point::max();
    return;
  }
  begun_at_ = std::min(begun_at_, now);
  silent_since_ = std::min(silent_since_, now);
}

void client_session::on_message(std::string_view pdu, time_point now) {
  if (phase_ == phase::closed) return;
  heard_ = now;
  on_partial(false, now);
  const auto message = read_client_message(pdu);
  if (!message) return on_garbage("this is no LDAP request");
  if (message->tag != request_tag::unbind && by_id_.count(message->id) > 0)
    return on_garbage("this message id is that of a request that has no answer yet");
  take(*message, now);
}

void client_session::take(const client_message& message, time_point now) {
  switch (message.tag) {
    case request_tag::unbind:
      return close("it has unbound");
    case request_tag::abandon:
      return abandon(message);
    case request_tag::bind:
      return bind(message, now);
    default:
      break;
  }
  // It says something else in place of the next step.
  if (!mechanism_.empty()) drop_lease();
  if (message.tag == opaque_request::extended) return extended(message, now);
  operate(message, now);
}

/// Nobody answers it (RFC 4511, 4.11).
void client_session::abandon(const client_message& message) {
  const auto found = by_id_.find(*read_abandon(message.body));
  if (found == by_id_.end()) return;
  const auto number = found->second;
  const auto op = *take_operation(number);
  act(session_action::cancel{number});
  note_end(op, abandoned_code);
  note_page(op, nullptr, heard_);
}

/// It is under way no more; nothing when it was not.
std::optional<client_session::operation> client_session::take_operation(session_number number) {
  auto taken = open_.extract(number);
  if (taken.empty()) return std::nullopt;
  by_id_.erase(taken.mapped().id);
  return std::move(taken.mapped());
}

void client_session::abandon_all() {
  for (const auto& [number, op] : open_) {
    act(session_action::cancel{number});
    note_end(op, abandoned_code);
  }
  for (const auto& [number, each] : doubts_) act(session_action::cancel{number});
  doubts_.clear();
  open_.clear();
  by_id_.clear();
}

// ---- binds ----

/// What runs is abandoned, and the client is nobody until this one succeeds (RFC 4511, 4.2.1).
void client_session::bind(const client_message& message, time_point now) {
  abandon_all();
  awaited_ = 0;
  asked_at_ = now;
  const auto fields = *read_bind(message.body);
  const bool next_step = !mechanism_.empty() && !fields.simple && fields.mechanism == mechanism_ && fields.version == 3;
  if (!next_step) drop_lease();
  who_ = holder::nobody;
  asked_for_offer_ = {};
  const auto no = [&](int code, const char* why) { refuse(message.id, message.tag, code, why); };
  if (fields.version != 3) return no(result_code::protocol_error, "Only LDAP version 3 is spoken here.");
  auto controls = check_controls(*read_controls(message.controls), true);
  if (controls.refusal.code != 0) {
    drop_lease();
    return refuse(message.id, message.tag, controls.refusal.code, controls.refusal.diagnostic);
  }
  if (fields.simple) return bind_simple(message.id, fields, std::move(controls.passed), now);
  if (fields.mechanism == sasl_mechanism::plain) return bind_plain(message.id, fields, std::move(controls.passed), now);
  if (fields.mechanism == sasl_mechanism::external && rules_->identity == client_identity::proxy)
    return bind_external(message.id, fields, now);
  if (is_relayed_mechanism(fields.mechanism))
    return bind_stepwise(message, fields, controls.passed, controls.changed, now);
  refuse(message.id, message.tag, result_code::auth_method_not_supported, why_not_relayed(fields.mechanism));
}

/// As it is, on a connection that is this client's from the first step on. What it proves is between the client and the
/// directory; who it is by then, only that connection knows.
void client_session::bind_stepwise(const client_message& message, const bind_fields& fields,
                                   const std::vector<control>& controls, bool changed, time_point now) {
  const auto no = [&](int code, const char* why) { refuse(message.id, message.tag, code, why); };
  steps_ = mechanism_.empty() ? 1 : steps_ + 1;
  if (steps_ > most_steps) {
    drop_lease();
    return no(result_code::protocol_error, "This bind takes too many steps.");
  }
  if (!fields.name.empty()) {
    drop_lease();
    return no(result_code::protocol_error, "A SASL bind has no name (RFC 4513, 5.2).");
  }
  opaque_request made;
  made.protocol_op = message.op;
  made.controls = changed ? encode_controls(controls) : std::string{message.controls};
  made.message_id = message.id;
  waiting next{message.id, request_tag::bind, make_request(std::move(made)), {}, {}, std::string{fields.mechanism}};
  const auto said = name_in_step(fields.mechanism, fields.credentials.value_or(std::string_view{}));
  // The DN that the directory makes of it is not known here, so it counts apart from that.
  next.name = said ? "sasl:" + comparable_name(*said) : mechanism_name_;
  if (!next.name.empty() && !limiter_->allows_name(next.name, now)) {
    drop_lease();
    return no(result_code::busy, too_many_for_name);
  }
  if (steps_ > 1) {
    waiting_ = std::move(next);
    return ask_for_bind(bind_step::sasl, waiting_->what, true, now);
  }
  if (!limiter_->allows_address(origin_.address, now))
    return no(result_code::busy, "Too many passwords were refused to this address; try again in a minute.");
  acquire(holding::negotiation, std::move(next), now);
}

void client_session::bind_simple(std::int32_t id, const bind_fields& fields, std::vector<control> controls,
                                 time_point now) {
  const auto no = [&](int code, const char* why) { refuse(id, request_tag::bind, code, why); };
  if (fields.name.empty() && fields.password.empty()) return no(result_code::success, "");
  if (fields.name.empty())
    return no(result_code::inappropriate_authentication, "A password without a name proves nothing.");
  if (fields.password.empty())
    return no(result_code::unwilling_to_perform, "A name without a password proves nothing (RFC 4513, 5.1.2).");
  if (!is_confidential()) return no(confidentiality_required, "Passwords are not taken in plain text here: use TLS.");
  if (!limiter_->allows_address(origin_.address, now))
    return no(result_code::busy, "Too many passwords were refused to this address; try again in a minute.");
  waiting_ = waiting{id, request_tag::bind,
                     make_request(bind_request{std::string{fields.name}, secret{fields.password}}, std::move(controls)),
                     comparable_dn(fields.name)};
  if (rules_->identity == client_identity::proxy) {
    // As the directory itself writes an identity (RFC 4513, 5.2.1.8).
    waiting_->proxy_id = "dn:" + std::string{fields.name};
  }
  phase_ = phase::judging;
  awaited_ = ++last_;
  const auto& asked = std::get<bind_request>(waiting_->what->op);
  act(session_action::check_claim{awaited_, asked.dn, asked.password});
}

/// As a simple bind: what it says is the same. Nobody acts as somebody else by it.
void client_session::bind_plain(std::int32_t id, const bind_fields& fields, std::vector<control> controls,
                                time_point now) {
  const auto no = [&](int code, const char* why) { refuse(id, request_tag::bind, code, why); };
  if (!is_confidential()) return no(confidentiality_required, "Passwords are not taken in plain text here: use TLS.");
  const auto said = fields.credentials ? read_plain(*fields.credentials) : std::nullopt;
  if (!said)
    return no(result_code::invalid_credentials, "PLAIN takes an identity and a password, with the bind itself.");
  const auto dn = dn_of_identity(said->authentication);
  if (!dn) return no(result_code::invalid_credentials, "PLAIN takes a DN here as the identity that authenticates.");
  const auto wanted = said->authorization.empty() ? dn : dn_of_identity(said->authorization);
  if (!wanted || comparable_dn(*wanted) != comparable_dn(*dn))
    return no(result_code::invalid_credentials,
              "Nobody acts as somebody else here: leave the authorization identity out.");
  auto simple = fields;
  simple.name = *dn;
  simple.password = said->password;
  bind_simple(id, simple, std::move(controls), now);
}

/// What TLS or the system has shown is enough for us; whether the directory takes it, it is asked under that identity.
void client_session::bind_external(std::int32_t id, const bind_fields& fields, time_point now) {
  const auto no = [&](int code, const char* why) { refuse(id, request_tag::bind, code, why); };
  if (origin_.external.empty())
    return no(result_code::inappropriate_authentication, "There is no client certificate, and no Unix socket.");
  const auto wanted = fields.credentials && !fields.credentials->empty()
                          ? dn_of_identity(*fields.credentials)
                          : std::optional{std::string_view{origin_.external}};
  if (!wanted || comparable_dn(*wanted) != comparable_dn(origin_.external))
    return no(result_code::invalid_credentials,
              "Nobody acts as somebody else here: leave the authorization identity out.");
  waiting_ = waiting{id, request_tag::bind, nullptr, comparable_dn(origin_.external), "dn:" + origin_.external};
  proceed_with_bind(now);
}

void client_session::ask_for_bind(bind_step step, request_ptr asked, bool leased, time_point now) {
  phase_ = phase::binding;
  step_ = step;
  bind_sent_at_ = now;
  awaited_ = ++last_;
  session_action::forward order{awaited_, std::move(asked), now + rules_->operation_timeout, leased, false};
  if (step == bind_step::identity) order.avoided = offer_->missing(now);
  if (step == bind_step::offer) order.avoided = asked_for_offer_;
  act(std::move(order));
}

/// The next thing to be asked before the bind can be answered. Nobody is bound as who could not be served.
void client_session::proceed_with_bind(time_point now) {
  const bool by_proxy = !waiting_->proxy_id.empty();
  if (by_proxy && !offer_->seen())
    return ask_for_bind(bind_step::offer, make_request(proxied_authorization_search()), false, now);
  if (!waiting_->what)
    return ask_for_bind(bind_step::identity,
                        make_request(whoami_request{}, {proxied_authorization(waiting_->proxy_id)}), false, now);
  auto what = std::move(*waiting_);
  acquire(holding::user, std::move(what), now);
}

void client_session::claim_checked(session_number number, service_claim claim, time_point now) {
  if (phase_ != phase::judging || number != awaited_) return;
  const auto ended = [&](int code, const char* why) {
    const auto id = waiting_->id;
    bind_ended(code);
    refuse(id, request_tag::bind, code, why);
  };
  switch (claim) {
    case service_claim::right:
      who_ = holder::service;
      return ended(result_code::success, "");
    case service_claim::wrong:
      limiter_->refused(origin_.address, {}, now);
      return ended(result_code::invalid_credentials, "");
    case service_claim::unknown:
      return ended(result_code::unavailable, "Whether this is the service's password is not known yet.");
    case service_claim::other:
      break;
  }
  if (!limiter_->allows_name(waiting_->name, now)) return ended(result_code::busy, too_many_for_name);
  const bool by_proxy = !waiting_->proxy_id.empty();
  if (by_proxy && std::get<bind_request>(waiting_->what->op).dn.find('=') == std::string::npos)
    return ended(result_code::invalid_dn_syntax, "The directory is told here for whom it works: bind with a DN.");
  proceed_with_bind(now);
}

/// The bind is over, however it went.
void client_session::bind_ended(int code) {
  if (code != result_code::success) who_ = holder::nobody;
  waiting_.reset();
  phase_ = phase::takes;
}

void client_session::acquire(holding use, waiting message, time_point now) {
  waiting_ = std::move(message);
  phase_ = phase::acquiring;
  lease_ = lease_state::asked;
  use_ = use;
  awaited_ = ++last_;
  if (use == holding::pages) asked_at_ = now;
  // Nobody makes room for a bind that has not been accepted, unless there is no other way.
  evict_at_ = use == holding::user && rules_->most_users == 0 ? now + eviction_interval : time_point::max();
  const bool pages = use == holding::pages;
  act(session_action::acquire{awaited_, use, now + rules_->operation_timeout, !pages,
                              pages ? preferred(false, now) : std::nullopt});
}

bool client_session::acquired(session_number number, time_point now) {
  if (phase_ != phase::acquiring || number != awaited_) return false;
  lease_ = lease_state::held;
  leased_used_ = now;
  evict_at_ = time_point::max();
  if (use_ != holding::pages) {
    ask_for_bind(use_ == holding::user ? bind_step::password : bind_step::sasl, waiting_->what, true, now);
    return true;
  }
  auto what = std::move(*waiting_);
  waiting_.reset();
  phase_ = phase::takes;
  forward(what.id, what.tag, std::move(what.what), true, false, what.paged, now);
  return true;
}

void client_session::not_acquired(session_number number, const failure& why, time_point now) {
  if (phase_ != phase::acquiring || number != awaited_) return;
  heard_ = now;
  lease_ = lease_state::none;
  evict_at_ = time_point::max();
  const auto what = std::move(*waiting_);
  waiting_.reset();
  phase_ = phase::takes;
  if (what.paged) open_pages_ = 0;
  operation never_sent;
  never_sent.id = what.id;
  never_sent.tag = what.tag;
  never_sent.number = number;
  never_sent.since = asked_at_;
  reply(never_sent, honest_answer(why, what.tag == opaque_request::search, false));
  close_when_drained();
}

// ---- operations ----

void client_session::operate(const client_message& message, time_point now) {
  ++operations_;
  auto controls = check_controls(*read_controls(message.controls), is_own_connection());
  auto no = controls.refusal;
  if (no.code == 0) no = refusal_of(message);
  if (no.code != 0) return refuse(message.id, message.tag, no.code, std::move(no.diagnostic));
  dispatch(message, std::move(controls), now);
}

/// As whom this client is served, and what he may ask as that.
relay_refusal client_session::refusal_of(const client_message& message) const {
  if (who_ != holder::nobody) return {};
  if (message.tag == opaque_request::search && reads_root_dse(*read_search(message.body))) return {};
  if (rules_->identity == client_identity::service) return refusal_for_anybody(message);
  // As nobody in the directory too.
  if (rules_->allow_anonymous && rules_->anonymous_service) return {};
  return {result_code::unwilling_to_perform, bind_first()};
}

/// What the listener lets everybody read as the service: at and below its bases, and not by way of aliases, which may
/// lead elsewhere.
relay_refusal client_session::refusal_for_anybody(const client_message& message) const {
  if (!is_read(message.tag))
    return {result_code::unwilling_to_perform, "Clients that have not bound may only read here."};
  const auto search = message.tag == opaque_request::search ? read_search(message.body) : std::nullopt;
  if (search && search->dereference != static_cast<std::int64_t>(dereference::never))
    return {result_code::unwilling_to_perform, "Aliases are not followed for clients that have not bound."};
  const auto dn = comparable_dn(search ? search->base : *read_target(message.tag, message.body));
  const bool allowed = std::any_of(rules_->bases.begin(), rules_->bases.end(),
                                   [&](const std::string& base) { return is_at_or_below(dn, base); });
  if (allowed) return {};
  return {result_code::insufficient_access, "Clients that have not bound may not read there."};
}

/// A client reads what it has just written: the others may not have it yet.
std::optional<server_id> client_session::preferred(bool write, time_point now) const {
  return !write && now < coherent_until_ ? written_to_ : std::nullopt;
}

void client_session::note_write(const operation& done, std::optional<server_id> server, time_point now) {
  if (!done.write || done.leased || !server || rules_->write_coherence <= duration::zero()) return;
  written_to_ = server;
  coherent_until_ = now + rules_->write_coherence;
}

void client_session::dispatch(const client_message& message, checked_controls controls, time_point now) {
  if (who_ == holder::proxied) {
    controls.passed.push_back(proxied_authorization(proxy_id_));
    controls.changed = true;
  }
  opaque_request made;
  made.protocol_op = message.op;
  made.controls = controls.changed ? encode_controls(controls.passed) : std::string{message.controls};
  made.message_id = message.id;
  auto what = make_request(std::move(made));
  const bool root_dse = message.tag == opaque_request::search && reads_root_dse(*read_search(message.body));
  // A page is found again on its own connection alone.
  const bool paged = controls.paged && message.tag == opaque_request::search && !root_dse && !is_own_connection();
  if (!paged) return forward(message.id, message.tag, std::move(what), is_own_connection(), root_dse, false, now);
  const auto* found = find_control(controls.passed, paged_results_oid);
  const auto page = found->value ? decode_paged_results(*found->value) : std::nullopt;
  if (!page)
    return refuse(message.id, message.tag, result_code::protocol_error,
                  "The paged results control has no valid value.");
  if (page->cookie.empty()) {
    ++open_pages_;
  } else if (lease_ != lease_state::held) {
    auto no = no_next_page();
    return refuse(message.id, message.tag, no.code, std::move(no.diagnostic));
  }
  pages_end_ = pages_end::none;
  if (lease_ != lease_state::held) {
    waiting first{message.id, message.tag, std::move(what)};
    first.paged = true;
    return acquire(holding::pages, std::move(first), now);
  }
  forward(message.id, message.tag, std::move(what), true, false, true, now);
}

/// The cookie of a search whose connection has gone.
relay_refusal client_session::no_next_page() const {
  switch (pages_end_) {
    case pages_end::overdue:
      return {result_code::unwilling_to_perform, "The next page was not asked for in time; begin the search again."};
    case pages_end::given_up:
      return {admin_limit_exceeded,
              "Too many searches in pages are open, and this one was not gone on with; begin it again."};
    case pages_end::lost:
      return {result_code::unavailable,
              "The server of the directory that had the next page is gone; begin the search again."};
    case pages_end::none:
      break;
  }
  return {result_code::unwilling_to_perform, "This is no page of a search that is open here; begin the search again."};
}

void client_session::forward(std::int32_t id, std::uint8_t tag, request_ptr asked, bool leased, bool root_dse,
                             bool paged, time_point now) {
  const auto number = ++last_;
  operation op;
  op.id = id;
  op.tag = tag;
  op.leased = leased;
  op.root_dse = root_dse;
  op.paged = paged;
  op.write = is_write(asked->op);
  op.number = number;
  op.since = now;
  if (leased) leased_used_ = now;
  if (who_ == holder::proxied && !leased) op.proxied = asked;
  const auto server = leased ? std::nullopt : preferred(op.write, now);
  const auto avoided = op.proxied ? offer_->missing(now) : server_set{};
  open_.emplace(number, std::move(op));
  by_id_.emplace(id, number);
  if (paged) page_until_ = time_point::max();
  const bool parts = tag == opaque_request::search && !root_dse;
  act(session_action::forward{number, std::move(asked), now + rules_->operation_timeout, leased, parts, server,
                              avoided});
}

void client_session::extended(const client_message& message, time_point now) {
  const auto asked = *read_extended(message.body);
  if (asked.oid == extension::start_tls) return start_tls(message);
  if (asked.oid == extension::cancel) return cancel_operation(message, asked);
  ++operations_;
  auto no = check_extension(asked, is_own_connection());
  if (no.code != 0) return refuse(message.id, message.tag, no.code, std::move(no.diagnostic));
  if (who_ == holder::nobody) {
    if (asked.oid != extension::who_am_i)
      return refuse(message.id, message.tag, result_code::unwilling_to_perform, bind_first());
    ldap_answer nobody;
    nobody.value.emplace();
    return reply(message.id, message.tag, nobody);
  }
  auto controls = check_controls(*read_controls(message.controls), is_own_connection());
  if (controls.refusal.code != 0)
    return refuse(message.id, message.tag, controls.refusal.code, std::move(controls.refusal.diagnostic));
  controls.paged = false;
  dispatch(message, std::move(controls), now);
}

/// RFC 3909. What was cancelled may still have been carried out, which may not be said of a write.
void client_session::cancel_operation(const client_message& message, const extended_fields& asked) {
  const auto target = cancelled_id(asked);
  if (!target)
    return refuse(message.id, message.tag, result_code::protocol_error,
                  "The id of what is to be cancelled is missing.");
  const auto found = by_id_.find(*target);
  if (found == by_id_.end()) return refuse(message.id, message.tag, no_such_operation, "");
  const auto number = found->second;
  if (!is_read(open_.at(number).tag))
    return refuse(message.id, message.tag, cannot_cancel, "Only what reads can be cancelled.");
  const auto op = *take_operation(number);
  act(session_action::cancel{number});
  note_page(op, nullptr, heard_);
  refuse(op, result_code::cancelled, "");
  refuse(message.id, message.tag, result_code::success, "");
}

void client_session::start_tls(const client_message& message) {
  const auto answer = [&](int code, const char* why) {
    ldap_answer said;
    said.code = code;
    said.diagnostic = why;
    said.oid = extension::start_tls;
    reply(message.id, message.tag, said);
  };
  if (origin_.encrypted) return answer(result_code::operations_error, "TLS is there already.");
  if (!origin_.offers_tls) return answer(result_code::protocol_error, "There is no TLS here.");
  if (!open_.empty()) return answer(result_code::operations_error, "Other operations are under way.");
  answer(result_code::success, "");
  phase_ = phase::securing;
  act(session_action::start_tls{});
}

/// Who he was before it came over plain text (RFC 4513, 3.1.2).
void client_session::secured(time_point now, std::string external) {
  if (phase_ != phase::securing) return;
  heard_ = now;
  origin_.encrypted = true;
  if (!external.empty()) origin_.external = std::move(external);
  phase_ = phase::takes;
  drop_lease();
  who_ = holder::nobody;
}

// ---- answers ----

/// What was asked for a bind: the bind goes on, or is over.
void client_session::bind_answered(const result& answer, time_point now, std::optional<server_id> server) {
  if (step_ == bind_step::sasl) return sasl_answered(answer, now);
  if (step_ == bind_step::offer) {
    const bool offered = offers_proxied_authorization(answer);
    offer_->note(server, offered, now);
    if (offered) return proceed_with_bind(now);
    // Another server may.
    if (server && !asked_for_offer_.contains(*server)) {
      asked_for_offer_.insert(*server);
      return proceed_with_bind(now);
    }
    return bind_refused(result_code::unwilling_to_perform,
                        "The directory does not offer proxied authorization, by which clients are served here.");
  }
  const auto bound = std::move(*waiting_);
  ldap_answer said;
  if (step_ == bind_step::password) {
    said.code = answer.code;
    said.matched_dn = answer.matched_dn;
    said.diagnostic = answer.diagnostic;
    said.controls = answer.controls;
    limiter_->accepted(bound.name);
  }
  who_ = bound.proxy_id.empty() ? holder::user : holder::proxied;
  proxy_id_ = bound.proxy_id;
  // It has shown what it was there for.
  if (who_ == holder::proxied) drop_lease();
  bind_ended(result_code::success);
  reply(bound.id, request_tag::bind, said);
  if (who_ == holder::user) bound_as_user(now);
  close_when_drained();
}

/// Now that the directory has accepted him somebody who is idle may have to make room, for the next one.
void client_session::bound_as_user(time_point now) {
  use_ = holding::user;
  leased_used_ = now;
  evict_at_ = now + eviction_interval;
  act(session_action::evict{});
}

/// A step of a SASL bind, in the directory's own words.
void client_session::sasl_answered(const result& answer, time_point now) {
  leased_used_ = now;
  const auto bound = std::move(*waiting_);
  if (answer.code == result_code::success) {
    who_ = holder::user;
    limiter_->accepted(bound.name);
  }
  count_refusal(answer.code, bound.name, now);
  bind_ended(answer.code);
  note_bind_end(answer.code);
  act(session_action::reply{answer.messages});
  mechanism_.clear();
  if (answer.code == result_code::sasl_bind_in_progress) {
    mechanism_ = bound.mechanism;
    mechanism_name_ = bound.name;
  } else if (who_ == holder::user) {
    bound_as_user(now);
  } else {
    drop_lease();
  }
  close_when_drained();
}

/// By the directory's answer to a bind. Not every server says invalidCredentials to a wrong password: some do not hide
/// that there is no such entry (32), that it has no password (48) or may not be used to authenticate (50); 389
/// Directory Server says constraintViolation (19) of an account that was tried too often. unwillingToPerform is said of
/// a closed account, but also by servers that take no binds from anybody, which is no fault of the address. Other codes
/// say nothing of the password.
void client_session::count_refusal(int code, const std::string& name, time_point now) {
  switch (code) {
    case result_code::invalid_credentials:
    case constraint_violation:
    case result_code::no_such_object:
    case result_code::inappropriate_authentication:
    case result_code::insufficient_access:
      return limiter_->refused(origin_.address, name, now);
    case result_code::unwilling_to_perform:
      return limiter_->refused({}, name, now);
    default:
      return;
  }
}

void client_session::bind_failed(const failure& why, time_point now) {
  if (step_ == bind_step::password) count_refusal(why.ldap_code, waiting_->name, now);
  const bool lost = (step_ == bind_step::password || step_ == bind_step::sasl) && is_lease_lost(why);
  if (lost && !waiting_->again && (step_ == bind_step::password || steps_ == 1)) {
    auto what = std::move(*waiting_);
    const auto use = use_;
    what.again = true;
    drop_lease();
    return acquire(use, std::move(what), now);
  }
  auto said = honest_answer(why, false, false);
  // Before it was sent: the client may try again.
  if (lost) said.code = result_code::unavailable;
  if (step_ == bind_step::identity &&
      (said.code == authorization_denied || said.code == proxied_authorization_denied)) {
    said.code = result_code::invalid_credentials;
    said.diagnostic = "The directory does not let the service act for this identity.";
  }
  if (step_ == bind_step::identity && said.code == result_code::unavailable_critical_extension) {
    said.code = result_code::unavailable;
    said.diagnostic = "No server of the directory by which clients can be served as themselves can be used now.";
  }
  const auto id = waiting_->id;
  bind_ended(result_code::other);
  drop_lease();
  reply(id, request_tag::bind, said);
  close_when_drained();
}

void client_session::bind_refused(int code, std::string diagnostic) {
  const auto id = waiting_->id;
  bind_ended(code);
  refuse(id, request_tag::bind, code, std::move(diagnostic));
  close_when_drained();
}

void client_session::answered(session_number number, const result& answer, time_point now,
                              std::optional<server_id> server) {
  heard_ = now;
  if (phase_ == phase::binding && number == awaited_) return bind_answered(answer, now, server);
  if (settle_doubt(number, &answer, now, server) || refused_for_proxy(number, answer, now, server)) return;
  const auto op = take_operation(number);
  if (!op) return;
  if (op->leased) leased_used_ = now;
  note_write(*op, server, now);
  note_end(*op, answer.code);
  door_offer offered;
  offered.start_tls = origin_.offers_tls && !origin_.encrypted;
  offered.plain = is_confidential();
  offered.external = rules_->identity == client_identity::proxy && !origin_.external.empty();
  act(session_action::reply{op->root_dse ? as_front_door(answer.messages, op->id, offered) : answer.messages});
  note_page(*op, &answer, now);
  close_when_drained();
}

void client_session::failed(session_number number, const failure& why, time_point now,
                            std::optional<server_id> server) {
  heard_ = now;
  if (phase_ == phase::binding && number == awaited_) return bind_failed(why, now);
  if (settle_doubt(number, nullptr, now, server)) return;
  const auto op = take_operation(number);
  if (!op) return;
  if (op->leased) leased_used_ = now;
  if (why.code == errc::outcome_unknown) note_write(*op, server, now);
  reply(*op, honest_answer(why, op->tag == opaque_request::search, op->begun));
  note_page(*op, nullptr, now);
  if (op->leased && is_lease_lost(why)) lease_lost();
  close_when_drained();
}

/// A server that does not know the control refuses it (12), but so it does one of the client's own. True: it is asked
/// which, or another server is, or the client has been told that there is none.
bool client_session::refused_for_proxy(session_number number, const result& answer, time_point now,
                                       std::optional<server_id> server) {
  if (answer.code != result_code::unavailable_critical_extension || !server) return false;
  const auto found = open_.find(number);
  if (found == open_.end() || !found->second.proxied) return false;
  switch (offer_->of(*server, now)) {
    case proxied_authorization_offer::known::listed:
      return false;
    case proxied_authorization_offer::known::missing: {
      // It was to be avoided, so there is no other.
      const auto op = *take_operation(number);
      refuse(op, result_code::unavailable,
             "No server of the directory by which clients can be served as themselves can be used now.");
      note_page(op, nullptr, now);
      close_when_drained();
      return true;
    }
    case proxied_authorization_offer::known::nothing:
      break;
  }
  const auto asked = ++last_;
  doubts_.emplace(asked, doubt{number, *server, answer.messages, answer.code});
  act(session_action::forward{asked, make_request(proxied_authorization_search()), now + rules_->operation_timeout,
                              false, false, server});
  return true;
}

/// `root_dse`: null: it was not answered. False: nothing of the kind was asked.
bool client_session::settle_doubt(session_number number, const result* root_dse, time_point now,
                                  std::optional<server_id> server) {
  if (doubts_.empty()) return false;
  const auto taken = doubts_.extract(number);
  if (taken.empty()) return false;
  const auto& held = taken.mapped();
  const bool listed = root_dse != nullptr && offers_proxied_authorization(*root_dse);
  if (root_dse != nullptr) offer_->note(server, listed, now);
  const auto found = open_.find(held.operation);
  if (found == open_.end()) return true;
  const bool same = root_dse != nullptr && server == held.server;
  if (same && !listed) {
    // Nothing has been done of what was refused.
    act(session_action::forward{held.operation, found->second.proxied, now + rules_->operation_timeout, false,
                                found->second.tag == opaque_request::search && !found->second.root_dse, std::nullopt,
                                offer_->missing(now)});
    return true;
  }
  const auto op = *take_operation(held.operation);
  if (same) {
    note_end(op, held.code);
    act(session_action::reply{held.answer});
  } else {
    refuse(op, result_code::unavailable, "The server of the directory that this was sent to is gone.");
  }
  note_page(op, nullptr, now);
  close_when_drained();
  return true;
}

bool client_session::part(session_number number, std::string messages, std::size_t unread, time_point now) {
  const auto found = open_.find(number);
  if (found == open_.end()) return false;
  heard_ = now;
  found->second.begun = true;
  if (unread > rules_->max_unread_bytes) {
    const auto op = *take_operation(number);
    act(session_action::cancel{number});
    refuse(op, admin_limit_exceeded, "The answer was not read; the search was abandoned.");
    note_page(op, nullptr, now);
    return false;
  }
  act(session_action::reply{std::move(messages)});
  return true;
}

/// The connection of a paged search is kept as long as there is a next page. `answer`: null when it failed.
void client_session::note_page(const operation& done, const result* answer, time_point now) {
  if (!done.paged) return;
  const auto* said = answer != nullptr ? find_control(answer->controls, paged_results_oid) : nullptr;
  const auto page = said != nullptr && said->value ? decode_paged_results(*said->value) : std::nullopt;
  const bool more = page && !page->cookie.empty();
  if (!more) open_pages_ = std::max(0, open_pages_ - 1);
  const bool busy = std::any_of(open_.begin(), open_.end(), [](const auto& each) { return each.second.paged; });
  if (busy) return;
  if (open_pages_ == 0) return drop_lease();
  page_until_ = now + rules_->paging_hold;
  leased_used_ = now;
}

void client_session::drop_lease() {
  if (lease_ != lease_state::none) act(session_action::release{});
  lease_ = lease_state::none;
  open_pages_ = 0;
  page_until_ = evict_at_ = time_point::max();
  mechanism_.clear();
  mechanism_name_.clear();
}

/// With it goes whom the client had bound as: no password was kept.
void client_session::lease_lost() {
  const bool identity = lease_ == lease_state::held && use_ == holding::user;
  if (use_ == holding::pages) pages_end_ = pages_end::lost;
  drop_lease();
  if (identity)
    send_away(result_code::unavailable, "the directory closed the connection that was bound for this client");
}

void client_session::refuse(std::int32_t id, std::uint8_t tag, int code, std::string diagnostic) {
  ldap_answer answer;
  answer.code = code;
  answer.diagnostic = std::move(diagnostic);
  reply(id, tag, answer);
}

void client_session::refuse(const operation& op, int code, std::string diagnostic) {
  ldap_answer answer;
  answer.code = code;
  answer.diagnostic = std::move(diagnostic);
  reply(op, answer);
}

/// What was asked of nobody else, and binds.
void client_session::reply(std::int32_t id, std::uint8_t tag, const ldap_answer& answer) {
  if (tag == request_tag::bind)
    note_bind_end(answer.code);
  else
    ended_.push_back({tag, standing(), answer.code});
  act(session_action::reply{encode_answer(id, response_tag(tag), answer)});
}

void client_session::reply(const operation& op, const ldap_answer& answer) {
  note_end(op, answer.code);
  act(session_action::reply{encode_answer(op.id, response_tag(op.tag), answer)});
}

// ---- time, and the end ----

void client_session::configure(client_rules_ptr rules, time_point now) {
  rules_ = std::move(rules);
  const bool by_proxy = who_ == holder::proxied || (waiting_ && !waiting_->proxy_id.empty());
  if (phase_ != phase::closed && by_proxy && rules_->identity != client_identity::proxy)
    return send_away(result_code::unavailable, "clients are served in another way from now on; bind again");
  tick(now);
}

void client_session::drain(time_point) {
  if (phase_ == phase::closed) return;
  draining_ = true;
  close_when_drained();
}

void client_session::close_when_drained() {
  if (!draining_ || phase_ == phase::closed || phase_ == phase::judging || phase_ == phase::acquiring ||
      phase_ == phase::binding || !open_.empty())
    return;
  send_away(result_code::unavailable, "the server is going down; connect again, to another one if there is one");
}

void client_session::tick(time_point now) {
  if (phase_ == phase::closed) return;
  if (now >= page_until_) {
    pages_end_ = pages_end::overdue;
    drop_lease();
  }
  if (now >= evict_at_) {
    evict_at_ = now + eviction_interval;
    act(session_action::evict{});
  }
  if (!mechanism_.empty() && phase_ == phase::takes && now >= leased_used_ + step_patience) {
    limiter_->refused(origin_.address, {}, now);
    drop_lease();
  }
  if (now >= partial_until())
    return send_away(result_code::protocol_error, "a message was begun and not ended in time");
  if (rules_->idle_timeout > duration::zero() && open_.empty() && phase_ == phase::takes &&
      now >= heard_ + rules_->idle_timeout)
    return send_away(result_code::unavailable, "nothing was asked for a long time");
}

/// When what has begun of a message has to have ended, or gone on.
time_point client_session::partial_until() const noexcept {
  if (draining_) return time_point::max();  // nothing more is taken: drain_timeout ends it
  const auto after = [](time_point since, duration patience) {
    return since == time_point::max() ? since : since + patience;
  };
  const seconds longest{static_cast<std::int64_t>(rules_->max_pdu_bytes / slowest_bytes_a_second)};
  return std::min(after(silent_since_, partial_patience), after(begun_at_, std::max(whole_message_patience, longest)));
}

time_point client_session::next_event() const {
  if (phase_ == phase::closed) return time_point::max();
  auto next = std::min({page_until_, evict_at_, partial_until()});
  if (!mechanism_.empty() && phase_ == phase::takes) next = std::min<time_point>(next, leased_used_ + step_patience);
  if (rules_->idle_timeout > duration::zero() && open_.empty() && phase_ == phase::takes)
    next = std::min<time_point>(next, heard_ + rules_->idle_timeout);
  return next;
}

/// RFC 4511, 4.4.1.
void client_session::send_away(int code, const std::string& why) {
  act(session_action::reply{encode_notice_of_disconnection(code, why)});
  close(why);
}

void client_session::close(std::string why) {
  if (phase_ == phase::closed) return;
  abandon_all();
  if (phase_ == phase::binding) act(session_action::cancel{awaited_});
  drop_lease();
  waiting_.reset();
  phase_ = phase::closed;
  act(session_action::close{std::move(why)});
}

void client_session::on_end(time_point now) {
  const bool tries_password = phase_ == phase::binding && (step_ == bind_step::password || step_ == bind_step::sasl);
  if (tries_password && now - bind_sent_at_ < patience_of_guessers)
    limiter_->refused(origin_.address, waiting_->name, now);
  close("the client closed the connection");
}

}  // namespace understudy::internal
