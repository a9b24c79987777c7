// Clients that bind, fail to, bind again, pipeline, abandon and go, in any order, against a directory that notes as
// whom each operation came: nobody is ever served as somebody else, and everything asked has one outcome.
#include "session_messages.hpp"
#include "support/property.hpp"
#include "understudy/messages/dn_match.hpp"
#include "understudy/messages/paged_results.hpp"

#include <array>
#include <deque>
#include <set>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;

namespace {

const std::string external_dn = "CN=reporting,O=Example";
const std::string service_dn = "cn=service,dc=example,dc=com", service_password = "secret";

std::string dn_of(int user) { return "uid=user" + std::to_string(user) + ",dc=example,dc=com"; }
std::string password_of(int user) { return "password" + std::to_string(user); }

enum class event : std::uint8_t {
  bind_user,
  bind_wrong,
  bind_service,
  bind_service_wrong,
  bind_anonymous,
  bind_plain,
  bind_external,
  bind_scram,
  search,
  page,
  modify,
  root_dse,
  who_am_i,
  abandon,
  cancel,
  unbind,
  end,
  garbage,
  check_claim,
  grant,
  refuse_lease,
  answer,
  answer_part,
  fail,
  lose,
  drain,
  evict,
  reload,
  wait,
  search_elsewhere,
  start_tls,
  shake_hands,
};
constexpr int events = 32;
constexpr std::array<const char*, events> names(event) {
  return {"bind_user",
          "bind_wrong",
          "bind_service",
          "bind_service_wrong",
          "bind_anonymous",
          "bind_plain",
          "bind_external",
          "bind_scram",
          "search",
          "page",
          "modify",
          "root_dse",
          "who_am_i",
          "abandon",
          "cancel",
          "unbind",
          "end",
          "garbage",
          "check_claim",
          "grant",
          "refuse_lease",
          "answer",
          "answer_part",
          "fail",
          "lose",
          "drain",
          "evict",
          "reload",
          "wait",
          "search_elsewhere",
          "start_tls",
          "shake_hands"};
}
using command = command_of<event>;

/// One client, what he has been told, and what the directory has been asked for him.
class client_model {
 public:
  /// `encrypted`: TLS from the first byte; else StartTLS is offered.
  client_model(std::shared_ptr<bind_limiter> limiter, client_identity identity, bool encrypted, time_point now)
      : session_({"192.0.2.1", encrypted, !encrypted, !encrypted, external_dn}, rules_for(identity), std::move(limiter),
                 now),
        identity_(identity) {}

  void say(std::string message, const std::string& claimed, bool operation) {
    if (gone_) return;
    const auto id = next_id_++;
    auto& fact = facts_[id];
    fact.claims = claimed;
    fact.operation = operation;
    said_.push_back({id, std::move(message)});
  }
  int next_id() const { return next_id_; }
  int some_id(int n) const { return 1 + n % std::max(1, next_id_ - 1); }

  /// As far as the session takes it.
  void feed(time_point now) {
    while (!said_.empty() && session_.takes_messages()) {
      auto [id, bytes] = said_.front();
      said_.pop_front();
      auto& fact = facts_[id];
      fact.fed = true;
      fact.as = who_;
      fact.for_anybody = identity_ == client_identity::service;
      const auto message = read_client_message(bytes);
      if (message && message->tag == request_tag::bind) {
        // What runs is abandoned, and he is nobody until this is answered.
        who_.clear();
        for (auto& [other, each] : facts_)
          if (other != id && each.fed && each.operation && each.outcomes == 0) each.abandoned = true;
      }
      if (message && message->tag == request_tag::abandon) {
        const auto found = facts_.find(*read_abandon(message->body));
        if (found != facts_.end() && found->second.fed && found->second.outcomes == 0 && found->second.operation)
          found->second.abandoned = true;
      }
      session_.on_message(bytes, now);
      carry_out();
    }
  }

