// What is measured, beside what, and what is aimed at.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace understudy::benchmark {

/// One client with one workload.
struct series {
  std::string group;   ///< a table of the report
  std::string name;    ///< unique
  std::string client;  ///< "stock" or "ours"
  std::string server;  ///< "null", "null tls", "null large", "slapd", "null pair", "null N": so many of them,
                       ///< "null three": three that share nothing, in order of preference,
                       ///< "node", "node plain" (text), before "null"; or "echo". "X behind Y": Y is "door" (ours),
                       ///< "back-ldap" (slapd's own proxy) or "other" (whose address is given), X "null pair", "null
                       ///< large" or "slapd"
  std::vector<std::string> arguments;
  std::string beside;            ///< the series it is compared with; empty: none
  std::optional<double> factor;  ///< throughput to reach, as a multiple of that
  std::optional<double> cost;    ///< processor time to stay below, as a multiple of that
  int rounds = 0;                ///< 0: as many as asked for
  std::string fault;  ///< what happens in the middle of it: "kill" or "pause" to the first server of "null pair", "hole
                      ///< and pause" to the first and the second of "null three"
};

/// All of them, in the order of a round. `small` numbers for a check that everything works.
std::vector<series> plan(bool small);

}  // namespace understudy::benchmark
