// Name look-ups on workers: coalesced, remembered, answered by a deadline.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// getaddrinfo() behind resolver_port. A literal address is answered at once; one look-up of a name runs at a time and
/// answers all who wait for it; an answer younger than `fresh_for` serves without a look-up; when a look-up fails or
/// hangs until the deadline, an older answer serves for as long as the runtime lives.
class name_resolver final : public resolver_port {
 public:
  /// What stands for getaddrinfo(): addresses with any port in the system's order, or an error. Runs on a worker.
  using lookup = std::function<resolution(const std::string& host)>;
  /// What stands for system_srv_lookup(). Runs on a worker.
  using srv_lookup = std::function<service_answer(const std::string& name)>;
  static constexpr seconds fresh_for{5};

  name_resolver(caf::actor_system& system, std::shared_ptr<clock_port> clock, std::shared_ptr<poller_port> poller,
                std::shared_ptr<workers_port> workers, lookup look_up = system_lookup,
                srv_lookup services = system_services);
  ~name_resolver() override;

  void resolve(const std::string& host, std::uint16_t port, time_point deadline, caf::actor_addr owner,
               std::uint64_t number) override;

  void find_services(const std::string& name, caf::actor_addr owner, std::uint64_t number) override;

  /// system_srv_lookup() of the configured name servers; blocks.
  static service_answer system_services(const std::string& name);
  /// getaddrinfo() for stream sockets; blocks.
  static resolution system_lookup(const std::string& host);

 private:
  class state;
  std::shared_ptr<state> state_;
  std::shared_ptr<workers_port> workers_;
  srv_lookup services_;
};

}  // namespace understudy::internal
