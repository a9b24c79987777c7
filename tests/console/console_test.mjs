// The console in a browser: what it shows while servers come and go, its orders, its accessibility; screenshots.
// console_test.mjs HOUSE FOLDER. Needs Debian's chromium, and npm's playwright-core and axe-core where NODE_PATH says;
// exits with 77 where they are not there, and fails if UNDERSTUDY_ALL_CLIENTS is set. With UNDERSTUDY_PICTURES set it waits until the charts have something to show.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const browserPath = process.env.CHROMIUM || "/usr/bin/chromium";
const [house, folder] = process.argv.slice(2);

function skip(why) {
  const all = process.env.UNDERSTUDY_ALL_CLIENTS !== undefined;
  console.log(all ? "FAILED " + why + ", and UNDERSTUDY_ALL_CLIENTS asks for all: tools/setup --checks installs it" : "skipped: " + why);
  process.exit(all ? 1 : 77);
}
if (!existsSync(browserPath)) skip("there is no " + browserPath + " (apt-get install chromium)");
const modules = (process.env.NODE_PATH || "").split(":").filter(Boolean);
function load(name) {
  try {
    return require(require.resolve(name, {paths: modules}));
  } catch {
    return skip("there is no " + name + " in NODE_PATH (npm install playwright-core axe-core)");
  }
}
const {chromium} = load("playwright-core");
load("axe-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js", {paths: modules}), "utf8");

const failures = [];
function check(holds, text) {
  console.log((holds ? "ok    " : "FAILED ") + text);
  if (!holds) failures.push(text);
}

mkdirSync(folder, {recursive: true});
const token = "a-token-of-this-test-alone";
// A node, and what it is told: "stop N", "start N".
async function startNode(scheme, ...more) {
  const child = spawn(house, [token, ...more], {stdio: ["pipe", "pipe", "inherit"]});
  const lines = createInterface({input: child.stdout})[Symbol.asyncIterator]();
  const url = scheme + "://" + (await lines.next()).value.replace("0.0.0.0", "127.0.0.1") + "/";
  const servers = [];
  for (let i = 0; i < 3; ++i) servers.push((await lines.next()).value);
  return {url, servers, tell: (line) => child.stdin.write(line + "\n"), end: () => child.stdin.end()};
}
const {url, servers, tell, end} = await startNode("http");
let everywhere = null;

