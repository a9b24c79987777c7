// Waiting for what other threads and processes do: by condition, with a deadline, never by a guessed time.
#pragma once
#include <chrono>
#include <functional>

namespace understudy::test {

/// How long tests wait for what should happen at once; generous, because machines that build are slow.
inline constexpr std::chrono::seconds patience{20};

/// True as soon as `condition` holds; false when it still does not after `timeout`.
bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds timeout = patience);

/// False as soon as `condition` breaks; true when it held for the whole of `span`. For showing that nothing happens.
bool holds_for(const std::function<bool()>& condition, std::chrono::milliseconds span);

}  // namespace understudy::test
