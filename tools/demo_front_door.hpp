// The demonstration with a front door: three directory servers, and clients that know one URL and nothing else.
#pragma once
#include "understudy/tools/interrupt.hpp"

namespace understudy::cli {

/// Plays it; returns the exit code.
int demonstrate_front_door(interrupt_watch& interrupts);

}  // namespace understudy::cli