  void check_claim(time_point now) {
    if (!claim_) return;
    const auto asked = *std::exchange(claim_, std::nullopt);
    const bool name = comparable_dn(asked.bind_dn) == comparable_dn(service_dn);
    const bool right = asked.password.reveal() == service_password;
    session_.claim_checked(asked.number,
                           !name   ? service_claim::other
                           : right ? service_claim::right
                                   : service_claim::wrong,
                           now);
    carry_out();
  }
  void grant(time_point now) {
    if (!acquiring_) return;
    const auto asked = *std::exchange(acquiring_, std::nullopt);
    if (!session_.acquired(asked.number, now)) return;
    // Anonymous until a bind succeeds there.
    leased_as_ = asked.for_bind ? "" : "service";
    carry_out();
  }
  void refuse_lease(time_point now) {
    if (!acquiring_) return;
    leased_ = false;
    session_.not_acquired(std::exchange(acquiring_, std::nullopt)->number,
                          *make_failure(errc::pool_timeout, stage::queue, "full"), now);
    carry_out();
  }
  /// One of those under way is answered by the directory.
  void answer(int which, time_point now) {
    if (under_way_.empty()) return;
    const auto at = std::next(under_way_.begin(), which % static_cast<int>(under_way_.size()));
    const auto asked = at->second;
    under_way_.erase(at);
    if (const auto* bind = std::get_if<bind_request>(&asked.what->op)) {
      must(bind->dn != service_dn, "the service's own bind is never forwarded");
      const bool right = accepts(*bind);
      leased_as_ = right ? bind->dn : "";
      if (right) {
        session_.answered(asked.number, result{}, now);
      } else {
        failure no = *make_failure(errc::authentication_failed, stage::operation, "no");
        no.ldap_code = result_code::invalid_credentials;
        session_.failed(asked.number, no, now);
      }
    } else if (std::holds_alternative<search_request>(asked.what->op)) {
      // Sometimes it does not offer proxied authorization.
      result dse;
      if (which % 5 != 0) dse.entries.push_back({"", {{"supportedControl", {std::string{proxied_authorization_oid}}}}});
      session_.answered(asked.number, dse, now);
    } else if (std::holds_alternative<whoami_request>(asked.what->op)) {
      if (which % 5 != 0) {
        session_.answered(asked.number, result{}, now);
      } else {
        failure no = *make_failure(errc::ldap_error, stage::operation, "no");
        no.ldap_code = 123;
        session_.failed(asked.number, no, now);
      }
    } else if (std::get<opaque_request>(asked.what->op).tag() == request_tag::bind) {
      // Two steps, as which user the second one says; the third answer is a refusal.
      const auto& op = std::get<opaque_request>(asked.what->op);
      const auto said = *read_bind(*ber_cursor{op.protocol_op}.element(op.tag()))->credentials;
      const bool second = said.substr(0, 2) == "2 ";
      ldap_answer answer;
      answer.code = which % 4 == 3 ? 49 : second && leased_as_ == negotiating ? 0 : second ? 49 : 14;
      leased_as_ = answer.code == 0 ? std::string{said.substr(2)} : answer.code == 14 ? negotiating : "";
      result done;
      done.code = answer.code;
      done.messages = encode_answer(op.message_id, 0x61, answer);
      session_.answered(asked.number, done, now);
    } else {
      const auto& op = std::get<opaque_request>(asked.what->op);
      result done;
      done.messages = encode_answer(op.message_id, response_tag(op.tag()), {});
      if (which % 3 == 0) done.controls.push_back(paged_results_control({0, "more"}, false));
      session_.answered(asked.number, done, now);
    }
    carry_out();
  }
  void answer_part(int which, time_point now) {
    if (under_way_.empty()) return;
    const auto& asked = std::next(under_way_.begin(), which % static_cast<int>(under_way_.size()))->second;
    if (!asked.parts) return;
    const auto id = std::get<opaque_request>(asked.what->op).message_id;
    entry found;
    found.dn = "uid=a";
    session_.part(asked.number, encode_entry(id, found), 0, now);
    carry_out();
  }
  void fail(int which, errc code, time_point now) {
    if (under_way_.empty()) return;
    const auto at = std::next(under_way_.begin(), which % static_cast<int>(under_way_.size()));
    const auto number = at->first;
    under_way_.erase(at);
    session_.failed(number, *make_failure(code, stage::operation, "lost"), now);
    carry_out();
  }
  void end(time_point now) {
    session_.on_end(now);
    carry_out();
  }
  void drain(time_point now) {
    session_.drain(now);
    carry_out();
  }
  void evict() {
    session_.evict();
    carry_out();
  }
  void reload(client_identity identity, time_point now) {
    identity_ = identity;
    session_.configure(rules_for(identity), now);
    carry_out();
  }
  /// The client's handshake after StartTLS is complete.
  void shake_hands(time_point now) {
    if (!securing_) return;
    securing_ = false;
    session_.secured(now);
    // Who he was before it came over plain text.
    who_.clear();
    carry_out();
  }
  void tick(time_point now) {
    session_.tick(now);
    carry_out();
  }

