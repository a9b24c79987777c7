// Finds a user by name: embedding DIRECTORY.toml NAME
#include <iostream>
#include <understudy/understudy.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) throw std::invalid_argument("usage: embedding DIRECTORY.toml NAME");
  auto directory = understudy::connection_manager::from_file(argv[1]);
  directory.connect();
  const auto user = understudy::filter::equal("uid", argv[2]);  // escaped, whatever is in it
  for (const auto& found : directory.search("ou=people,dc=example,dc=com", user, {"mail"}))
    std::cout << found.dn << " " << found.first("mail") << "\n";
} catch (const std::exception& e) {  // understudy::ldap_exception, config_error, …
  std::cerr << e.what() << "\n";
  return 1;
}
