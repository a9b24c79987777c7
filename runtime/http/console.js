// The console: asks for the state once a second, listens for events, and draws both.
"use strict";

const byId = (id) => document.getElementById(id);
const minute = 60, five = 300;
let samples = [];      // what was counted, once a second, of the last five minutes
let points = [];       // {rate, p99} of each second
let events = [];       // the latest first
let latestEvent = "";  // its id: "RUN-NUMBER"; each run of the node numbers anew
let last = null;       // the last state
let token = "";        // of this page alone: it is nowhere kept
const levels = new Map();  // by priority: what is shown of each
const cards = new Map();   // by the server's name

// ---- small helpers ----

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
function put(target, text) {
  const node = typeof target === "string" ? byId(target) : target;
  if (node.textContent !== text) node.textContent = text;
}
function putIfAny(target, text) {
  const node = typeof target === "string" ? byId(target) : target;
  node.hidden = !text;
  put(node, text || "");
}
// Replaces the content when its description has changed: what has the focus stays otherwise.
function redraw(target, key, make) {
  if (target.dataset.drawn === key) return;
  target.dataset.drawn = key;
  target.replaceChildren(...make());
}
const number = new Intl.NumberFormat("en");
function count(n) { return number.format(Math.round(n)); }
function milliseconds(ms) {
  if (ms === null || !isFinite(ms)) return "–";
  if (ms < 1) return (ms * 1000).toFixed(0) + " µs";
  if (ms < 100) return ms.toFixed(1) + " ms";
  if (ms < 1000) return ms.toFixed(0) + " ms";
  if (ms < 120000) return (ms / 1000).toFixed(1) + " s";
  return (ms / 60000).toFixed(0) + " min";
}
function plural(n, one, many) { return count(n) + " " + (n === 1 ? one : many); }
function nameOf(server) {
  if (server.port === 0) return server.host;
  return (server.host.includes(":") ? "[" + server.host + "]" : server.host) + ":" + server.port;
}
function share(window) {
  return window.total === 0 ? null : 100 * (1 - window.failed_by_directory / window.total);
}
function percent(p) {
  if (p === null) return "–";
  return (p === 100 ? "100" : p.toFixed(p > 99 ? 2 : 1)) + " %";
}

// ---- what was counted lately ----

// What the node counted before this page was opened, as far back as it runs: each step as its seconds.
function recall(state) {
  const {step_ms, age_ms, steps} = state.operations.history;
  const each = Math.round(step_ms / 1000);
  const known = Math.ceil((Date.parse(state.now) - Date.parse(state.started_at) - age_ms) / step_ms);
  if (known <= 0) return [];
  return steps.slice(-known).flatMap((step) => Array(each).fill({rate: step.total / each, p99: step.p99_ms}));
}
function remember(state) {
  const steps = state.operations.latency_ms.steps.map((step) => step.count);
  const now = {at: performance.now() / 1000, total: state.operations.total, steps: steps,
               bounds: state.operations.latency_ms.steps.map((step) => step.at_most_ms),
               completed: new Map(state.servers.map((server) => [nameOf(server), server.pool.completed]))};
  const before = samples[samples.length - 1];
  if (before && now.total < before.total) samples = [];  // it was restarted
  if (samples.length === 0) points = recall(state);
  samples.push(now);
  while (samples.length > 2 && now.at - samples[0].at > five) samples.shift();
  if (samples.length < 2) return;
  const previous = samples[samples.length - 2];
  points.push({rate: (now.total - previous.total) / Math.max(0.001, now.at - previous.at), p99: within(previous, now, 0.99)});
  while (points.length > five) points.shift();
}
// The oldest sample of that time; the one before the latest, where they are further apart.
function sampleAgo(seconds) {
  const now = samples[samples.length - 1];
  const found = samples.find((sample) => now.at - sample.at <= seconds);
  return found === now && samples.length > 1 ? samples[samples.length - 2] : found;
}
// Requests a second that a server has done with in the last seconds; null: not known yet.
const lately = 3;
function rateOf(server) {
  const name = nameOf(server), now = samples[samples.length - 1], before = sampleAgo(lately);
  const from = before.completed.get(name);
  if (before === now || from === undefined || server.pool.completed < from) return null;  // it, or its pool, is new
  return (server.pool.completed - from) / (now.at - before.at);
}
function rateText(rate) { return rate === null ? "–" : rate === 0 ? "0" : rate < 10 ? rate.toFixed(1) : count(rate); }
// The time that this share of the requests between the two did not exceed.
function within(from, to, part) {
  const total = to.total - from.total;
  if (total <= 0 || to.steps.length === 0 || from.steps.length === 0) return null;
  const wanted = part * total;
  let lower = 0, passed = 0;
  for (let i = 0; i < to.steps.length; ++i) {
    const here = to.steps[i] - from.steps[i];
    if (here >= wanted) {
      const span = here - passed;
      return span === 0 ? to.bounds[i] : lower + (to.bounds[i] - lower) * (wanted - passed) / span;
    }
    lower = to.bounds[i];
    passed = here;
  }
  return to.bounds[to.bounds.length - 1];
}

