// Throwaway certificate authorities, certificates and revocation lists, as PEM files.
#pragma once
#include "support/temporary_folder.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <vector>

struct evp_pkey_st;
struct x509_st;

namespace understudy::test {

/// Whom a certificate is for, and when it is valid (relative to now).
struct certificate_options {
  std::string common_name = "localhost";
  std::vector<std::string> dns = {"localhost"};
  std::vector<std::string> ips = {"127.0.0.1"};
  std::chrono::hours from{-24};
  std::chrono::hours until{24};
};

/// A certificate with its private key, as PEM files.
struct certificate_files {
  std::filesystem::path certificate, key;
  long serial = 0;
};

/// Signs certificates; keeps its own files and theirs in `folder`.
class certificate_authority {
 public:
  certificate_authority(std::filesystem::path folder, std::string name);

  /// Its own certificate: what clients trust.
  const std::filesystem::path& certificate() const noexcept { return file_; }
  /// Makes `file_name`.crt and `file_name`.key, replacing earlier ones of that name.
  certificate_files issue(const std::string& file_name, const certificate_options& with = {});
  /// A revocation list (PEM) of those certificates, which may be none, valid until then (relative to now); replaces the
  /// earlier one of that name.
  std::filesystem::path revocation_list(const std::vector<certificate_files>& revoked,
                                        std::chrono::hours until = std::chrono::hours{24},
                                        const std::string& file_name = {}) const;

 private:
  std::filesystem::path folder_;
  std::string name_;
  std::filesystem::path file_;
  std::shared_ptr<evp_pkey_st> key_;
  std::shared_ptr<x509_st> own_;
  /// Copies sign for the same authority: no two certificates have the same number.
  std::shared_ptr<long> last_serial_ = std::make_shared<long>(1);
};

/// A folder with everything that tests of TLS need. Servers are "localhost" and 127.0.0.1 unless said otherwise.
struct certificate_set {
  certificate_set();

  temporary_folder folder;
  certificate_authority ca{folder.path(), "test-ca"};
  certificate_authority other_ca{folder.path(), "other-ca"};
  certificate_files server;         ///< good
  certificate_files expired;        ///< ended yesterday
  certificate_files not_yet_valid;  ///< begins tomorrow
  certificate_files wrong_name;     ///< for ldap.example.com and 192.0.2.1
  certificate_files of_other_ca;    ///< good, but signed by other_ca
  certificate_files revoked;        ///< good, but in `crl`
  std::filesystem::path crl;        ///< of `ca`
  certificate_files client;         ///< subject "CN=service", for EXTERNAL
  /// `client.key`, encrypted with `password`.
  std::filesystem::path encrypted_client_key(const std::string& password) const;
};

}  // namespace understudy::test
