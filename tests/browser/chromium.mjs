// Headless Chromium over its debugging pipe: messages are JSON, each ended by a zero byte, on file
// descriptors 3 and 4 (Chromium's --remote-debugging-pipe). No package is needed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const kFlags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--hide-scrollbars", "--force-device-scale-factor=1", "--remote-debugging-pipe",
];

export class Browser {
  constructor(program) {
    this.profile = mkdtempSync(join(tmpdir(), "fathom-browser-"));
    this.process = spawn(program, [...kFlags, `--user-data-dir=${this.profile}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.next = 0;
    this.waiting = new Map();
    this.listeners = [];
    let rest = "";
    this.process.stdio[4].setEncoding("utf8");
    this.process.stdio[4].on("data", (text) => {
      const parts = (rest + text).split("\0");
      rest = parts.pop();
      parts.forEach((part) => this.receive(JSON.parse(part)));
    });
  }
  receive(message) {
    const entry = this.waiting.get(message.id);
    if (!entry) return this.listeners.forEach((listener) => listener(message));
    this.waiting.delete(message.id);
    if (message.error) entry.reject(new Error(`${entry.method}: ${message.error.message}`));
    else entry.resolve(message.result);
  }
  send(method, params = {}, sessionId = undefined) {
    const id = ++this.next;
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject, method }));
  }
  async page(width, height, scheme) {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    await page.prepare(width, height, scheme);
    return page;
  }
  async close() {
    const gone = new Promise((resolve) => this.process.once("exit", resolve));
    await this.send("Browser.close").catch(() => {});
    await gone;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

class Page {
  constructor(browser, session, target) {
    Object.assign(this, { browser, session, target, faults: [], loads: [] });
    browser.listeners.push((message) => this.hear(message));
  }
  send(method, params) { return this.browser.send(method, params, this.session); }
  hear({ method, params, sessionId }) {
    if (sessionId !== this.session) return;
    if (method === "Page.loadEventFired") this.loads.splice(0).forEach((resolve) => resolve());
    if (method === "Runtime.exceptionThrown") this.faults.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
      this.faults.push(params.args.map((a) => a.value ?? a.description).join(" "));
    }
    if (method === "Log.entryAdded" && params.entry.level !== "verbose") this.faults.push(params.entry.text);
    if (method === "Network.requestWillBeSent" && !/^(file|data|blob|about):/.test(params.request.url)) {
      this.faults.push("fetches " + params.request.url);
    }
  }
  async prepare(width, height, scheme) {
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.send(`${domain}.enable`);
    await this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    await this.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    // Shifts are counted from the first paint on.
    await this.send("Page.addScriptToEvaluateOnNewDocument", {
      source: "window.shifted = 0; new PerformanceObserver((list) => list.getEntries().forEach((e) => {" +
        " if (!e.hadRecentInput) window.shifted += e.value; })).observe({ type: 'layout-shift', buffered: true });",
    });
  }
  async open(url) {
    const loaded = new Promise((resolve) => this.loads.push(resolve));
    await this.send("Page.navigate", { url });
    await loaded;
    await this.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
  }
  // The value of an expression or promise in the page.
  async run(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression, awaitPromise: true, returnByValue: true, userGesture: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }
  async mouse(type, x, y, buttons = 0) {
    await this.send("Input.dispatchMouseEvent", {
      type, x, y, buttons, button: type === "mouseMoved" && !buttons ? "none" : "left", clickCount: type === "mouseMoved" ? 0 : 1,
    });
  }
  async key(key) {
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", key, code: key });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", key, code: key });
  }
  async media(type, scheme) {
    await this.send("Emulation.setEmulatedMedia", { media: type, features: [{ name: "prefers-color-scheme", value: scheme }] });
  }
  async screenshot(file, whole = true) {
    const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: whole });
    writeFileSync(file, Buffer.from(data, "base64"));
  }
  close() { return this.browser.send("Target.closeTarget", { targetId: this.target }); }
}
