// What was tried of a server, step by step, as people read it.
#pragma once
#include "understudy/messages/snapshot.hpp"
#include "understudy/tools/certificate_look.hpp"
#include "understudy/tools/explain.hpp"

#include <string>

namespace understudy::cli {

/// A line a step, the certificate below that of TLS, and at the one that failed what happened and what to do. `look`
/// null: the server has no TLS.
std::string trial_text(const std::string& server, const probe_report& probe, const certificate_look* look,
                       wall_time now, const given_options& given);

/// What a step of a probe is, for people: "name look-up", "TLS" …
std::string_view step_name(stage step) noexcept;

/// A command line as a shell takes it.
std::string shell_words(const std::vector<std::string>& words);

}  // namespace understudy::cli
