// PEM files to OpenSSL's objects. Every read has a password callback: without one OpenSSL asks the terminal.
#include "understudy/config/certificates.hpp"

#include "understudy/config/files.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/hex.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <ctime>

#include <array>
#include <cstring>
#include <utility>

namespace understudy::internal::config {

namespace {

constexpr std::size_t max_pem_bytes = 16 * 1024 * 1024;

/// What the callback of an encrypted key is told, and what it came to.
struct password_prompt {
  const key_password& ask;
  bool asked = false;
  std::optional<secret_reading> answer{};
};

extern "C" int answer_password(char* to, int room, int, void* prompt) {
  if (prompt == nullptr) return -1;
  auto& it = *static_cast<password_prompt*>(prompt);
  try {
    if (!std::exchange(it.asked, true)) it.answer = it.ask();
  } catch (...) {
    return -1;
  }
  if (!it.answer || !it.answer->ok()) return -1;
  const auto bytes = it.answer->value.reveal();
  if (bytes.empty() || bytes.size() > static_cast<std::size_t>(room)) return -1;
  std::memcpy(to, bytes.data(), bytes.size());
  return static_cast<int>(bytes.size());
}

/// The text of one file, wiped when it goes: there may be a key in it.
class pem_file {
 public:
  explicit pem_file(const std::string& path) : contents_(read_whole(path, max_pem_bytes, milliseconds::zero())) {}
  ~pem_file() { ::explicit_bzero(contents_.text.data(), contents_.text.size()); }
  pem_file(const pem_file&) = delete;
  pem_file& operator=(const pem_file&) = delete;

  const std::string& problem() const noexcept { return contents_.problem; }
  bool has_private_key() const { return contents_.text.find("PRIVATE KEY-----") != std::string::npos; }
  std::unique_ptr<BIO, int (*)(BIO*)> open() const {
    return {::BIO_new_mem_buf(contents_.text.data(), static_cast<int>(contents_.text.size())), ::BIO_free};
  }

 private:
  file_contents contents_;
};

std::string openssl_words() {
  const auto code = ::ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return reason == nullptr ? std::string{} : std::string{" ("} + reason + ")";
}

class reader {
 public:
  reader(const connection_info& server, const key_password& password) : server_(server), password_(password) {}

  certificate_files read() && {
    ::ERR_clear_error();
    if (!server_.ca_cert_path.empty()) read_trusted();
    if (!server_.crl_path.empty()) read_lists();
    if (!server_.client_cert_path.empty()) read_chain();
    if (!server_.client_key_path.empty()) read_key();
    if (found_.key && !found_.chain.empty() && ::X509_check_private_key(found_.chain[0].get(), found_.key.get()) != 1)
      wrong("client_key_path", server_.client_key_path, "does not belong to the certificate in client_cert_path");
    ::ERR_clear_error();
    return std::move(found_);
  }

 private:
  void wrong(std::string_view key, const std::string& path, const std::string& problem) {
    found_.problems.push_back({key, quote(path) + ' ' + problem});
  }

  /// False, and said so, when the file cannot be read.
  bool readable(std::string_view key, const std::string& path, const pem_file& file) {
    if (!file.problem().empty()) wrong(key, path, "cannot be read: " + file.problem());
    return file.problem().empty();
  }

  struct objects {
    std::vector<std::shared_ptr<X509>> certificates;
    std::vector<std::shared_ptr<X509_CRL>> lists;
    bool broken = false;
  };

  static objects read_all(const pem_file& file) {
    objects all;
    const auto bio = file.open();
    STACK_OF(X509_INFO)* infos = bio ? ::PEM_X509_INFO_read_bio(bio.get(), nullptr, answer_password, nullptr) : nullptr;
    all.broken = infos == nullptr;
    for (int i = 0; i < sk_X509_INFO_num(infos); ++i) {
      auto* each = sk_X509_INFO_value(infos, i);
      if (each->x509 != nullptr) all.certificates.emplace_back(std::exchange(each->x509, nullptr), ::X509_free);
      if (each->crl != nullptr) all.lists.emplace_back(std::exchange(each->crl, nullptr), ::X509_CRL_free);
    }
    sk_X509_INFO_pop_free(infos, ::X509_INFO_free);
    return all;
  }

  objects read_from(std::string_view key, const std::string& path, const char* wanted, bool lists) {
    const pem_file file{path};
    if (!readable(key, path, file)) return {};
    auto all = read_all(file);
    if (all.broken) {
      wrong(key, path, "is not a PEM file that can be read" + openssl_words());
    } else if (lists ? all.lists.empty() : all.certificates.empty()) {
      wrong(key, path,
            std::string{"holds no "} + wanted + " (PEM)" + (file.has_private_key() ? ", but a private key" : ""));
    }
    return all;
  }

  void read_trusted() {
    auto all = read_from("ca_cert_path", server_.ca_cert_path, "certificate", false);
    found_.trusted = std::move(all.certificates);
    found_.lists = std::move(all.lists);
  }

