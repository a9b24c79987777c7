// Non-blocking stream sockets with the options that every connection to a directory has.
#pragma once
#include "understudy/actors/connection/byte_stream.hpp"
#include "understudy/config/files.hpp"
#include "understudy/messages/event.hpp"

#include <memory>

namespace understudy::internal {

/// A socket on its way to a peer; `error` is an errno value, 0 when there is none.
struct opened_socket {
  int fd = -1;
  int error = 0;
};

/// Starts connecting to `to` (TCP or a Unix domain socket) without waiting: the socket becomes writable when that has
/// come to an end; pending_error() tells which. The caller owns `fd`.
opened_socket open_socket(const socket_address& to) noexcept;

/// The errno value that a socket has met since the last call; 0: none.
int pending_error(int fd) noexcept;

/// `fd` is ready now: with POLLIN bytes of the peer lie there unread, or its end; with POLLOUT there is room at the
/// peer. What has not moved then is not the peer's doing: this process was stopped, or had no processor.
bool is_ready(int fd, short event) noexcept;

/// The address of a Unix domain socket; empty `bytes` when `path` is too long for one.
socket_address local_address(const std::string& path);

using config::errno_text;
/// The failure that an errno value stands for: local_resources when this process or machine ran out of something.
errc errc_of_errno(int code) noexcept;

/// Plain bytes over `fd`, which stays the caller's.
std::unique_ptr<byte_stream> make_plain_stream(int fd);

}  // namespace understudy::internal
