// Requests over one link, and their answers: see remote_gateway.hpp.
#include "understudy/runtime/platform/remote_gateway.hpp"

#include "understudy/actors/ports/actor_shell.hpp"

#include <caf/io/system_messages.hpp>
#include <caf/node_id.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <map>
#include <set>

namespace understudy::internal {
namespace {

// CAF wants a port, and looks nobody up by it.
constexpr std::uint16_t no_port = 0;

class remote_gateway_impl {
 public:
  static constexpr const char* name = "us.remote_gateway";

  remote_gateway_impl(node_gateway_actor::pointer self, environment_ptr env, adopted_link dialled,
                      remote_gateway_hooks hooks)
      : self_(self),
        guard_(*self, std::move(env), "node"),
        link_(std::move(dialled.link)),
        rules_(std::move(dialled.rules)),
        hooks_(std::move(hooks)) {
    // CAF ends everybody of a node when its link ends.
    self_->set_down_handler([this](caf::down_msg&) { end("its gateway has ended"); });
    // Without a limit: the link looks at the clock, and CAF answers when it has ended.
    self_
        ->request(basp_broker_of(self_->system()), caf::infinite, caf::connect_atom_v, std::move(dialled.scribe),
                  no_port)
        .then([this](const caf::node_id&, caf::strong_actor_ptr& found,
                     const std::set<std::string>&) { connected(std::move(found)); },
              [this](const caf::error&) { end("the handshake of the nodes was not completed"); });
  }

  node_gateway_actor::behavior_type make_behavior() {
    return {[this](std::string& text) {
      return guard_.answer<std::string>([&]() -> caf::result<std::string> { return ask(std::move(text)); });
    }};
  }

 private:
  struct sent_request {
    caf::typed_response_promise<std::string> answer;
    std::size_t size = 0;
  };

  void connected(caf::strong_actor_ptr found) {
    if (!found) return end("it presents no gateway");
    remote_ = caf::actor_cast<caf::actor>(found);
    self_->monitor(remote_);
    hooks_.on_linked(self_);
  }

  caf::result<std::string> ask(std::string text) {
    // As the node's guard counts it.
    const auto size = text.size() + basp_beside_text;
    if (size > rules_->longest_message)
      return refusal(errc::invalid_request, "takes requests of " +
                                                std::to_string(rules_->longest_message - basp_beside_text) +
                                                " bytes at the most, and this one has " + std::to_string(text.size()));
    if (sent_.size() >= rules_->most_unanswered || size > rules_->most_unanswered_bytes - sent_bytes_)
      return refusal(errc::queue_full, "has not answered yet as many requests as it takes at a time");
    const auto number = ++last_;
    auto promise = self_->make_response_promise<std::string>();
    sent_.emplace(number, sent_request{promise, size});
    sent_bytes_ += size;
    self_->request(remote_, caf::infinite, std::move(text))
        .then([this, number](std::string& answer) { settle(number, std::move(answer)); },
              [this, number](const caf::error& why) {
                settle(number, to_error(make_failure(errc::connection_failed, stage::operation,
                                                     "the actor system of the node " + about().name +
                                                         " answered: " + self_->system().render(why),
                                                     about().address)));
              });
    return promise;
  }

  caf::error refusal(errc code, const std::string& why) const {
    const auto peer = about();
    return to_error(make_failure(code, stage::queue, "the node " + peer.name + ' ' + why, peer.address));
  }

  template <class Answer>
  void settle(std::uint64_t number, Answer answer) {
    const auto found = sent_.find(number);
    if (found == sent_.end()) return;
    auto request = std::move(found->second);
    sent_.erase(found);
    sent_bytes_ -= request.size;
    request.answer.deliver(std::move(answer));
  }

  void end(std::string_view why) {
    if (std::exchange(ended_, true)) return;
    link_->cut(why);  // it may have ended for a reason of its own
    const auto peer = about();
    failure ended;
    ended.code = errc::connection_failed;
    ended.where = remote_ ? stage::operation : stage::connect;
    ended.message = (remote_ ? "the link to the node " + peer.name + " was lost: "
                             : "no link to the node " + peer.name + " came about: ") +
                    link_->why();
    ended.server = peer.address;
    if (link_->why_code() != errc::connection_failed) ended.cause_code = link_->why_code();
    const auto lost = make_failure(std::move(ended));
    for (auto& [number, request] : std::exchange(sent_, {})) request.answer.deliver(to_error(lost));
    hooks_.on_ended(lost);
    // CAF keeps every actor that has sent something to another node until that ends, and answers who asks it then.
    self_->quit();
  }

  node_peer about() const { return link_->peer(); }

  node_gateway_actor::pointer self_;
  handler_guard guard_;
  const node_link_ptr link_;
  const std::shared_ptr<const basp_rules> rules_;
  const remote_gateway_hooks hooks_;
  caf::actor remote_;
  std::map<std::uint64_t, sent_request> sent_;
  std::size_t sent_bytes_ = 0;
  std::uint64_t last_ = 0;
  bool ended_ = false;
};

}  // namespace

node_gateway_actor spawn_remote_gateway(caf::actor_system& system, environment_ptr env, adopted_link dialled,
                                        remote_gateway_hooks hooks) {
  return spawn_shell<node_gateway_actor, remote_gateway_impl>(system, std::move(env), std::move(dialled),
                                                              std::move(hooks));
}

}  // namespace understudy::internal