// ---- drawing ----

const kinds = {healthy: "good", degraded: "warn", suspect: "warn", down: "bad", suspended: "calm"};
// What counts as evidence is judged in one place, and not here.
const usable = (server) => server.usable;

function whyRequestsFail(state, suspended) {
  return suspended === state.servers.length ? "Requests fail until one is resumed" : "Requests fail until one answers";
}
function nextTry(state) {
  const again = state.servers.map((server) => server.retry_after_ms).filter((left) => left !== null);
  return again.length ? "Next try in " + milliseconds(Math.min(...again)) : "";
}

function drawHeadline(state) {
  const serving = state.servers.filter((server) => server.serving).map(nameOf);
  const good = state.servers.filter(usable).length;
  const best = Math.min(...state.servers.map((server) => server.priority));
  const suspended = state.servers.filter((server) => server.breaker === "suspended").length;
  let health = "good", pill = "Ready", line = "Requests go to " + serving.join(", ");
  if (state.draining) { health = "warn"; pill = "Draining"; line = "Nothing new is taken; what runs is finished"; }
  else if (serving.length === 0) { health = "bad"; pill = "Not ready"; line = "No server can be used"; }
  else if (state.active_priority !== null && state.active_priority > best) { health = "warn"; pill = "Stand-in"; }
  else if (good < state.servers.length || state.credentials_refused) { health = "warn"; pill = "Ready"; }
  document.body.dataset.health = health;
  put("pill", pill);
  put("headline", line);
  const parts = [serving.length || state.draining ? good + " of " + plural(state.servers.length, "server", "servers") + " can be used"
                                                  : whyRequestsFail(state, suspended)];
  if (suspended) parts.push(suspended + " suspended by hand");
  if (state.credentials_refused) parts.push("the directory refuses the service's own password");
  const stand_in = health === "warn" && pill === "Stand-in";
  if (stand_in) parts.push("the preferred level (priority " + best + ") is out");
  put("subline", parts.join(" · "));
  putIfAny("next-try", serving.length || state.draining ? "" : nextTry(state));
  document.title = pill + " – Understudy" + (state.node ? " " + state.node : "");
}

