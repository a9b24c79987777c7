// The list of workloads of LDAP clients.
#include "front_door_plan.hpp"

namespace understudy::benchmark {
namespace {

using words = std::vector<std::string>;

/// A directory, and what may stand between it and its clients.
struct way {
  std::string name, server;
};

class list {
 public:
  list(bool small, bool other) : small_(small), other_(other) {}

  void group(std::string name) { group_ = std::move(name); }
  bool small() const noexcept { return small_; }

  /// That workload on each way to `directory`; what takes another way is compared with the direct one.
  void on_every_way(const std::string& workload, const std::string& direct, const std::string& directory,
                    const words& arguments, int rounds = 0, const std::string& client = "stock") {
    auto& plain = add(workload + ", direct", direct, arguments);
    plain.rounds = rounds;
    plain.client = client;
    for (const auto& between : ways(directory)) {
      auto& made = add(workload + ", " + between.name, between.server, arguments);
      made.beside = workload + ", direct";
      made.rounds = rounds;
      made.client = client;
    }
  }
  /// Through the front door alone. `beside`: the one that it is compared with; empty: none.
  const std::string& through_door(const std::string& workload, const std::string& directory, const words& arguments,
                                  const std::string& beside = {}) {
    auto& made = add(workload + ", front door", directory + " behind door", arguments);
    made.beside = beside;
    return made.name;
  }
  /// The same without the direct way; once.
  void between(const std::string& workload, const std::string& directory, const words& arguments, bool back_ldap) {
    for (const auto& through : ways(directory)) {
      if (!back_ldap && through.server == directory + " behind back-ldap") continue;
      add(workload + ", " + through.name, through.server, arguments).rounds = 1;
    }
  }
  std::vector<series> take() { return std::move(all_); }

 private:
  std::vector<way> ways(const std::string& directory) const {
    std::vector<way> all{{"front door", directory + " behind door"},
                         {"slapd's back-ldap", directory + " behind back-ldap"}};
    if (other_) all.push_back({"the other proxy", directory + " behind other"});
    return all;
  }
  series& add(const std::string& name, const std::string& server, const words& arguments) {
    series made;
    made.group = group_;
    made.name = name;
    made.client = "stock";
    made.server = server;
    made.arguments = arguments;
    return all_.emplace_back(std::move(made));
  }

  bool small_, other_;
  std::string group_;
  std::vector<series> all_;
};

std::string with(const std::string& key, int value) { return key + "=" + std::to_string(value); }

void searches(list& l) {
  l.group("Bound clients that search (null responders)");
  for (const auto& [clients, window] : std::vector<std::pair<int, int>>{{1, 1}, {8, 1}, {64, 1}, {8, 8}})
    l.on_every_way(std::to_string(clients) + " clients, " + std::to_string(clients * window) + " in flight", "null",
                   "null pair", {"epoll", with("connections", clients), with("window", window)});
  l.group("The same by a client that takes little itself: Understudy's");
  l.on_every_way("8 connections, 64 in flight", "null", "null pair", {"actor", "connections=8", "window=64"}, 0,
                 "ours");
  l.group("Bound clients that search (slapd)");
  l.on_every_way("slapd, 8 clients, 64 in flight", "slapd", "slapd", {"epoll", "connections=8", "window=8"});
}

void sessions(list& l) {
  l.group("Connect, bind, search, close");
  for (const int clients : {1, 8, 64}) {
    if (l.small() && clients > 8) break;
    l.on_every_way(std::to_string(clients) + " clients that come and go", "null", "null pair",
                   {"sessions", with("threads", clients)});
  }
  l.on_every_way("slapd, 8 clients that come and go", "slapd", "slapd", {"sessions", "threads=8"});
}

void logins(list& l) {
  l.group("Logins: a search, and a bind as what was found");
  l.on_every_way("slapd, 8 clients that log users in", "slapd", "slapd", {"logins", "threads=8"});
}

void large(list& l) {
  l.group("Results of 10 000 entries");
  l.on_every_way("10 000 entries", "null large", "null large", {"sync", "threads=1", "filter=(objectClass=*)"});
  l.on_every_way("slapd, 10 000 entries", "slapd", "slapd",
                 {"sync", "threads=1", "filter=(objectClass=inetOrgPerson)"});
}

/// The proxy's memory is what is looked at, and whether the client has to wait for it.
void relayed(list& l) {
  if (l.small()) return;
  l.group("Results of 1 000 000 entries, dropped as they come");
  l.on_every_way("1 000 000 entries", "null million", "null million", {"streaming", "seconds=10", "least=1000000"}, 1);
}

/// What a client costs others that asks for 20 MB of entries, takes a kilobyte a second, and then nothing.
void beside_slow(list& l) {
  if (l.small()) return;
  l.group("Beside a client that reads slowly and stops");
  const words usual{"epoll", "connections=8", "window=1", "seconds=4", "warmup=1"};
  auto slow = usual;
  slow.push_back("slow=1");
  auto more = usual;
  more.push_back("slow=8");
  const std::string alone = l.through_door("8 clients alone, 8 in flight", "null many", usual);
  l.through_door("8 clients beside one that stops, 8 in flight", "null many", slow, alone);
  l.through_door("8 clients beside eight that stop, 8 in flight", "null many", more, alone);
}

void idle(list& l) {
  l.group("Idle clients");
  // back-ldap has a connection of its own for each of them, and no descriptors for ten thousand.
  for (const int count : {1000, 10000}) {
    if (l.small() && count > 1000) break;
    l.between(std::to_string(count) + " idle clients", "null pair",
              {"storm", with("connections", l.small() ? 50 : count), l.small() ? "idle=0.2" : "idle=5"}, count == 1000);
  }
}

}  // namespace

std::vector<series> front_door_plan(bool small, bool other) {
  list l{small, other};
  searches(l);
  sessions(l);
  logins(l);
  large(l);
  relayed(l);
  beside_slow(l);
  idle(l);
  return l.take();
}

}  // namespace understudy::benchmark
