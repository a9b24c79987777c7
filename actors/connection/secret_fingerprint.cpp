// scrypt, by OpenSSL.
#include "understudy/actors/connection/secret_fingerprint.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>

namespace understudy::internal {
namespace {

constexpr std::size_t bytes = 32;
constexpr std::uint64_t cost = 1U << 15U, block_size = 8, parallel = 1;
constexpr std::uint64_t most_memory = 64 * 1024 * 1024;

}  // namespace

std::string fingerprint_of(const std::string& identity, const secret& value) {
  const auto salt = "understudy refused secret 1 " + identity;
  const auto password = value.reveal();
  std::string made(bytes, '\0');
  const int good = ::EVP_PBE_scrypt(password.data(), password.size(),
                                    reinterpret_cast<const unsigned char*>(salt.data()), salt.size(), cost, block_size,
                                    parallel, most_memory, reinterpret_cast<unsigned char*>(made.data()), made.size());
  if (good == 1) return made;
  ::ERR_clear_error();
  return {};
}

}  // namespace understudy::internal
