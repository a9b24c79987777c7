// JSON text and values to a tree.
#include "understudy/config/json_tree.hpp"
#include "understudy/config/text.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

namespace understudy::internal::config {

namespace {

using nlohmann::json;

/// Builds a tree while nlohmann's parser reads, so that keys keep their order, doubled keys are seen and depth is
/// bounded.
class tree_builder final : public json::json_sax_t {
 public:
  tree_builder(std::string_view text, const std::string& name, problem_list& problems)
      : text_(text), name_(name), problems_(problems) {}

  tree take_root() { return std::move(root_); }

  bool null() override { return put({}); }
  bool boolean(bool value) override {
    tree leaf;
    leaf.what = tree::kind::boolean;
    leaf.boolean = value;
    return put(std::move(leaf));
  }
  bool number_integer(number_integer_t value) override {
    tree leaf;
    leaf.what = tree::kind::integer;
    leaf.integer = value;
    return put(std::move(leaf));
  }
  bool number_unsigned(number_unsigned_t value) override {
    constexpr auto most = static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max());
    return number_integer(static_cast<std::int64_t>(std::min(value, most)));
  }
  bool number_float(number_float_t value, const string_t& written) override {
    tree leaf;
    // An integer that fits into no 64 bits comes as a float.
    const bool integer = !written.empty() && written.find_first_of(".eE") == string_t::npos;
    leaf.what = integer ? tree::kind::huge : tree::kind::real;
    leaf.real = value;
    if (integer) leaf.text = written;
    return put(std::move(leaf));
  }
  bool string(string_t& value) override {
    tree leaf;
    leaf.what = tree::kind::text;
    leaf.text = std::move(value);
    return put(std::move(leaf));
  }
  bool binary(binary_t&) override { return put({}); }
  bool start_object(std::size_t) override { return open(tree::kind::table); }
  bool start_array(std::size_t) override { return open(tree::kind::list); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& value) override {
    key_ = value;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    problems_.add(place_at(position), "", "JSON syntax: " + reason_of(error.what()));
    return false;
  }

 private:
  bool put(tree leaf) {
    tree* parent = open_.empty() ? nullptr : open_.back();
    leaf.at.order = ++count_;
    if (!parent) {
      leaf.at.where = name_;
      root_ = std::move(leaf);
      return true;
    }
    const bool named = parent->what == tree::kind::table;
    leaf.at.where = pointer_to(pointer_of(*parent), named ? key_ : std::to_string(parent->children.size()));
    if (named) leaf.key = key_;
    if (named && !keys_.back().insert(key_).second) problems_.add(leaf.at, path_of_key(), "is given twice");
    parent->children.push_back(std::move(leaf));
    return true;
  }

  /// "ldap.servers[1].host": the key that was read last, for people.
  std::string path_of_key() const {
    std::string path;
    for (std::size_t i = 1; i < open_.size(); ++i) {
      const bool listed = open_[i - 1]->what == tree::kind::list;
      const auto index = std::to_string(open_[i - 1]->children.size() - 1);
      path += listed ? '[' + index + ']' : (path.empty() ? "" : ".") + shown_key(open_[i]->key);
    }
    return path + (path.empty() ? "" : ".") + shown_key(key_);
  }

  std::string pointer_of(const tree& parent) const {
    return &parent == &root_ && !name_.empty() ? name_ + ':' : parent.at.where;
  }

  bool open(tree::kind kind) {
    if (open_.size() >= max_depth) {
      problems_.add({open_.back()->at.where, ++count_}, "", "nested too deeply");
      return false;
    }
    tree branch;
    branch.what = kind;
    put(std::move(branch));
    open_.push_back(open_.empty() ? &root_ : &open_.back()->children.back());
    keys_.emplace_back();
    return true;
  }

  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }

  place place_at(std::size_t position) const {
    const auto before = text_.substr(0, position == 0 ? 0 : std::min(position - 1, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto start = before.rfind('\n');
    const auto column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
    const std::string spot = std::to_string(line) + ':' + std::to_string(column);
    return {name_.empty() ? spot : name_ + ':' + spot, count_ + 1};
  }

  /// nlohmann's sentence without its prefix and without the token it quotes, which could be a secret.
  static std::string reason_of(std::string_view sentence) {
    const auto last_read = sentence.find("; last read");
    sentence = sentence.substr(0, last_read);
    const auto column = sentence.find("column ");
    const auto start = sentence.find(": ", column == std::string_view::npos ? 0 : column);
    return well_formed(start == std::string_view::npos ? sentence : sentence.substr(start + 2));
  }

  std::string_view text_;
  const std::string& name_;
  problem_list& problems_;
  tree root_;
  std::vector<tree*> open_;  // stable: only the last child of a branch is ever open, so nothing is added beside it
  std::vector<std::set<std::string>> keys_;
  std::string key_;
  std::uint64_t count_ = 0;
};

/// Tells `builder` what a parser would tell it of `value`; false when it wants no more.
bool feed(const json& value, tree_builder& builder) {
  switch (value.type()) {
    case json::value_t::boolean:
      return builder.boolean(value.get<bool>());
    case json::value_t::number_integer:
      return builder.number_integer(value.get<std::int64_t>());
    case json::value_t::number_unsigned:
      return builder.number_unsigned(value.get<std::uint64_t>());
    case json::value_t::number_float:
      return builder.number_float(value.get<double>(), {});
    case json::value_t::string: {
      std::string copy = value.get_ref<const std::string&>();
      return builder.string(copy);
    }
    case json::value_t::array:
      return builder.start_array(value.size()) &&
             std::all_of(value.begin(), value.end(), [&](const json& each) { return feed(each, builder); }) &&
             builder.end_array();
    case json::value_t::object:
      if (!builder.start_object(value.size())) return false;
      for (const auto& [key, each] : value.items()) {
        std::string name = key;
        if (!builder.key(name) || !feed(each, builder)) return false;
      }
      return builder.end_object();
    default:
      return builder.null();
  }
}

}  // namespace

tree parse_json(std::string_view text, const std::string& name, problem_list& problems) {
  if (text.size() > max_config_bytes) {
    problems.add({name, 0}, "", "is longer than 1 MiB, which no configuration is");
    return {};
  }
  tree_builder builder{text, name, problems};
  return json::sax_parse(text, &builder) ? builder.take_root() : tree{};
}

tree tree_of(const json& data, problem_list& problems) {
  const std::string no_name;
  tree_builder builder{{}, no_name, problems};
  return feed(data, builder) ? builder.take_root() : tree{};
}

}  // namespace understudy::internal::config
