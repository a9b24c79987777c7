// The PEM files of certificates, keys and revocation lists that a server's settings name: read and checked without
// asking anybody anything.
#pragma once
#include "understudy/config/secret_source.hpp"

#include <memory>
#include <optional>

struct x509_st;
struct X509_crl_st;
struct evp_pkey_st;

namespace understudy::internal::config {

/// The PEM files of one side of TLS where no server's settings name them.
struct certificate_paths {
  std::string certificate_path;  ///< its own certificate first, then those that lead to the authority
  std::string key_path;          ///< its private key, not encrypted
  std::string ca_path;           ///< authorities of peers' certificates
  std::string crl_path;          ///< revocation lists for peers' certificates; may be empty
};
/// Settings of a server that name these files.
connection_info settings_naming(const certificate_paths& paths);

/// What is wrong with the file of one key.
struct file_problem {
  std::string_view key;  ///< "ca_cert_path"
  std::string what;
};

/// The same of a node's certificates, whose keys are called otherwise: cert_path, key_path.
file_problem as_node_problem(file_problem found);

/// OpenSSL's objects, ready for a TLS context. Empty where no file is named.
struct certificate_files {
  std::vector<std::shared_ptr<x509_st>> trusted;
  std::vector<std::shared_ptr<X509_crl_st>> lists;  ///< of ca_cert_path and crl_path
  std::vector<std::shared_ptr<x509_st>> chain;      ///< the client's own certificate first
  std::shared_ptr<evp_pkey_st> key;                 ///< null too when its password could not be asked for
  std::vector<file_problem> problems;
};

/// Asked when the client's key is encrypted; nothing: it cannot be known now, and the key is left alone.
using key_password = std::function<std::optional<secret_reading>()>;

/// Whom a certificate is for: its DNS names, then its addresses (subjectAltName), as they stand there.
std::vector<std::string> names_in(const x509_st& certificate);

/// When it ends; nothing when it does not say so in a way that can be read.
std::optional<wall_time> end_of(const x509_st& certificate);

/// A certificate for people. Whoever made it chose the texts: they are printable() alone where they are shown.
struct certificate_summary {
  std::string subject, issuer;     ///< distinguished names, as RFC 4514 writes them
  std::vector<std::string> names;  ///< as names_in() has them
  std::optional<wall_time> begin;  ///< of its validity
  std::optional<wall_time> end;    ///< of the same
  std::string fingerprint;         ///< SHA-256 of all of it: "AB:CD:…"; empty when it cannot be made
};
certificate_summary summary_of(const x509_st& certificate);

/// Reads all of them: bounded in size, never from pipes, never from a terminal.
certificate_files read_certificates(const connection_info& server, const key_password& password);

}  // namespace understudy::internal::config
