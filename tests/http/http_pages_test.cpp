// What the pages show of certificates: as the settings are now, and as the files are.
#include "understudy/runtime/http/http_pages.hpp"

#include "support/certificates.hpp"
#include "support/virtual_runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

using namespace understudy;
using namespace understudy::internal;
using namespace understudy::test;
using namespace std::chrono_literals;

namespace {

struct certificate_pages : virtual_runtime {
  explicit certificate_pages() { all.servers.emplace_back().uri = "ldap://ldap1.example.com"; }

  void start() { pages = std::make_shared<http_pages>(env, all); }
  std::string page(http_page which) {
    return pages->render(page_wish{which, false, {}, true}, &state, nullptr, false).body;
  }
  /// After whoever reads files has done so.
  std::string metrics_now() {
    page(http_page::metrics);
    run();
    return page(http_page::metrics);
  }
  /// The row of that key; null when there is none.
  nlohmann::json row(const std::string& key) {
    const auto shown = nlohmann::json::parse(page(http_page::status));
    for (const auto& each : shown.at("certificates"))
      if (each.at("key") == key) return each;
    return nullptr;
  }

  const certificate_set files;
  settings all;
  runtime_snapshot state;
  std::shared_ptr<http_pages> pages;
};

bool stands_in(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string readable(const std::string& use, int value) {
  return "understudy_certificate_readable{use=\"" + use + "\"} " + std::to_string(value) + "\n";
}
std::string end_of(const std::string& use) {
  return "understudy_certificate_not_after_timestamp_seconds{use=\"" + use + "\"} ";
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(certificates_are_those_of_the_settings_after_a_reload, certificate_pages) {
  all.servers[0].ca_cert_path = files.ca.certificate().string();
  start();
  BOOST_TEST(row("ldap1.example.com:389 ca_cert_path").at("path") == files.ca.certificate().string());
  all.servers[0].ca_cert_path = files.other_ca.certificate().string();
  auto& listener = all.node.listeners.emplace_back();
  listener.address = "127.0.0.1:4100";
  listener.ca_cert_path = files.ca.certificate().string();
  auto& door = all.front_door.listeners.emplace_back();
  door.address = "127.0.0.1:3890";
  door.cert_path = files.server.certificate.string();
  door.client_ca_cert_path = files.other_ca.certificate().string();
  pages->configure(all);
  // At once, before anybody has read a file in the background.
  BOOST_TEST(row("ldap1.example.com:389 ca_cert_path").at("path") == files.other_ca.certificate().string());
  for (const auto* use : {"node 127.0.0.1:4100.ca_cert_path", "front_door 127.0.0.1:3890.cert_path",
                          "front_door 127.0.0.1:3890.client_ca_cert_path"}) {
    BOOST_TEST_REQUIRE(row(use).is_object(), use);
    BOOST_TEST(row(use).at("problem").is_null(), use);
    BOOST_TEST(row(use).at("end").is_string(), use);
    BOOST_TEST(stands_in(page(http_page::metrics), end_of(use)), use);
  }
  all.front_door.listeners.clear();
  pages->configure(all);
  BOOST_TEST(row("front_door 127.0.0.1:3890.cert_path").is_null());
  BOOST_TEST(!stands_in(page(http_page::metrics), "front_door"));
}

BOOST_FIXTURE_TEST_CASE(what_was_begun_before_a_reload_does_not_undo_it, certificate_pages) {
  all.servers[0].ca_cert_path = files.ca.certificate().string();
  start();
  advance(61s);
  page(http_page::metrics);  // has a worker read again
  all.servers[0].ca_cert_path = files.other_ca.certificate().string();
  pages->configure(all);
  run();
  BOOST_TEST(row("ldap1.example.com:389 ca_cert_path").at("path") == files.other_ca.certificate().string());
  // And the next look is not in vain.
  std::filesystem::remove(files.other_ca.certificate());
  advance(61s);
  BOOST_TEST(stands_in(metrics_now(), readable("ldap1.example.com:389 ca_cert_path", 0)));
}

BOOST_FIXTURE_TEST_CASE(a_certificate_that_cannot_be_read_any_more_does_not_vanish, certificate_pages) {
  const std::string use = "http.cert_path";
  all.http.cert_path = files.server.certificate.string();
  start();
  BOOST_TEST(stands_in(page(http_page::metrics), readable(use, 1)));
  const auto ended = row(use).at("end");
  BOOST_TEST(ended.is_string());
  BOOST_TEST(log->count("cannot be read") == 0U);

  const auto aside = files.folder / "aside.crt";
  std::filesystem::rename(files.server.certificate, aside);
  for (int looks = 0; looks < 3; ++looks) {
    advance(61s);
    const auto text = metrics_now();
    BOOST_TEST(stands_in(text, readable(use, 0)), text);
    BOOST_TEST(stands_in(text, end_of(use)), text);  // as it was read last
  }
  BOOST_TEST(row(use).at("end") == ended);
  BOOST_TEST(stands_in(row(use).at("problem").get<std::string>(), "cannot be read"), row(use).dump());
  BOOST_TEST(log->count("a certificate that the settings name cannot be read use=http.cert_path") == 1U, log->text());

  std::ofstream{files.server.certificate} << "no certificate\n";
  advance(61s);
  BOOST_TEST(stands_in(metrics_now(), readable(use, 0)));
  BOOST_TEST(stands_in(row(use).at("problem").get<std::string>(), "certificate"), row(use).dump());

  std::filesystem::rename(aside, files.server.certificate);
  advance(61s);
  BOOST_TEST(stands_in(metrics_now(), readable(use, 1)));
  BOOST_TEST(row(use).at("problem").is_null());
  BOOST_TEST(log->count("a certificate can be read again") == 1U, log->text());
}

BOOST_FIXTURE_TEST_CASE(a_certificate_that_could_never_be_read_has_a_row_of_its_own, certificate_pages) {
  all.node.cert_path = "/nowhere/node.crt";
  start();
  BOOST_TEST_REQUIRE(row("node.cert_path").is_object());
  BOOST_TEST(row("node.cert_path").at("end").is_null());
  BOOST_TEST(row("node.cert_path").at("days_left").is_null());
  const auto text = page(http_page::metrics);
  BOOST_TEST(stands_in(text, readable("node.cert_path", 0)), text);
  BOOST_TEST(!stands_in(text, "understudy_certificate_not_after_timestamp_seconds"), text);
  BOOST_TEST(log->count("cannot be read") == 1U, log->text());
}
