// What understudy::understudy shows: the facade, and nothing that is for users of the actors or for nobody.
#include <understudy/understudy.hpp>

#if __has_include(<understudy/messages/actors.hpp>)
#error "actors are understudy::actors'"
#endif
#if __has_include(<understudy/runtime/client/client.hpp>) || __has_include(<understudy/actors/pool/pool_state.hpp>)
#error "clients and pools are no part of the API"
#endif
