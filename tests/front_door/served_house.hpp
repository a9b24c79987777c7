// A directory with a front door before it, and the LDAP clients that this machine has.
#pragma once
#include "support/child_process.hpp"
#include "support/eventually.hpp"
#include "support/slapd.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/runtime/platform/front_door_service.hpp"
#include "understudy/runtime/runtime.hpp"

namespace understudy::test {

/// Where clients come in before `servers`, the first of which is preferred; five connections to each, bound as the
/// administrator.
settings settings_for(const std::vector<const slapd*>& servers, client_listener_settings door = {});

/// A runtime that serves clients at `door`, at a free port where that says none.
std::unique_ptr<runtime> serve_clients(settings all, client_listener_settings door = {});
/// Where clients come in.
std::uint16_t client_port_of(const runtime& serving);

/// A directory, and a front door before it.
struct house {
  /// `change`: what else is different in the settings.
  explicit house(
      client_listener_settings door = {}, slapd_options with = {},
      std::function<void(settings&)> change = [](settings&) {})
      : server(std::move(with)), at(start(std::move(door), change)) {}

  std::string address() const { return at->front_door()->addresses().front(); }
  std::uint16_t port() const { return client_port_of(*at); }
  std::string uri() const { return "ldap://" + address(); }

  /// One of OpenLDAP's programs, bound as `dn`.
  program_result run(std::vector<std::string> command, const std::string& dn = admin_dn,
                     const std::string& password = admin_password, const std::string& input = {}) const;

  slapd server;
  std::unique_ptr<runtime> at;

 private:
  std::unique_ptr<runtime> start(client_listener_settings door, const std::function<void(settings&)>& change);
};

/// How often `part` stands in `text`.
std::size_t count_of(const std::string& text, const std::string& part);

}  // namespace understudy::test
