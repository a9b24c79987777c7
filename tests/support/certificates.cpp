// Making certificates with OpenSSL.
#include "support/certificates.hpp"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

namespace understudy::test {
namespace {

using key_ptr = std::shared_ptr<EVP_PKEY>;
using certificate_ptr = std::shared_ptr<X509>;
using file_ptr = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

[[noreturn]] void fail(const std::string& step) {
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  throw std::runtime_error(step + ": " + reason.data());
}

void require(int outcome, const char* step) {
  if (outcome <= 0) fail(step);
}

key_ptr new_key() {
  key_ptr key(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  if (!key) fail("key generation");
  return key;
}

/// Writes a PEM file at one stroke, since programs under test may read it at any time.
template <class Write>
void write_pem(const std::filesystem::path& target, const Write& write) {
  const std::filesystem::path partial = target.string() + ".partial";
  file_ptr file(std::fopen(partial.c_str(), "we"), &std::fclose);
  if (!file) throw std::runtime_error("cannot write " + partial.string());
  require(write(file.get()), "PEM");
  if (std::fclose(file.release()) != 0) throw std::runtime_error("cannot write " + partial.string());
  std::filesystem::rename(partial, target);
}

void write_certificate(const std::filesystem::path& target, X509* certificate) {
  write_pem(target, [&](std::FILE* file) { return PEM_write_X509(file, certificate); });
}

void set_name(X509_NAME* name, const std::string& common_name) {
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0),
          "name");
}

void add_extension(X509* to, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> made(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), &X509_EXTENSION_free);
  if (!made) fail("extension " + value);
  require(X509_add_ext(to, made.get(), -1), "extension");
}

certificate_ptr new_certificate(EVP_PKEY* key, const std::string& common_name, long serial, std::chrono::hours from,
                                std::chrono::hours until) {
  certificate_ptr made(X509_new(), &X509_free);
  require(X509_set_version(made.get(), X509_VERSION_3), "version");
  require(ASN1_INTEGER_set(X509_get_serialNumber(made.get()), serial), "serial");
  X509_gmtime_adj(X509_getm_notBefore(made.get()), std::chrono::seconds{from}.count());
  X509_gmtime_adj(X509_getm_notAfter(made.get()), std::chrono::seconds{until}.count());
  set_name(X509_get_subject_name(made.get()), common_name);
  require(X509_set_pubkey(made.get(), key), "public key");
  return made;
}

std::string alternative_names(const certificate_options& with) {
  std::string names;
  for (const auto& dns : with.dns) names += (names.empty() ? "DNS:" : ",DNS:") + dns;
  for (const auto& ip : with.ips) names += (names.empty() ? "IP:" : ",IP:") + ip;
  return names;
}

}  // namespace

