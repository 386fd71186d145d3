// node reports_test.mjs FATHOM CHROMIUM SOURCE_DIR [SCREENSHOT_DIR]
// Every report in a browser, as it is and with names made to break it. Exit code as pages_test.mjs.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { formulas, kContrast, kFocus, kHeadings, kLandmarks, kNames } from "./basics.mjs";
import { Browser } from "./chromium.mjs";

const [fathom, chromium, source, shots] = process.argv.slice(2);
const kReports = ["capacity", "compare-attention", "compare-hardware", "kv-cache", "moe", "mtp", "roofline", "validation", "calibration", "claims"];
const kLargestPage = 3e6;
const kHostile = `=1+1|'q' "q" </script><script>window.owned = 1</script><!-- \n@x \u202eright to left`;
const kLong = kHostile + "x".repeat(10000);
// What a file can be called; a model's name is its file's.
const kHostileFile = `=1+1 'q' "q" <img src=x onerror=window.owned=1> <!-- \u202eright`;
const folder = mkdtempSync(join(tmpdir(), "fathom-reports-"));
let broken = 0;

function law(text, holds, detail = "") {
  if (!holds || process.env.FATHOM_VERBOSE) console.log(`${holds ? "ok  " : "FAIL"} ${text}${detail === "" ? "" : ` (${detail})`}`);
  if (!holds) ++broken;
}
// Reports exit with 3 or 4 where their answer is no; their text is there all the same.
function run(words, data = source) {
  try {
    return execFileSync(fathom, words, { cwd: folder, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, FATHOM_DATA: data } });
  } catch (fault) {
    if (fault.status !== 3 && fault.status !== 4) throw new Error(`fathom ${words.join(" ")}: ${fault.stderr}`);
    return fault.stdout;
  }
}
const url = (name) => pathToFileURL(join(folder, name + ".html")).href;

function makePages() {
  const pages = kReports.map((name) => { run(["report", name, "--format", "html", "-o", name + ".html"]); return name; });
  const more = {
    "estimate-decode": ["estimate", join(source, "examples/deepseek-v3-h800-decode.json")],
    "estimate-prefill": ["estimate", join(source, "examples/deepseek-v3-h800-prefill.json")],
    plan: ["plan", join(source, "examples/plan-deepseek-v3.json"), "--sensitivity"],
    model: ["model", "deepseek-v3"],
    hardware: ["hardware", "show", "h800"],
  };
  for (const [name, words] of Object.entries(more)) { run([...words, "--format", "html", "-o", name + ".html"]); pages.push(name); }
  return pages;
}

// A folder of data whose every name a reader could have chosen is hostile.
function hostileData() {
  const data = join(folder, "data");
  mkdirSync(join(data, "reports/ledger"), { recursive: true });
  for (const part of ["models", "examples"]) symlinkSync(join(source, part), join(data, part));
  cpSync(join(source, "hwprofiles"), join(data, "hwprofiles"), { recursive: true });
  const model = join(folder, kHostileFile + ".json");
  cpSync(join(source, "models/deepseek-v3.json"), model);
  const profile = JSON.parse(readFileSync(join(source, "hwprofiles/h800.json"), "utf8"));
  Object.assign(profile, { id: kLong, note: kHostile });
  if (profile.device) profile.device.id = kHostile;
  writeFileSync(join(data, "hwprofiles/hostile.json"), JSON.stringify(profile));
  const ledger = JSON.parse(readFileSync(join(source, "reports/ledger/all-to-all.json"), "utf8"));
  ledger.rows = ledger.rows.slice(0, 6).map((row, i) => ({ ...row, id: `${kHostile} ${i}`, claim: kLong, source: kHostile, unknown: kHostile }));
  writeFileSync(join(data, "reports/ledger/hostile.json"), JSON.stringify(ledger));
  return { data, model, hardware: join(data, "hwprofiles/hostile.json") };
}

// A spec with the first of its models and systems replaced, and hostile texts where it has texts.
function hostileSpec(name, { model, hardware }) {
  const spec = JSON.parse(readFileSync(join(source, "reports", name + ".json"), "utf8"));
  delete spec.$schema;
  spec.title = kHostile;
  const walk = (node) => {
    for (const [key, value] of Object.entries(node)) {
      if (value !== null && typeof value === "object") walk(value);
      else if (value === "deepseek-v3" || value === "deepseek-v3.2") node[key] = model;
      else if (value === "h800" || value === "h200") node[key] = hardware;
      else if (["statement", "condition", "comment", "note", "cite"].includes(key)) node[key] = kHostile;
    }
  };
  walk(spec);
  if (spec.report === "compare-hardware" || spec.report === "kv-cache" || spec.report === "calibration" || spec.plan) {
    const list = spec.plan ? spec.plan.hardware : spec.hardware;
    list.splice(0, list.length, hardware, "b200");
  }
  for (const list of [spec.models]) {
    if (list) list.splice(0, list.length, model, "llama-3.1-405b");
  }
  return spec;
}

