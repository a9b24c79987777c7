// What a request to an actor comes to.
#pragma once
#include "understudy/messages/error.hpp"

namespace understudy {

/// What came of a request: the answer, or why there is none.
template <class T>
struct answer {
  std::optional<T> value;  ///< the answer, if there is one
  failure_ptr error;       ///< else why there is none
  /// True when there is an answer.
  explicit operator bool() const noexcept { return value.has_value(); }
};

}  // namespace understudy
