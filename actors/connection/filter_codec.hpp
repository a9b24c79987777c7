// A search filter's text, read once: as BER, or what is wrong with it.
#pragma once
#include "understudy/messages/ber_writer.hpp"

namespace understudy::internal {

/// Appends `text` (RFC 4515, with spaces between filters tolerated as most clients do; absolute true and false of RFC
/// 4526) as a Filter (RFC 4511, 4.5.1.7). Empty when it is one, otherwise what is wrong and at which character; what
/// was appended until then is of no use. Never quotes values: they may be private.
std::string encode_filter(std::string_view text, ber_writer& out);

}  // namespace understudy::internal