function drawGauges(state) {
  const now = samples[samples.length - 1], short = sampleAgo(10), long = sampleAgo(minute);
  const rate = now === short ? null : (now.total - short.total) / (now.at - short.at);
  put("g-rate", rateText(rate));
  put("g-success", percent(share(state.operations.last_minute)));
  put("g-success5", "in 5 min " + percent(share(state.operations.last_five_minutes)));
  put("g-p50", milliseconds(within(long, now, 0.5)));
  put("g-p99", "p99 " + milliseconds(within(long, now, 0.99)));
  put("g-flight", count(state.requests_in_flight));
  const sum = (key) => state.servers.reduce((all, server) => all + server.pool[key], 0);
  put("g-conns", "on " + plural(sum("size"), "connection", "connections"));
  const waiting = sum("waiters");
  put("g-waiting", count(waiting));
  const longest = Math.max(0, ...state.servers.map((server) => server.pool.longest_wait_ms));
  put("g-longest", waiting === 0 ? "nobody" : "longest " + milliseconds(longest));
  byId("w-waiting").classList.toggle("warn", waiting > 0 && longest > 500);
}

function flowArrow() {
  const flow = element("span", "flow");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 46 12");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
  for (const [key, value] of Object.entries({x1: 0, y1: 6, x2: 38, y2: 6})) line.setAttribute(key, value);
  const head = document.createElementNS("http://www.w3.org/2000/svg", "path");
  head.setAttribute("d", "M36 1 L46 6 L36 11 Z");
  const rate = element("span");
  svg.append(line, head);
  flow.append(svg, rate);
  return {box: flow, update(perSecond, part) {
    line.style.strokeWidth = 1.5 + 3 * part;  // the more of all traffic goes there, the thicker
    put(rate, rateText(perSecond) + "/s");
  }};
}

// Numbers, and what each is of. In two short lines: one that is broken at times moves what is below it.
function factsLines() {
  const box = element("div", "facts"), speed = element("p"), load = element("p");
  const rate = element("b", "rate"), latency = element("b"), flight = element("b"), waiters = element("b"), waiting = element("span");
  speed.append(rate, " a second · ", latency, " latency");
  load.append(flight, " in flight · ", waiters, " ", waiting);
  box.append(speed, load);
  return {box: box, update(server) {
    put(rate, rateText(rateOf(server)));
    put(latency, server.latency_ms > 0 ? milliseconds(server.latency_ms) : "–");
    put(flight, count(server.pool.in_flight));
    put(waiters, count(server.pool.waiters));
    put(waiting, server.pool.waiters ? "waiting, the longest " + milliseconds(server.pool.longest_wait_ms) : "waiting");
  }};
}

function poolBar() {
  const bar = element("div", "pool");
  const used = element("i", "used"), idle = element("i", "idle"), connecting = element("i", "connecting");
  bar.append(used, idle, connecting);
  bar.setAttribute("role", "img");
  return {box: bar, update(pool) {
    const most = Math.max(pool.max_connections, pool.size, 1);
    for (const [part, value] of [[used, pool.in_use], [idle, pool.idle], [connecting, pool.connecting]]) part.style.width = (100 * value / most) + "%";
    bar.setAttribute("aria-label", pool.in_use + " in use, " + pool.idle + " idle, " + pool.connecting + " connecting, at most " + pool.max_connections);
  }};
}

