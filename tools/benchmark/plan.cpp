// The list of workloads.
#include "plan.hpp"

namespace understudy::benchmark {
namespace {

using words = std::vector<std::string>;

std::string with(const std::string& key, int value) { return key + "=" + std::to_string(value); }

class list {
 public:
  explicit list(bool small) : small_(small) {}

  series& stock(const std::string& name, const std::string& server, words arguments) {
    return add("stock libldap " + name, "stock", server, std::move(arguments));
  }
  series& ours(const std::string& name, const std::string& server, words arguments) {
    return add("understudy " + name, "ours", server, std::move(arguments));
  }
  series& plain(const std::string& name, words arguments) {
    return add("plain BASP " + name, "ours", "echo", std::move(arguments));
  }
  series& beside(const std::string& name, series& measured, std::optional<double> factor = {},
                 std::optional<double> cost = {}) {
    measured.beside = "stock libldap " + name;
    measured.factor = factor;
    measured.cost = cost;
    return measured;
  }

  void group(std::string name) { group_ = std::move(name); }
  bool small() const noexcept { return small_; }
  std::vector<series> take() { return std::move(all_); }

 private:
  series& add(std::string name, std::string client, std::string server, words arguments) {
    series one;
    one.group = group_;
    one.name = std::move(name);
    one.client = std::move(client);
    one.server = std::move(server);
    one.arguments = std::move(arguments);
    return all_.emplace_back(std::move(one));
  }

