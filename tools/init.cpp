// understudy init: a first configuration, each step of its connection tried before it is written.
#include "understudy/config/endpoint.hpp"
#include "understudy/config/files.hpp"
#include "understudy/config/load.hpp"
#include "understudy/config/text.hpp"
#include "understudy/messages/printable.hpp"
#include "understudy/messages/text.hpp"
#include "understudy/runtime/exceptions.hpp"
#include "understudy/tools/commands.hpp"
#include "understudy/tools/exit_code.hpp"
#include "understudy/tools/init_answers.hpp"
#include "understudy/tools/input.hpp"
#include "understudy/tools/private_file.hpp"
#include "understudy/tools/report.hpp"
#include "understudy/tools/session.hpp"
#include "understudy/tools/trial_text.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace understudy::cli {

using namespace internal;
namespace {

constexpr seconds trial_patience{10};
constexpr int entries_shown = 5;

struct init_options {
  target where;
  std::optional<std::string> base;
  std::string file = "understudy.toml";
  bool replace = false;
  bool yes = false;       ///< nothing is asked
  bool untested = false;  ///< written although a step failed
};

/// What came of trying.
struct trial {
  int code = exit_ok;
  std::string base;
};

/// Of whom it is asked, on a terminal; without one nothing is.
class person {
 public:
  person(bool there, command_time& time, interrupt_watch& interrupts)
      : there_(there), time_(time), interrupts_(interrupts) {}

  explicit operator bool() const noexcept { return there_; }
  std::string ask(const std::string& prompt) {
    return time_.waiting_for_input([&] { return ask_line(prompt, interrupts_); });
  }
  bool agrees(const std::string& question, bool otherwise) {
    while (true) {
      if (const auto said = yes_or_no(ask(question + (otherwise ? " [Y/n]: " : " [y/N]: ")), otherwise)) return *said;
      complain("y or n");
    }
  }
  void answer(init_questions& questions) {
    while (const auto next = questions.next())
      if (const auto problem = questions.answer(ask(next->text)); !problem.empty()) complain(problem);
  }

 private:
  bool there_;
  command_time& time_;
  interrupt_watch& interrupts_;
};

bool regular(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
}

std::string password_file_beside(const std::string& file) {
  const std::string ending = ".toml";
  return absolute((file.ends_with(ending) ? file.substr(0, file.size() - ending.size()) : file) + ".password");
}

init_answers begun_by(const init_options& options) {
  const auto& where = options.where;
  return {where.uris,
          where.start_tls,
          where.ca_cert_path,
          where.bind_dn,
          options.base.value_or(""),
          where.client_cert_path,
          where.client_key_path,
          where.external};
}

target with_answers(target where, const init_answers& answers, bool ask) {
  where.uris = answers.uris;
  where.start_tls = answers.start_tls;
  where.ca_cert_path = answers.ca_cert_path.empty() ? std::string{} : absolute(answers.ca_cert_path);
  where.bind_dn = answers.bind_dn;
  where.client_cert_path = answers.client_cert_path.empty() ? std::string{} : absolute(answers.client_cert_path);
  where.client_key_path = answers.client_key_path.empty() ? std::string{} : absolute(answers.client_key_path);
  where.external = answers.external;
  where.simple =
      false;  // the file has a mechanism where a certificate is all there is: what is tried is what is written
  if (ask) where.ask_password = !answers.bind_dn.empty() && where.password_file.empty();
  // Of a name that was taken back.
  if (ask && answers.bind_dn.empty()) where.password_file.clear();
  return where;
}

const probe_report* probe_of(const std::vector<probe_report>& all, std::uint32_t server) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& probe) { return probe.server == server; });
  return found == all.end() ? nullptr : &*found;
}

/// Every server to its first answer. False when one of them did not get that far.
bool try_servers(session& directory, const settings& all, interrupt_watch& interrupts) {
  session::require_a_start(directory.begin_probing(trial_patience));
  directory.check_interrupt();
  const auto probes = directory.manager().probe_all(directory.left(trial_patience));
  directory.check_interrupt();
  bool passed = true;
  for (const auto& server : directory.manager().snapshot().servers) {
    const auto name = server_name(server);
    const auto info = std::find_if(all.servers.begin(), all.servers.end(),
                                   [&](const connection_info& each) { return server_name(each) == name; });
    const auto* probe = probe_of(probes, server.id);
    if (probe == nullptr) continue;
    std::optional<certificate_look> look;
    const bool came_to_tls = std::any_of(probe->steps.begin(), probe->steps.end(),
                                         [](const probe_step& step) { return step.what == stage::secure; });
    if (info != all.servers.end() && endpoint_of(*info).encrypted() && came_to_tls)
      look = look_at_certificates(*info, std::chrono::steady_clock::now() + directory.left(trial_patience), interrupts);
    put(trial_text(name, *probe, look ? &*look : nullptr, std::chrono::system_clock::now(), directory.given()));
    passed = passed && probe->ok;
  }
  return passed;
}

