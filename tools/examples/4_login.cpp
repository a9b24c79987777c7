// Logs a user in and prints the roles that the user's groups stand for: login DIRECTORY.toml USER, the password on
// stdin
#include <iostream>
#include <understudy/understudy.hpp>

using namespace understudy;

namespace {

int refuse(const user_answer& why) {
  std::cout << public_message(why.outcome) << "\n";                  // what the user may know
  std::cerr << to_string(why.outcome) << " " << why.detail << "\n";  // what the log should
  return 1;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument("usage: login DIRECTORY.toml USER");
  const auto file = load_file(argv[1]);
  if (!file.ok()) throw config_error(file.problems);
  connection_manager directory(file.value);
  directory.connect();
  const authenticator users(directory, file.value.authenticator);

  std::string password;
  std::getline(std::cin, password);
  const auto login = users.authenticate(argv[2], std::move(password));
  if (!login) return refuse(login);
  const auto groups = users.groups(argv[2]);
  if (!groups) return refuse(groups);  // nobody knows the roles, which is not the same as none
  if (!groups.complete) std::cerr << "there are more groups than were read\n";
  std::cout << public_message(login.outcome) << "\n";

  const role_map roles({role_rule::by_prefix("app-")}, {"admin", "reader"});
  for (const auto& role : roles.map(groups.groups).roles) std::cout << role << "\n";
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
