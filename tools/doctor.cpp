// understudy doctor: what is wrong now with a configuration, its directory or a node, and what to do.
#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/generalized_time.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/runtime/http/http_pages.hpp"
#include "understudy/tools/certificate_look.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/diagnosis.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/node_command.hpp"
#include "understudy/tools/report.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr seconds examination_patience{10};
constexpr std::size_t largest_configuration = 16 * 1024 * 1024;

struct doctor_options {
  target where;
  bool json = false;
};

/// What was found, and what was looked at.
struct examination {
  diagnoses found;
  std::vector<std::string> looked_at;

  void add(diagnoses more) {
    found.insert(found.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
};

bool others_may_read(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

/// White space behind what counts of it.
bool ends_blank(const std::string& path) {
  const auto read = read_secret_file(path);
  const auto text = read.value.reveal();
  return read.ok() && !text.empty() && std::string_view{" \t\r\n"}.find(text.back()) != std::string_view::npos;
}

std::vector<secret_file> secret_files_of(const settings& all) {
  std::vector<secret_file> files;
  const auto note = [&](const std::string& key, const std::string& path) {
    const bool known = std::any_of(files.begin(), files.end(), [&](const auto& each) { return each.path == path; });
    if (!path.empty() && !known) files.push_back({key, path, others_may_read(path), ends_blank(path)});
  };
  for (const auto& server : all.servers) {
    note("password_file", server.password_file);
    note("client_key_password_file", server.client_key_password_file);
  }
  note("http.admin_token_file", all.http.admin_token_file);
  return files;
}

std::vector<certificate_file_end> file_ends_of(const settings& all) {
  std::vector<certificate_file_end> ends;
  // What cannot be read is found by the check of the configuration.
  for (const auto& each : certificate_ends(all))
    if (each.end) ends.push_back({each.key, each.path, *each.end});
  return ends;
}

std::uint64_t descriptors_allowed() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
  return limit.rlim_cur;
}

std::string first_value(const entry& from, std::string_view name) {
  const auto* found = from.find(name);
  return found == nullptr || found->values.empty() ? std::string{} : found->values.front();
}

/// What `server` alone says of itself; nothing when it does not.
std::optional<directory_facts> facts_of(const settings& all, const connection_info& server, const target& where,
                                        const command_time& time, interrupt_watch& interrupts) {
  auto alone = all;
  alone.servers = {server};
  alone.servers.front().role = server_role::read_write;  // a catalog alone could not be asked for anything
  session directory(alone, where, time, interrupts);
  const auto stopping = directory.stop_on_interrupt();
  if (!directory.manager().connect(directory.left(examination_patience)).connected) return std::nullopt;
  search_request root;
  root.scope = search_scope::base;
  root.attributes = {"namingContexts", "vendorName", "vendorVersion", "currentTime"};
  const auto before = std::chrono::system_clock::now();
  const auto got = directory.perform(make_request(std::move(root)));
  const auto after = std::chrono::system_clock::now();
  directory.check_interrupt();
  if (!got || got->entries.empty()) return std::nullopt;
  const auto& said = got->entries.front();
  directory_facts facts;
  facts.server = server_name(server);
  if (const auto* contexts = said.find("namingContexts")) facts.naming_contexts = contexts->values;
  const auto name = first_value(said, "vendorName"), version = first_value(said, "vendorVersion");
  facts.vendor = name + (name.empty() || version.empty() ? "" : " ") + version;
  facts.current_time = generalized_time(first_value(said, "currentTime"));
  facts.asked_at = before + (after - before) / 2;
  return facts;
}

/// Servers by step, their certificates, and what they say of themselves.
void examine_servers(examination& all_found, const settings& all, const target& where, const command_time& time,
                     interrupt_watch& interrupts) {
  std::vector<std::string> well;
  {
    session directory(all, where, time, interrupts);
    const auto stopping = directory.stop_on_interrupt();
    const auto begun = directory.begin_probing(examination_patience);
    directory.check_interrupt();
    session::require_a_start(begun);
    const auto probes = directory.manager().probe_all(directory.left(examination_patience));
    directory.check_interrupt();
    const auto state = directory.manager().snapshot();
    if (state.servers.empty() && begun.failed)
      all_found.add({{diagnosis_area::server, true, "servers", what_happened(*begun.failed, directory.given()), ""}});
    for (const auto& server : state.servers) {
      const auto name = server_name(server);
      const auto probe =
          std::find_if(probes.begin(), probes.end(), [&](const auto& each) { return each.server == server.id; });
      if (probe == probes.end()) continue;
      all_found.looked_at.push_back("server " + name);
      all_found.add(from_probe(name, *probe, directory.given()));
      if (probe->ok) well.push_back(name);
    }
  }
  std::vector<directory_facts> facts;
  for (const auto& server : all.servers) {
    const auto name = server_name(server);
    if (server.srv.empty() && endpoint_of(server).encrypted()) {
      const auto limit = std::chrono::steady_clock::now() + examination_patience;
      const auto look = look_at_certificates(server, std::min(limit, time.deadline().value_or(limit)), interrupts);
      all_found.add(from_certificates(name, look.shown, std::chrono::system_clock::now()));
      if (!look.shown.empty()) all_found.looked_at.push_back("certificate of " + name);
    }
    if (std::find(well.begin(), well.end(), name) == well.end()) continue;
    if (auto said = facts_of(all, server, where, time, interrupts)) facts.push_back(std::move(*said));
  }
  all_found.add(from_directories(facts));
}

void examine_file(examination& all_found, const std::string& path, const load_result& loaded) {
  all_found.looked_at.push_back("configuration " + path);
  all_found.add(from_configuration(loaded.problems, loaded.warnings));
  auto whole = config::read_whole(path, largest_configuration);
  const auto files = loaded.ok() ? secret_files_of(loaded.value) : std::vector<secret_file>{};
  all_found.add(from_secrets(whole.text, path, others_may_read(path), files));
}

void examine_settings(examination& all_found, const settings& all) {
  all_found.add(from_values(all));
  all_found.add(from_limits(all, descriptors_allowed()));
  all_found.add(from_certificate_files(file_ends_of(all), std::chrono::system_clock::now()));
}

examination examine(const target& where, command_time& time, interrupt_watch& interrupts) {
  examination all_found;
  if (!where.config.empty()) {
    const auto loaded = load_file(where.config);
    examine_file(all_found, where.config, loaded);
    // Nothing else can be looked at.
    if (!loaded.ok()) return all_found;
    examine_settings(all_found, loaded.value);
  }
  const auto all = one_shot_settings(where, time, interrupts);
  if (where.config.empty()) all_found.add(from_configuration({}, warnings(all)));
  examine_servers(all_found, all, where, time, interrupts);
  return all_found;
}

/// False: a client of nodes has no other configuration than how it reaches them.
bool names_directory(const std::string& path) {
  if (path.empty()) return false;
  const auto loaded = load_file(path);
  return std::none_of(loaded.problems.begin(), loaded.problems.end(),
                      [](const config_problem& problem) { return problem.key == "ldap"; });
}

/// The node probes each of its servers; then how it is, which these probes have become a part of.
int examine_node(examination& all_found, node_session& node, const target& where) {
  const auto probes = node.manager().probe_all(node.patience());
  node.directory().check_interrupt();
  auto found = from_node(node.state(), probes);
  all_found.looked_at.push_back("node " + joined(where.nodes, " or ") + " and its servers");
  all_found.add(std::move(found));
  return exit_ok;
}

std::string text_of(const examination& all) {
  std::string text;
  for (const auto& each : all.found) {
    text += std::string{each.serious ? "wrong" : "doubtful"} + "  " + std::string{to_string(each.area)} + "  " +
            printable(each.text.find(each.subject) == std::string::npos && !each.subject.empty()
                          ? each.subject + ": " + each.text
                          : each.text) +
            "\n";
    if (!each.advice.empty()) text += "    do: " + printable(each.advice) + "\n";
  }
  const auto count = all.found.size();
  return text +
         (count == 0 ? "nothing found" : std::to_string(count) + (count == 1 ? " thing found" : " things found")) +
         "; looked at " + printable(joined(all.looked_at, ", ")) + "\n";
}

std::string json_of(const examination& all) {
  auto findings = nlohmann::json::array();
  for (const auto& each : all.found)
    findings.push_back({{"area", to_string(each.area)},
                        {"serious", each.serious},
                        {"subject", each.subject},
                        {"text", each.text},
                        {"advice", each.advice}});
  const nlohmann::json tree{{"findings", std::move(findings)}, {"looked_at", all.looked_at}};
  return tree.dump(2, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

int tell(const examination& all, bool json) {
  put(json ? json_of(all) : text_of(all));
  return all.found.empty() ? exit_ok : exit_negative;
}

int doctor(interrupt_watch& interrupts, const doctor_options& options) {
  command_time time{options.where.timeout};
  if (options.where.nodes.empty()) return tell(examine(options.where, time, interrupts), options.json);
  static_cast<void>(nodes_of(options.where));  // throws before anything is asked
  examination all_found;
  if (names_directory(options.where.config)) {
    target file;
    file.config = options.where.config;
    file.verbose = options.where.verbose;
    all_found = examine(file, time, interrupts);
  }
  auto there = options.where;
  if (const auto end = time.deadline())
    there.timeout = std::max<duration>(*end - std::chrono::steady_clock::now(), milliseconds{1});
  const int asked =
      for_operators(there, interrupts, [&](node_session& node) { return examine_node(all_found, node, there); });
  // What is wrong with the file is told without the node, too.
  if (asked == exit_ok || !all_found.looked_at.empty()) {
    const int found = tell(all_found, options.json);
    return asked == exit_ok ? found : asked;
  }
  return asked;
}

}  // namespace

void declare_doctor(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "doctor", "Say what is wrong now and what to do: configuration, secrets, limits, certificates, servers, a node");
  auto options = std::make_shared<doctor_options>();
  options->where.declare(*sub);
  sub->add_flag("--json", options->json, "Print JSON");
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return doctor(interrupts, *options); }; });
}

}  // namespace understudy::cli