std::vector<std::string> naming_contexts(session& directory) {
  search_request root;
  root.scope = search_scope::base;
  root.attributes = {"namingContexts"};
  const auto found = directory.perform(make_request(std::move(root)));
  const auto& entries = found.value().entries;
  const auto* contexts = entries.empty() ? nullptr : entries.front().find("namingContexts");
  return contexts == nullptr ? std::vector<std::string>{} : contexts->values;
}

/// Where searches begin: as given, as the directory says, or as a person chooses among what it offers.
std::string find_base(session& directory, const init_answers& answers, person& somebody) {
  const auto offered = naming_contexts(directory);
  put("  naming contexts " +
      (offered.empty() ? std::string{"none are shown"}
                       : joined(offered, "; ", [](auto& each) { return printable(shortened(each)); })) +
      "\n");
  if (!answers.base.empty()) return answers.base;
  if (offered.size() == 1 || !somebody) return directory.base_or_default(std::nullopt);
  const auto first = offered.empty() ? std::string{} : offered.front();
  const auto line = somebody.ask("Base of searches [" + printable(first) + "]: ");
  return line.empty() ? first : line;
}

/// The base can be read. Throws ldap_exception.
void try_base(session& directory, const std::string& base) {
  search_request entry;
  entry.base = base;
  entry.scope = search_scope::base;
  entry.attributes = {"1.1"};
  const auto found = directory.perform(make_request(std::move(entry)));
  const bool seen = !found.value().entries.empty();
  put("  base            " + printable(base) + (seen ? ", ok\n" : ": nobody may see it\n"));
}

trial try_directory(const settings& all, const target& where, const init_answers& answers, const command_time& time,
                    person& somebody, interrupt_watch& interrupts) {
  session directory(all, where, time, interrupts);
  const auto stopping = directory.stop_on_interrupt();
  trial found;
  found.base = answers.base;
  try {
    if (!try_servers(directory, all, interrupts)) found.code = exit_runtime;
    if (!directory.manager().is_connected() && found.code != exit_ok) return found;
    found.base = find_base(directory, answers, somebody);
    if (!found.base.empty()) try_base(directory, found.base);
  } catch (const ldap_exception& e) {
    directory.check_interrupt();
    found.code = report(e.reason(), directory.given());
  }
  directory.check_interrupt();
  return found;
}

/// Writes what `answers` say; throws usage_error when it cannot.
void write_files(const init_options& options, const init_answers& answers, const settings& all, const target& where) {
  std::string password_file;
  if (!answers.bind_dn.empty()) {
    // A file that stays is named; what was typed, or came by a pipe, gets one.
    const bool there = !where.password_file.empty() && regular(where.password_file);
    password_file = there ? absolute(where.password_file) : password_file_beside(options.file);
    if (!there) {
      const auto problem =
          write_new_file(password_file, all.servers.front().password.reveal(), file_readers::owner, options.replace);
      if (!problem.empty()) throw usage_error(config::quote(password_file) + " cannot be written: " + problem);
      put(password_file + ": written, the password; nobody else may read it\n");
    }
  }
  std::vector<std::string> uris;
  for (const auto& server : all.servers) uris.push_back(server.uri);
  auto written = answers;
  written.ca_cert_path = where.ca_cert_path;
  written.client_cert_path = where.client_cert_path;
  written.client_key_path = where.client_key_path;
  const auto text = configuration_text(written, uris, password_file);
  const auto problem = write_new_file(options.file, text, file_readers::all, options.replace);
  if (!problem.empty()) throw usage_error(config::quote(options.file) + " cannot be written: " + problem);
  put(options.file + ": written\n");
}

