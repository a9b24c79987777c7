// What `understudy doctor` makes of what it saw: decisions without any input or output.
#pragma once
#include "understudy/config/certificates.hpp"
#include "understudy/config/problem.hpp"
#include "understudy/config/settings.hpp"
#include "understudy/messages/snapshot.hpp"
#include "understudy/tools/explain.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace understudy::cli {

/// What a diagnosis is about.
enum class diagnosis_area : std::uint8_t { configuration, secrets, limits, certificate, server, clock, node };
/// "configuration" …
std::string_view to_string(diagnosis_area area) noexcept;

/// One thing that is wrong, or will be.
struct diagnosis {
  diagnosis_area area = diagnosis_area::configuration;
  bool serious = true;  ///< false: it works today
  std::string subject;  ///< a key, a file, a server
  std::string text;     ///< what is wrong
  std::string advice;   ///< what to do; may be empty
};
using diagnoses = std::vector<diagnosis>;

/// A certificate of a file of the configuration.
struct certificate_file_end {
  std::string key, path;
  wall_time end{};
};

/// What a file that holds a secret is like, without anything of the secret.
struct secret_file {
  std::string key, path;
  bool others_may_read = false;
  bool blank_end = false;  ///< white space at its end, beside the one newline that is no part of it
};

/// What one server said of itself to whoever the service is.
struct directory_facts {
  std::string server;
  std::vector<std::string> naming_contexts;
  std::string vendor;                     ///< name and version; empty: it does not say
  std::optional<wall_time> current_time;  ///< its clock, of those that show it (Active Directory)
  wall_time asked_at{};                   ///< ours, in the middle of that question
};

/// Certificates are told of from so long before their end on.
inline constexpr std::chrono::hours certificate_notice{30 * 24};
/// More than that between two clocks breaks Kerberos, and is a mistake anyway.
inline constexpr seconds clock_tolerance{60};

/// Of problems and warnings of a file.
diagnoses from_configuration(const std::vector<config_problem>& problems, const std::vector<config_problem>& warnings);
/// Values that are allowed and do not work together.
diagnoses from_values(const settings& all);
/// `descriptors`: that this process may have; 0: without limit.
diagnoses from_limits(const settings& all, std::uint64_t descriptors);
/// `text`: of the configuration; `others_may_read`: its file. Of secrets that stand in it, and of files that hold one.
diagnoses from_secrets(std::string_view text, const std::string& path, bool others_may_read,
                       const std::vector<secret_file>& files);
/// Of our own files.
diagnoses from_certificate_files(const std::vector<certificate_file_end>& ends, wall_time now);
/// Of those that a server shows.
diagnoses from_certificates(const std::string& server, const std::vector<internal::config::certificate_summary>& shown,
                            wall_time now);
/// `name`: the server's. Why a probe did not get to its end, or what the server said of the password.
diagnoses from_probe(const std::string& name, const probe_report& probe, const given_options& given);
/// Servers that are to stand in for each other and are not alike; clocks that differ from ours.
diagnoses from_directories(const std::vector<directory_facts>& all);
/// Of a running node.
diagnoses from_node(const runtime_snapshot& state, const std::vector<probe_report>& probes = {});

}  // namespace understudy::cli
