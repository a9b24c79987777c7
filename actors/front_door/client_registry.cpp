// Counting what ends, and telling of who is in: see client_registry.hpp.
#include "understudy/actors/front_door/client_registry.hpp"

#include "understudy/messages/ldap_protocol.hpp"
#include "understudy/messages/request.hpp"
#include "understudy/messages/result.hpp"

#include <algorithm>

namespace understudy::internal {
namespace {

constexpr std::array<std::pair<std::uint8_t, std::string_view>, 9> operations{{
    {request_tag::bind, "bind"},
    {opaque_request::search, "search"},
    {opaque_request::compare, "compare"},
    {opaque_request::add, "add"},
    {opaque_request::modify, "modify"},
    {opaque_request::remove, "delete"},
    {opaque_request::modify_dn, "modify DN"},
    {opaque_request::extended, "extended operation"},
    {0, "other"},
}};

std::size_t kind_of(std::uint8_t tag) noexcept {
  const auto found =
      std::find_if(operations.begin(), operations.end() - 1, [tag](const auto& each) { return each.first == tag; });
  return static_cast<std::size_t>(found - operations.begin());
}

}  // namespace

std::string_view operation_of(std::uint8_t tag) noexcept { return operations[kind_of(tag)].second; }

/// By the ranges of RFC 4511, appendix A.1, and RFC 3909.
result_class class_of(int code) noexcept {
  switch (code) {
    case abandoned_code:
    case 118:
      return result_class::abandoned;
    case 0:
    case 5:
    case 6:
    case 10:
    case 14:
      return result_class::success;
    case 3:
    case 4:
    case 11:
      return result_class::limited;
    case 2:
    case 7:
    case 8:
    case 12:
    case 13:
    case 48:
    case 49:
    case 50:
    case 53:
      return result_class::refused;
    case 1:
    case 51:
    case 52:
    case 80:
      return result_class::failed;
    default:
      return result_class::negative;
  }
}

void listener_record::ended(std::uint8_t tag, client_standing identity, int code) noexcept {
  ended_[kind_of(tag)][static_cast<std::size_t>(identity)][static_cast<std::size_t>(class_of(code))].fetch_add(1,
                                                                                                               relaxed);
}

client_listener_snapshot listener_record::snapshot() const {
  client_listener_snapshot now;
  now.address = address();
  now.clients = clients_.load(relaxed);
  now.accepted = accepted_.load(relaxed);
  now.turned_away = turned_away_.load(relaxed);
  for (std::size_t kind = 0; kind < kinds; ++kind)
    for (std::size_t standing = 0; standing < standings; ++standing)
      for (std::size_t ended = 0; ended < classes; ++ended)
        if (const auto count = ended_[kind][standing][ended].load(relaxed); count > 0)
          now.operations.push_back({std::string{operations[kind].second}, static_cast<client_standing>(standing),
                                    static_cast<result_class>(ended), count});
  return now;
}

std::shared_ptr<listener_record> client_registry::open(std::string address) {
  auto made = std::make_shared<listener_record>(std::move(address));
  const std::lock_guard lock{mutex_};
  listeners_.push_back(made);
  return made;
}

std::shared_ptr<client_record> client_registry::enter(std::shared_ptr<listener_record> listener, std::string address) {
  auto made = std::make_shared<client_record>();
  made->address = std::move(address);
  made->since = clock_->now();
  listener->accepted_.fetch_add(1, std::memory_order_relaxed);
  listener->clients_.fetch_add(1, std::memory_order_relaxed);
  made->listener = std::move(listener);
  std::uint64_t number = 0;
  {
    const std::lock_guard lock{mutex_};
    number = ++last_;
    clients_.emplace(number, made);
  }
  return {made.get(), [self = shared_from_this(), number](const client_record*) { self->leave(number); }};
}

void client_registry::leave(std::uint64_t number) noexcept {
  std::shared_ptr<client_record> gone;  // its end is nothing to be waited for with the lock
  const std::lock_guard lock{mutex_};
  const auto found = clients_.find(number);
  if (found == clients_.end()) return;
  gone = std::move(found->second);
  clients_.erase(found);
  gone->listener->clients_.fetch_sub(1, std::memory_order_relaxed);
}

void client_registry::fill(runtime_snapshot& into) {
  const auto now = clock_->now();
  const std::lock_guard lock{mutex_};
  // Nobody listens there any more, and nobody who came in there is left.
  std::erase_if(listeners_, [](const auto& each) { return each.use_count() == 1; });
  into.client_listeners.clear();
  for (const auto& each : listeners_) into.client_listeners.push_back(each->snapshot());
  into.clients.clear();
  const auto tell = [&](bool waiting) {
    for (const auto& [number, each] : clients_) {
      if (into.clients.size() >= most_told) return;
      const auto pending = each->pending.load(std::memory_order_relaxed);
      if ((pending > 0) != waiting) continue;
      into.clients.push_back({each->address, each->listener->address(), each->identity.load(), pending,
                              each->parked.load(), each->operations.load(), now - each->since});
    }
  };
  tell(true);
  tell(false);
}

}  // namespace understudy::internal
