// Another client's searches, as a front door hands them on, and what comes back for them.
#pragma once
#include "understudy/actors/connection/pdu_framer.hpp"
#include "understudy/messages/request.hpp"

#include <string_view>
#include <vector>

namespace understudy::test {

/// What another client would send, without its message's head; answers are to carry `message_id`.
request_ptr relayed(const search_request& search, std::int32_t message_id, const std::vector<control>& controls = {});

/// The messages one after the other; fails the test when they are not whole.
std::vector<internal::pdu_frame> frames_of(std::string_view messages);
/// How many of them are entries; fails the test when one does not carry `message_id`.
std::size_t entries_in(std::string_view messages, std::int32_t message_id);

}  // namespace understudy::test
