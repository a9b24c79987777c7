// Failures and controls as fields of a frame: a node tells a caller what would be told here.
#pragma once
#include "understudy/actors/node/fields.hpp"
#include "understudy/messages/error.hpp"

namespace understudy::internal {

/// All of it but `partial`: what a search found crosses as messages.
void write_failure(const failure& f, field_writer& to);
/// False when it is malformed. A code that is not known here is errc::internal.
bool read_failure(std::string_view bytes, failure& into);

/// The counts of a pool, by number.
template <class List, class Counts>
void list_pool_counts(List& list, Counts& p) {
  list(0, p.size);
  list(1, p.idle);
  list(2, p.in_use);
  list(3, p.in_flight);
  list(4, p.waiters);
  list(5, p.connecting);
}

void write_control(std::uint8_t number, const control& c, field_writer& to);
bool read_control(std::string_view bytes, control& into);

}  // namespace understudy::internal
