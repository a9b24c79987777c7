// All of the facade: what a service includes. C++17; no header of CAF, libldap or OpenSSL.
#pragma once
#include "understudy/config/load.hpp"
#include "understudy/messages/ber.hpp"
#include "understudy/messages/dn.hpp"
#include "understudy/messages/filter.hpp"
#include "understudy/messages/password_policy.hpp"
#include "understudy/runtime/authenticator.hpp"
#include "understudy/runtime/connection_manager.hpp"
#include "understudy/runtime/connection_pool.hpp"
#include "understudy/runtime/metrics_text.hpp"
#include "understudy/runtime/ranged_values.hpp"
#include "understudy/runtime/state_json.hpp"
