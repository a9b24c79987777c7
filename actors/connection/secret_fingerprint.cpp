// scrypt, by OpenSSL.
#include "understudy/actors/connection/secret_fingerprint.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace understudy::internal {
namespace {

constexpr std::size_t bytes = 32, salt_bytes = 16;
constexpr std::uint64_t node_cost = 1U << 15U, login_cost = 1U << 11U, block_size = 8, parallel = 1;
constexpr std::uint64_t most_memory = 64 * 1024 * 1024;

std::string scrypt(const std::string& salt, const secret& value, std::uint64_t cost) {
  const auto password = value.reveal();
  std::string made(bytes, '\0');
  const int good = ::EVP_PBE_scrypt(password.data(), password.size(),
                                    reinterpret_cast<const unsigned char*>(salt.data()), salt.size(), cost, block_size,
                                    parallel, most_memory, reinterpret_cast<unsigned char*>(made.data()), made.size());
  if (good == 1) return made;
  ::ERR_clear_error();
  return {};
}

}  // namespace

std::string fingerprint_of(const std::string& identity, const secret& value) {
  return scrypt("understudy refused secret 1 " + identity, value, node_cost);
}

std::string password_hash(const std::string& salt, const secret& password) {
  return scrypt(salt, password, login_cost);
}

std::string random_salt() {
  std::string made(salt_bytes, '\0');
  if (::RAND_bytes(reinterpret_cast<unsigned char*>(made.data()), static_cast<int>(made.size())) == 1) return made;
  ::ERR_clear_error();
  return {};
}

}  // namespace understudy::internal