/// With the file that was just written, as everybody will use it.
int first_search(const init_options& options, const std::string& base, command_time& time,
                 interrupt_watch& interrupts) {
  target where;
  where.config = options.file;
  where.timeout = options.where.timeout;
  put("\n$ " +
      shell_words({"understudy", "search", "-c", options.file, "-b", base, "-s", "one", "-z",
                   std::to_string(entries_shown), "(objectClass=*)", "1.1"}) +
      "\n");
  session directory(one_shot_settings(where, time, interrupts), where, time, interrupts);
  if (!directory.connect()) return exit_runtime;
  search_request below;
  below.base = base;
  below.scope = search_scope::one;
  below.filter = "(objectClass=*)";
  below.size_limit = entries_shown;
  below.attributes = {"1.1"};
  const auto found = directory.perform(make_request(std::move(below)));
  directory.check_interrupt();
  const bool cut = !found && found.error()->ldap_code == result_code::size_limit_exceeded;
  if (!found && !cut) return report(*found.error(), directory.given());
  const result* seen = found ? &found.value() : found.error()->partial.get();
  std::string text;
  if (seen != nullptr)
    for (const auto& each : seen->entries) text += "dn: " + printable(each.dn) + "\n";
  put(text.empty() ? "# no entry there may be seen by whom this configuration names\n" : text);
  return exit_ok;
}

/// Nothing is lost that nobody wanted to lose; before anything is asked or tried.
void require_room(init_options& options, person& somebody) {
  if (options.file.ends_with(".json")) throw usage_error("-o: the configuration is TOML; name it so");
  if (!options.replace && exists(options.file)) {
    if (!somebody || !somebody.agrees(config::quote(options.file) + " is there already. Replace it?", false))
      throw usage_error(config::quote(options.file) + " is there already; --force replaces it, -o names another");
    options.replace = true;
  }
  if (const auto problem = config::why_unwritable(options.file); !problem.empty())
    throw usage_error(config::quote(options.file) + " cannot be written: " + problem);
}

int init(interrupt_watch& interrupts, init_options options) {
  command_time time{options.where.timeout};
  person somebody{::isatty(STDIN_FILENO) != 0 && !options.yes, time, interrupts};
  if (!somebody && options.where.uris.empty())
    throw usage_error("nobody can be asked here: say with -H URI where the directory is; init --help has the rest");
  require_room(options, somebody);
  init_questions questions{
      begun_by(options),
      {!options.where.uris.empty(), options.where.start_tls, !options.where.ca_cert_path.empty(),
       !options.where.bind_dn.empty(), !options.where.client_cert_path.empty(), options.where.external}};
  while (true) {
    if (somebody) somebody.answer(questions);
    auto answers = questions.answers();
    const auto where = with_answers(options.where, answers, static_cast<bool>(somebody));
    trial came_to;
    std::optional<settings> all;
    try {
      all = one_shot_settings(where, time, interrupts);
      for (const auto& doubtful : warnings(*all)) complain("warning: " + describe(doubtful));
      came_to = try_directory(*all, where, answers, time, somebody, interrupts);
    } catch (const usage_error& e) {
      if (!somebody) throw;
      complain(e.what());
      came_to.code = exit_usage;
    }
    bool write = came_to.code == exit_ok || (all && options.untested);
    if (!write && !somebody) {
      complain("nothing was written; --untested writes the configuration all the same");
      return came_to.code;
    }
    if (!write && somebody.agrees("Change the answers and try again?", true)) {
      questions.begin_again();
      continue;
    }
    if (!write && all) write = somebody.agrees("Write the configuration all the same?", false);
    if (!write) {
      complain("nothing was written");
      return came_to.code;
    }
    answers.base = came_to.base;
    write_files(options, answers, *all, where);
    if (came_to.code != exit_ok || answers.base.empty()) return came_to.code;
    return first_search(options, answers.base, time, interrupts);
  }
}

}  // namespace

void declare_init(CLI::App& program, command& chosen) {
  auto* sub = program.add_subcommand(
      "init", "Write a first configuration: asks what no option says, tries each step of the connection, and searches");
  auto options = std::make_shared<init_options>();
  options->where.declare_uri(*sub);
  sub->add_option("-b,--base", options->base, "Where searches begin; default: what the directory offers")
      ->type_name("DN");
  sub->add_option("-o,--output", options->file, "The file to write; default: understudy.toml")->type_name("FILE");
  sub->add_flag("--force", options->replace, "Replace files that are there");
  sub->add_flag("--yes", options->yes, "Ask nothing, also on a terminal: what no option says is left out");
  sub->add_flag("--untested", options->untested, "Write the configuration also when a step failed");
  options->where.declare_limits(*sub);
  sub->callback(
      [options, &chosen] { chosen = [options](interrupt_watch& interrupts) { return init(interrupts, *options); }; });
}

}  // namespace understudy::cli
