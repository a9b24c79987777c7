// Configurations and runs of the real program.
#include "cli.hpp"

#include "support/eventually.hpp"

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

namespace understudy::test {

server_certificate_files make_certificates(const temporary_folder& folder) {
  server_certificate_files files{folder / "ca.pem", folder / "server.pem", folder / "server.key"};
  const auto openssl = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "openssl");
    check_exit(run_program({std::move(arguments), {}, {}, folder.path()}), 0);
  };
  folder.write("san", "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
  const std::vector<std::string> key_type{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"};
  const auto request = [&](std::vector<std::string> more) {
    more.insert(more.begin(), key_type.begin(), key_type.end());
    more.insert(more.begin(), "req");
    openssl(std::move(more));
  };
  request({"-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem"});
  request({"-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"});
  openssl({"x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
           "-extfile", "san", "-out", "server.pem"});
  return files;
}

program_result command_line::run(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), UNDERSTUDY_PROGRAM);
  return run_program({std::move(arguments), input, {}, {}}, std::chrono::seconds{60});
}

std::unique_ptr<child_process> command_line::start(std::vector<std::string> arguments, const std::string& input) const {
  arguments.insert(arguments.begin(), UNDERSTUDY_PROGRAM);
  return std::make_unique<child_process>(child_process::options{std::move(arguments), input, {}, {}});
}

std::string command_line::config(const std::string& uri, const config_for& with) const {
  return write("[ldap]\nuri = \"" + uri + "\"\nbind_dn = \"" + admin_dn + "\"\npassword = \"" + with.password + "\"\n" +
               with.more_server + "\n" + with.more);
}

program_result run_in_terminal(const temporary_folder& folder, const std::vector<std::string>& arguments,
                               const std::vector<typed_line>& typed) {
  const auto keyboard = (folder / "keyboard").string();
  if (!std::filesystem::exists(keyboard)) check_exit(run_program({{"mkfifo", keyboard}, {}, {}, {}}), 0);
  std::string quoted = std::string{"'"} + UNDERSTUDY_PROGRAM + "'";
  for (const auto& word : arguments) quoted += " '" + word + "'";
  child_process running({"sh", "-c", "exec script -qec \"$0\" /dev/null <>'" + keyboard + "'", quoted});
  std::size_t seen = 0;
  for (const auto& next : typed) {
    BOOST_TEST_REQUIRE(eventually([&] { return running.output().find(next.prompt, seen) != std::string::npos; }),
                       "no \"" << next.prompt << "\" in: " << running.output() << running.error_output());
    seen = running.output().find(next.prompt, seen) + next.prompt.size();
    std::ofstream(keyboard) << next.line << '\n' << std::flush;
  }
  const auto status = running.wait();
  return {status.value_or(-1), running.output(), running.error_output()};
}

void check_exit(const program_result& result, int code) {
  BOOST_TEST(result.status == code, "exit " << result.status << ", not " << code << "; output: "
                                            << result.output.substr(0, 2000) << "errors: " << result.error_output);
}

}  // namespace understudy::test