const browser = await chromium.launch({executablePath: browserPath, args: ["--no-sandbox"]});
try {
  const problems = [];
  const pageWith = async (options, at = url) => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("request", (request) => { if (!request.url().startsWith(at) && !request.url().startsWith("data:")) problems.push("asks for " + request.url()); });
    await page.goto(at);
    await page.waitForFunction(() => document.body.dataset.health !== "unknown");
    return page;
  };
  const text = (page, selector) => page.locator(selector).innerText();
  const shown = async (page, selector, part, limit) => {
    const begin = Date.now();
    try {
      await page.locator(selector).filter({hasText: part}).first().waitFor({timeout: limit});
      return Date.now() - begin;
    } catch {
      return -1;
    }
  };

  const becomes = (page, condition) => page.waitForFunction(condition, null, {timeout: 20000}).then(() => true, () => false);

  // Twice the state comes and is drawn. Under load the counters of servers change each time.
  const drawnTwice = async (page) => {
    const drawn = await page.evaluate(() => samples.length);
    await page.waitForFunction((least) => samples.length >= least, drawn + 2);
  };
  const checkAccessibility = async (page, name) => {
    if (await page.evaluate(() => !window.axe)) await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, {resultTypes: ["violations"]}));
    const serious = found.violations.filter((each) => each.impact === "serious" || each.impact === "critical");
    check(serious.length === 0, "nothing serious found by axe-core, " + name + ": " + serious.map((each) => each.id + " " + each.nodes[0].html).join("; "));
  };

  const page = await pageWith({viewport: {width: 1280, height: 900}, colorScheme: "light"});
  check((await text(page, "#pill")).includes("Ready"), "it is ready: " + await text(page, "#headline"));
  check(await page.locator(".server").count() === 3, "three servers are shown");
  check(await shown(page, "#story", "serves", 5000) >= 0, "the story has begun");
  const pictures = Boolean(process.env.UNDERSTUDY_PICTURES);
  if (pictures) await page.waitForTimeout(20000);
  await drawnTwice(page);
  check(await becomes(page, () => parseFloat(byId("g-rate").textContent) > 0), "operations are counted: " + await text(page, "#g-rate"));
  check(await becomes(page, () => [...document.querySelectorAll(".level:first-child .rate")].filter((rate) => parseFloat(rate.textContent) > 0).length === 2),
        "each server's rate is shown: " + await page.locator(".server .rate").allInnerTexts());
  check(await page.locator(".flow:visible").count() === 1, "the arrow points where requests go");
  check(/^[\d,.]+\/s$/.test(await text(page, ".level:first-child .flow")), "and says how many: " + await text(page, ".level:first-child .flow"));
  // Many clients, which no test could bring: drawn from the state as a node with a front door would tell it.
  const redrawn = await page.evaluate(() => {
    const many = (n, make) => Array.from({length: n}, (_, i) => make(i));
    const busy = structuredClone(last);
    busy.servers[0].pool.leased = 2;
    busy.client_listeners = [{address: "127.0.0.1:389", clients: 900}];
    busy.clients = many(200, (i) => ({address: "192.0.2.7:" + (1000 + i), listener: "127.0.0.1:389", identity: "user", pending: 1, parked: i === 0}));
    busy.node_clients = many(3, (i) => ({name: "client-" + i, address: "192.0.2.9:" + i, permission: "read"}));
    busy.more_node_clients = 0;
    drawTree(busy);
    const text = byId("tree").innerText, drawn = byId("tree").firstChild;
    busy.clients[100].pending = 2;
    drawTree(busy);
    const stays = byId("tree").firstChild === drawn;
    busy.clients[3].pending = 2;
    drawTree(busy);
    return {text, stays, follows: byId("tree").firstChild !== drawn && byId("tree").innerText.includes("192.0.2.7:1003 user, 2 pending")};
  });
  check(redrawn.stays, "clients that are not listed have nothing drawn anew");
  check(redrawn.follows, "those that are do");
  const tree = redrawn.text;
  check(tree.includes("2 leases"), "leases are in the tree");
  check(tree.includes("192.0.2.7:1000 user, 1 pending, holds a connection") && tree.includes("192.0.2.7:1007") && !tree.includes("192.0.2.7:1008"),
        "the first clients of the front door are");
  check(tree.includes("and 892 more"), "and how many there are beside them");
  check(tree.includes("client-2 192.0.2.9:2, may read") && tree.split(" more").length === 2, "and the clients of the node, all of few");
  await drawnTwice(page);
  await page.screenshot({path: folder + "/light.png", fullPage: true});
  const dark = await pageWith({viewport: {width: 1280, height: 900}, colorScheme: "dark"});
  await dark.waitForTimeout(pictures ? 6000 : 1500);
  await dark.screenshot({path: folder + "/dark.png", fullPage: true});
  const narrow = await pageWith({viewport: {width: 390, height: 844}, colorScheme: "light"});
  await narrow.waitForTimeout(1500);
  check(await narrow.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "390 pixels are wide enough");
  await narrow.screenshot({path: folder + "/narrow.png", fullPage: true});

  for (const [name, each] of [["light", page], ["dark", dark], ["narrow", narrow]]) await checkAccessibility(each, name);
  check(await page.locator(".gauges dt").first().innerText() === "Waiting", "who waits is told first");

  // What is pressed, has the focus or is open stays while the numbers change.
  const button = page.getByRole("button", {name: "Suspend " + servers[1]});
  const numbers = page.locator(".server").first();
  const before = await numbers.evaluate((card) => card.textContent);
  await button.scrollIntoViewIfNeeded();
  const place = await button.boundingBox();
  await page.mouse.move(place.x + place.width / 2, place.y + place.height / 2);
  await page.mouse.down();
  await drawnTwice(page);
  await page.mouse.up();
  check(await page.locator("#dialog").isVisible(), "a press is a click, whatever changes meanwhile");
  check(await numbers.evaluate((card) => card.textContent) !== before, "something has changed meanwhile");
  if (await page.locator("#dialog").isVisible()) {
    await checkAccessibility(page, "with the dialog");
    await page.locator("#dialog-cancel").click();
  }
  await page.locator(".server summary").first().focus();
  await page.keyboard.press("Enter");
  await drawnTwice(page);
  check(await page.evaluate(() => document.activeElement === document.querySelector(".server summary")), "the focus stays on Details");
  check(await page.locator(".server details").first().evaluate((box) => box.open), "which stay open");
  await checkAccessibility(page, "with open Details");
  const checked = await page.locator(".server .checks").first().innerText();
  check(/Last check.* at \d\d:\d\d:\d\d: answered/.test(checked) && /TCP\s+[\d.]+ (µs|ms)/.test(checked) && /search\s+[\d.]+ (µs|ms)/.test(checked),
        "what the last check found, by step: " + checked.replaceAll("\n", " · "));
  await page.screenshot({path: folder + "/details.png", fullPage: true});
  await page.keyboard.press("Enter");

  // By keyboard alone: a server is suspended, with a confirmation.
  await button.focus();
  await page.keyboard.press("Enter");
  check(await page.locator("#dialog").isVisible(), "an order is asked back");
  await page.locator("#dialog-token").fill("a-wrong-token-of-a-stranger");
  await page.keyboard.press("Enter");
  check(await shown(page, "#dialog-error", "not the token", 3000) >= 0, "a wrong token is refused");
  problems.splice(0, problems.length, ...problems.filter((one) => !one.includes("401")));  // the browser tells of it
  await page.locator("#dialog-token").fill(token);
  await page.screenshot({path: folder + "/dialog.png"});
  await page.keyboard.press("Enter");
  check(await shown(page, ".server", "suspended", 3000) >= 0, "the server is suspended");
  await page.getByRole("button", {name: "Resume " + servers[1]}).click();
  await page.locator("#dialog-do").click();
  check(await page.getByRole("button", {name: "Suspend " + servers[1]}).waitFor({timeout: 5000}).then(() => true, () => false), "and resumed");

  // A page that is opened now draws what was before it.
  await page.waitForFunction(() => Date.parse(last.now) - Date.parse(last.started_at) > 15000);
  const late = await pageWith({viewport: {width: 1280, height: 900}, colorScheme: "light"});
  const recalled = await late.evaluate(() => ({seconds: points.length, rate: Math.max(...points.map((point) => point.rate)), p99: Math.max(...points.map((point) => point.p99))}));
  check(recalled.seconds >= 10 && recalled.rate > 0 && recalled.p99 > 0, "a page just opened draws the last minutes: " + JSON.stringify(recalled));
  await late.screenshot({path: folder + "/just_opened.png", fullPage: true});
  const rare = await late.evaluate(() => {
    const kept = samples, sample = (at, done) => ({at, completed: new Map([["a:389", done]])});
    samples = [sample(0, 100), sample(5, 150)];
    const rate = rateOf({host: "a", port: 389, pool: {completed: 150}});
    samples = kept;
    return rate;
  });
  check(rare === 10, "a rate is known when answers are further apart than it looks back: " + rare);
  const runs = await late.evaluate(() => {
    const known = /^[0-9a-f]{16}-[0-9]+$/.test(latestEvent), event = (number) => ({...events[0], number});
    hear("5af0-7", event(7));
    hear("5af0-8", event(8));
    const same = events.length;
    hear("5af1-9", event(9));
    return {known, same, other: events.length, latest: latestEvent};
  });
  check(runs.known, "events are known by their ids");
  check(runs.same === 2 && runs.other === 1 && runs.latest === "5af1-9", "those of two runs of the node are not mixed: " + JSON.stringify(runs));
  await late.context().close();

  // The preferred level goes.
  tell("stop 0");
  tell("stop 1");
  const took = await shown(page, "#pill", "Stand-in", 10000);
  check(took >= 0 && took <= 2000, "that the preferred servers are gone shows within 2 s: " + took + " ms");
  check(await shown(page, "#story", "is lost", 3000) >= 0, "and is told");
  check(await shown(page, ".level:nth-child(2) .flow", "/s", 10000) >= 0, "requests are seen to go to the other level");
  check(await page.locator(".level:first-child .flow").waitFor({state: "hidden", timeout: 10000}).then(() => true, () => false), "and no more to the first");
  await page.waitForTimeout(pictures ? 3000 : 500);
  await page.screenshot({path: folder + "/primary_down.png", fullPage: true});
  await page.screenshot({path: folder + "/console.png"});  // as docs/console.png
  await dark.screenshot({path: folder + "/primary_down_dark.png", fullPage: true});
  await checkAccessibility(page, "with servers down");
  const select = () => page.evaluate(() => { getSelection().selectAllChildren(document.querySelector(".server .problem span:last-child")); return String(getSelection()); });
  const selected = await select();
  await drawnTwice(page);
  check(selected !== "" && await page.evaluate(() => String(getSelection())) === selected, "the text of an error stays selected: " + selected);
  tell("stop 2");
  check(await shown(page, "#pill", "Not ready", 10000) >= 0, "that nobody is left shows");
  check(await shown(page, "#next-try", "Next try in", 10000) >= 0, "and when one is tried");
  check(await page.evaluate(() => document.querySelector("#subline").closest("[aria-live]") !== null && document.querySelector("#next-try").closest("[aria-live], [role=status]") === null),
        "what is read aloud is without the countdown");
  await checkAccessibility(page, "with nobody left");
  check((await text(page, "#subline")).includes("Requests fail until one answers"), "what that means: " + await text(page, "#subline"));
  await page.screenshot({path: folder + "/all_down.png", fullPage: true});
  tell("start 0");
  check(await shown(page, "#headline", servers[0], 15000) >= 0, "one that is back serves");

  // At an address where the token shows more, it can be given for that alone.
  everywhere = await startNode("https", "everywhere");
  const remote = await pageWith({viewport: {width: 1280, height: 900}, ignoreHTTPSErrors: true}, everywhere.url);
  const show = remote.locator("#show");
  check(!await show.isVisible(), "nobody is asked for the token while it shows nothing more");
  everywhere.tell("stop 0");
  check(await shown(remote, ".server .problem", "withheld", 15000) >= 0, "texts of errors are withheld without the token");
  await show.click();
  await checkAccessibility(remote, "with the dialog of the token");
  await remote.locator("#dialog-token").fill("a-wrong-token-of-a-stranger");
  await remote.keyboard.press("Enter");
  check(await shown(remote, "#dialog-error", "not the token", 5000) >= 0, "a wrong token shows nothing");
  await remote.locator("#dialog-token").fill(token);
  await remote.keyboard.press("Enter");
  check(await show.waitFor({state: "hidden", timeout: 10000}).then(() => true, () => false), "the right one is taken");
  const error = await remote.locator(".server .problem").first().innerText();
  check(error !== "" && !error.includes("withheld"), "and the text is shown: " + error);
  check(await remote.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length) === 0, "the token is kept nowhere else");
  check(problems.length === 0, "no errors in the browser's console: " + problems.join("; "));
} finally {
  await browser.close();
  end();
  everywhere?.end();
}
process.exit(failures.length === 0 ? 0 : 1);
