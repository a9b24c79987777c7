// Wipes the bytes of a secret when its last holder lets go.
#include "understudy/messages/secret.hpp"

#include <cstring>

namespace understudy {
namespace {

struct wiped_delete {
  void operator()(std::string* text) const noexcept {
    internal::wipe(*text);
    delete text;
  }
};

}  // namespace

// explicit_bzero is not removed by the optimiser although nobody reads the bytes afterwards.
void internal::wipe(std::string& text) noexcept {
  text.resize(text.capacity());
  explicit_bzero(text.data(), text.size());
  text.clear();
}

secret::secret(std::string_view text) : buffer_(new std::string(text), wiped_delete{}) {}

secret::secret(std::string&& text) : secret(std::string_view{text}) { internal::wipe(text); }

bool equal_in_constant_time(const secret& known, const secret& presented) noexcept {
  const auto a = known.reveal(), b = presented.reveal();
  if (a.empty()) return false;
  volatile unsigned difference = a.size() == b.size() ? 0U : 1U;
  for (std::size_t i = 0; i < b.size(); ++i)
    difference = difference |
                 static_cast<unsigned>(static_cast<unsigned char>(a[i % a.size()]) ^ static_cast<unsigned char>(b[i]));
  return difference == 0;
}

}  // namespace understudy