// A folder of two small tables, its own name and the kernel's hostile.
function hostileTables() {
  const tables = join(folder, "=tables <script>window.owned = 1");
  mkdirSync(tables);
  const lines = ["op,device,stack,dtype,kernel,m,n,k,latency_us"];
  const kernel = `"=2+3 </script><script>window.owned = 1</script>"`;
  for (const m of [1, 16, 64, 128, 256, 1024]) {
    for (const n of [1024, 2048, 4096, 8192]) {
      for (const k of [1024, 4096, 7168]) lines.push(`gemm,h100-sxm,${kernel},bf16,,${m},${n},${k},${5 + (2 * m * n * k) / 6e8 + (2 * n * k) / 2.5e6}`);
    }
  }
  writeFileSync(join(tables, "h100-sxm.csv"), lines.join("\n") + "\n");
  return tables;
}

async function basics(browser, name) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url(name));
  law(`${name}: a page is at most 3 MB`, statSync(join(folder, name + ".html")).size <= kLargestPage);
  const shifted = await page.run("window.shifted");
  law(`${name}: nothing moves while it loads`, shifted < 0.01, String(shifted));
  for (const [text, test] of [["headings descend one level at a time", kHeadings], ["landmarks, language and title are there", kLandmarks],
    ["controls and pictures have names", kNames]]) {
    const faults = await page.run(test);
    law(`${name}: ${text}`, faults.length === 0, faults.join(" | "));
  }
  await page.key("Tab");
  const focus = await page.run(kFocus);
  law(`${name}: every control takes the keyboard's focus and shows it`, focus.length === 0, focus.join(" | "));
  const light = await page.run(kContrast);
  law(`${name}: text has contrast in the light theme`, light.length === 0, light.join(" | "));
  await page.media("", "dark");
  const dark = await page.run(kContrast);
  law(`${name}: text has contrast in the dark theme`, dark.length === 0, dark.join(" | "));
  law(`${name}: the console stays empty`, page.faults.length === 0, page.faults.slice(0, 3).join(" | "));
  await page.close();
  const narrow = await browser.page(400, 900, "light");
  await narrow.open(url(name));
  const wide = await narrow.run("document.documentElement.scrollWidth");
  law(`${name}: a narrow window needs no sideways scrolling`, wide <= 400, String(wide));
  const moved = await narrow.run("window.shifted");
  law(`${name}: nothing moves in a narrow window`, moved < 0.01, String(moved));
  await narrow.close();
}

// From a key figure to the step that it rests on, to an operator of that step.
async function workingsOfPlan(browser) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url("plan"));
  const dead = await page.run(`[...document.querySelectorAll("a.how")].filter((a) => !document.getElementById(a.getAttribute("href").slice(1))).length`);
  await page.run(`document.querySelector('dt a.how[href="#how-cluster-tpot"]').click()`);
  await page.run(`document.querySelector(".how-panel a.how").click()`);
  await page.run("new Promise((done) => setTimeout(done, 100))");
  const step = await page.run(`[location.hash, document.querySelector("details.workings").open].join()`);
  law("a plan's TPOT leads to the decode step", dead === 0 && step === "#how-decode-figure-latency,true", `${step}, ${dead} dead`);
  const bars = await page.run(`[...document.querySelectorAll("[data-how^=how-decode-]")].filter((bar) => document.getElementById(bar.dataset.how)).length`);
  law("bars of a plan's decode step lead to their operators", bars > 20, String(bars));
  await page.close();
}

