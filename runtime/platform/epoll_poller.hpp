// The poller of a running service: one epoll thread that tells actors when their sockets and timers are ready.
#pragma once
#include "understudy/actors/ports/ports.hpp"

namespace understudy::internal {

/// One thread, asleep while nothing happens. Messages go out at normal priority, so that an actor sees them in the
/// order of everything else it is sent. Every member may be called from any thread, also after stop() (then without
/// effect).
class epoll_poller final : public poller_port {
 public:
  /// Starts the thread. Throws std::system_error when the system gives no descriptors.
  epoll_poller();
  /// The same, and runs poller actors of `system` on its thread, until stop(): to be called before that system is
  /// destroyed.
  explicit epoll_poller(caf::actor_system& system);
  ~epoll_poller() override;

  io_id add(int fd, caf::actor_addr owner) override;
  /// Throws std::system_error when the system cannot watch `fd`.
  void arm(io_id id, std::uint32_t interest) override;
  void remove(io_id id) override;

  timer_id add_timer(caf::actor_addr owner) override;
  void set_timer(timer_id id, time_point when) override;
  void clear_timer(timer_id id) override;
  void remove_timer(timer_id id) override;

  caf::execution_unit* unit() noexcept override;
  void run_inline(const std::function<void()>& send) override;
  bool post(const std::function<void()>& job) override;
  std::size_t posted() const override;

  /// Ends and joins the thread; may be repeated. Nobody is told anything afterwards.
  void stop();

 private:
  class loop;
  std::shared_ptr<loop> loop_;
};

}  // namespace understudy::internal
