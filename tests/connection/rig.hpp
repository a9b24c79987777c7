// A connection on real sockets and virtual time, between a pool, a breaker and a manager that note what they are told.
#pragma once
#include "support/eventually.hpp"
#include "support/stub_directory.hpp"
#include "support/virtual_runtime.hpp"
#include "understudy/actors/connection/connection_actor.hpp"

#include <caf/actor.hpp>
#include <caf/typed_response_promise.hpp>

namespace understudy::test {

using namespace internal;

/// What a connection's neighbours were told.
struct neighbours {
  std::vector<connection_event> events;
  std::vector<outcome_report> reports;
  std::vector<call> redispatches;  ///< each answered with no_server
  std::vector<credential_verdict> verdicts;
  std::vector<std::string> order;  ///< "report", "event", "redispatch", in the order they were sent
  int suspicions = 0, loads = 0, credential_questions = 0;
  credential secret{"cn=service,dc=example,dc=com", understudy::secret{"service-password"}, 7};
  failure_ptr refuse_credential;
  bool hold_credentials = false;  ///< who asks waits for give_credentials()
  std::vector<caf::typed_response_promise<credential>> waiting;
};

class connection_rig : public virtual_runtime {
 public:
  connection_rig();

  std::shared_ptr<neighbours> seen = std::make_shared<neighbours>();
  connection_info server;
  settings all;
  connection_load_ptr load = std::make_shared<connection_load>();
  std::shared_ptr<server_pace> pace;  ///< of the server, as the latest connection sees it

  /// The server that connections go to from now on.
  void use(const stub_directory& directory);
  void use_port(std::uint16_t port);

  connection_actor open(connection_kind kind = connection_kind::pooled);
  /// One that the fixture does not keep.
  connection_actor open_unowned(connection_kind kind = connection_kind::pooled);
  /// Opens one and waits until it is ready.
  connection_actor open_ready(connection_kind kind = connection_kind::pooled);
  /// True as soon as `condition` holds; sockets and actors run meanwhile, virtual time stands still.
  bool reaches(const std::function<bool()>& condition);
  bool reaches_event(connection_event::kind kind);
  /// The last event's cause; fails the test when there is none.
  const failure& cause() const;

  call order(request_ptr request, duration limit = seconds{30}) const;
  answer_ptr<result_ptr> perform(const connection_actor& to, request_ptr request, duration limit = seconds{30});
  answer_ptr<result_ptr> perform(const connection_actor& to, call order);
  answer_ptr<result_ptr> perform_leased(const connection_actor& to, lease_id lease, request_ptr request);
  /// Performs it and waits for its outcome.
  answer<result_ptr> outcome(const connection_actor& to, request_ptr request);
  connection_snapshot status(const connection_actor& of);
  /// To everyone who waits for them.
  void give_credentials();
  /// Tells the connection that it may go, and waits until it is gone.
  void remove(connection_actor& connection);

 private:
  caf::actor pool_, breaker_, manager_;
};

/// A search for "(uid=user1)" below the suffix.
request_ptr find_user(int number = 1);
request_ptr change_mail();

}  // namespace understudy::test
