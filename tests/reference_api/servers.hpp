// A real directory server for one example of the reference: plain, ldaps and StartTLS, with settings that fit it.
#pragma once
#include "support/certificates.hpp"
#include "support/eventually.hpp"
#include "support/slapd.hpp"
#include "understudy/runtime/connection_manager.hpp"

namespace understudy {

using test::eventually;

/// A subtree search below the suffix of the test directories.
inline search_request search_for(std::string filter = "(objectClass=*)") {
  search_request made;
  made.base = test::directory_suffix;
  made.filter = std::move(filter);
  return made;
}

/// Why there is no result; empty when there is one.
inline std::string why(const outcome& answer) { return answer ? "" : describe(*answer.error()); }

class reference_server {
 public:
  connection_info info() const {
    connection_info made;
    made.host = "127.0.0.1";
    made.port = server_.port();
    made.bind_dn = test::admin_dn;
    made.password = secret{test::admin_password};
    return made;
  }
  connection_info ldaps_info() const {
    auto made = info();
    made.host = "localhost";
    made.port = server_.tls_port();
    made.use_ssl = true;
    made.ca_cert_path = ca_file();
    return made;
  }
  connection_info starttls_info() const {
    auto made = info();
    made.host = "localhost";
    made.use_tls = true;
    made.ca_cert_path = ca_file();
    return made;
  }

  std::uint16_t port() const { return server_.port(); }
  const std::filesystem::path& folder() const { return server_.folder(); }
  std::string ca_file() const { return certificates_.ca.certificate(); }
  std::string client_certificate_file() const { return certificates_.client.certificate; }
  std::string client_key_file() const { return certificates_.client.key; }

  void kill() { server_.kill9(); }
  void restart() {
    if (server_.running()) server_.kill9();
    server_.start();
  }
  bool eventually_serves(connection_manager& manager) {
    return eventually([&] { return static_cast<bool>(manager.try_search(search_for(), {seconds{2}})); });
  }

 private:
  static test::slapd_options with(const test::certificate_set& certificates) {
    test::slapd_options options;
    options.certificate = certificates.server.certificate;
    options.key = certificates.server.key;
    options.ca = certificates.ca.certificate();
    options.verify_client = "try";
    return options;
  }

  test::certificate_set certificates_;
  test::slapd server_{with(certificates_)};
};

}  // namespace understudy
