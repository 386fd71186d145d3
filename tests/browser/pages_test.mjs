// node pages_test.mjs FATHOM CHROMIUM SOURCE_DIR [SCREENSHOT_DIR]
// Opens reports as a reader does and uses them. Exit code 0: every law holds; 1: one does not.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Browser } from "./chromium.mjs";

const [fathom, chromium, source, shots] = process.argv.slice(2);
const kLargestPage = 3e6;     // bytes
const kSlowest = 200;         // ms from an input to the pixels it changes
const kHostile = `</script><script>window.owned = 1</script> "q" 'q' \u202eRTL =1`;
const folder = mkdtempSync(join(tmpdir(), "fathom-pages-"));
let broken = 0;
let language = "en";  // of the pages that are made and opened

function law(text, holds, detail = "") {
  console.log(`${holds ? "ok  " : "FAIL"} ${language} ${text}${detail === "" ? "" : ` (${detail})`}`);
  if (!holds) ++broken;
}
function run(...words) {
  return execFileSync(fathom, words, { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] });
}
function example(name) { return join(source, "examples", name); }

// 2 systems × 4 cuts × 125 batch sizes × 50 contexts = 50,000 points, all of which can run.
function sweepOf50000() {
  const sweep = {
    name: kHostile,
    base: example("deepseek-v3-h800-decode.json"),
    axes: [
      { pointer: "/hardware", values: ["h200", "h800"] },
      { pointer: "/plan/two_batch_overlap", values: [false, true] },
      { list: [{ "/plan/tp": 1, "/plan/dp": 64, "/plan/ep": 64 }, { "/plan/tp": 2, "/plan/dp": 32, "/plan/ep": 64 }] },
      { pointer: "/workload/sequences_per_gpu", range: { from: 1, to: 125, count: 125, integer: true } },
      { pointer: "/workload/context_tokens", range: { from: 512, to: 3072, count: 50, integer: true } },
    ],
    filters: ["tpot_s <= 0.05"],
    objectives: [{ maximize: "tokens_per_s_per_device" }, { maximize: "tokens_per_s_per_user" }],
  };
  writeFileSync(join(folder, "sweep.json"), JSON.stringify(sweep));
  run("sweep", "sweep.json", "-o", "sweep.db");
}

function makePage(name, ...words) { run(...words, "--format", "html", "-o", `${name}.${language}.html`, "--lang", language); }
function makePages() {
  makePage("estimate", "estimate", example("deepseek-v3-h800-decode.json"));
  makePage("compare", "compare");
  makePage("roofline", "roofline", "--model", "deepseek-v3", "--hardware", "h800");
  makePage("plan", "plan", example("plan-deepseek-v3.json"));
  const begin = process.hrtime.bigint();
  makePage("sweep", "report", "sweep.db");
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  law("a page of 50,000 points is written within a second or little more", seconds < 3, `${seconds.toFixed(2)} s`);
}

const kPages = ["estimate", "compare", "roofline", "plan", "sweep"];
const url = (name) => pathToFileURL(join(folder, `${name}.${language}.html`)).href;
const frames = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))";

// The share of a canvas that differs from its first pixel.
const kInk = `(canvas) => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let other = 0;
  for (let i = 0; i < data.length; i += 4) {
    other += data[i] !== data[0] || data[i + 1] !== data[1] || data[i + 2] !== data[2] || data[i + 3] !== data[3] ? 1 : 0;
  }
  return other / (data.length / 4);
}`;

async function everyPage(browser, name) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url(name));
  const size = statSync(join(folder, `${name}.${language}.html`)).size;
  law(`${name}: a page is at most 3 MB`, size <= kLargestPage, `${(size / 1e6).toFixed(2)} MB`);
  law(`${name}: nothing moves while it loads`, await page.run("window.shifted") < 0.01, String(await page.run("window.shifted")));
  const canvases = await page.run(`[...document.querySelectorAll("canvas")].map(${kInk})`);
  const figures = await page.run(`document.querySelectorAll("figure .chart").length`);
  law(`${name}: every figure is drawn`, canvases.length >= figures && canvases.every((ink) => ink > 0.005), canvases.map((c) => c.toFixed(3)).join(" "));
  const lanes = await page.run(`[...document.querySelectorAll(".lanes > svg")].map((svg) => svg.querySelectorAll(".span").length)`);
  law(`${name}: every figure of lanes has bars`, lanes.every((bars) => bars > 0), lanes.join(" "));
  law(`${name}: the library is there once if there is a figure`,
      (readFileSync(join(folder, `${name}.${language}.html`), "utf8").match(/Chart\.js v\d/g) ?? []).length === (figures > 0 ? 1 : 0));
  law(`${name}: every picture says in words what it shows`,
      await page.run(`[...document.querySelectorAll("canvas, svg[role=img]")].every((e) => e.getAttribute("aria-label") || e.getAttribute("aria-labelledby"))`));
  law(`${name}: text of the input is no markup`, await page.run("window.owned === undefined"));
  await words(page, name);
  await theme(page, name);
  await anchor(page, name);
  await printed(page, name);
  law(`${name}: the console stays empty and nothing is fetched`, page.faults.length === 0, page.faults.slice(0, 3).join(" | "));
  await page.close();
}

