// The faults of a soak: dead, mute, slow, cut off, full, and hardly reachable servers.
#include "soak/soak_servers.hpp"

#include <algorithm>
#include <cstdio>

namespace understudy::soak {

using namespace std::chrono_literals;
using test::gate_faults;
using test::newcomers;

namespace {

/// Faults of the network are the gate's; they end when it is healed.
std::function<void()> at_gate(soak_server& s, const gate_faults& faults) {
  s.gate.set(faults);
  return [&s] { s.gate.heal(); };
}

constexpr auto refills_within = 500ms;
constexpr std::size_t connections_taken = 3;

gate_faults arriving(newcomers how) {
  gate_faults f;
  f.arriving = how;
  return f;
}

}  // namespace

/// A fault: begins at once, returns what ends it.
struct fault_plan::kind {
  const char* name;
  std::function<std::function<void()>(soak_server&)> begin;
};

const std::vector<fault_plan::kind>& fault_plan::kinds() {
  static const std::vector<kind> all{
      {"killed",
       [](soak_server& s) {
         s.directory.kill9();
         return [&s] { s.directory.start(); };
       }},
      {"stopped politely",
       [](soak_server& s) {
         s.directory.stop();
         return [&s] { s.directory.start(); };
       }},
      {"paused",
       [](soak_server& s) {
         s.directory.pause();
         return [&s] { s.directory.resume(); };
       }},
      {"all connections cut",
       [](soak_server& s) {
         s.gate.cut();
         return [] {};
       }},
      {"all connections reset",
       [](soak_server& s) {
         s.gate.reset();
         return [] {};
       }},
      {"answers held back",
       [](soak_server& s) {
         gate_faults f;
         f.hold = true;
         return at_gate(s, f);
       }},
      {"slow network",
       [](soak_server& s) {
         gate_faults f;
         f.delay = 80ms;
         return at_gate(s, f);
       }},
      {"bytes in slices of seven",
       [](soak_server& s) {
         gate_faults f;
         f.slice = 7;
         return at_gate(s, f);
       }},
      {"gone dark",
       [](soak_server& s) {
         gate_faults f;
         f.drop = true;
         f.arriving = newcomers::ignore;
         auto heal = at_gate(s, f);
         // What went dark stays dark; the network's repair ends those links for good.
         return std::function<void()>{[&s, heal] {
           heal();
           s.gate.reset();
         }};
       }},
      {"connects refused, links cut",
       [](soak_server& s) {
         auto heal = at_gate(s, arriving(newcomers::refuse));
         s.gate.cut();
         return heal;
       }},
      {"accepts and closes",
       [](soak_server& s) {
         auto heal = at_gate(s, arriving(newcomers::close));
         s.gate.cut();
         return heal;
       }},
      {"takes three connections",
       [](soak_server& s) {
         gate_faults f;
         f.most_links = connections_taken;
         auto heal = at_gate(s, f);
         s.gate.cut();
         return heal;
       }},
      {"hung while its pool fills",
       [](soak_server& s) {
         s.gate.cut();
         test::eventually([&s] { return s.gate.open() > 0; }, refills_within);
         s.directory.pause();
         return [&s] { s.directory.resume(); };
       }},
      {"connects mute, links reset",
       [](soak_server& s) {
         auto heal = at_gate(s, arriving(newcomers::mute));
         s.gate.reset();
         // Those who were let in meanwhile would stay mute.
         return std::function<void()>{[&s, heal] {
           heal();
           s.gate.reset();
         }};
       }},
  };
  return all;
}

void fault_plan::advance(clock::time_point now, const spare& allowed) {
  for (auto& one : servers)
    if (!one.fault.empty() && now >= one.well_again) end_fault(one);
  if (now < next_) return;
  next_ = now + between(1500, 5000);
  start_fault(now, allowed);
}

void fault_plan::start_fault(clock::time_point now, const spare& allowed) {
  std::vector<soak_server*> well;
  for (auto& one : servers)
    if (one.fault.empty() && allowed(one)) well.push_back(&one);
  if (well.empty()) return;
  auto& victim = *well[static_cast<std::size_t>(below(static_cast<int>(well.size())))];
  const auto& what = kinds()[static_cast<std::size_t>(below(static_cast<int>(kinds().size())))];
  victim.fault = what.name;
  victim.well_again = now + between(500, 6000);
  ++played_[what.name];
  std::printf("  127.0.0.1:%d %s\n", int{victim.gate.port()}, what.name);
  victim.restore = what.begin(victim);
}

void fault_plan::end_fault(soak_server& server) {
  server.fault.clear();
  std::exchange(server.restore, {})();
}

void fault_plan::heal_all() {
  for (auto& one : servers)
    if (!one.fault.empty()) end_fault(one);
}

}  // namespace understudy::soak
