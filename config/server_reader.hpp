// One server of a configuration while it is put together: what it says itself, and what it inherits from [ldap].
#pragma once
#include "understudy/config/reader.hpp"
#include "understudy/config/rules.hpp"

namespace understudy::config {

class server_reader {
 public:
  /// `own`: the server's table, null when it stands directly in [ldap]; `common`: [ldap].
  server_reader(const table_reader* own, const table_reader& common) : own_(own), common_(common) {}

  /// The server's fields; its endpoint and pool are not completed yet.
  connection_info read() const;
  /// What was given beside `uri`, so that it must agree with it.
  given_fields given() const { return {gives("host"), gives_port(), gives_use_ssl()}; }
  /// True when the server itself says so, not [ldap].
  bool gives_itself(std::string_view key) const { return own_ && own_->gave(key); }
  /// Reports broken rules at the key that is to blame, wherever that was written; not those whose keys are spoiled.
  void report(const std::vector<finding>& found, problem_list& problems) const;

 private:
  bool gives(std::string_view key) const { return table().gave(key); }
  bool gives_port() const;
  bool gives_use_ssl() const;
  bool inherits(std::string_view key) const;
  bool uri_settles_port() const;
  bool spoiled(std::string_view key) const { return (own_ && own_->spoiled(key)) || common_.spoiled(key); }
  void report_at(const finding& broken, problem_list& problems) const;
  const table_reader& table() const { return own_ ? *own_ : common_; }

  const table_reader* own_;
  const table_reader& common_;
};

}  // namespace understudy::config