// What is null of a server is not shown.
const detailRows = {
  "Role": (server) => server.role.replace("_", " "),
  "Breaker opened": (server) => plural(server.breaker_opened, "time", "times"),
  "Connections": ({pool}) => pool.size + " of " + pool.max_connections + " (" + pool.min_connections + " kept)",
  "Leased": ({pool}) => count(pool.leased) + " now, " + count(pool.acquired) + " in all",
  "Given to connections": ({pool}) => plural(pool.dispatched, "request", "requests"),
  "Opened, closed": ({pool}) => count(pool.opened) + ", " + count(pool.closed),
  "Failed connects": ({pool}) => count(pool.connect_failures),
  "Waits timed out": ({pool}) => count(pool.timeouts),
  "Refused, queue full": ({pool}) => count(pool.refused),
  "Held too long": ({pool}) => count(pool.leaks),
  "Shared sockets": ({budget}) => budget ? budget.in_use + " in use of " + (budget.owned - budget.lent + budget.borrowed) : null,
};
const stepNames = {resolve: "name", connect: "TCP", secure: "TLS", bind: "bind", operation: "search"};
// The last check, and above it the last one for which a connection was begun: on one that stands there is only the search.
function checkLines() {
  const box = element("div", "checks");
  const line = (check, title) => {
    const made = element("div", "check");
    made.append(element("p", check.ok ? "" : "bad", title + " at " + clock(check.at) + ": " + (check.ok ? "answered" : "failed") + ", " + milliseconds(check.milliseconds)));
    const list = element("ol");
    for (const step of check.steps) {
      const item = element("li", step.ok ? "" : "bad", (stepNames[step.step] || step.step) + " ");
      item.append(element("b", "", (step.ok ? "" : "failed after ") + milliseconds(step.milliseconds)));
      list.append(item);
    }
    if (check.steps.length) made.append(list);
    else made.append(element("p", "", "asked on open connections"));
    if (check.error) made.append(element("p", "problem", check.error));
    return made;
  };
  return {box: box, update({last_check, last_connect_check}) {
    box.hidden = !last_check;
    redraw(box, JSON.stringify([last_check, last_connect_check]), () => {
      if (!last_check) return [];
      const same = !last_connect_check || last_connect_check.at === last_check.at;
      return same ? [line(last_check, "Last check")] : [line(last_connect_check, "Last check with a new connection"), line(last_check, "Last check")];
    });
  }};
}
function details() {
  const box = element("details");
  const list = element("dl");
  const rows = Object.entries(detailRows).map(([key, valueOf]) => {
    const term = element("dt", "", key), value = element("dd");
    list.append(term, value);
    return {term, value, valueOf};
  });
  const checks = checkLines();
  box.append(element("summary", "", "Details"), checks.box, list);
  return {box: box, update(server) {
    checks.update(server);
    for (const {term, value, valueOf} of rows) {
      const text = valueOf(server);
      term.hidden = value.hidden = text === null;
      put(value, text === null ? "" : text);
    }
  }};
}

// The port stays whole when a long name is broken.
function title(server) {
  const made = element("h3");
  if (server.port === 0) return element("h3", "", server.host);
  made.append(nameOf(server).slice(0, -String(server.port).length - 1), document.createElement("wbr"), element("span", "", ":" + server.port));
  return made;
}

function breakerText(server) {
  return (server.breaker === "closed" ? "Breaker closed" : "Breaker " + server.breaker.replace("_", "-")) +
    (server.retry_after_ms !== null ? ", tried again in " + milliseconds(server.retry_after_ms) : "") +
    (server.serving ? " · serving" : usable(server) ? " · standing by" : "");
}
// The time by itself: it changes with each try, and the text beside it stays selected.
function errorLine() {
  const box = element("p"), time = element("span"), text = element("span");
  box.append(time, text);
  return {box: box, update(server) {
    const at = server.last_error ? server.last_error_at : server.pool.last_error_at;
    const error = server.last_error || server.pool.last_error;
    box.className = usable(server) ? "facts" : "problem";
    box.hidden = !error;
    put(time, (usable(server) ? "Last error " : "") + (at ? clock(at) + ": " : ""));
    put(text, error || "");
  }};
}
// Made once for a server and changed in place: elements that are replaced under a pressed button swallow its click, and
// lose the focus and what is selected.
function makeCard(server) {
  const name = nameOf(server);
  const box = element("article", "server");
  const head = element("header"), pill = element("span", "pill");
  head.append(title(server), pill);
  const breaker = element("p", "facts"), bar = poolBar(), line = factsLines(), more = details();
  const caution = element("p", "caution"), error = errorLine();
  const row = element("div", "actions"), button = element("button");
  button.type = "button";
  let suspended = false;
  button.addEventListener("click", () => ask(suspended ? "resume" : "suspend", name));
  row.append(button);
  box.append(head, breaker, bar.box, line.box, caution, error.box, more.box, row);
  return {box: box, update(now, orders) {
    box.classList.toggle("serving", now.serving);
    box.classList.toggle("down", now.state === "down");
    pill.className = "pill " + (kinds[now.state] || "calm");
    put(pill, now.state);
    put(breaker, breakerText(now));
    bar.update(now.pool);
    line.update(now);
    putIfAny(caution, now.warning);
    error.update(now);
    more.update(now);
    suspended = now.breaker === "suspended";
    put(button, suspended ? "Resume" : "Suspend");
    button.setAttribute("aria-label", button.textContent + " " + name);
    row.hidden = !orders;
  }};
}

