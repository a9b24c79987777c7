// Logs a user in and prints the roles that the user's groups stand for: login DIRECTORY.toml USER, the password on
// stdin
#include <iostream>
#include <understudy/understudy.hpp>

using namespace understudy;

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
  std::cout << public_message(login.outcome) << "\n";                                // what the user may know
  if (!login) std::cerr << to_string(login.outcome) << " " << login.detail << "\n";  // what the log should
  if (!login) return 1;

  const role_map roles({role_rule::by_prefix("app-")}, {"admin", "reader"});
  for (const auto& role : roles.map(users.groups(argv[2]).groups).roles) std::cout << role << "\n";
} catch (const std::exception& e) {
  std::cerr << e.what() << "\n";
  return 1;
}