async function workings(browser) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url("estimate-decode"));
  const dead = await page.run(`[...document.querySelectorAll("a.how")].filter((a) => !document.getElementById(a.getAttribute("href").slice(1))).length`);
  const links = await page.run(`document.querySelectorAll("td a.how, dt a.how").length`);
  law("every operator and key figure of an estimate leads to its working", dead === 0 && links > 20, `${links}, ${dead} dead`);
  const opened = await page.run(`(() => {
    const link = document.querySelector("td a.how");
    link.focus();
    link.click();
    const row = link.closest("tr").nextElementSibling;
    return [link.getAttribute("aria-expanded"), row.className, row.textContent.includes("formula")].join();
  })()`);
  law("a working opens below its row", opened === "true,how-panel,true", opened);
  await page.key("Escape");
  law("escape closes it again", await page.run(`document.querySelectorAll(".how-panel").length`) === 0);
  await page.run(`(() => {
    document.querySelector("td a.how").click();
    document.querySelector("td a.how").closest("table").querySelector("th.n button").click();
  })()`);
  law("sorting a table closes what is open between its rows", await page.run(`document.querySelectorAll(".how-panel").length`) === 0);
  await page.run(`document.querySelector(".lanes > svg").focus()`);
  await page.key("ArrowRight");
  const first = await page.run(`document.querySelector("figure .tip:not([hidden])")?.textContent ?? ""`);
  await page.key("ArrowRight");
  const second = await page.run(`document.querySelector("figure .tip:not([hidden])")?.textContent ?? ""`);
  law("arrow keys step through the bars of lanes", first !== "" || second !== "", first);
  law("every bar says its numbers", await page.run(`[...document.querySelectorAll(".lanes .span[data-tip]")].every((e) => e.dataset.tip.includes("length: "))`));
  for (const label of ["SVG", "PNG"]) {
    const saved = await page.run(`new Promise((done) => {
      const click = HTMLAnchorElement.prototype.click;
      HTMLAnchorElement.prototype.click = function () { HTMLAnchorElement.prototype.click = click; done(this.download + " " + this.href.slice(0, 5)); };
      [...document.querySelectorAll("figure .tools button")].find((b) => b.textContent === "${label}").click();
      setTimeout(() => done("nothing"), 3000);
    })`);
    law(`a figure downloads as ${label}`, new RegExp(`\\.${label.toLowerCase()} blob:$`).test(saved), saved);
  }
  law("using an estimate leaves the console empty", page.faults.length === 0, page.faults.join(" | "));
  await page.close();
}

async function hostile(browser) {
  const set = hostileData();
  for (const name of kReports) {
    const spec = name + "-hostile";
    writeFileSync(join(folder, spec + ".json"), JSON.stringify(hostileSpec(name, set)));
    run(["report", spec + ".json", "--format", "html", "-o", spec + ".html"], set.data);
    await unharmed(browser, spec, run(["report", spec + ".json", "--format", "csv"], set.data));
  }
  const tables = hostileTables();
  const spec = "measured-hostile";
  writeFileSync(join(folder, spec + ".json"), JSON.stringify({ report: "calibration", title: kHostile, measured: tables }));
  run(["report", spec + ".json", "--format", "html", "-o", spec + ".html"]);
  await unharmed(browser, spec, run(["report", spec + ".json", "--format", "csv"]));
}

async function unharmed(browser, name, csv) {
  const page = await browser.page(1280, 900, "light");
  await page.open(url(name));
  law(`${name}: text of the input is no markup`, await page.run(`window.owned === undefined && !document.querySelector("img")`));
  law(`${name}: … and is shown`, await page.run(`document.body.textContent.includes("window.owned")`));
  law(`${name}: the console stays empty`, page.faults.length === 0, page.faults.slice(0, 3).join(" | "));
  const links = await page.run(`[...document.querySelectorAll("a.csv")].map((a) => decodeURIComponent(a.href.split(",").slice(1).join(",")))`);
  const found = [...links, csv].flatMap(formulas);
  law(`${name}: no cell of its CSV is a formula`, found.length === 0, found.slice(0, 3).join(" | ").slice(0, 200));
  await page.close();
}

async function screenshots(browser, pages) {
  mkdirSync(shots, { recursive: true });
  for (const [look, width, scheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["narrow", 400, "light"]]) {
    for (const name of pages) {
      const page = await browser.page(width, 900, scheme);
      await page.open(url(name));
      await page.screenshot(join(shots, `${name}-${look}.png`));
      await page.close();
    }
  }
}

const pages = makePages();
const browser = new Browser(chromium);
try {
  for (const name of pages) await basics(browser, name);
  await workings(browser);
  await workingsOfPlan(browser);
  await hostile(browser);
  if (shots) await screenshots(browser, pages);
} finally {
  await browser.close();
  if (!process.env.FATHOM_KEEP_PAGES) rmSync(folder, { recursive: true });
  else console.log("pages kept in " + folder);
}
console.log(broken === 0 ? "every law holds" : `${broken} laws broken`);
process.exit(broken === 0 ? 0 : 1);