  bool small_;
  std::string group_;
  std::vector<series> all_;
};

void windows(list& l) {
  l.group("One connection, searches in flight");
  const std::vector<std::pair<int, double>> targets{{1, 1}, {8, 1.2}, {64, 3}, {512, 3}};
  for (const auto& [window, factor] : targets) {
    const auto name = "async, " + std::to_string(window) + " in flight";
    l.stock(name, "null", {"async", with("window", window)});
    auto& one = l.ours("actor, " + std::to_string(window) + " in flight", "null", {"actor", with("window", window)});
    l.beside(name, one, factor, window == 64 ? std::optional{0.33} : std::nullopt);
  }
  l.beside("async, 64 in flight",
           l.ours("actor on CAF's scheduler, 64 in flight", "null", {"actor", "window=64", "on_poller=0"}));
  l.beside("async, 64 in flight",
           l.ours("actor, relayed as bytes, 64 in flight", "null", {"actor", "window=64", "relayed=1"}), 4);
  l.stock("epoll, 8 connections of 16", "null", {"epoll", "connections=8", "window=16"});
  l.beside("async, 64 in flight", l.ours("futures, 64 in flight", "null", {"futures", "window=64"}), 2);
  l.beside("async, 64 in flight", l.ours("callbacks, 64 in flight", "null", {"callbacks", "window=64"}));
}

void threads(list& l) {
  l.group("Blocking calls, threads");
  const std::vector<std::pair<int, double>> targets{{1, 1}, {8, 1.1}, {64, 1.5}};
  for (const auto& [count, factor] : targets) {
    const auto name = "sync, " + std::to_string(count) + " threads";
    l.stock(name, "null", {"sync", with("threads", count)});
    l.beside(name, l.ours("facade, " + std::to_string(count) + " threads", "null", {"facade", with("threads", count)}),
             factor, 1);
  }
  l.stock("sync, 64 threads sharing 8 connections", "null", {"sync", "threads=64", "connections=8"});
  l.beside("sync, 1 threads", l.ours("lease, 1 thread", "null", {"lease", "connections=2"}));
  l.ours("lease taken and given back", "null", {"acquire", "connections=2"});
}

void tls(list& l) {
  l.group("Through TLS");
  l.stock("tls async, 64 in flight", "null tls", {"async", "window=64"});
  l.beside("tls async, 64 in flight", l.ours("tls actor, 64 in flight", "null tls", {"actor", "window=64"}), 2.5);
  l.stock("tls sync, 8 threads", "null tls", {"sync", "threads=8"});
  l.beside("tls sync, 8 threads", l.ours("tls facade, 8 threads", "null tls", {"facade", "threads=8"}));
}

void real_server(list& l) {
  l.group("Against slapd with 10 000 entries");
  l.stock("slapd async, 64 in flight", "slapd", {"async", "window=64"});
  l.beside("slapd async, 64 in flight", l.ours("slapd actor, 64 in flight", "slapd", {"actor", "window=64"}), 0.98);
  l.stock("slapd sync, 8 threads", "slapd", {"sync", "threads=8"});
  l.beside("slapd sync, 8 threads",
           l.ours("slapd facade, 8 threads", "slapd", {"facade", "threads=8", "connections=8"}));
  l.stock("slapd logins, 8 threads", "slapd", {"logins", "threads=8"});
  l.beside("slapd logins, 8 threads",
           l.ours("slapd logins, 8 threads", "slapd", {"logins", "threads=8", "connections=8", "bind_connections=8"}));
}

void large(list& l) {
  l.group("Results of 10 000 entries");
  for (const std::string server : {"null large", "slapd"}) {
    const auto filter = server == "slapd" ? "filter=(objectClass=inetOrgPerson)" : "filter=(objectClass=*)";
    const auto name = server + ", 10 000 entries";
    l.stock(name, server, {"sync", "threads=1", filter});
    l.beside(name, l.ours(name, server, {"facade", "threads=1", filter}));
  }
}

void storms(list& l) {
  l.group("Connecting (each with a bind)");
  const auto count = with("connections", l.small() ? 20 : 1000);
  for (const std::string server : {"null", "null tls"}) {
    const auto name = std::string(server == "null" ? "" : "tls ") + "storm of 1 000 connections";
    l.stock(name, server, {"storm", count});
    l.beside(name, l.ours(name, server, {"storm", count}));
  }
}

void scale(list& l) {
  l.group("Scale");
  for (const int connections : {1, 10, 100, 1000, 10000}) {
    if (l.small() && connections > 10) break;
    l.ours("actor, 64 in flight over " + std::to_string(connections) + " connections", "null",
           {"actor", "window=64", with("connections", connections)})
        .rounds = 3;
  }
  for (const int servers : {1, 2, 4, 8}) {
    if (l.small() && servers > 2) break;
    l.ours("actor, 64 in flight over " + std::to_string(servers) + " servers", "null " + std::to_string(servers),
           {"actor", "window=64"})
        .rounds = 3;
  }
  for (const int connections : {100, 10000}) {
    if (l.small() && connections > 100) break;
    l.ours("idle, " + std::to_string(connections) + " connections", "null",
           {"storm", with("connections", connections), l.small() ? "idle=0.2" : "idle=5"})
        .rounds = 1;
  }
  l.ours("idle, 1000 tls connections", "null tls",
         {"storm", with("connections", l.small() ? 10 : 1000), l.small() ? "idle=0.2" : "idle=5"})
      .rounds = 1;
}

/// The same searches from another process, through a node; and the same bytes there and back by CAF's network layer
/// alone, which has no TLS, no guard and no directory behind it.
void nodes(list& l) {
  l.group("Through a node");
  for (const int window : {1, 64}) {
    const auto name = std::to_string(window) + " in flight";
    l.plain("echo, " + name, {"echo", with("window", window)});
    l.ours("actor without a node, " + name, "null", {"actor", with("window", window)});
    for (const std::string server : {"node", "node plain"}) {
      auto& one = l.ours((server == "node" ? "through a node, " : "through a node in plain text, ") + name, server,
                         {"actor", with("window", window)});
      one.beside = "plain BASP echo, " + name;
    }
  }
}

void faults(list& l) {
  l.group("A server dies under load");
  for (const std::string fault : {"kill", "pause"}) {
    auto& one = l.ours("actor, 64 in flight, primary: " + fault, "null pair",
                       {"actor", "window=64", "equal=0", "connections=2"});
    one.fault = fault;
    one.rounds = 1;
  }
}

}  // namespace

std::vector<series> plan(bool small) {
  list l{small};
  windows(l);
  threads(l);
  tls(l);
  real_server(l);
  large(l);
  storms(l);
  scale(l);
  nodes(l);
  faults(l);
  return l.take();
}

}  // namespace understudy::benchmark
