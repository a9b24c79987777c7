// A connection's state machine alone: made-up bytes, virtual time, and what became of everybody who asked.
#pragma once
#include "understudy/actors/connection/connection_state.hpp"

#include <map>
#include <set>

namespace understudy::test {

using namespace internal;

/// Requests stand in a stream of ten bytes each; answers are put in by hand.
class made_up_wire : public ldap_wire {
 public:
  struct request_on_wire {
    const request* what = nullptr;  ///< null: nobody's who asked here
    std::uint8_t answer_op = 0;
    std::uint64_t begin = 0;
    bool discarded = false, abandoned = false, answered = false;
  };
  struct arrival {
    pdu_frame frame;
    decoded_pdu what = decoded_pdu::complete;
    result answer;
  };

  std::map<int, request_on_wire> requests;
  std::vector<std::string> binds;  ///< DNs
  bool is_up = false, said_goodbye = false;
  bool claims_nothing_left = false;  ///< a defect: handed_over() says so whatever left
  std::uint32_t most_ids = 1000000;

  /// All that is encoded reaches the kernel.
  void write() noexcept { handed_ = appended_; }
  bool may_have_left(int id) const { return requests.at(id).begin < handed_; }
  /// The same of a request, however often it was sent.
  bool may_have_left(const request* order) const;
  /// A new request lies where one of the connection's own lay: that one is not it.
  void is_new(const request* order);
  void arrive(int id, std::uint8_t op, decoded_pdu pdu, result answer = {}, std::size_t size = 100);

  failure_ptr open() override { return is_up = true, nullptr; }
  tls_start secure() override { return {}; }
  void close(bool polite) override;
  bool is_open() const override { return is_up; }
  encoded_request encode(const request& order) override { return add(&order); }
  encoded_request encode_bind(const std::string& dn, const secret&) override {
    return binds.push_back(dn), add(nullptr);
  }
  encoded_request encode_external_bind() override { return add(nullptr); }
  encoded_request encode_start_tls() override { return add(nullptr); }
  void abandon(int id) override { requests.at(id).abandoned = true; }
  void discard(std::uint64_t begin, std::size_t size) override;
  std::uint32_t ids_left() const override { return most_ids - static_cast<std::uint32_t>(last_id_); }
  std::uint64_t handed_over() const override { return claims_nothing_left ? 0 : handed_; }
  std::size_t bytes_out() const override { return appended_ - handed_; }
  std::size_t bytes_in() const override { return in_.size() * 100; }
  pdu_frame peek() const override { return in_.empty() ? pdu_frame{} : in_.front().frame; }
  std::string_view front(std::size_t) const override { return "\x30\x03\x02"; }
  void skip(std::size_t) override { in_.pop_front(); }
  decoded_pdu decode(const pdu_frame& frame, const any_operation& op, result& into, memory_allowance& room) override;
  bool decode_notification(const pdu_frame& frame, result& into) override;
  void hold_reading(bool on) override { held_ = on; }
  bool reading_held() const override { return held_; }

 private:
  encoded_request add(const request* order);

  int last_id_ = 0;
  std::uint64_t appended_ = 0, handed_ = 0;
  bool held_ = false;
  std::deque<arrival> in_;
};

/// What somebody was told.
struct told {
  enum class kind : std::uint8_t { answer, failure, sent_elsewhere };
  kind what = kind::answer;
  result_ptr answer;
  failure_ptr why;
  call order;             ///< as it was sent elsewhere
  bool had_left = false;  ///< some of it may have reached the server by then
};

/// A connection to a server without TLS, and without a bind unless `all` says so.
class state_harness {
 public:
  explicit state_harness(connection_kind kind = connection_kind::pooled);

  settings all;
  connection_info server;
  std::string server_name = "ldap1:389";
  connection_load_ptr load = std::make_shared<connection_load>();
  std::shared_ptr<server_pace> pace = std::make_shared<server_pace>();
  time_point now = time_point{} + std::chrono::hours{1};
  made_up_wire wire;
  std::function<bool(const any_operation&)> may_repeat = safe_to_repeat;
  /// Looked at, and perhaps changed, before they are carried out.
  std::function<void(std::vector<connection_action::any>&)> on_actions = [](auto&) {};

  std::map<reply_id, std::vector<told>> outcomes;
  std::map<reply_id, call> asked;
  std::map<reply_id, std::vector<probe_report>> checks;
  std::vector<connection_event> events;
  std::vector<outcome_report> reports;
  std::vector<search_batch> batches;
  std::map<reply_id, std::vector<relayed_part>> parts;
  std::vector<socket_address> dialled;
  std::vector<resolution> addresses = {};  ///< of the look-ups, in turn; then 192.0.2.1
  int suspicions = 0, credentials_asked = 0;

  /// Made when it is asked for first: settings count until then.
  connection_state& state();
  void turn(const std::function<void()>& body);
  void start();
  /// Takes the address dialled last, and has the server show that it lives.
  void become_ready();

  reply_id ask(request_ptr request, duration limit = seconds{30}, lease_id lease = 0);
  reply_id ask(call order, lease_id lease = 0, const std::optional<stream_terms>& terms = {});
  reply_id stream(request_ptr request, lease_id lease, std::uint32_t credits);
  /// Of an opaque search, to be answered in parts.
  reply_id relay(duration limit = seconds{30}, std::uint16_t attempts = 0);
  /// So many bytes of the answer to it come.
  void part_of(reply_id reply, std::size_t bytes);
  /// Its reader has passed so many bytes on.
  void pass_on(reply_id reply, std::size_t bytes);
  reply_id check(duration limit = seconds{5});
  void write() { wire.write(); }
  /// The wire's number of what `reply` asked for; 0 when it was not encoded.
  int id_of(reply_id reply) const;
  /// The server's answer to that number, or to what `reply` asked for.
  void answer_id(int id, int code = result_code::success);
  void answer(reply_id reply, int code = result_code::success) { answer_id(id_of(reply), code); }
  void say_goodbye();
  void end(bool orderly);
  /// Time passes, timers go off.
  void pass(duration span);

  bool state_is_closed() const { return state_ && state_->is_closed(); }
  bool waits(reply_id reply) const { return outcomes.count(reply) == 0; }
  /// The only outcome; fails the test when there is another number of them.
  const told& outcome(reply_id reply) const;
  errc code(reply_id reply) const;

 private:
  void carry_out();
  void operator()(connection_action::resolve&);
  void operator()(connection_action::dial& a) { dialled.push_back(a.to); }
  void operator()(connection_action::ask_for_credential&) { ++credentials_asked; }
  void operator()(connection_action::deliver& a);
  void operator()(connection_action::refuse& a);
  void operator()(connection_action::redispatch& a);
  void operator()(connection_action::checked& a) { checks[a.to].push_back(a.report); }
  void operator()(connection_action::batch& a) { batches.push_back(a.entries); }
  void operator()(connection_action::part& a);
  void operator()(connection_action::report& a) { reports.push_back(a.outcomes); }
  void operator()(connection_action::suspect&) { ++suspicions; }
  void operator()(connection_action::tell_owner& a) { events.push_back(a.event); }
  template <class Other>
  void operator()(Other&) {}

  connection_kind kind_;
  std::optional<connection_state> state_;
  reply_id last_reply_ = 0;
  std::uint64_t sockets_ = 0;
};

request_ptr some_search(int number = 1);
request_ptr some_write(int number = 1);
request_ptr some_bind();
request_ptr some_relayed_search(int number = 1);

}  // namespace understudy::test
