// A domain controller of Samba's in a folder of its own.
#pragma once
#include "support/child_process.hpp"

namespace understudy::test {

/// Listens at the ports that such servers have (389, 636, 3268, 3269), on a loopback address of its own: that takes
/// root. Made anew each time, which takes some seconds of a processor.
class samba {
 public:
  static constexpr const char* base = "DC=ad,DC=example,DC=com";
  static constexpr const char* administrator = "Administrator@ad.example.com";
  static constexpr const char* password = "Adm1n-pass";

  /// True when this machine can run one; else says what is missing, in the words by which ctest knows a skipped test.
  static bool installed();

  samba();

  const std::string& address() const noexcept { return address_; }

 private:
  temporary_folder folder_;
  std::string address_;
  std::unique_ptr<child_process> process_;
};

}  // namespace understudy::test
