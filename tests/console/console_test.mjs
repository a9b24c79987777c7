// The console in a browser: what it shows while servers come and go, its orders, its accessibility; screenshots.
// console_test.mjs HOUSE FOLDER. Needs Debian's chromium, and npm's playwright-core and axe-core where NODE_PATH says;
// exits with 77 where they are not there. With UNDERSTUDY_PICTURES set it waits until the charts have something to show.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const browserPath = process.env.CHROMIUM || "/usr/bin/chromium";
const [house, folder] = process.argv.slice(2);

function skip(why) {
  console.log("skipped: " + why);
  process.exit(77);
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
const node = spawn(house, [token], {stdio: ["pipe", "pipe", "inherit"]});
const lines = createInterface({input: node.stdout})[Symbol.asyncIterator]();
const url = "http://" + (await lines.next()).value + "/";
const servers = [];
for (let i = 0; i < 3; ++i) servers.push((await lines.next()).value);
const tell = (line) => node.stdin.write(line + "\n");

const browser = await chromium.launch({executablePath: browserPath, args: ["--no-sandbox"]});
try {
  const problems = [];
  const pageWith = async (options) => {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("request", (request) => { if (!request.url().startsWith(url) && !request.url().startsWith("data:")) problems.push("asks for " + request.url()); });
    await page.goto(url);
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

  const page = await pageWith({viewport: {width: 1280, height: 900}, colorScheme: "light"});
  check((await text(page, "#pill")).includes("Ready"), "it is ready: " + await text(page, "#headline"));
  check(await page.locator(".server").count() === 3, "three servers are shown");
  check(await shown(page, "#story", "serves", 5000) >= 0, "the story has begun");
  const pictures = Boolean(process.env.UNDERSTUDY_PICTURES);
  await page.waitForTimeout(pictures ? 20000 : 2500);
  check(Number((await text(page, "#g-rate")).replace(",", "")) > 0, "operations are counted: " + await text(page, "#g-rate"));
  await page.screenshot({path: folder + "/light.png", fullPage: true});
  const dark = await pageWith({viewport: {width: 1280, height: 900}, colorScheme: "dark"});
  await dark.waitForTimeout(pictures ? 6000 : 1500);
  await dark.screenshot({path: folder + "/dark.png", fullPage: true});
  const narrow = await pageWith({viewport: {width: 390, height: 844}, colorScheme: "light"});
  await narrow.waitForTimeout(1500);
  check(await narrow.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "390 pixels are wide enough");
  await narrow.screenshot({path: folder + "/narrow.png", fullPage: true});

  for (const [name, each] of [["light", page], ["dark", dark], ["narrow", narrow]]) {
    await each.evaluate(axe);
    const found = await each.evaluate(() => axe.run(document, {resultTypes: ["violations"]}));
    const serious = found.violations.filter((one) => one.impact === "serious" || one.impact === "critical");
    check(serious.length === 0, "nothing serious found by axe-core, " + name + ": " + serious.map((one) => one.id + " " + one.nodes[0].html).join("; "));
  }

  // By keyboard alone: a server is suspended, with a confirmation.
  const button = page.getByRole("button", {name: "Suspend " + servers[1]});
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

  // The preferred level goes.
  tell("stop 0");
  tell("stop 1");
  const took = await shown(page, "#pill", "Stand-in", 10000);
  check(took >= 0 && took <= 2000, "that the preferred servers are gone shows within 2 s: " + took + " ms");
  check(await shown(page, "#story", "is lost", 3000) >= 0, "and is told");
  await page.waitForTimeout(pictures ? 3000 : 500);
  await page.screenshot({path: folder + "/primary_down.png", fullPage: true});
  await page.screenshot({path: folder + "/console.png"});  // as docs/console.png
  await dark.screenshot({path: folder + "/primary_down_dark.png", fullPage: true});
  tell("stop 2");
  check(await shown(page, "#pill", "Not ready", 10000) >= 0, "that nobody is left shows");
  check((await text(page, "#subline")).includes("Requests fail until one answers"), "what that means: " + await text(page, "#subline"));
  await page.screenshot({path: folder + "/all_down.png", fullPage: true});
  tell("start 0");
  check(await shown(page, "#headline", servers[0], 15000) >= 0, "one that is back serves");
  check(problems.length === 0, "no errors in the browser's console: " + problems.join("; "));
} finally {
  await browser.close();
  node.stdin.end();
}
process.exit(failures.length === 0 ? 0 : 1);