// The page's own words and its scripts' are in its language.
async function words(page, name) {
  const expected = { en: ["en", "Theme: auto", /Produced by/], zh: ["zh-CN", "主题：自动", /生成/] }[language];
  const found = await page.run(`[document.documentElement.lang, document.getElementById("theme").textContent,
    document.getElementById("provenance").textContent]`);
  law(`${name}: the page speaks its language`, found[0] === expected[0] && found[1] === expected[1] && expected[2].test(found[2]), found.slice(0, 2).join(" "));
  const left = await page.run(`[...document.querySelectorAll(".tools, .tools *, figcaption b, .explorer .bar, .explorer .choose label, .explorer summary")]
    .flatMap((e) => [...e.childNodes]).filter((n) => n.nodeType === 3).map((n) => n.data.trim())
    .filter((t) => /^(Filter|Figure|Table|best|bound|Clear filters|Columns shown|colour|show the)\\b/.test(t))`);
  law(`${name}: no word of the page is of another language`, (left.length > 0) === (language === "en"), left.slice(0, 5).join(" | "));
}

async function theme(page, name) {
  const ground = `getComputedStyle(document.body).backgroundColor`;
  const light = await page.run(ground);
  const click = `document.getElementById("theme").click()`;
  await page.run(`${click}; ${click}; ${frames}`);
  const dark = await page.run(ground);
  law(`${name}: the theme button turns it dark`, light === "rgb(255, 255, 255)" && dark !== light, `${light} → ${dark}`);
  await page.run(`${click}; ${frames}`);
  law(`${name}: … and back to what the system says`, await page.run(ground) === light);
}

async function anchor(page, name) {
  const target = await page.run(`(() => {
    const links = [...document.querySelectorAll("nav a")];
    const link = links[Math.max(0, links.length - 2)];
    link.click();
    return link.getAttribute("href");
  })()`);
  await page.run(frames);
  const state = await page.run(`[location.hash, document.querySelector(${JSON.stringify(target)}).getBoundingClientRect().top]`);
  law(`${name}: contents lead to their section`, state[0] === target && state[1] >= -1 && state[1] < 900, state.join(" "));
}

async function printed(page, name) {
  await page.media("print", "dark");
  await page.run(frames);
  const state = await page.run(`[getComputedStyle(document.body).backgroundColor,
    [...document.querySelectorAll("figure .static")].every((e) => getComputedStyle(e).display !== "none"),
    [...document.querySelectorAll("figure .chart")].every((e) => getComputedStyle(e).display === "none")]`);
  law(`${name}: paper is white and has the static figures`, state.join() === "rgb(255, 255, 255),true,true", state.join());
  await page.media("", "light");
}

async function withoutScript(browser) {
  const page = await browser.page(1280, 900, "light");
  await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.send("Page.navigate", { url: url("compare") });
  await new Promise((resolve) => setTimeout(resolve, 1500));
  await page.send("Emulation.setScriptExecutionDisabled", { value: false });
  const state = await page.run(`[...document.querySelectorAll("figure .static")].every((e) => getComputedStyle(e).display !== "none") &&
    [...document.querySelectorAll("figure .chart, .filter, #theme")].every((e) => getComputedStyle(e).display === "none")`);
  law("without script the static figures show and nothing that needs it does", state);
  await page.close();
}