function sumOfRates(servers) { return servers.reduce((all, server) => all + (rateOf(server) || 0), 0); }

function makeLevel(priority) {
  const box = element("div", "level"), name = element("div", "level-name"), row = element("div", "cards");
  const arrow = flowArrow(), does = element("span");
  name.append(element("b", "", "Priority " + priority), arrow.box, does);
  box.append(name, row);
  // What has gone there lately, not what should: a level that serves may have nothing to do, and one that stands by a
  // request that tries it.
  return {box: box, row: row, update(servers, all) {
    const rate = sumOfRates(servers);
    arrow.box.hidden = !(rate > 0);
    if (rate > 0) arrow.update(rate, rate / sumOfRates(all));
    const serves = servers.some((server) => server.serving);
    const idle = servers.every((server) => rateOf(server) === 0);
    putIfAny(does, serves ? (rate > 0 ? "" : idle ? "serving, nothing asked" : "serving") : servers.some(usable) ? "standing by" : "out");
  }};
}

// What is in its place already is not touched.
function arrange(parent, children) {
  for (const child of [...parent.children])
    if (!children.includes(child)) child.remove();
  children.forEach((child, i) => { if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] || null); });
}
function keptOrMade(all, key, make) {
  if (!all.has(key)) all.set(key, make());
  return all.get(key);
}
function forgetOthers(all, keys) {
  for (const key of [...all.keys()])
    if (!keys.includes(key)) all.delete(key);
}

function drawServers(state) {
  const priorities = [...new Set(state.servers.map((server) => server.priority))].sort((a, b) => a - b);
  forgetOthers(levels, priorities);
  forgetOthers(cards, state.servers.map(nameOf));
  arrange(byId("levels"), priorities.map((priority) => {
    const of = state.servers.filter((server) => server.priority === priority);
    const level = keptOrMade(levels, priority, () => makeLevel(priority));
    level.update(of, state.servers);
    arrange(level.row, of.map((server) => {
      const card = keptOrMade(cards, nameOf(server), () => makeCard(server));
      card.update(server, state.orders);
      return card.box;
    }));
    return level.box;
  }));
}

