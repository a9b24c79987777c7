// What the HTTP endpoint shows, made of a snapshot.
#pragma once
#include "understudy/actors/http/http_routes.hpp"
#include "understudy/actors/ports/ports.hpp"

#include <mutex>

namespace understudy::internal {

/// A file of certificates that the configuration names, and when the first of them ends.
struct certificate_end {
  std::string key;               ///< "http.cert_path"
  std::string path;              ///< of its file
  std::optional<wall_time> end;  ///< unknown while it has never been read
  std::string problem;           ///< why it cannot be read; empty when it can
};

/// Thread-safe.
class http_pages : public std::enable_shared_from_this<http_pages> {
 public:
  http_pages(environment_ptr env, const settings& all);

  /// `state` null: it could not be had, for that reason. `orders`: they are taken here.
  http_response render(const page_wish& wish, const runtime_snapshot* state, const failure_ptr& why, bool orders);
  /// Settings have changed: their certificates are read, at once, which takes a thread that may wait for a disk.
  void configure(const settings& all);
  /// The service is being drained: it is not ready any more.
  void drain() noexcept { draining_ = true; }

 private:
  http_response ready(const page_wish& wish, const runtime_snapshot* state, const failure_ptr& why) const;
  http_response status(const runtime_snapshot& state, bool orders);
  std::vector<certificate_end> certificates();
  void take(std::vector<certificate_end> read);

  const environment_ptr env_;
  const std::string node_;
  const wall_time started_;
  std::atomic<bool> draining_{false};
  std::mutex mutex_;  ///< of what follows
  std::shared_ptr<const settings> all_;
  std::vector<certificate_end> certificates_;
  time_point read_at_{};
  bool reading_ = false;
};

/// The files of the console: the response for "/", "/console.css", "/console.js".
http_response console_file(std::string_view path);

/// When the certificates that `all` names end, a file each.
std::vector<certificate_end> certificate_ends(const settings& all);

}  // namespace understudy::internal
