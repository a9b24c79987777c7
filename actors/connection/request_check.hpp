// What is refused before anything is sent.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy::internal {

/// Null when `order` can be encoded exactly as it is; else `invalid_request` saying what is wrong: a NUL byte in a DN
/// or name (the encoder would cut them off there), a bind without a password (RFC 4513, 5.1.2) or without a DN, an
/// operation that would change the connection under its other users (StartTLS). A filter is looked at when it is
/// encoded. `relays_binds`: steps of somebody else's SASL bind may be sent too.
failure_ptr check_request(const request& order, bool relays_binds = false);

/// The same, and the filter of a search: for who wants to know it before there is a connection.
failure_ptr check_request_and_filter(const request& order);

/// `problem`: what the encoder says of a filter.
failure_ptr malformed_filter(const request& order, const std::string& problem);

/// What the caller hears of a request that is malformed.
failure_ptr not_sent(const request& order, const std::string& problem);

///@{
/// What a leased connection says, here and at a client of nodes; whose it is, `failure::server`, is not set.
failure lease_is_of_another_connection();
failure stream_is_open();
failure only_searches_stream();
failure stream_without_consumer();
failure consumer_ended();
///@}

}  // namespace understudy::internal
