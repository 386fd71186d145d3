// A row or key figure opens how its number came about below itself; Escape closes it again. A link
// from outside opens the list of all of them.
"use strict";
(function () {
  function section(link) { return document.getElementById(link.getAttribute("href").slice(1)); }
  function content(link) {
    var box = document.createElement("div");
    box.className = "working";
    box.append.apply(box, Array.from(section(link).childNodes).map(function (node) {
      return node.cloneNode(true);
    }));
    return box;
  }
  function place(link) {
    var row = link.closest("tr");
    var panel = document.createElement(row ? "tr" : "div");
    panel.className = "how-panel";
    if (row) {
      var cell = document.createElement("td");
      cell.colSpan = row.cells.length;
      cell.append(content(link));
      panel.append(cell);
      row.after(panel);
    } else {
      panel.append(content(link));
      link.closest("dl").after(panel);
    }
    return panel;
  }
  var open = new Map();
  function close(link) {
    open.get(link).remove();
    open.delete(link);
    link.setAttribute("aria-expanded", "false");
  }
  function toggle(link) {
    if (open.has(link)) return close(link);
    // Key figures share the room below them.
    if (!link.closest("tr")) Array.from(open.keys()).forEach(function (other) {
      if (!other.closest("tr")) close(other);
    });
    var panel = place(link);
    panel.addEventListener("keydown", function (event) {
      if (event.key === "Escape") { close(link); link.focus(); }
    });
    open.set(link, panel);
    link.setAttribute("aria-expanded", "true");
  }
  document.querySelectorAll("a.how").forEach(function (link) {
    if (!section(link)) return;
    link.setAttribute("aria-expanded", "false");
    link.addEventListener("click", function (event) {
      event.preventDefault();
      toggle(link);
    });
    link.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && open.has(link)) close(link);
    });
  });
  // Rows are about to move or hide.
  document.addEventListener("rowschange", function (event) {
    Array.from(open.keys()).forEach(function (link) {
      if (event.target.contains(link)) close(link);
    });
  });
  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target || !target.classList.contains("working")) return;
    target.closest("details").open = true;
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})();
