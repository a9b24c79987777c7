// What people are told on standard error, and data on standard output.
#pragma once
#include "understudy/tools/explain.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

namespace understudy::cli {

/// The command line cannot be carried out as it stands.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Gives standard descriptors that are closed to something that fails when it is used: the next file or socket would
/// get their numbers, and what is printed would end there. Before anything is opened.
void keep_standard_descriptors();

/// "understudy: TEXT" on standard error; control characters, which may come from a server, are shown as \xNN.
void complain(std::string_view text);

/// Complains about the failure (with the referrals of a referral), returns its exit code.
int report(const failure& f, const given_options& given = {});

/// Standard output could not be written.
class output_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// "1.2 ms", "12 ms".
std::string milliseconds_text(duration span);

/// Writes data to standard output at once. Throws output_error (disk full, closed …).
void put(std::string_view data);

}  // namespace understudy::cli
