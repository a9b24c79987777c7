// What a server's certificates are, seen from here: before anybody trusts them.
#pragma once
#include "understudy/config/certificates.hpp"
#include "understudy/config/connection_info.hpp"
#include "understudy/messages/time.hpp"
#include "understudy/tools/interrupt.hpp"

#include <string>
#include <vector>

namespace understudy::cli {

/// What came of a look at one server.
struct certificate_look {
  std::vector<internal::config::certificate_summary> shown;  ///< the server's own first
  std::string problem;                                       ///< why there are none, for people; empty: there are
};

/// Connects to the first address of `server` that answers, begins TLS and ends. Nothing is sent of whom the service is.
/// Blocks until `limit` at the most. Throws interrupted.
certificate_look look_at_certificates(const connection_info& server, time_point limit, interrupt_watch& interrupts);

/// Lines of text, each with `indent` before it: whom it is for, who signed it, from when until when, its fingerprint.
std::string lines_about(const internal::config::certificate_summary& certificate, wall_time now,
                        const std::string& indent);

/// "ends in 12 days", "ended 3 days ago", "begins in 2 days"; empty when that cannot be told.
std::string validity_of(const internal::config::certificate_summary& certificate, wall_time now);

}  // namespace understudy::cli
