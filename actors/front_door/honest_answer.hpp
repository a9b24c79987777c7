// What a client is told of a request that failed on the way: an LDAP result that promises no more than is known.
#pragma once
#include "understudy/messages/error.hpp"
#include "understudy/messages/ldap_message.hpp"

namespace understudy::internal {

/// RFC 4511, appendix A: more than is taken here.
inline constexpr int admin_limit_exceeded = 11;

/// `search`: the request was one; `begun`: parts of its answer went to the client, so that nobody may take what came
/// for all there is, and nobody repeats it. The directory's own word is passed on as it is; what is said besides is
/// about the client, and names nothing that is inside. Clients repeat what they are told busy (51) or unavailable (52)
/// of: it is never said of what may have been done.
ldap_answer honest_answer(const failure& why, bool search, bool begun);

}  // namespace understudy::internal