certificate_authority::certificate_authority(std::filesystem::path folder, std::string name)
    : folder_(std::move(folder)), name_(std::move(name)), file_(folder_ / (name_ + ".crt")), key_(new_key()) {
  constexpr std::chrono::hours year{24 * 365};
  own_ = new_certificate(key_.get(), name_, 1, -year, year);
  require(X509_set_issuer_name(own_.get(), X509_get_subject_name(own_.get())), "issuer");
  add_extension(own_.get(), own_.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(own_.get(), own_.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(own_.get(), own_.get(), NID_subject_key_identifier, "hash");
  require(X509_sign(own_.get(), key_.get(), EVP_sha256()), "signature");
  write_certificate(file_, own_.get());
}

certificate_files certificate_authority::issue(const std::string& file_name, const certificate_options& with) {
  certificate_files made{folder_ / (file_name + ".crt"), folder_ / (file_name + ".key"), ++*last_serial_};
  const key_ptr key = new_key();
  const certificate_ptr certificate = new_certificate(key.get(), with.common_name, made.serial, with.from, with.until);
  require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(own_.get())), "issuer");
  add_extension(certificate.get(), own_.get(), NID_basic_constraints, "CA:FALSE");
  add_extension(certificate.get(), own_.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), own_.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(certificate.get(), own_.get(), NID_authority_key_identifier, "keyid");
  const std::string names = alternative_names(with);
  if (!names.empty()) add_extension(certificate.get(), own_.get(), NID_subject_alt_name, names);
  require(X509_sign(certificate.get(), key_.get(), EVP_sha256()), "signature");
  write_pem(made.key, [&](std::FILE* file) {
    return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  write_certificate(made.certificate, certificate.get());
  return made;
}

std::filesystem::path certificate_authority::revocation_list(const std::vector<certificate_files>& revoked,
                                                             std::chrono::hours until,
                                                             const std::string& file_name) const {
  const auto seconds_of = [](std::chrono::hours span) { return std::chrono::seconds{span}.count(); };
  const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> list(X509_CRL_new(), &X509_CRL_free);
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> past(
      X509_gmtime_adj(nullptr, seconds_of(std::min(until, std::chrono::hours{0}) - std::chrono::hours{1})),
      &ASN1_TIME_free);
  const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> future(X509_gmtime_adj(nullptr, seconds_of(until)),
                                                                     &ASN1_TIME_free);
  require(X509_CRL_set_version(list.get(), X509_CRL_VERSION_2), "version");
  require(X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(own_.get())), "issuer");
  require(X509_CRL_set1_lastUpdate(list.get(), past.get()), "date");
  require(X509_CRL_set1_nextUpdate(list.get(), future.get()), "date");
  for (const auto& one : revoked) {
    std::unique_ptr<X509_REVOKED, decltype(&X509_REVOKED_free)> item(X509_REVOKED_new(), &X509_REVOKED_free);
    const std::unique_ptr<ASN1_INTEGER, decltype(&ASN1_INTEGER_free)> serial(ASN1_INTEGER_new(), &ASN1_INTEGER_free);
    require(ASN1_INTEGER_set(serial.get(), one.serial), "serial");
    require(X509_REVOKED_set_serialNumber(item.get(), serial.get()), "serial");
    require(X509_REVOKED_set_revocationDate(item.get(), past.get()), "date");
    require(X509_CRL_add0_revoked(list.get(), item.get()), "revocation");
    static_cast<void>(item.release());  // The list owns it now.
  }
  require(X509_CRL_sort(list.get()), "sorting");
  require(X509_CRL_sign(list.get(), key_.get(), EVP_sha256()), "signature");
  const std::filesystem::path target = folder_ / ((file_name.empty() ? name_ : file_name) + ".crl");
  write_pem(target, [&](std::FILE* file) { return PEM_write_X509_CRL(file, list.get()); });
  return target;
}

certificate_set::certificate_set() {
  using std::chrono::hours;
  server = ca.issue("server");
  expired = ca.issue("expired", {"localhost", {"localhost"}, {"127.0.0.1"}, hours{-48}, hours{-24}});
  not_yet_valid = ca.issue("not_yet_valid", {"localhost", {"localhost"}, {"127.0.0.1"}, hours{24}, hours{48}});
  wrong_name = ca.issue("wrong_name", {"ldap.example.com", {"ldap.example.com"}, {"192.0.2.1"}, hours{-24}, hours{24}});
  of_other_ca = other_ca.issue("of_other_ca");
  revoked = ca.issue("revoked");
  crl = ca.revocation_list({revoked});
  client = ca.issue("client", {"service", {}, {}, hours{-24}, hours{24}});
}

std::filesystem::path certificate_set::encrypted_client_key(const std::string& password) const {
  using file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;
  const auto path = folder.path() / "encrypted.key";
  const file from(std::fopen(client.key.c_str(), "r"), std::fclose), to(std::fopen(path.c_str(), "w"), std::fclose);
  const key_ptr key(from ? PEM_read_PrivateKey(from.get(), nullptr, nullptr, nullptr) : nullptr, &EVP_PKEY_free);
  const auto size = static_cast<int>(password.size());
  if (!key || !to ||
      PEM_write_PKCS8PrivateKey(to.get(), key.get(), EVP_aes_256_cbc(), password.data(), size, nullptr, nullptr) != 1)
    throw std::runtime_error("cannot encrypt " + client.key.string());
  return path;
}

}  // namespace understudy::test
