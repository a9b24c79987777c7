// A client and nodes on virtual time, with a link between them that a test makes and cuts.
#pragma once
#include "scripted_node.hpp"
#include "understudy/actors/node/remote_manager.hpp"

namespace understudy::test {

/// The reader of a stream.
struct stream_reader {
  std::size_t entries = 0;
  answer<result_ptr> end;
  cancel_token_ptr token = std::make_shared<cancel_token>();
  caf::actor actor;
};

struct remote_rig : virtual_runtime {
  /// A node with its gateway, of which peers have four requests at a time.
  struct one_node {
    one_node(remote_rig& rig, const std::string& name, bool compressed);
    std::shared_ptr<node_script> script = std::make_shared<node_script>();
    scripted_node node;
    gateway_actor gateway;
  };

  /// `may_repeat`: of the client; empty: as it is. `compressed`: enable_compression of all.
  explicit remote_rig(const repeat_rule& may_repeat = {}, bool compressed = false);
  ~remote_rig();

  /// The client is told that it is linked to that node, by the way that it began last.
  void link_to(std::size_t node);
  /// That link ends at both its ends: what was sent is answered with connection_failed, the gateway is told.
  void cut();
  /// The same of any way, by its number: 1, 2, …
  void cut(std::size_t number);
  /// By the way that was begun last.
  void tell_event(node_event event);
  /// A gateway that answers in a version that nobody knows.
  node_gateway_actor stranger();
  /// One that agrees to compression, or not, and answers everything with that.
  node_gateway_actor liar(bool agrees, answer_frame answer);

  circuit_breaker_actor router();
  /// One that is to be claimed when it comes.
  answer_ptr<lease_grant> ask_for_lease(duration patience);
  /// One that comes at once, claimed.
  lease_grant take_lease();
  /// A streaming search under the number 9.
  std::shared_ptr<stream_reader> stream(const lease_grant& on, std::uint32_t credits);
  call call_of(request_ptr request, duration patience = seconds{5}) const;
  static std::vector<request_ptr> every_operation();
  static std::string text_of(const answer<result_ptr>& got);

  std::shared_ptr<written_registry> peers = std::make_shared<written_registry>();
  std::vector<std::unique_ptr<one_node>> nodes;
  bool deaf = false;                      ///< answers are lost on the link …
  bool garbled = false;                   ///< … or cannot be read …
  std::string replaced;                   ///< … or are this one, unless empty
  std::vector<std::string> avoided;       ///< of each link that was begun
  int ways = 0;                           ///< that are open
  duration connect_timeout = seconds{3};  ///< of what tell_event() tells, which has just been dialled
  connection_manager_actor manager;

 private:
  struct pipe;
  struct way {
    std::function<void(node_event)> tell;
    std::shared_ptr<pipe> over;
  };
  std::vector<std::shared_ptr<way>> begun_;  ///< all
  std::vector<std::shared_ptr<pipe>> pipes_;
  std::uint64_t links_ = 0;
};

}  // namespace understudy::test
