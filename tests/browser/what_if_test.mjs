// node what_if_test.mjs FATHOM CHROMIUM SOURCE_DIR [SCREENSHOT_DIR]
// Moves every slider of pages of several models and machines and compares every figure with what
// the command line says, digit for digit. Exit code 0: every law holds; 1: one does not.
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Browser } from "./chromium.mjs";

const [fathom, chromium, source, shots] = process.argv.slice(2);
const kLargestPage = 3e6;  // bytes
const kSlowest = 50;       // ms from a move to its figures, half of all moves
const folder = mkdtempSync(join(tmpdir(), "fathom-what-if-"));
const environment = { ...process.env, PATH: `${dirname(resolve(fathom))}:${process.env.PATH}` };
let broken = 0;

// Dense; MLA with experts, in both phases; sparse attention with drafts; V4; grouped queries with experts.
// A plan's page has its smallest cluster's scenario, which is to be downloaded before it is asked.
const kPages = [
  ["estimate", "llama-3.1-70b-h100-tp8"], ["estimate", "deepseek-v3-h800-decode"],
  ["estimate", "deepseek-v3-h800-prefill"], ["estimate", "deepseek-v3.2-h200-decode"],
  ["estimate", "deepseek-v4-flash-b200-decode"], ["estimate", "qwen3-235b-h200-decode"],
  ["plan", "plan-deepseek-v3"],
];