function leaf(kind, title, more) {
  const item = element("li");
  const dot = element("span", "dot " + kind);
  dot.setAttribute("aria-hidden", "true");
  item.append(dot, title, " ", element("small", "", more || ""));
  return item;
}
function beads(pool) {
  const row = element("div", "beads");
  row.setAttribute("aria-hidden", "true");
  const most = 60;
  const all = [...Array(pool.in_use).fill("used"), ...Array(pool.idle).fill("idle"), ...Array(pool.connecting).fill("connecting")];
  for (const kind of all.slice(0, most)) row.append(element("i", kind));
  return row;
}
// The first of many, and how many there are beside them.
const mostLeaves = 8;
function firstOf(listed) { return listed.slice(0, mostLeaves); }
function leaves(shown, all, make) {
  const list = element("ul");
  list.append(...shown.map(make));
  if (all > shown.length) list.append(element("li", "more", "and " + count(all - shown.length) + " more"));
  return list;
}
function clientLeaf(client) {
  const pending = client.pending ? ", " + client.pending + " pending" : "";
  return leaf(client.pending ? "good" : "calm", client.address, client.identity + pending + (client.parked ? ", holds a connection" : ""));
}
function frontDoorLeaf(listener, clients) {
  const door = leaf("good", "front door " + listener.address, plural(listener.clients, "client", "clients"));
  if (listener.clients) door.append(leaves(clients, listener.clients, clientLeaf));
  return door;
}
function nodeClientsLeaf(clients, all) {
  const door = leaf("good", "listeners for nodes", plural(all, "client", "clients"));
  door.append(leaves(clients, all, (client) => leaf("good", client.name, client.address + ", may " + client.permission)));
  return door;
}
function poolLeaf(server) {
  const {pool} = server;
  const made = leaf(kinds[server.state] || "calm", "pool " + nameOf(server),
                    plural(pool.size, "connection", "connections") + (pool.waiters ? ", " + pool.waiters + " waiting" : "") + (server.serving ? ", serving" : ""));
  if (pool.size) made.append(beads(pool));
  if (pool.leased) {
    const below = element("ul");
    below.append(leaf("good", plural(pool.leased, "lease", "leases"), "each has a connection for itself"));
    made.append(below);
  }
  return made;
}
// Drawn anew when what is shown has changed: of hundreds of clients there is always one that asks something.
function drawTree(state) {
  const clients = state.client_listeners.map((listener) => firstOf(state.clients.filter((client) => client.listener === listener.address)));
  const nodeClients = firstOf(state.node_clients), allNodeClients = state.node_clients.length + state.more_node_clients;
  const key = JSON.stringify([state.servers.map((s) => [nameOf(s), s.state, s.breaker, s.serving, s.pool.in_use, s.pool.idle, s.pool.connecting, s.pool.waiters, s.pool.leased]),
                              state.peers, state.client_listeners.map((l) => [l.address, l.clients]), state.draining,
                              clients.map((some) => some.map((c) => [c.address, c.identity, c.pending, c.parked])),
                              nodeClients.map((c) => [c.name, c.address, c.permission]), allNodeClients]);
  redraw(byId("tree"), key, () => {
    const root = leaf(state.draining ? "warn" : "good", "connection manager", state.draining ? "draining" : "supervises all of these");
    const below = element("ul");
    const closed = state.servers.filter((server) => server.breaker === "closed").length;
    const breaker = leaf(closed === state.servers.length ? "good" : closed ? "warn" : "bad", "circuit breaker", closed + " of " + state.servers.length + " closed");
    const states = element("ul");
    for (const server of state.servers)
      if (server.breaker !== "closed") states.append(leaf(server.breaker === "open" ? "bad" : "warn", nameOf(server), server.breaker.replace("_", "-")));
    if (states.children.length) breaker.append(states);
    below.append(breaker, leaf("good", "health monitor", "probes " + plural(state.servers.length, "server", "servers")));
    below.append(...state.servers.map(poolLeaf));
    below.append(...state.client_listeners.map((listener, i) => frontDoorLeaf(listener, clients[i])));
    if (nodeClients.length) below.append(nodeClientsLeaf(nodeClients, allNodeClients));
    for (const peer of state.peers) below.append(leaf(peer.state === "connected" ? "good" : "bad", "node " + peer.name, peer.state));
    root.append(below);
    return [root];
  });
}

function drawChart(id, key, unit) {
  const svg = byId(id);
  const values = points.map((point) => point[key]);
  const most = Math.max(...values.filter((value) => value !== null), 0);
  const top = most > 0 ? most * 1.15 : 1;
  const x = (i) => 300 - (values.length - 1 - i), y = (value) => 62 - 58 * value / top;
  const drawn = values.map((value, i) => [x(i), y(value === null ? 0 : value)]);
  const name = "http://www.w3.org/2000/svg";
  const line = document.createElementNS(name, "polyline"), area = document.createElementNS(name, "polygon");
  const path = drawn.map((point) => point[0].toFixed(1) + "," + point[1].toFixed(1)).join(" ");
  line.setAttribute("points", path);
  if (drawn.length) area.setAttribute("points", x(0) + ",64 " + path + " 300,64");
  const grid = [60, 120, 180, 240].map((at) => {
    const mark = document.createElementNS(name, "line");
    for (const [k, v] of Object.entries({x1: at, x2: at, y1: 0, y2: 64})) mark.setAttribute(k, v);
    return mark;
  });
  svg.replaceChildren(...grid, area, line);
  const highest = unit(most);
  svg.setAttribute("aria-label", svg.getAttribute("aria-label").split(":")[0] + ": at most " + highest + " in the last five minutes");
  return highest;
}

