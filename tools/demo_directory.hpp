// A throwaway directory server on loopback for the demonstration.
#pragma once
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/tools/demo_process.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace understudy::cli {

using namespace internal;

/// A folder of its own, removed with all that is in it.
class demo_folder {
 public:
  /// Throws std::filesystem::filesystem_error.
  demo_folder();
  ~demo_folder();
  demo_folder(const demo_folder&) = delete;
  demo_folder& operator=(const demo_folder&) = delete;
  const std::filesystem::path& path() const noexcept { return path_; }
  /// Removes it with all that is in it, also while somebody writes there.
  void remove() const noexcept;

 private:
  std::filesystem::path path_;
};

/// Throws std::runtime_error when it cannot.
void write_file(const std::filesystem::path& path, const std::string& text);

/// What all servers of one demonstration have in common.
struct demo_tree {
  std::string suffix = "dc=example,dc=com";
  std::string admin_dn = "cn=admin,dc=example,dc=com";
  std::string admin_password;
  int users = 1000;        ///< uid=user0 … below ou=people
  bool passwords = false;  ///< each user has one: password0 …
};

/// A port of 127.0.0.1 that no other program gets while this lives, whether a server of ours listens there or not.
class loopback_port {
 public:
  /// The first free one above `above` that the kernel does not give to outgoing connections. Throws std::runtime_error
  /// when there is none.
  explicit loopback_port(std::uint16_t above);
  std::uint16_t number() const noexcept { return number_; }

 private:
  descriptor held_;
  std::uint16_t number_ = 0;
};

/// True when somebody listens at that port of 127.0.0.1.
bool accepts_connections(std::uint16_t port);

/// One slapd with its own copy of the tree. It ends with this object, and with the process, however that ends.
class demo_directory {
 public:
  /// Loads the tree into `folder`; does not start. Throws std::runtime_error when slapd is not installed or fails.
  demo_directory(std::filesystem::path folder, loopback_port port, const demo_tree& tree);
  demo_directory(const demo_directory&) = delete;
  demo_directory& operator=(const demo_directory&) = delete;

  /// Returns once it accepts connections; throws std::runtime_error when it does not.
  void start();
  /// kill -9.
  void kill();
  /// SIGSTOP: the kernel still accepts, nobody answers. For good; kill() ends it all the same.
  void pause();
  std::uint16_t port() const noexcept { return port_.number(); }
  std::string name() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  std::filesystem::path folder_;
  loopback_port port_;
  std::optional<demo_process> process_;
};

}  // namespace understudy::cli