async function chart(browser) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url("roofline"));
  const facts = await page.run(`(() => {
    const box = document.querySelector(".chart canvas");
    box.scrollIntoView({ block: "center" });
    const plot = Chart.getChart(box);
    const points = plot.data.datasets.findIndex((set) => set.showLine === false && set.data.length > 0);
    const set = points < 0 ? 0 : points;
    const at = plot.getDatasetMeta(set).data[0];
    const r = box.getBoundingClientRect();
    const source = JSON.parse(box.closest(".chart").querySelector("script").textContent).series[plot.data.datasets[set].series];
    return { x: r.left + at.x, y: r.top + at.y, xs: String(source.xs[0]), ys: String(source.ys[0]), xType: plot.scales.x.type, yType: plot.scales.y.type };
  })()`);
  await page.mouse("mouseMoved", facts.x, facts.y);
  await page.run(frames);
  const tip = await page.run(`(() => { const t = document.querySelector(".tip"); return t.hidden ? "" : t.textContent; })()`);
  law("pointing at a point shows its numbers with all digits", tip.includes(facts.xs) && tip.includes(facts.ys), tip);
  law("log axes stay logarithmic", facts.xType === "logarithmic" && facts.yType === "logarithmic");
  await page.run(`document.querySelector(".chart canvas").focus()`);
  await page.key("ArrowRight");
  await page.key("ArrowRight");
  const second = await page.run(`document.querySelector(".tip").hidden ? "" : document.querySelector(".tip").textContent`);
  law("arrow keys step through the points", second !== "" && second !== tip, second);
  await page.key("Escape");
  law("escape puts the numbers away", await page.run(`document.querySelector(".tip").hidden`));
  await legend(page);
  law("using a chart leaves the console empty", page.faults.length === 0, page.faults.join(" | "));
  await page.close();
}

async function legend(page) {
  await page.open(url("compare"));
  const state = await page.run(`(() => {
    const button = document.querySelector(".legend button");
    const plot = Chart.getChart(button.closest(".chart").querySelector("canvas"));
    const before = plot.data.datasets.length;
    button.focus();
    const focused = document.activeElement === button;
    button.click();
    const after = plot.data.datasets.length;
    button.click();
    return [focused, before - after, plot.data.datasets.length - after, button.getAttribute("aria-pressed")].join();
  })()`);
  law("a button of the legend hides its series and brings it back", state === "true,1,1,true", state);
}

async function tables(browser) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url("estimate"));
  const sorted = await page.run(`(() => {
    const table = [...document.querySelectorAll("table.sortable")].find((t) => t.tBodies[0].rows.length > 5 && t.querySelector("th.n"));
    const heads = [...table.tHead.rows[0].cells];
    const column = heads.findIndex((h) => h.classList.contains("n"));
    heads[column].querySelector("button").click();
    heads[column].querySelector("button").click();
    const values = [...table.tBodies[0].rows].map((r) => Number(r.cells[column].dataset.v ?? r.cells[column].textContent)).filter((v) => !Number.isNaN(v));
    return values.length > 2 && values.every((v, i) => i === 0 || v <= values[i - 1]);
  })()`);
  law("a table sorts by a column of numbers", sorted);
  const filtered = await page.run(`(() => {
    const input = document.querySelector(".filter input");
    const table = input.closest(".tools").parentNode.querySelector("table");
    const rows = [...table.tBodies[0].rows];
    input.value = rows[2].cells[0].textContent.trim();
    input.dispatchEvent(new Event("input"));
    const shown = rows.filter((r) => !r.hidden);
    return [shown.length > 0, shown.length < rows.length, shown.every((r) => r.textContent.toLowerCase().includes(input.value.toLowerCase())),
            input.closest(".tools").querySelector("output").textContent !== ""].join();
  })()`);
  law("a table filters by words", filtered === "true,true,true,true", filtered);
  const csv = await page.run(`[...document.querySelectorAll('a.csv[download$=".csv"]')].map((a) => decodeURIComponent(a.href.split(",").slice(1).join(","))).every((t) => t.includes("\\r\\n"))`);
  law("tables and figures download as CSV", csv);
  await page.close();
}

// Milliseconds from an event to the frame after the one that drew it.
const kTimed = `(act) => new Promise((done) => {
  const begin = performance.now();
  act();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));
})`;

