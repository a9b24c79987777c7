// docs/tutorial.md, carried out: each command of its console, and what it prints.
#include "cli.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>
#include <sstream>

using namespace understudy;
using namespace understudy::test;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// True when `said` has those lines in that order; "…" in one stands for anything.
bool has_lines(const std::string& said, const std::vector<std::string>& lines) {
  std::istringstream all{said};
  std::string line;
  for (const auto& wanted : lines) {
    std::string pattern;
    for (std::size_t at = 0; at <= wanted.size();) {
      const auto next = std::min(wanted.find("…", at), wanted.size());
      pattern += std::regex_replace(wanted.substr(at, next - at), std::regex{R"([.^$|()\[\]{}*+?\\])"}, R"(\$&)");
      if (next < wanted.size()) pattern += ".*";
      at = next + std::string_view{"…"}.size();
    }
    const std::regex whole{pattern};
    bool found = false;
    while (!found && std::getline(all, line)) found = std::regex_match(line, whole);
    if (!found) return false;
  }
  return true;
}

/// The tutorial, its two directories, and a shell in a folder.
class tutorial : command_line {
 public:
  tutorial() {
    const auto programs = folder() / "programs";
    std::filesystem::create_directory(programs);
    std::filesystem::create_symlink(UNDERSTUDY_PROGRAM, programs / "understudy");
    std::filesystem::create_symlink(UNDERSTUDY_EXAMPLE, programs / "embedding");
    std::filesystem::create_directory(folder() / "work");
  }

  void play(const std::string& text) {
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
      if (line == "<!-- test: stop ldap1 -->")
        first_.stop();
      else if (line == "<!-- test: start ldap1 -->")
        first_.start();
      else if (line == "<!-- test: append to understudy.toml -->")
        append_ = true;
      else if (line.starts_with("<!-- test:"))
        BOOST_ERROR("nobody carries out " << line);
      else if (line == "```console")
        console(block(lines));
      else if (line == "```toml" && append_)
        append(block(lines));
      else if (line.starts_with("```"))
        block(lines);
    }
  }
  int commands() const { return commands_; }

 private:
  static std::vector<std::string> block(std::istringstream& lines) {
    std::vector<std::string> all;
    for (std::string line; std::getline(lines, line) && line != "```";) all.push_back(line);
    return all;
  }

  std::string here(std::string text) const {
    text = replaced(text, "ldap://ldap1.example.com", first_.url());
    text = replaced(text, "ldap://ldap2.example.com", second_.url());
    text = replaced(text, "ldap1.example.com:389", "127.0.0.1:" + std::to_string(first_.port()));
    text = replaced(text, "ldap2.example.com:389", "127.0.0.1:" + std::to_string(second_.port()));
    text = replaced(text, "127.0.0.1:3890", "127.0.0.1:" + std::to_string(front_door_.number()));
    return replaced(text, "127.0.0.1:9389", "127.0.0.1:" + std::to_string(http_.number()));
  }

  void append(const std::vector<std::string>& lines) {
    append_ = false;
    const auto file = folder() / "work/understudy.toml";
    auto text = read_file(file);
    const auto at = text.find("# [[ldap.servers]]");
    BOOST_REQUIRE(at != std::string::npos);
    std::string more;
    for (const auto& line : lines) more += here(line) + "\n";
    folder().write("work/understudy.toml", text.insert(at, more + "\n"));
  }

  void console(const std::vector<std::string>& lines) {
    for (std::size_t i = 0; i < lines.size();) {
      BOOST_REQUIRE_MESSAGE(lines[i].starts_with("$ "), "no command: " << lines[i]);
      const auto command = here(lines[i].substr(2));
      std::vector<std::string> wanted;
      for (++i; i < lines.size() && !lines[i].starts_with("$ "); ++i) wanted.push_back(here(lines[i]));
      ++commands_;
      run(command, wanted);
    }
  }

  void run(std::string command, const std::vector<std::string>& wanted) {
    const auto found_in = "PATH='" + (folder() / "programs").string() + "':\"$PATH\"\n";
    const bool stays = command.ends_with(" &");
    if (stays)
      command = "exec " + command.substr(0, command.size() - 2) + " 2>&1";
    else
      command = "{ " + command + "; } 2>&1";
    auto process = std::make_unique<child_process>(
        child_process::options{{"bash", "-c", found_in + command}, {}, {}, folder() / "work"});
    const auto said = [&] { return process->output(); };
    if (!stays) BOOST_TEST(process->wait(std::chrono::seconds{60}).value_or(-1) == 0, command << ": " << said());
    if (stays)
      BOOST_TEST(eventually([&] { return has_lines(said(), wanted); }), command << ": " << said());
    else
      BOOST_TEST(has_lines(said(), wanted), command << ": " << said());
    if (stays) background_.push_back(std::move(process));
  }

  slapd first_, second_;
  reserved_port front_door_, http_;
  bool append_ = false;
  int commands_ = 0;
  std::vector<std::unique_ptr<child_process>> background_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_tutorial_does_what_it_says) {
  const std::filesystem::path source = UNDERSTUDY_SOURCE_DIR;
  const auto text = read_file(source / "docs/tutorial.md");
  BOOST_TEST(contains(text, "```cpp\n" + read_file(source / "tools/examples/1_embedding.cpp") + "```\n"));
  tutorial played;
  played.play(text);
  BOOST_TEST(played.commands() == 13);
}

BOOST_AUTO_TEST_CASE(the_tutorials_test_sees_what_is_not_there) {
  BOOST_TEST(has_lines("a\nb c d\ne\n", {"a", "b … d"}));
  BOOST_TEST(has_lines("a (1)\n", {"a (1)"}));
  BOOST_TEST(!has_lines("a\nb\n", {"b", "a"}));
  BOOST_TEST(!has_lines("a (12)\n", {"a (1)"}));
  BOOST_TEST(!has_lines("a\n", {"a", "…"}));
}
