// A password in memory: shared, never copied or printed, wiped when its last holder lets go.
#pragma once
#include <cstddef>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

namespace understudy {

namespace internal {
/// Overwrites the bytes of `text`, those behind its end too, and empties it.
void wipe(std::string& text) noexcept;
}  // namespace internal

/// What stands for a secret wherever a person may read it.
inline constexpr std::string_view secret_mask = "***";

/// A shared, immutable, binary-safe secret. Copies share one buffer, which is overwritten before it is freed.
class secret {
 public:
  secret() = default;
  /// Takes the bytes of `text` and wipes them there.
  secret(std::string&& text);
  /// Copies the bytes; the caller's own stay as they are.
  secret(std::string_view text);
  /// Copies the bytes.
  secret(const std::string& text) : secret(std::string_view{text}) {}
  /// Copies the bytes up to the NUL.
  secret(const char* text) : secret(std::string_view{text}) {}
  secret(std::nullptr_t) = delete;

  /// True when no secret was set at all; an empty password that was set is not empty() but has size() 0.
  bool empty() const noexcept { return buffer_ == nullptr; }
  /// Bytes; 0 also when none was set.
  std::size_t size() const noexcept { return buffer_ ? buffer_->size() : 0; }
  /// The bytes. The only way to them: grep for it to see who reads secrets.
  std::string_view reveal() const noexcept { return buffer_ ? std::string_view{*buffer_} : std::string_view{}; }

  /// True when both are set to the same bytes, or neither is set.
  friend bool operator==(const secret& a, const secret& b) noexcept {
    return a.empty() == b.empty() && a.reveal() == b.reveal();
  }
  /// The opposite.
  friend bool operator!=(const secret& a, const secret& b) noexcept { return !(a == b); }
  /// Prints secret_mask, or nothing when none was set; so does every log line.
  friend std::ostream& operator<<(std::ostream& out, const secret& s) { return out << (s.empty() ? "" : secret_mask); }

 private:
  std::shared_ptr<const std::string> buffer_;
};

/// True when both are the same bytes; false when `known` is not set or has none. How long it takes tells nothing of
/// `known`'s bytes, so that they cannot be guessed one after the other.
bool equal_in_constant_time(const secret& known, const secret& presented) noexcept;

}  // namespace understudy