function law(text, holds, detail = "") {
  console.log(`${holds ? "ok  " : "FAIL"} ${text}${detail === "" ? "" : ` (${detail})`}`);
  if (!holds) ++broken;
}
// What a shell answers to the line that the page shows; exit code 3 is an answer too.
function commandLine(line) {
  try {
    const text = execFileSync("sh", ["-c", `${line} --format json`],
                              { cwd: folder, env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return { answer: JSON.parse(text), complaint: "" };
  } catch (failure) {
    return { answer: failure.stdout === "" ? {} : JSON.parse(failure.stdout), complaint: failure.stderr };
  }
}
const at = (answer, pointer) => pointer.split("/").slice(1).reduce((node, key) => node?.[key], answer);
const frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";
const kState = `(() => {
  const root = document.querySelector(".what-if");
  return {
    rows: [...root.querySelectorAll("tbody tr")].map((row) => [row.dataset.pointer, row.cells[2].dataset.v ?? null, row.cells[1].dataset.v]),
    command: root.querySelector("pre code").textContent,
    verdict: root.querySelector(".verdict").textContent,
    ms: Number(root.dataset.ms),
    scenario: decodeURIComponent(root.querySelector("a.csv").href.split(",").slice(1).join(",")),
    unmoved: root.querySelector(".reset").disabled,
  };
})()`;

// How many figures were compared, and the first that differs.
function compared(state, { answer, complaint }) {
  let count = 0;
  for (const [pointer, shown] of state.rows) {
    const expected = at(answer, pointer);
    ++count;
    if ((expected === undefined ? null : String(expected)) !== shown) return { count, difference: `${pointer}: ${shown}, not ${expected}` };
  }
  const reason = answer.infeasible ?? "";
  if (reason !== "" && !state.verdict.endsWith(reason)) return { count, difference: `says ${state.verdict}, not ${reason}` };
  if (reason === "" && complaint === "" && state.verdict !== "") return { count, difference: `says ${state.verdict}` };
  return { count, difference: "" };
}

async function moveTo(page, index, share) {
  await page.run(`(() => {
    const range = document.querySelectorAll(".what-if .dial input[type=range]")[${index}];
    range.value = Math.round(${share} * range.max);
    range.dispatchEvent(new Event("input", { bubbles: true }));
  })()`);
  await page.run(frames);
}
async function reset(page) {
  await page.run(`document.querySelector(".what-if .reset").click()`);
  await page.run(frames);
}

async function everySlider(page, name) {
  const labels = await page.run(`[...document.querySelectorAll(".what-if .dial label")].map((label) => label.textContent)`);
  let count = 0;
  const times = [];
  const differences = [];
  async function check(label) {
    const state = await page.run(kState);
    writeFileSync(join(folder, "what-if.json"), state.scenario);
    const result = compared(state, commandLine(state.command));
    count += result.count;
    times.push(state.ms);
    if (result.difference !== "") differences.push(`${label}: ${result.difference}`);
  }
  for (let i = 0; i < labels.length; ++i) {
    for (const share of [0.2, 0.7, 1]) {
      await moveTo(page, i, share);
      await check(labels[i]);
    }
    await reset(page);
  }
  for (let i = 0; i < labels.length; ++i) await moveTo(page, i, 0.55);  // all at once
  await check("all");
  const state = await page.run(kState);
  writeFileSync(join(folder, "point.json"), state.scenario);
  const again = compared(state, commandLine("fathom estimate point.json"));
  law(`${name}: the scenario to download says the same`, again.difference === "", again.difference);
  if (shots) await page.screenshot(join(shots, `what-if-${name}.png`));
  await reset(page);
  const home = await page.run(kState);
  law(`${name}: reset leads back to the report`, home.unmoved && home.rows.every(([, now, own]) => Number(now) === Number(own)));
  law(`${name}: every figure of every move is the command line's, digit for digit`, differences.length === 0,
      differences.length === 0 ? `${labels.length} sliders, ${count} figures` : differences.slice(0, 3).join(" | "));
  const median = times.sort((a, b) => a - b)[times.length >> 1];
  law(`${name}: a move takes less than ${kSlowest} ms`, median < kSlowest, `${median.toFixed(1)} ms`);
}

async function keyboard(page, name) {
  await page.run(`document.querySelector(".what-if .dial input[type=range]").focus()`);
  const before = (await page.run(kState)).scenario;
  await page.send("Input.dispatchKeyEvent", { type: "keyDown", key: "ArrowRight", code: "ArrowRight", windowsVirtualKeyCode: 39 });
  await page.send("Input.dispatchKeyEvent", { type: "keyUp", key: "ArrowRight", code: "ArrowRight", windowsVirtualKeyCode: 39 });
  await page.run(frames);
  const after = (await page.run(kState)).scenario;
  law(`${name}: an arrow key moves a slider`, after !== before);
  await page.run(`(() => {
    const typed = document.querySelectorAll(".what-if .dial input[type=number]")[1];
    typed.value = "1000";
    typed.dispatchEvent(new Event("change", { bubbles: true }));
  })()`);
  await page.run(frames);
  const state = await page.run(kState);
  writeFileSync(join(folder, "what-if.json"), state.scenario);
  const result = compared(state, commandLine(state.command));
  law(`${name}: a typed number counts as it is`, /: 1000[,\n]/.test(state.scenario) && result.difference === "", result.difference);
  await reset(page);
}

async function everyPage(browser, verb, name) {
  const file = join(folder, `${name}.html`);
  execFileSync(fathom, [verb, join(source, "examples", `${name}.json`), "--format", "html", "-o", file]);
  const size = statSync(file).size;
  law(`${name}: a page is at most 3 MB`, size <= kLargestPage, `${(size / 1e6).toFixed(2)} MB`);
  const page = await browser.page(1280, 900, "light");
  await page.open(pathToFileURL(file).href);
  const ready = await page.run(`new Promise((done) => {
    const begin = performance.now();
    (function look() {
      if (document.querySelector(".what-if.ready")) done(performance.now() - begin);
      else if (performance.now() - begin > 20000) done(-1);
      else setTimeout(look, 10);
    })();
  })`);
  law(`${name}: the sliders come to life`, ready >= 0, `${ready.toFixed(0)} ms after loading`);
  if (ready >= 0) {
    await everySlider(page, name);
    await keyboard(page, name);
  }
  law(`${name}: nothing moves while it loads`, await page.run("window.shifted") < 0.01, String(await page.run("window.shifted")));
  law(`${name}: the console stays empty and nothing is fetched`, page.faults.length === 0, page.faults.slice(0, 3).join(" | "));
  await page.close();
}

if (shots) mkdirSync(shots, { recursive: true });
const browser = new Browser(chromium);
try {
  for (const [verb, name] of kPages) await everyPage(browser, verb, name);
} catch (failure) {
  law("the browser answers", false, failure.message);
}
await browser.close();
rmSync(folder, { recursive: true, force: true });
process.exit(broken === 0 ? 0 : 1);
