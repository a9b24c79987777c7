// A connection of its own, for the certificates alone: see certificate_look.hpp.
#include "understudy/tools/certificate_look.hpp"

#include "understudy/actors/connection/certificate_inspection.hpp"
#include "understudy/actors/connection/socket.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/platform/addresses.hpp"
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/runtime/platform/resolver.hpp"
#include "understudy/runtime/platform/worker_threads.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <future>

namespace understudy::cli {

using namespace internal;
namespace {

using clock = std::chrono::steady_clock;

/// How often an interruption is looked for while a name is looked up.
constexpr milliseconds look_interval{20};
/// An address that says nothing for so long is left for the next.
constexpr seconds patience_with_one{3};

std::string no_answer_in_time(const std::string& step) { return "no answer to " + step + " in time"; }

/// The addresses of `host`, or a failure. The system's look-up cannot be ended: it is left alone when it hangs.
resolution look_up(const server_endpoint& at, time_point limit, interrupt_watch& interrupts) {
  if (at.local) return {{local_address(at.host)}, nullptr};
  if (auto literal = literal_address(at.host, at.port)) return {{std::move(*literal)}, nullptr};
  const auto answer = std::make_shared<std::promise<resolution>>();
  auto coming = answer->get_future();
  worker_threads worker{1, 1};
  const auto began = worker.run([answer, host = at.host] { answer->set_value(name_resolver::system_lookup(host)); });
  while (began && coming.wait_for(look_interval) != std::future_status::ready) {
    if (interrupts.tripped()) throw interrupted();
    if (clock::now() >= limit) break;
  }
  if (!began || coming.wait_for(duration::zero()) != std::future_status::ready)
    return {{}, make_failure(errc::connection_timeout, stage::resolve, no_answer_in_time("the name look-up"))};
  auto found = coming.get();
  found.addresses = with_port(std::move(found.addresses), at.port);
  return found;
}

/// False when `limit` passed first.
bool wait_for(int fd, short events, time_point limit, interrupt_watch& interrupts) {
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(limit - clock::now()).count();
    if (left <= 0) return false;
    std::array<pollfd, 2> wanted{{{fd, events, 0}, {interrupts.descriptor(), POLLIN, 0}}};
    const int ready = ::poll(wanted.data(), wanted.size(), static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    if (interrupts.tripped()) throw interrupted();
    if (ready > 0 && wanted[0].revents != 0) return true;
  }
}

/// Connects; what is wrong, or empty.
std::string connect_to(const socket_address& to, descriptor& socket, time_point limit, interrupt_watch& interrupts) {
  const auto opened = open_socket(to);
  if (opened.fd >= 0) socket = descriptor{opened.fd, "socket"};
  if (opened.error != 0) return errno_text(opened.error);
  if (!wait_for(opened.fd, POLLOUT, limit, interrupts)) return no_answer_in_time("the connect");
  const int error = pending_error(opened.fd);
  return error == 0 ? std::string{} : errno_text(error);
}

certificate_look look_at(const socket_address& address, const server_endpoint& peer, time_point limit,
                         interrupt_watch& interrupts) {
  descriptor socket;
  if (auto problem = connect_to(address, socket, limit, interrupts); !problem.empty()) return {{}, std::move(problem)};
  certificate_inspection inspection{socket.get(), peer};
  using kind = byte_stream_result::kind;
  while (true) {
    const auto come_to = inspection.step();
    if (come_to.what == kind::done) return {inspection.certificates(), {}};
    if (come_to.what == kind::failed) return {{}, come_to.error->message};
    if (come_to.what == kind::closed) return {{}, "the server closed the connection"};
    const short events = come_to.what == kind::want_write ? POLLOUT : POLLIN;
    if (!wait_for(socket.get(), events, limit, interrupts)) return {{}, no_answer_in_time("TLS")};
  }
}

std::string days(wall_time from, wall_time to) {
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(to - from).count();
  if (hours < 48) return std::to_string(hours) + (hours == 1 ? " hour" : " hours");
  return std::to_string(hours / 24) + " days";
}

std::string day_of(const std::optional<wall_time>& moment) { return moment ? utc(*moment) : "an unknown time"; }

}  // namespace

certificate_look look_at_certificates(const connection_info& server, time_point limit, interrupt_watch& interrupts) {
  const auto peer = endpoint_of(server);
  const auto found = look_up(peer, limit, interrupts);
  if (found.addresses.empty()) return {{}, found.error ? found.error->message : "the name has no address"};
  certificate_look seen;
  for (const auto& address : found.addresses) {
    const auto until = std::min(limit, clock::now() + patience_with_one);
    seen = look_at(address, peer, until, interrupts);
    if (seen.problem.empty() || clock::now() >= limit) break;
  }
  return seen;
}

std::string validity_of(const config::certificate_summary& certificate, wall_time now) {
  if (certificate.begin && *certificate.begin > now) return "begins in " + days(now, *certificate.begin);
  if (!certificate.end) return {};
  return *certificate.end < now ? "ended " + days(*certificate.end, now) + " ago"
                                : "ends in " + days(now, *certificate.end);
}

std::string lines_about(const config::certificate_summary& certificate, wall_time now, const std::string& indent) {
  const auto line = [&](const std::string& name, const std::string& text) {
    return text.empty() ? std::string{} : indent + name + printable(shortened(text)) + "\n";
  };
  const auto validity = validity_of(certificate, now);
  return line("subject      ", certificate.subject) + line("for          ", joined(certificate.names, ", ")) +
         line("issuer       ", certificate.issuer) +
         line("valid        ", day_of(certificate.begin) + " to " + day_of(certificate.end) +
                                   (validity.empty() ? "" : ", " + validity)) +
         line("SHA-256      ", certificate.fingerprint);
}

}  // namespace understudy::cli
