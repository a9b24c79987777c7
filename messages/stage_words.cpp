// What is waited for at each stage of a request's way, in words.
#include "understudy/messages/stage_words.hpp"

namespace understudy::internal {

std::string_view awaited_at(stage where) noexcept {
  switch (where) {
    case stage::resolve:
      return "the name look-up";
    case stage::connect:
      return "the connection";
    case stage::secure:
      return "the TLS handshake";
    case stage::bind:
      return "the answer to the bind";
    case stage::queue:
      return "its turn";
    case stage::operation:
      break;
  }
  return "an answer";
}

}  // namespace understudy::internal