function clock(utc) {
  const at = new Date(utc);
  return isNaN(at) ? utc : at.toLocaleTimeString("en-GB");
}
// Names of servers stay as they are.
function sentence(text) {
  return /^[a-z]+\b(?![.:-])/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
}
function drawStory() {
  byId("story-empty").hidden = events.length > 0;
  redraw(byId("story"), String(latestEvent), () => events.map((event) => {
    const item = element("li", event.severity);
    const time = element("time", "", clock(event.at));
    time.dateTime = event.at;
    const box = element("div");
    box.append(element("p", "", sentence(event.text)));
    const more = Object.entries(event.details).map(([key, value]) => key.replaceAll("_", " ") + ": " + value).join(" · ");
    if (more) box.append(element("small", "", more));
    item.append(time, box);
    return item;
  }));
}

function drawTables(state) {
  const errors = Object.entries(state.operations.errors).sort((a, b) => b[1] - a[1]);
  byId("errors").hidden = errors.length === 0;
  byId("errors-empty").hidden = errors.length > 0;
  redraw(byId("errors").tBodies[0], JSON.stringify(errors), () => errors.map(([kind, n]) => {
    const row = element("tr");
    row.append(element("td", "", kind.replaceAll("_", " ")), element("td", "number", count(n)));
    return row;
  }));
  byId("certificates-section").hidden = state.certificates.length === 0;
  redraw(byId("certificates").tBodies[0], JSON.stringify(state.certificates), () => state.certificates.map((each) => {
    const row = element("tr");
    const days = each.days_left;
    const known = days !== null;
    const cell = element("td", "number " + (!known ? "" : days < 7 ? "bad" : days < 30 ? "warn" : ""), known ? count(days) : "unknown");
    cell.title = each.end || "";
    const name = element("td", "", each.key);
    if (each.problem) name.append(element("p", "problem", each.problem));
    row.append(name, cell);
    return row;
  }));
}

function draw(state) {
  last = state;
  remember(state);
  drawHeadline(state);
  drawGauges(state);
  drawServers(state);
  drawTree(state);
  put("c-rate", "· at most " + drawChart("chart-rate", "rate", (n) => n < 10 ? n.toFixed(1) : count(n)));
  put("c-p99", "· at most " + drawChart("chart-p99", "p99", milliseconds));
  drawTables(state);
  put("node", state.node);
  put("version", "Version " + state.version + " · up since " + state.started_at.replace("T", " ").replace("Z", " UTC"));
  byId("reload").hidden = byId("drain").hidden = !state.orders;
  byId("show").hidden = !state.orders || !isWithheld(state);
}

function drawSilence(why) {
  document.body.dataset.health = "bad";
  put("pill", "No answer");
  put("headline", "The node does not answer");
  putIfAny("next-try", "");
  put("subline", why + (last ? " · what is below is as of " + clock(last.now) : ""));
  document.title = "No answer – Understudy";
}

// ---- asking ----

function askForState(shown, signal) {
  return fetch("api/status", {signal: signal, cache: "no-store", headers: shown ? {Authorization: "Bearer " + shown} : {}});
}
// As the node puts it in place of each text that takes the token.
function isWithheld(state) { return JSON.stringify(state).includes('"withheld: the token shows it"'); }

