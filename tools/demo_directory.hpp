// A throwaway directory server on loopback for the demonstration.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace understudy::cli {

/// A folder of its own, removed with all that is in it.
class demo_folder {
 public:
  /// Throws std::filesystem::filesystem_error.
  demo_folder();
  ~demo_folder();
  demo_folder(const demo_folder&) = delete;
  demo_folder& operator=(const demo_folder&) = delete;
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

/// What all servers of one demonstration have in common.
struct demo_tree {
  std::string suffix = "dc=example,dc=com";
  std::string admin_dn = "cn=admin,dc=example,dc=com";
  std::string admin_password;
  int users = 1000;        ///< uid=user0 … below ou=people
  bool passwords = false;  ///< each user has one: password0 …
};

/// One slapd with its own copy of the tree. It ends with this object, and with the process, however that ends.
class demo_directory {
 public:
  /// Loads the tree into `folder`; does not start. Throws std::runtime_error when slapd is not installed or fails.
  demo_directory(std::filesystem::path folder, std::uint16_t port, const demo_tree& tree);
  ~demo_directory();
  demo_directory(const demo_directory&) = delete;
  demo_directory& operator=(const demo_directory&) = delete;

  /// Returns once it accepts connections; throws std::runtime_error when it does not.
  void start();
  /// kill -9.
  void kill();
  std::uint16_t port() const noexcept { return port_; }
  std::string name() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  std::filesystem::path folder_;
  std::uint16_t port_;
  pid_t pid_ = -1;
};

/// A port of 127.0.0.1 above `above` that nobody listens on and that the kernel does not give to outgoing connections.
/// Throws std::runtime_error when there is none.
std::uint16_t free_loopback_port(std::uint16_t above);

}  // namespace understudy::cli
