// The servers of one run, each a process of its own, started when it is first needed.
#pragma once
#include "understudy/runtime/platform/descriptor.hpp"
#include "understudy/tools/demo_directory.hpp"

#include "child.hpp"
#include "plan.hpp"

#include <filesystem>
#include <map>
#include <memory>

namespace understudy::benchmark {

class servers {
 public:
  /// `programs`: the folder of the benchmark's programs. `users`: entries of slapd's tree.
  servers(std::filesystem::path programs, int users) : programs_(std::move(programs)), users_(users) {}
  /// Where "other" is, and its process if that is to be measured too.
  void set_other(std::string host, std::string port, int pid) {
    other_ = {"host=" + host, "port=" + port};
    if (pid != 0) other_.push_back("watch=" + std::to_string(pid));
  }

  /// The arguments that lead a client there: port=…, and tls=1 ca=… where that is needed.
  std::vector<std::string> arguments_for(const std::string& name);
  /// Does that ("kill", "pause" …: see series::fault) to the servers that it is about.
  void harm(const std::string& fault);
  /// Ends those; the next use starts new ones.
  void forget_harmed();

 private:
  struct responder {
    child process;
    std::string port, tls_port;
  };
  responder start_responder(std::vector<std::string> more);
  responder& keep(const std::string& name, std::vector<std::string> more);
  responder& keep_node(const std::string& name, std::vector<std::string> words);
  std::vector<std::string> behind(const std::string& name, const std::string& directory, const std::string& between);
  responder& keep_back_ldap(const std::string& name, const std::string& ports);
  void fill_backlog(const std::string& port);
  void make_certificate();
  std::string slapd_port();

  std::filesystem::path programs_;
  int users_;
  cli::demo_folder folder_;
  std::map<std::string, responder> running_;
  std::unique_ptr<cli::demo_directory> slapd_;
  std::vector<std::string> other_;
  std::vector<internal::descriptor> unaccepted_;  ///< connections that fill the backlog of one that is black-holed
};

}  // namespace understudy::benchmark
