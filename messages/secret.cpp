// Wipes the bytes of a secret when its last holder lets go.
#include "understudy/messages/secret.hpp"

#include <cstring>

namespace understudy {
namespace {

// explicit_bzero is not removed by the optimiser although nobody reads the bytes afterwards.
void wipe(std::string& text) noexcept {
  if (text.capacity() != 0) {
    text.resize(text.capacity());
    explicit_bzero(text.data(), text.size());
  }
  text.clear();
}

struct wiped_delete {
  void operator()(std::string* text) const noexcept {
    wipe(*text);
    delete text;
  }
};

}  // namespace

secret::secret(std::string_view text) : buffer_(new std::string(text), wiped_delete{}) {}

secret::secret(std::string&& text) : secret(std::string_view{text}) { wipe(text); }

}  // namespace understudy
