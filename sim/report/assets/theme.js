// The reader's choice of theme, applied before the first paint. The style sheet knows the dark theme
// as one media query; choosing a theme turns that query on or off.
"use strict";
(function () {
  var root = document.documentElement;
  var modes = ["auto", "light", "dark"];
  var mode = "auto";
  var rules = [];
  root.classList.add("script");
  Array.from(document.styleSheets).forEach(function (sheet) {
    Array.from(sheet.cssRules).forEach(function (rule) {
      if (rule.media && rule.media.mediaText.indexOf("prefers-color-scheme") >= 0) {
        rules.push({ rule: rule, text: rule.media.mediaText });
      }
    });
  });
  function apply(chosen) {
    mode = modes.indexOf(chosen) < 0 ? "auto" : chosen;
    rules.forEach(function (entry) {
      entry.rule.media.mediaText = mode === "auto" ? entry.text : mode === "dark" ? "all" : "not all";
    });
    root.style.colorScheme = mode === "auto" ? "" : mode;
    root.setAttribute("data-theme", mode);
    window.dispatchEvent(new Event("themechange"));
  }
  // A page opened from a file may be refused storage; then the choice lasts as long as the page.
  try { apply(localStorage.getItem("fathom-theme")); } catch (refused) { apply("auto"); }
  document.addEventListener("DOMContentLoaded", function () {
    var button = document.getElementById("theme");
    function show() {
      button.textContent = { auto: say("Theme: auto"), light: say("Theme: light"), dark: say("Theme: dark") }[mode];
    }
    button.addEventListener("click", function () {
      apply(modes[(modes.indexOf(mode) + 1) % modes.length]);
      show();
      try { localStorage.setItem("fathom-theme", mode); } catch (refused) { return; }
    });
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () {
    window.dispatchEvent(new Event("themechange"));
  });
})();