  void read_lists() {
    auto all = read_from("crl_path", server_.crl_path, "revocation list", true);
    for (auto& each : all.lists) found_.lists.push_back(std::move(each));
  }

  void read_chain() {
    found_.chain = read_from("client_cert_path", server_.client_cert_path, "certificate", false).certificates;
  }

  void read_key() {
    const auto& path = server_.client_key_path;
    const pem_file file{path};
    if (!readable("client_key_path", path, file)) return;
    const auto bio = file.open();
    password_prompt prompt{password_};
    if (bio) found_.key.reset(::PEM_read_bio_PrivateKey(bio.get(), nullptr, answer_password, &prompt), ::EVP_PKEY_free);
    if (found_.key) return;
    found_.key = nullptr;
    if (!prompt.asked) {
      const std::string what = file.has_private_key() ? "holds a private key that cannot be read" + openssl_words()
                                                      : "holds no private key (PEM)";
      return wrong("client_key_path", path, what);
    }
    if (!prompt.answer) return;
    if (!prompt.answer->ok())
      wrong("client_key_path", path, "is encrypted, and its password is not known: " + prompt.answer->problem);
    else if (prompt.answer->value.empty())
      wrong("client_key_path", path,
            "is encrypted: set client_key_password, client_key_password_file or client_key_password_command");
    else
      wrong("client_key_path", path,
            "cannot be decrypted with " + client_key_password_of(server_).given().front() + openssl_words());
  }

  const connection_info& server_;
  const key_password& password_;
  certificate_files found_;
};

std::optional<wall_time> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, int (*)(BIO*)> out{::BIO_new(::BIO_s_mem()), ::BIO_free};
  // UTF-8 as it is: who shows it escapes what would not stay where it is printed.
  if (!out || ::X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) return {};
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &bytes);
  return size > 0 ? std::string{bytes, static_cast<std::size_t>(size)} : std::string{};
}

std::string fingerprint_of(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (::X509_digest(&certificate, ::EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string text;
  for (const char& byte : std::string_view{reinterpret_cast<const char*>(digest.data()), size}) {
    if (!text.empty()) text += ':';
    append_hex(text, {&byte, 1});
  }
  // As OpenSSL's own tools show it.
  for (auto& digit : text) digit = static_cast<char>(digit >= 'a' ? digit - 'a' + 'A' : digit);
  return text;
}

}  // namespace

connection_info settings_naming(const certificate_paths& paths) {
  connection_info names;
  names.client_cert_path = paths.certificate_path;
  names.client_key_path = paths.key_path;
  names.ca_cert_path = paths.ca_path;
  names.crl_path = paths.crl_path;
  return names;
}

file_problem as_node_problem(file_problem found) {
  constexpr std::pair<std::string_view, std::string_view> changes[] = {
      {"client_cert_path", "cert_path"},
      {"client_key_path", "key_path"},
      {"is encrypted: set client_key_password, client_key_password_file or client_key_password_command",
       "is encrypted, and a node has no password for it; store it without one, readable by the service alone"}};
  for (const auto& [from, to] : changes) {
    if (found.key == from) found.key = to;
    if (const auto at = found.what.find(from); at != std::string::npos) found.what.replace(at, from.size(), to);
  }
  return found;
}

std::optional<wall_time> end_of(const x509_st& certificate) { return time_of(X509_get0_notAfter(&certificate)); }

certificate_summary summary_of(const x509_st& certificate) {
  return {text_of(X509_get_subject_name(&certificate)),
          text_of(X509_get_issuer_name(&certificate)),
          names_in(certificate),
          time_of(X509_get0_notBefore(&certificate)),
          end_of(certificate),
          fingerprint_of(certificate)};
}

std::vector<std::string> names_in(const x509_st& certificate) {
  std::vector<std::string> names, addresses;
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> all{
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)),
      ::GENERAL_NAMES_free};
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const auto* name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) {
      const auto* text = name->d.dNSName;
      names.emplace_back(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(::ASN1_STRING_length(text)));
    } else if (name->type == GEN_IPADD) {
      const auto size = ::ASN1_STRING_length(name->d.iPAddress);
      std::array<char, INET6_ADDRSTRLEN> text{};
      const int family = size == sizeof(in_addr) ? AF_INET : size == sizeof(in6_addr) ? AF_INET6 : AF_UNSPEC;
      if (family != AF_UNSPEC &&
          ::inet_ntop(family, ::ASN1_STRING_get0_data(name->d.iPAddress), text.data(), text.size()) != nullptr)
        addresses.emplace_back(text.data());
    }
  }
  names.insert(names.end(), addresses.begin(), addresses.end());
  return names;
}

certificate_files read_certificates(const connection_info& server, const key_password& password) {
  return reader{server, password}.read();
}

}  // namespace understudy::internal::config