async function look() {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), 3000);
  try {
    const response = await askForState(token, stop.signal);
    if (!response.ok) drawSilence((await response.text()).trim());
    else draw(await response.json());
  } catch (problem) {
    drawSilence(problem.name === "AbortError" ? "Asked, and heard nothing for 3 s" : "The connection to it failed");
  } finally {
    clearTimeout(timer);
    setTimeout(look, 1000);
  }
}
function runOf(id) { return id.slice(0, id.lastIndexOf("-")); }
function hear(id, event) {
  if (runOf(id) !== runOf(latestEvent)) events = [];  // it was restarted
  latestEvent = id;
  events.unshift(event);
  events.length = Math.min(events.length, 200);
  drawStory();
}
function listen() {
  const source = new EventSource("api/events?after=" + encodeURIComponent(latestEvent));
  source.onmessage = (message) => hear(message.lastEventId, JSON.parse(message.data));
  // The browser tries again by itself, unless it was told to go away.
  source.onerror = () => { if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); };
}

// ---- orders ----

const words = {
  suspend: ["Suspend", "It gets no requests until it is resumed; what runs there is finished."],
  resume: ["Resume", "It gets requests again, and a refused service password is tried again."],
  reload: ["Reload settings", "The node reads its configuration again. If that is wrong, nothing changes."],
  drain: ["Drain", "The node takes nothing new, finishes what runs, and ends."],
  show: ["Show token", "Texts of errors and addresses are shown to who has it. Only this page keeps it, until it is closed or loaded again."],
};
const wrongToken = "This is not the token.";
let order = null;
function ask(kind, server) {
  order = {kind: kind, server: server};
  put("dialog-title", words[kind][0] + (server ? " " + server + "?" : kind === "show" ? "" : "?"));
  put("dialog-text", words[kind][1]);
  put("dialog-do", words[kind][0]);
  put("dialog-error", "");
  byId("dialog-ttl-row").hidden = kind !== "suspend";
  byId("dialog-token").value = token;
  byId("dialog").showModal();
  byId(token ? "dialog-do" : "dialog-token").focus();
}
// Both return what is wrong, if anything is.
async function carryOut(given) {
  const query = new URLSearchParams();
  if (order.server) query.set("server", order.server);
  if (order.kind === "suspend") query.set("ttl", byId("dialog-ttl").value);
  const response = await fetch("api/" + order.kind + "?" + query, {method: "POST", headers: {Authorization: "Bearer " + given}});
  if (response.ok) return "";
  return response.status === 401 ? wrongToken : (await response.text()).trim();
}
async function tryToken(given) {
  const response = await askForState(given);
  if (!response.ok) return (await response.text()).trim();
  return isWithheld(await response.json()) ? wrongToken : "";
}
async function give() {
  const button = byId("dialog-do"), given = byId("dialog-token").value;
  button.disabled = true;
  try {
    const wrong = await (order.kind === "show" ? tryToken(given) : carryOut(given));
    if (wrong !== wrongToken) token = given;
    put("dialog-error", wrong);
    if (!wrong) byId("dialog").close();
  } catch (problem) {
    put("dialog-error", "The connection to the node failed.");
  } finally {
    button.disabled = false;
  }
}

// ---- looks ----

function themeNow() { return document.documentElement.dataset.theme; }
function chooseTheme(name) { document.documentElement.dataset.theme = name; }
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
chooseTheme(prefersDark.matches ? "dark" : "light");
prefersDark.addEventListener("change", () => chooseTheme(prefersDark.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => chooseTheme(themeNow() === "dark" ? "light" : "dark"));
byId("show").addEventListener("click", () => ask("show"));
byId("reload").addEventListener("click", () => ask("reload"));
byId("drain").addEventListener("click", () => ask("drain"));
byId("dialog-cancel").addEventListener("click", () => byId("dialog").close());
byId("dialog-do").addEventListener("click", give);
byId("dialog-token").addEventListener("keydown", (key) => { if (key.key === "Enter") give(); });

look();
listen();
