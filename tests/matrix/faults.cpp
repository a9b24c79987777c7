// How a stub directory is made to fail, and mended.
#include "matrix/faults.hpp"

namespace understudy::matrix {
namespace {

using test::directory_request;
using test::operation;
using test::stub_directory;

constexpr std::size_t connections_taken = 2;  // by a server with a limit
constexpr int busy = 51;

/// Setting up a connection: what is not an answer to somebody's request.
bool sets_up(const directory_request& r) { return r.kind == operation::bind || r.kind == operation::start_tls; }
bool is_answered(const directory_request& r) { return r.kind != operation::unbind && r.kind != operation::abandon; }

}  // namespace

void begin(fault kind, stub_directory& server) {
  switch (kind) {
    case fault::refused:
      return server.stop();
    case fault::blackholed:
      server.ignore_connects();
      return server.go_dark();
    case fault::hung:
      return server.pause();
    case fault::accepts_and_closes:
      server.limit_connections(0);
      return server.close_all();
    case fault::hung_at_bind:
      server.disturb(operation::bind, {.silent = true});
      return server.close_all();
    case fault::hung_at_start_tls:
      server.disturb(operation::start_tls, {.silent = true});
      return server.close_all();
    case fault::hung_at_tls:
      server.set_handshake(test::handshake::ignore);
      return server.close_all();
    case fault::connection_limit:
      server.limit_connections(connections_taken);
      return server.close_all();
    case fault::busy:
      server.when([](const directory_request& r) { return is_answered(r) && !sets_up(r); },
                  [](const directory_request&) {
                    return test::reply{{.code = busy, .diagnostic = "too much to do"}, {}};
                  });
      return;
    case fault::slow_drip:
      return server.set_pace(1);
    case fault::reset_in_answer:
      server.when([](const directory_request& r) { return is_answered(r) && !sets_up(r); },
                  [&server](const directory_request& r) {
                    return test::reply{server.usual(r).what, {.half = true, .then = test::ending::reset}};
                  });
      return;
    case fault::goodbye:
      server.when([](const directory_request& r) { return is_answered(r); },
                  [](const directory_request&) {
                    return test::reply{
                        {},
                        {.raw = test::encode_notice_of_disconnection(52, "going down"), .then = test::ending::close}};
                  });
      return server.notice_of_disconnection();
  }
}

void repair(fault kind, stub_directory& server) {
  switch (kind) {
    case fault::refused:
      return server.start();
    case fault::blackholed:
      server.end_dark();
      return server.start();
    case fault::hung:
      return server.resume();
    case fault::accepts_and_closes:
    case fault::connection_limit:
      return server.limit_connections({});
    case fault::hung_at_tls:
      return server.set_handshake(test::handshake::complete);
    case fault::slow_drip:
      return server.set_pace(0);
    case fault::hung_at_bind:
    case fault::hung_at_start_tls:
    case fault::busy:
    case fault::reset_in_answer:
    case fault::goodbye:
      return server.forget_rules();
  }
}

}  // namespace understudy::matrix
