// Tables: sorting by column and filtering by words. Numbers sort by data-v, which holds all digits;
// a third click brings the document's own order back.
"use strict";
(function () {
  function key(row, index) {
    var cell = row.cells[index];
    var text = cell.hasAttribute("data-v") ? cell.getAttribute("data-v") : cell.textContent.trim();
    if (text === "inf") return Infinity;
    if (text === "-inf") return -Infinity;
    var value = text === "" ? NaN : Number(text);
    return Number.isNaN(value) ? text : value;
  }
  function compare(a, b) {
    var aIsText = typeof a === "string";
    var bIsText = typeof b === "string";
    if (aIsText !== bIsText) return aIsText ? 1 : -1;
    if (!aIsText) return a < b ? -1 : a > b ? 1 : 0;
    return a.localeCompare(b, "en", { numeric: true });
  }
  // What stands between rows has to go before they move.
  function announce(table) { table.dispatchEvent(new CustomEvent("rowschange", { bubbles: true })); }
  function sortable(table) {
    var body = table.tBodies[0];
    var original = Array.from(body.rows);
    var heads = Array.from(table.tHead.rows[0].cells);
    if (original.length < 2) return;
    heads.forEach(function (head, index) {
      var button = document.createElement("button");
      button.type = "button";
      button.append.apply(button, Array.from(head.childNodes));
      if (!button.textContent.trim()) button.setAttribute("aria-label", "Sort by column " + (index + 1));
      head.append(button);
      button.addEventListener("click", function () {
        announce(table);
        var was = head.getAttribute("aria-sort");
        var order = was === null ? "ascending" : was === "ascending" ? "descending" : null;
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        var rows = original.slice();
        if (order !== null) {
          var sign = order === "ascending" ? 1 : -1;
          head.setAttribute("aria-sort", order);
          rows.sort(function (a, b) { return sign * compare(key(a, index), key(b, index)); });
        }
        body.append.apply(body, rows);
      });
    });
  }
  // A row stays while it contains every word.
  function filterable(input) {
    var tools = input.closest(".tools");
    var rows = Array.from(tools.parentNode.querySelector("table.sortable").tBodies[0].rows);
    var output = tools.querySelector("output");
    input.addEventListener("input", function () {
      announce(rows[0].closest("table"));
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      var shown = 0;
      rows.forEach(function (row) {
        var text = row.textContent.toLowerCase();
        row.hidden = !words.every(function (word) { return text.indexOf(word) >= 0; });
        shown += row.hidden ? 0 : 1;
      });
      output.textContent = words.length ? say("{} of {} rows", shown, rows.length) : "";
    });
  }
  document.querySelectorAll("table.sortable").forEach(sortable);
  document.querySelectorAll(".filter input").forEach(filterable);
})();
