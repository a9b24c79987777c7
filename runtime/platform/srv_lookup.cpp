// SRV records from the name servers: see srv_lookup.hpp.
#include "understudy/runtime/platform/srv_lookup.hpp"

#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace understudy::internal {
namespace {

constexpr std::size_t largest_message = 65535;
/// Priority, weight and port, before the target (RFC 2782).
constexpr std::size_t fixed_part = 6;

/// The resolver's state of one look-up: /etc/resolv.conf as it is now.
class resolver_state {
 public:
  resolver_state() : usable_(::res_ninit(&state_) == 0) {}
  ~resolver_state() {
    if (usable_) ::res_nclose(&state_);
  }
  resolver_state(const resolver_state&) = delete;
  resolver_state& operator=(const resolver_state&) = delete;

  bool usable() const noexcept { return usable_; }
  res_state get() noexcept { return &state_; }

  void ask_only(const socket_address& name_server) {
    std::memcpy(&state_.nsaddr_list[0], name_server.bytes.data(),
                std::min(name_server.bytes.size(), sizeof state_.nsaddr_list[0]));
    state_.nscount = 1;
  }

 private:
  struct __res_state state_ {};
  bool usable_;
};

service_answer none(std::string why) { return {{}, seconds{0}, std::move(why)}; }

std::string reason(int code) {
  switch (code) {
    case HOST_NOT_FOUND:
      return "the name does not exist";
    case NO_DATA:
      return "the name has no SRV records";
    case TRY_AGAIN:
      return "no name server answered, or none that knows";
    default:
      return "the name servers refused to answer, or gave nothing that makes sense";
  }
}

std::optional<service_record> read_record(const ns_msg& message, const ns_rr& record) {
  const auto* data = ns_rr_rdata(record);
  if (ns_rr_rdlen(record) <= fixed_part) return std::nullopt;
  char target[NS_MAXDNAME] = "";
  if (::dn_expand(ns_msg_base(message), ns_msg_end(message), data + fixed_part, target, sizeof target) < 0)
    return std::nullopt;
  service_record found;
  found.priority = static_cast<std::uint16_t>(::ns_get16(data));
  found.weight = static_cast<std::uint16_t>(::ns_get16(data + 2));
  found.port = static_cast<std::uint16_t>(::ns_get16(data + 4));
  found.target = *target == '\0' ? "." : target;
  return found;
}

}  // namespace

service_answer read_service_message(const unsigned char* message, std::size_t size) {
  ns_msg parsed;
  if (size > largest_message || ::ns_initparse(message, static_cast<int>(size), &parsed) != 0)
    return none("the answer of the name server cannot be understood");
  service_answer found;
  std::uint32_t ttl = std::numeric_limits<std::int32_t>::max();
  for (int i = 0; i < ns_msg_count(parsed, ns_s_an); ++i) {
    ns_rr record;
    if (::ns_parserr(&parsed, ns_s_an, i, &record) != 0)
      return none("the answer of the name server cannot be understood");
    if (ns_rr_type(record) != ns_t_srv || ns_rr_class(record) != ns_c_in) continue;
    auto one = read_record(parsed, record);
    if (!one) return none("an SRV record of the name server's answer cannot be understood");
    ttl = std::min<std::uint32_t>(ttl, ns_rr_ttl(record));
    found.records.push_back(std::move(*one));
  }
  if (found.records.empty()) return none(reason(NO_DATA));
  found.ttl = seconds{ttl};
  return found;
}

service_answer system_srv_lookup(const std::string& name, const std::optional<socket_address>& name_server) {
  resolver_state state;
  if (!state.usable()) return none("the system's resolver cannot be set up");
  if (name_server) state.ask_only(*name_server);
  std::vector<unsigned char> message(largest_message);
  const int size =
      ::res_nquery(state.get(), name.c_str(), ns_c_in, ns_t_srv, message.data(), static_cast<int>(message.size()));
  if (size < 0) return none(reason(state.get()->res_h_errno));
  return read_service_message(message.data(), std::min<std::size_t>(static_cast<std::size_t>(size), message.size()));
}

}  // namespace understudy::internal
