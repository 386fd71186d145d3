// Laws of any report page that need no knowledge of what it reports. Each function is evaluated in
// the page and returns a list of offences, empty when the law holds.

export const kHeadings = `(() => {
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((h) => Number(h.tagName[1]));
  const out = levels.filter((level) => level === 1).length === 1 && levels[0] === 1 ? [] : ["not one h1, first"];
  levels.forEach((level, i) => { if (i > 0 && level > levels[i - 1] + 1) out.push("h" + levels[i - 1] + " to h" + level); });
  return out;
})()`;

export const kLandmarks = `(() => {
  const out = ["body > header", "nav[aria-label]", "main", "footer"].filter((part) => document.querySelectorAll(part).length !== 1);
  if (!document.documentElement.lang) out.push("no lang");
  if (!document.title.trim()) out.push("no title");
  return out;
})()`;

// Every control has a name, every picture says what it shows, ids are unique.
export const kNames = `(() => {
  const out = [];
  const named = (e) => (e.getAttribute("aria-label") || e.textContent || e.title || "").trim() !== "" ||
    (e.getAttribute("aria-labelledby") || "").split(" ").some((id) => document.getElementById(id)) || (e.labels && e.labels.length > 0);
  document.querySelectorAll("button, a[href], input, select, summary, [tabindex], figure canvas, svg[role=img]").forEach((e) => {
    if (!named(e) && e.tagName !== "PRE") out.push(e.outerHTML.slice(0, 80));
  });
  document.querySelectorAll("figure").forEach((f) => { if (!f.querySelector("figcaption")) out.push(f.id + " has no caption"); });
  document.querySelectorAll("table").forEach((t) => { if (!t.caption) out.push("a table has no caption"); });
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  ids.forEach((id, i) => { if (ids.indexOf(id) !== i) out.push("id " + id + " twice"); });
  return out.slice(0, 5);
})()`;

// After a key press, focus is shown as for a reader who uses the keyboard.
export const kFocus = `(() => {
  const out = [];
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const shown = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
  // A slider shows focus on its thumb, whose style no script can read: the rule has to be there.
  const thumbs = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.selectorText ?? "")
    .filter((text) => text.endsWith(":focus-visible::-webkit-slider-thumb")).map((text) => text.replace("::-webkit-slider-thumb", ""));
  const all = [...document.querySelectorAll("button, a[href], input, select, summary, [tabindex='0']")].filter(shown);
  // One of each kind is enough where a page has thousands.
  const seen = new Map();
  all.forEach((e) => {
    const kind = e.tagName + "." + (e.className.baseVal ?? e.className) + "<" + e.parentElement.tagName;
    if ((seen.get(kind) ?? 0) > 2) return;
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
    if (e.disabled) return;
    e.focus();
    const style = getComputedStyle(e);
    if (document.activeElement !== e) out.push("no focus: " + e.outerHTML.slice(0, 80));
    else if (e.type === "range" && thumbs.some((rule) => e.matches(rule))) return;
    else if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) out.push("unseen: " + e.outerHTML.slice(0, 80));
  });
  if (all.length === 0) out.push("no control at all");
  document.activeElement.blur();
  return out.slice(0, 5);
})()`;

// WCAG 2.1, 1.4.3: 4.5 to 1, for large text 3 to 1; colours as painted, translucent ones mixed.
export const kContrast = `(() => {
  const parse = (text) => {
    const m = text.match(/[\\d.]+/g);
    return m ? { rgb: m.slice(0, 3).map(Number), alpha: m.length > 3 ? Number(m[3]) : 1 } : null;
  };
  const over = (top, alpha, below) => top.map((c, i) => c * alpha + below[i] * (1 - alpha));
  const luminance = (rgb) => rgb.map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; })
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => { const x = luminance(a), y = luminance(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const ground = (e) => {
    const layers = [];
    for (let at = e; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (!colour || colour.alpha === 0) continue;
      layers.push(colour);
      if (colour.alpha === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer.rgb, layer.alpha, below), [255, 255, 255]);
  };
  const out = new Map();
  document.querySelectorAll("details").forEach((d) => { d.open = true; });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const done = new Set();
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || done.has(e)) continue;
    done.add(e);
    if (["SCRIPT", "STYLE", "TITLE", "DESC", "OPTION", "NOSCRIPT"].includes(e.tagName.toUpperCase())) continue;
    if (!e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    if (style.visibility === "hidden" || e.closest(".sr, .anchor")) continue;
    const svg = e instanceof SVGElement;
    let below = ground(svg ? e.ownerSVGElement.parentElement : e);
    // A label inside a bar lies on its tint.
    const bar = svg && e.classList.contains("inside") && e.previousElementSibling;
    if (bar) below = over(parse(getComputedStyle(bar).fill).rgb, Number(getComputedStyle(bar).fillOpacity), below);
    const colour = parse(svg ? style.fill : style.color);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = ratio(over(colour.rgb, colour.alpha, below), below);
    if (found < (large ? 3 : 4.5)) {
      const key = e.tagName + "." + (e.className.baseVal ?? e.className) + " " + found.toFixed(2);
      if (!out.has(key)) out.set(key, key + " '" + e.textContent.trim().slice(0, 20) + "'");
    }
  }
  return [...out.values()].slice(0, 5);
})()`;

// What a spreadsheet would run: a cell that begins like a formula and is no number.
export function formulas(csv) {
  const cells = [];
  let cell = "";
  let quoted = false;
  for (let i = 0; i < csv.length; ++i) {
    const c = csv[i];
    if (quoted) {
      if (c !== "\"") cell += c;
      else if (csv[i + 1] === "\"") { cell += c; ++i; } else quoted = false;
    } else if (c === "\"") quoted = true;
    else if (c === "," || c === "\r" || c === "\n") { cells.push(cell); cell = ""; } else cell += c;
  }
  cells.push(cell);
  return cells.filter((text) => /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) && text !== "-inf");
}