async function explorer(browser) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url("sweep"));
  const all = await page.run(`Number(document.querySelector(".explorer").dataset.kept)`);
  law("the explorer holds 50,000 points", all === 50000, String(all));
  const times = [];
  for (const [column, edge, share] of [["/workload/sequences_per_gpu", 1, 0.5], ["/workload/context_tokens", 0, 0.3], ["tpot_s", 1, 0.6], ["tpot_s", 1, 0.8]]) {
    times.push(await page.run(`(${kTimed})(() => {
      const input = document.querySelectorAll(${JSON.stringify(`.slider[data-column="${column}"] input`)})[${edge}];
      input.value = Math.round(input.max * ${share});
      input.dispatchEvent(new Event("input"));
    })`));
  }
  times.push(await page.run(`(${kTimed})(() => {
    const select = document.querySelector(".heat select");
    select.selectedIndex = 2;
    select.dispatchEvent(new Event("change"));
  })`));
  times.push(await page.run(`(${kTimed})(() => {
    const select = document.querySelectorAll(".scatter select")[2];
    select.selectedIndex = 3;
    select.dispatchEvent(new Event("change"));
  })`));
  const kept = await page.run(`Number(document.querySelector(".explorer").dataset.kept)`);
  law("sliders leave some points out", kept > 0 && kept < all, String(kept));
  law("an interaction takes less than 200 ms at 50,000 points", Math.max(...times) < kSlowest, times.map((t) => t.toFixed(0) + " ms").join(" "));
  const csv = await page.run(`new Promise((done) => {
    const link = document.querySelector(".explorer .csv");
    link.addEventListener("click", (e) => e.preventDefault());
    link.click();
    fetch(link.href).then((r) => r.text()).then((t) => done(t.split("\\r\\n").length - 2)).catch(() => done(link.href.startsWith("blob:") ? -1 : -2));
  })`);
  // The page's policy forbids the page, and so this test, to fetch even its own blob.
  law("the points shown download as CSV", csv === kept || csv === -1, String(csv));
  page.faults = page.faults.filter((fault) => !/Content Security Policy|Refused to connect|Fetch API/.test(fault));
  await brush(page, all);
  await hover(page);
  law("exploring leaves the console empty", page.faults.length === 0, page.faults.join(" | "));
  await page.close();
}

async function brush(page, all) {
  await page.run(`[...document.querySelectorAll(".explorer .bar button")][0].click(); ${frames}`);
  law("clearing the filters brings every point back", await page.run(`Number(document.querySelector(".explorer").dataset.kept)`) === all);
  const box = await page.run(`(() => {
    const canvas = document.querySelector(".parallel canvas");
    canvas.scrollIntoView({ block: "center" });
    const r = canvas.getBoundingClientRect();
    return [r.left, r.top, r.width, r.height];
  })()`);
  const x = box[0] + 44;
  await page.mouse("mouseMoved", x, box[1] + 45);
  await page.mouse("mousePressed", x, box[1] + 45, 1);
  await page.mouse("mouseMoved", x, box[1] + 90, 1);
  await page.mouse("mouseReleased", x, box[1] + 90);
  await page.run(frames);
  const kept = await page.run(`Number(document.querySelector(".explorer").dataset.kept)`);
  law("dragging over an axis filters by it", kept > 0 && kept < all, String(kept));
}

async function hover(page) {
  for (const view of ["scatter", "heat"]) {
    const box = await page.run(`(() => {
      const canvas = document.querySelector(".${view} canvas");
      canvas.scrollIntoView({ block: "center" });
      const r = canvas.getBoundingClientRect();
      return [r.left, r.top, r.width, r.height];
    })()`);
    let text = "";
    for (let share = 0.15; share < 0.9 && text === ""; share += 0.1) {
      await page.mouse("mouseMoved", box[0] + box[2] * share, box[1] + box[3] * (1 - share));
      text = await page.run(`(() => { const t = document.querySelector(".${view} .tip"); return t && !t.hidden ? t.textContent : ""; })()`);
    }
    law(`pointing into the ${view} shows a point's inputs and results`, /(point|点)\d+/.test(text) && text.includes("TPOT"), text.slice(0, 60));
  }
}

async function screenshots(browser) {
  mkdirSync(shots, { recursive: true });
  for (const [look, width, scheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["narrow", 390, "light"]]) {
    for (const name of kPages) {
      const page = await browser.page(width, 900, scheme);
      await page.open(url(name));
      await page.screenshot(join(shots, `${name}-${language}-${look}.png`));
      law(`${name}, ${look}: the page is no wider than the window`, await page.run("document.documentElement.scrollWidth") <= width,
          String(await page.run("document.documentElement.scrollWidth")));
      await page.close();
    }
  }
}

sweepOf50000();
const browser = new Browser(chromium);
try {
  for (language of ["en", "zh"]) {
    makePages();
    for (const name of kPages) await everyPage(browser, name);
    await withoutScript(browser);
    await chart(browser);
    await tables(browser);
    await explorer(browser);
    if (shots) await screenshots(browser);
  }
} finally {
  await browser.close();
  if (existsSync(folder) && !process.env.FATHOM_KEEP_PAGES) rmSync(folder, { recursive: true });
  else console.log("pages kept in " + folder);
}
console.log(broken === 0 ? "every law holds" : `${broken} laws broken`);
process.exit(broken === 0 ? 0 : 1);
