// The certificates of a listener, read again when their files change.
#pragma once
#include "understudy/actors/ports/ports.hpp"
#include "understudy/runtime/platform/tls_server.hpp"

#include <mutex>

namespace understudy::internal {

/// A context of TLS and the files that it was made of. When those change they are read by a worker, for who comes
/// later; when the new ones are no good, the earlier ones stay, the log says so, and they are tried again after a
/// minute. Thread-safe.
class certificate_watch : public std::enable_shared_from_this<certificate_watch> {
 public:
  /// `listener`: its address, for the log.
  certificate_watch(environment_ptr env, std::string listener) : env_(std::move(env)), listener_(std::move(listener)) {}

  /// Reads the files, and uses them. Null, or why they cannot be used; nothing has changed then.
  failure_ptr load(const server_certificates& files);
  /// `context` was made of `files`. Null: there is no TLS.
  void use(server_certificates files, tls_server_context_ptr context);
  /// What there is now; null: there is no TLS.
  tls_server_context_ptr context() const;
  /// Somebody has come: looks whether the files have changed, once a second at the most. Does not wait.
  void look();

 private:
  void on_read(const server_certificates& read, const std::string& states, tls_server_context_result made);

  const environment_ptr env_;
  const std::string listener_;
  mutable std::mutex mutex_;  ///< of what follows
  tls_server_context_ptr context_;
  server_certificates files_;
  std::string states_;         ///< that are in use
  std::string failed_states_;  ///< that could not be read last, and are read again …
  time_point failed_again_at_{};
  std::optional<time_point> looked_at_;
  bool reading_ = false;
};

/// A context for a listener at `address`; throws listener_error, which names it, when the files are no good.
tls_server_context_ptr read_certificates_for(const std::string& address, const server_certificates& files);

}  // namespace understudy::internal