  bool busy() const { return claim_ || acquiring_ || securing_ || !under_way_.empty(); }
  void check_end() const {
    must(gone_ || (!claim_ && !acquiring_ && under_way_.empty()), "everything comes to an end");
    must(!leased_ || !gone_, "who has gone holds no connection");
    for (const auto& [id, fact] : facts_) {
      const bool ended = fact.abandoned || gone_ || !fact.fed || !fact.answerable;
      must(fact.outcomes <= 1, "nothing is answered twice", id);
      must(fact.outcomes == 1 || ended, "everything asked is answered", id);
    }
  }
  void not_answerable() { facts_[next_id_ - 1].answerable = false; }

 private:
  struct request_facts {
    std::string claims;        ///< of a bind: as whom
    std::string as;            ///< as whom he is served when it is looked at
    bool for_anybody = false;  ///< who has not bound reads as the service then, below the base
    bool operation = false, fed = false, abandoned = false, answerable = true;
    int outcomes = 0;
  };

  static client_rules_ptr rules_for(client_identity identity) {
    auto rules = std::make_shared<client_rules>();
    rules->identity = identity;
    if (identity == client_identity::service) rules->bases = {comparable_dn("dc=example,dc=com")};
    return rules;
  }
  /// As whom the directory carries it out on a shared connection.
  static std::string named_in(const std::vector<control>& controls) {
    const auto* found = find_control(controls, proxied_authorization_oid);
    if (found == nullptr) return "service";
    must(found->critical, "whoever does not know the control refuses the operation");
    must(found->value && found->value->rfind("dn:", 0) == 0, "it names a DN");
    return found->value->substr(3);
  }
  static inline const std::string negotiating = "a bind goes on";
  static bool accepts(const bind_request& bind) {
    for (int user = 0; user < 3; ++user)
      if (bind.dn == dn_of(user)) return bind.password.reveal() == password_of(user);
    return false;
  }

  void carry_out() {
    for (auto& action : session_.take_actions()) std::visit([this](auto& a) { (*this)(a); }, action);
  }

