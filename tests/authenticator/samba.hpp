// A domain controller of Samba's in a folder of its own.
#pragma once
#include "support/certificates.hpp"
#include "support/child_process.hpp"

namespace understudy::test {

/// Listens at the ports that such servers have (389, 636, 3268, 3269), on a loopback address of its own: that takes
/// root. Made anew each time, which takes some four seconds of a processor. Its domain is EXAMPLE, ad.example.com.
class samba {
 public:
  static constexpr const char* base = "DC=ad,DC=example,DC=com";
  static constexpr const char* administrator = "Administrator@ad.example.com";
  static constexpr const char* password = "Adm1n-pass";

  /// Running; null where it is not installed or cannot set up a domain, which it then says in the words by which ctest
  /// knows a skipped test.
  static std::unique_ptr<samba> started();

  const std::string& address() const noexcept { return address_; }
  /// PEM file of the authority that has signed its certificate, which is for `address`.
  std::filesystem::path authority() const { return authority_.certificate(); }
  /// As if the user's password had been set long ago: LDAP has no request for that.
  void age_password(const std::string& user_dn) const;

 private:
  samba();
  bool provision();
  bool start();

  temporary_folder folder_;
  std::filesystem::path domain_ = folder_ / "domain";
  std::string address_;
  certificate_authority authority_{folder_.path(), "samba-ca"};
  std::unique_ptr<child_process> process_;
};

}  // namespace understudy::test
