// The configuration and the tree of a throwaway slapd.
#include "support/slapd_tree.hpp"

#include <algorithm>
#include <sstream>

namespace understudy::test {
namespace {

std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t j = 0; j < 4; ++j) text += j <= given ? digits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

/// All values of an attribute stand together: slapadd would otherwise store the attribute twice.
void add_user(std::string& ldif, const slapd_options& with, int number) {
  const std::string k = std::to_string(number);
  ldif += "dn: " + user_dn(number) + "\nobjectClass: inetOrgPerson\nuid: user" + k + "\nsn: " + k +
          "\nuserPassword: " + user_password(number) + "\ncn: User " + k + "\n";
  if (with.utf8_values) ldif += "cn:: " + base64("Jürgen Łukasz 山田 " + k) + "\n";
  ldif += "mail: user" + k + "@example.com\n";
  for (int i = 1; i < with.mail_values; ++i) ldif += "mail: user" + k + "." + std::to_string(i) + "@example.com\n";
  if (with.binary_values) ldif += "jpegPhoto:: " + base64(all_bytes()) + "\n";
  if (with.long_value > 0) ldif += "description: " + std::string(with.long_value, 'x') + "\n";
  ldif += "\n";
}

void add_lines(std::ostream& text, const std::vector<std::string>& lines) {
  for (const auto& line : lines) text << line << '\n';
}

}  // namespace

std::string user_dn(int number) { return "uid=user" + std::to_string(number) + "," + people_dn; }
std::string user_password(int number) { return "password" + std::to_string(number); }

std::string all_bytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

std::string slapd_tree(const slapd_options& with) {
  std::string ldif =
      "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"
      "dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n"
      "dn: ou=groups,dc=example,dc=com\nobjectClass: organizationalUnit\nou: groups\n\n";
  for (int i = 0; i < with.users; ++i) add_user(ldif, with, i);
  return ldif + with.extra_ldif;
}

std::string slapd_config(const slapd_options& with, const std::filesystem::path& folder) {
  std::ostringstream text;
  text << "modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload back_monitor\n"
          "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n"
          "include /etc/ldap/schema/inetorgperson.schema\n"
       << "pidfile " << folder.string() << "/pid\nloglevel 0\nthreads 4\nsizelimit unlimited\n"
       << "conn_max_pending 100000\nconn_max_pending_auth 100000\nsockbuf_max_incoming_auth 16777215\n"
       << "idletimeout " << with.idle_timeout << '\n';
  if (!with.certificate.empty())
    text << "TLSCertificateFile " << with.certificate.string() << "\nTLSCertificateKeyFile " << with.key.string()
         << "\nTLSCACertificateFile " << with.ca.string() << "\nTLSVerifyClient " << with.verify_client << '\n';
  if (!with.retcode_items.empty()) text << "moduleload retcode\n";
  add_lines(text, with.global_config);
  text << "database mdb\nsuffix \"" << directory_suffix << "\"\nrootdn \"" << admin_dn << "\"\nrootpw "
       << admin_password << "\ndirectory " << folder.string()
       << "/data\nmaxsize 268435456\ndbnosync\nindex objectClass,uid eq\n";
  add_lines(text, with.database_config);
  if (!with.retcode_items.empty()) text << "overlay retcode\nretcode-parent \"ou=retcodes,dc=example,dc=com\"\n";
  for (const auto& item : with.retcode_items) text << "retcode-item " << item << '\n';
  text << "database monitor\nrootdn \"" << admin_dn << "\"\n";
  return text.str();
}

}  // namespace understudy::test