 public:
  void operator()(session_action::reply& a) {
    for (const auto& said : answers_in(a.bytes)) {
      if (said.id == 0 || said.tag == 0x64) continue;
      auto& fact = facts_[said.id];
      must(!fact.abandoned, "what was abandoned is not answered", said.id);
      ++fact.outcomes;
      if (said.tag == 0x61) who_ = said.code == 0 ? fact.claims : "";
    }
  }
  void operator()(session_action::forward& a) {
    must(!gone_, "nothing is asked for who has gone");
    must(!securing_, "nothing is asked before TLS is there");
    const auto* relayed = std::get_if<opaque_request>(&a.what->op);
    if (relayed != nullptr && relayed->tag() == request_tag::bind) {
      must(a.leased && leased_, "a bind goes to a connection of the client's own");
      must(leased_as_.empty() || leased_as_ == negotiating, "a bind goes to a connection that is nobody's");
    } else if (const auto* op = std::get_if<opaque_request>(&a.what->op)) {
      const auto& fact = facts_[op->message_id];
      const auto named = named_in(*read_controls(op->controls));
      const bool own = a.leased && leased_as_ != "service";
      const auto served_as = own ? leased_as_ : named;
      must(!own || named == "service", "on a connection of its own it is itself without saying so");
      must(!a.leased || leased_, "a connection is used while it is held");
      const auto message = read_search(*ber_cursor{op->protocol_op}.element(op->tag()));
      const bool dse = op->tag() == opaque_request::search && reads_root_dse(*message);
      const bool public_read = fact.as.empty() && fact.for_anybody && op->tag() == opaque_request::search &&
                               is_at_or_below(comparable_dn(message->base), comparable_dn("dc=example,dc=com"));
      must(served_as == fact.as || ((dse || public_read) && served_as == "service"), "everybody is served as himself",
           served_as + " for " + fact.as);
      must(!fact.as.empty() || dse || public_read, "who has not bound reads what everybody may");
    } else if (std::holds_alternative<search_request>(a.what->op)) {
      must(!a.leased && a.what->controls.empty(), "what the directory offers is asked as the service");
    } else if (std::holds_alternative<whoami_request>(a.what->op)) {
      must(!a.leased && named_in(a.what->controls) == external_dn, "it is asked whether it takes what was shown");
    } else {
      must(a.leased && leased_, "a bind goes to a connection of the client's own");
      must(leased_as_.empty(), "a bind goes to a connection that is nobody's");
    }
    under_way_.emplace(a.number, a);
  }
  void operator()(session_action::cancel& a) { under_way_.erase(a.number); }
  void operator()(session_action::check_claim& a) { claim_ = a; }
  void operator()(session_action::acquire& a) {
    must(!leased_, "one connection at a time");
    acquiring_ = a;
    leased_ = true;
    leased_as_ = "not granted yet";
  }
  void operator()(session_action::release&) {
    must(leased_, "what is returned was held");
    leased_ = false;
    acquiring_.reset();
    leased_as_ = "returned";
  }
  void operator()(session_action::start_tls&) {
    must(under_way_.empty(), "nothing runs while TLS begins");
    securing_ = true;
  }
  void operator()(session_action::evict&) {}
  void operator()(session_action::close&) {
    gone_ = true;
    securing_ = false;
    under_way_.clear();
    claim_.reset();
    acquiring_.reset();
  }

