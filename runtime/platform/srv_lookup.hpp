// SRV records from the name servers, through the system's resolver library.
#pragma once
#include "understudy/messages/event.hpp"

#include <optional>

namespace understudy::internal {

/// The SRV records of `name`, taken as it is: no search list is tried. Blocks for as long as /etc/resolv.conf lets it
/// (10 s a name server by default). `name_server`: asked in place of those of /etc/resolv.conf; IPv4 only. Thread-safe.
service_answer system_srv_lookup(const std::string& name,
                                 const std::optional<socket_address>& name_server = std::nullopt);

/// What a name server's message says (RFC 1035, RFC 2782). Records of other types are skipped.
service_answer read_service_message(const unsigned char* message, std::size_t size);

}  // namespace understudy::internal