 private:
  client_session session_;
  std::deque<std::pair<int, std::string>> said_;
  std::map<int, request_facts> facts_;
  std::map<session_number, session_action::forward> under_way_;
  std::optional<session_action::check_claim> claim_;
  std::optional<session_action::acquire> acquiring_;
  std::string who_, leased_as_;
  bool leased_ = false, gone_ = false, securing_ = false;
  client_identity identity_;
  int next_id_ = 1;
};

class story {
 public:
  story() {
    for (const auto identity : {client_identity::session, client_identity::proxy, client_identity::service})
      clients_.push_back(std::make_unique<client_model>(limiter_, identity, identity == client_identity::proxy, now_));
  }
  void play(const command& c) {
    auto& who = *clients_[static_cast<std::size_t>(c.a) % clients_.size()];
    const int id = who.next_id();
    switch (c.what) {
      case event::bind_user:
        who.say(bind_message(id, dn_of(c.b % 3), password_of(c.b % 3)), dn_of(c.b % 3), false);
        break;
      case event::bind_wrong:
        who.say(bind_message(id, dn_of(c.b % 3), "wrong"), dn_of(c.b % 3), false);
        break;
      case event::bind_service:
        who.say(bind_message(id, "CN=Service, dc=example,dc=com", service_password), "service", false);
        break;
      case event::bind_service_wrong:
        who.say(bind_message(id, service_dn, "wrong"), "service", false);
        break;
      case event::bind_anonymous:
        who.say(bind_message(id, "", ""), "", false);
        break;
      case event::bind_plain: {
        const auto dn = dn_of(c.b % 3);
        const auto credentials =
            std::string(1, '\0') + "dn:" + dn + std::string(1, '\0') + (c.b % 4 == 3 ? "wrong" : password_of(c.b % 3));
        who.say(sasl_bind_of(id, "PLAIN", credentials), dn, false);
        break;
      }
      case event::bind_external:
        who.say(sasl_bind_of(id, "EXTERNAL", ""), external_dn, false);
        break;
      case event::bind_scram: {
        const auto dn = dn_of(c.b % 3);
        who.say(sasl_bind_of(id, "SCRAM-SHA-256", (c.b % 2 == 0 ? "1 " : "2 ") + dn), dn, false);
        break;
      }
      case event::search:
        who.say(search_of(id, "dc=example,dc=com"), {}, true);
        break;
      case event::page:
        who.say(search_of(id, "dc=example,dc=com", search_scope::subtree,
                          control_of(std::string{paged_results_oid}, true,
                                     encode_paged_results({2, c.b % 2 == 0 ? "" : "more"}))),
                {}, true);
        break;
      case event::modify:
        who.say(replace_message(id, dn_of(1), "cn", "x"), {}, true);
        break;
      case event::root_dse:
        who.say(root_dse_of(id), {}, true);
        break;
      case event::who_am_i:
        who.say(extended_message(id, whoami_oid), {}, true);
        break;
      case event::abandon:
        who.say(abandon_message(id, who.some_id(c.b)), {}, false);
        who.not_answerable();
        break;
      case event::cancel:
        who.say(extended_of(id, "1.3.6.1.1.8", ber_element(ber_tag::sequence, ber_integer(who.some_id(c.b)))), {},
                false);
        break;
      case event::unbind:
        if (c.b % 8 != 0) break;
        who.say(unbind_message(id), {}, false);
        who.not_answerable();
        break;
      case event::end:
        if (c.b % 8 == 0) who.end(now_);
        break;
      case event::garbage:
        if (c.b % 8 != 0) break;
        who.say("nonsense", {}, false);
        who.not_answerable();
        break;
      case event::check_claim:
        who.check_claim(now_);
        break;
      case event::grant:
        who.grant(now_);
        break;
      case event::refuse_lease:
        who.refuse_lease(now_);
        break;
      case event::answer:
        who.answer(c.b, now_);
        break;
      case event::answer_part:
        who.answer_part(c.b, now_);
        break;
      case event::fail:
        who.fail(c.b, errc::no_server, now_);
        break;
      case event::lose:
        who.fail(c.b, errc::connection_unhealthy, now_);
        break;
      case event::drain:
        if (c.b % 8 == 0) who.drain(now_);
        break;
      case event::evict:
        who.evict();
        break;
      case event::reload:
        if (c.b % 4 == 0)
          who.reload(c.b % 12 == 0   ? client_identity::proxy
                     : c.b % 12 == 4 ? client_identity::session
                                     : client_identity::service,
                     now_);
        break;
      case event::search_elsewhere:
        who.say(search_of(id, "dc=elsewhere"), {}, true);
        break;
      case event::start_tls:
        who.say(extended_message(id, start_tls_oid), {}, false);
        break;
      case event::shake_hands:
        who.shake_hands(now_);
        break;
      case event::wait:
        now_ += seconds{c.b};
        who.tick(now_);
        break;
    }
    who.feed(now_);
  }
  void finish() {
    for (auto& who : clients_) {
      for (int round = 0; round < 1000 && who->busy(); ++round) {
        who->check_claim(now_);
        who->grant(now_);
        who->answer(0, now_);
        who->shake_hands(now_);
        who->feed(now_);
      }
      who->feed(now_);
      who->check_end();
    }
  }

 private:
  time_point now_{seconds{1000}};
  std::shared_ptr<bind_limiter> limiter_ = std::make_shared<bind_limiter>();
  std::vector<std::unique_ptr<client_model>> clients_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(nobody_is_served_as_somebody_else_and_everything_has_one_outcome) {
  check_property("identities", {10'000, 80}, [] {
    const auto kinds = rc::gen::map(rc::gen::inRange(0, events), [](int kind) { return static_cast<event>(kind); });
    const auto commands = *commands_of<event>(kinds, 3, 40);
    story told;
    for (const auto& each : commands) told.play(each);
    told.finish();
  });
}
