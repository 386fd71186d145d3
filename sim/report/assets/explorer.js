// All points of a sweep: filters that every picture follows, by slider or by dragging over an axis.
"use strict";
(function () {
  var kAxes = 9;
  var kHeatSteps = 24;
  var kBestRows = 8;
  var kReach = 6;  // pixels beyond a drag that still belong to it
  var views = window.fathomViews;
  var columnsOf = window.fathomColumns;

  function element(name, attributes, children) {
    var out = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      if (key === "text") out.textContent = attributes[key]; else out.setAttribute(key, attributes[key]);
    });
    (children || []).forEach(function (child) { out.append(child); });
    return out;
  }
  function colours(root) {
    var style = getComputedStyle(root);
    function colour(name) { return style.getPropertyValue("--" + name).trim(); }
    var ground = colour("plot-ground");
    return {
      ink: colour("plot-ink"), soft: colour("plot-soft"), grid: colour("plot-grid"), ground: ground,
      series: [1, 2, 3, 4, 5, 6, 7, 8].map(function (i) { return colour("p" + i); }),
      dark: parseInt(ground.slice(1, 3), 16) < 128,
    };
  }
  function chooser(label, choices, chosen, changed) {
    var select = element("select", {}, choices.map(function (choice, i) {
      return element("option", { value: i, text: choice });
    }));
    select.value = chosen;
    select.addEventListener("change", changed);
    return { select: select, box: element("label", {}, [label + " ", select]) };
  }
  function exact(column, i) {
    var value = column.values[i];
    if (!(value === value)) return "";
    if (column.texts) return column.texts[value];
    return String(column.exact ? value : Number(value.toPrecision(7)));
  }

  function explore(root) {
    var data = JSON.parse(root.querySelector("script").textContent);
    root.querySelector("script").remove();
    var columns = data.columns.map(function (part) { return columnsOf.make(part, views.bins); });
    var numbers = columnsOf.numbers(data.numbers);
    var keep = new Uint8Array(data.points).fill(1);
    var colour = colours(root);
    var kept = data.points;
    var results = columns.filter(function (c) { return !c.input; });
    var inputs = columns.filter(function (c) { return c.input; });
    var goals = columns.filter(function (c) { return c.better !== "neither"; });
    if (!columns.length || !results.length) return;

    // --- state of the pictures ---
    var shown = inputs.slice(0, kAxes - 3).concat(goals);
    results.forEach(function (c) {
      if (shown.length < kAxes && shown.indexOf(c) < 0 && c.name !== "selected") shown.push(c);
    });
    var axes = [];
    var area = null;
    var map = null;
    var cell = -1;

    var status = element("output", { "aria-live": "polite" });
    var reset = element("button", { type: "button", text: say("Clear filters") });
    var csv = element("a", { class: "csv", href: "#", download: "points.csv", text: say("CSV of these points") });
    var lines = element("canvas", { role: "img", tabindex: "-1" });
    var dots = element("canvas", { role: "img" });
    var heat = element("canvas", { role: "img", tabindex: "0" });
    var hueKey = element("div", { class: "key" });
    var heatKey = element("div", { class: "key" });
    var tip = element("div", { class: "tip", role: "status" });
    tip.hidden = true;

    function names(list) { return list.map(function (c) { return c.header; }); }
    var x = chooser("x", names(columns), columns.indexOf(goals[0] || results[0]), schedule);
    var y = chooser("y", names(columns), columns.indexOf(goals[1] || results[1] || results[0]), schedule);
    var hue = chooser(say("colour"), [say("none")].concat(names(columns)), inputs.length ? 1 : 0, schedule);
    var across = inputs.length > 1 ? inputs : columns;
    function byValues(skip) {  // the inputs with most values say most
      var order = across.filter(function (c) { return !c.texts; }).sort(function (a, b) { return b.steps - a.steps; });
      return across.indexOf(order[skip] || across[skip] || across[0]);
    }
    var hx = chooser("x", names(across), byValues(0), schedule);
    var hy = chooser("y", names(across), byValues(1), schedule);
    var what = chooser(say("of"), names(results), results.indexOf(goals[0] || results[0]), function () {
      side.select.value = preferred(); schedule();
    });
    function preferred() { return results[what.select.value].better === "low" ? 1 : 0; }
    var side = chooser(say("show the"), [say("highest"), say("lowest")], preferred(), schedule);

    // --- filters ---
    function sliderFor(column) {
      var range = element("span", { class: "range" });
      var low = element("input", { type: "range", min: 0, max: column.steps - 1, step: 1, "aria-label": say("{}, from", column.header) });
      var high = element("input", { type: "range", min: 0, max: column.steps - 1, step: 1, "aria-label": say("{}, to", column.header) });
      var box = element("div", { class: "slider", "data-column": column.name },
                        [element("span", { class: "name", text: column.header, title: column.name }), range,
                         element("div", { class: "track" }, [low, high])]);
      column.refresh = function () {
        low.value = column.lo;
        high.value = column.hi;
        low.setAttribute("aria-valuetext", column.stepText(column.lo));
        high.setAttribute("aria-valuetext", column.show(column.upper(column.hi)));
        range.textContent = column.range();
        box.classList.toggle("active", column.filtered());
        box.style.setProperty("--from", column.steps < 2 ? 0 : column.lo / (column.steps - 1));
        box.style.setProperty("--to", column.steps < 2 ? 1 : column.hi / (column.steps - 1));
      };
      low.addEventListener("input", function () {
        column.lo = Math.min(Number(low.value), column.hi);
        filter();
      });
      high.addEventListener("input", function () {
        column.hi = Math.max(Number(high.value), column.lo);
        filter();
      });
      return box;
    }
    function apply() {
      var active = columns.filter(function (c) { return c.filtered(); });
      kept = 0;
      keep.fill(1);
      active.forEach(function (c) {
        for (var i = 0; i < keep.length; ++i) if (c.rank[i] < c.lo || c.rank[i] > c.hi) keep[i] = 0;
      });
      for (var i = 0; i < keep.length; ++i) kept += keep[i];
    }
    function filter() {
      columns.forEach(function (c) { c.refresh(); });
      schedule();
    }

    // --- drawing, once per frame however many events there were ---
    var waiting = false;
    function schedule() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(function () {
        waiting = false;
        update();
      });
    }
    function update() {
      apply();
      tip.hidden = true;
      status.textContent = say("{} of {} points", kept.toLocaleString("en"), keep.length.toLocaleString("en"));
      reset.disabled = kept === keep.length;
      axes = views.parallel(lines, shown, keep, colour);
      var tint = hue.select.value === "0" ? null : columns[hue.select.value - 1];
      area = views.scatter(dots, columns[x.select.value], columns[y.select.value], tint, keep, data.front, colour);
      map = views.heat(heat, columnsOf.grouped(across[hx.select.value], kHeatSteps),
                       columnsOf.grouped(across[hy.select.value], kHeatSteps), results[what.select.value], keep,
                       side.select.value === "0", cell, colour);
      keys(tint);
      describe();
      best();
      root.setAttribute("data-kept", kept);
    }
    // What the colours mean, beside the pictures.
    function scale(box, low, high, falling) {
      var bar = element("span", { class: "scale" });
      bar.style.background = views.gradient(colour, falling);
      box.replaceChildren(low, bar, high);
    }
    function extremes(column) {
      var at = [Infinity, -Infinity];
      column.values.forEach(function (v) { if (Number.isFinite(v)) at = [Math.min(at[0], v), Math.max(at[1], v)]; });
      return at.map(column.show);
    }
    function keys(tint) {
      var hues = views.key(tint, colour);
      if (!tint) hueKey.replaceChildren(" ");
      else if (!hues.length) scale(hueKey, extremes(tint)[0], extremes(tint)[1], false);
      else {
        hueKey.replaceChildren.apply(hueKey, hues.map(function (pair) {
          var mark = element("i");
          mark.style.background = pair[0];
          return element("span", {}, [mark, pair[1]]);
        }));
      }
      var result = results[what.select.value];
      var found = Array.from(map.best).filter(function (i) { return i >= 0; }).map(function (i) { return result.values[i]; });
      if (!found.length) { heatKey.replaceChildren(say("no point has a value")); return; }
      scale(heatKey, result.show(Math.min.apply(null, found)), result.show(Math.max.apply(null, found)), side.select.value === "1");
    }
    function describe() {
      lines.setAttribute("aria-label", say("Parallel coordinates of {}; {}", names(shown).join(", "), status.textContent));
      dots.setAttribute("aria-label", say("Scatter of {} over {}; {}", columns[y.select.value].header, columns[x.select.value].header, status.textContent));
      heat.setAttribute("aria-label", say("Heat map: {} {} by {} and {}. Arrow keys step through the cells.", side.select.selectedOptions[0].text,
        results[what.select.value].header, across[hx.select.value].header, across[hy.select.value].header));
    }

    // --- the best of what is shown, also for whoever cannot see the pictures ---
    var table = element("table");
    function best() {
      var goal = goals[0] || results[0];
      var sign = goal.better === "low" ? 1 : -1;
      var top = [];
      for (var i = 0; i < keep.length; ++i) {
        if (!keep[i] || !Number.isFinite(goal.values[i])) continue;
        if (top.length === kBestRows && sign * (goal.values[i] - goal.values[top[kBestRows - 1]]) >= 0) continue;
        var at = top.findIndex(function (other) { return sign * (goal.values[i] - goal.values[other]) < 0; });
        top.splice(at < 0 ? top.length : at, 0, i);
        top.length = Math.min(top.length, kBestRows);
      }
      var head = element("tr", {}, [element("th", { scope: "col", class: "n", text: say("point") })].concat(shown.map(function (c) {
        return element("th", { scope: "col", class: c.texts ? "" : "n", text: c.header });
      })));
      table.replaceChildren(
        element("caption", { text: goal.better === "low" ? say("Best of the points shown, by lowest {}", goal.header)
          : say("Best of the points shown, by highest {}", goal.header) }),
        element("thead", {}, [head]),
        element("tbody", {}, top.map(function (i) {
          return element("tr", {}, [element("td", { class: "n", text: numbers[i] })].concat(shown.map(function (c) {
            return element("td", { class: c.texts ? "" : "n", text: c.show(c.values[i]) });
          })));
        })));
    }

    function point(i) {
      return [[say("point"), String(numbers[i])]].concat(columns.map(function (c) { return [c.header, exact(c, i)]; }));
    }
    function showTip(box, rows, left, top) {
      box.append(tip);
      tip.replaceChildren(element("dl", {}, rows.flatMap(function (row) {
        return [element("dt", { text: row[0] }), element("dd", { text: row[1] })];
      })));
      tip.hidden = false;
      if (left + 14 + tip.offsetWidth > box.clientWidth) left -= tip.offsetWidth + 28;
      tip.style.left = Math.max(0, left + 14) + "px";
      tip.style.top = Math.max(0, Math.min(top - tip.offsetHeight / 2, box.clientHeight - tip.offsetHeight)) + "px";
    }
    dots.addEventListener("pointermove", function (event) {
      var i = views.nearest(area, columns[x.select.value], columns[y.select.value], keep, event.offsetX, event.offsetY);
      if (i < 0) tip.hidden = true; else showTip(dots.parentNode, point(i), event.offsetX, event.offsetY);
    });
    function showCell() {
      var columnsAcross = Math.round((map.area.right - map.area.left) / map.w);
      var i = map.best[cell];
      if (i === undefined || i < 0) { tip.hidden = true; return; }
      showTip(heat.parentNode, point(i), map.area.left + (cell % columnsAcross + 0.5) * map.w,
              map.area.bottom - (Math.floor(cell / columnsAcross) + 0.5) * map.h);
    }
    heat.addEventListener("pointermove", function (event) {
      var steps = Math.round((map.area.right - map.area.left) / map.w);
      var cx = Math.floor((event.offsetX - map.area.left) / map.w);
      var cy = Math.floor((map.area.bottom - event.offsetY) / map.h);
      cell = cx >= 0 && cx < steps && cy >= 0 ? cy * steps + cx : -1;
      showCell();
    });
    heat.addEventListener("keydown", function (event) {
      var steps = Math.round((map.area.right - map.area.left) / map.w);
      var step = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: steps, ArrowDown: -steps }[event.key];
      if (!step) return;
      event.preventDefault();
      cell = Math.min(Math.max(cell + step, 0), map.best.length - 1);
      update();
      showCell();
    });
    [dots, heat].forEach(function (canvas) {
      canvas.addEventListener("pointerleave", function () { tip.hidden = true; });
      canvas.addEventListener("blur", function () { cell = -1; schedule(); });
    });

    // --- dragging over an axis filters by it, a click lets everything through ---
    lines.addEventListener("pointerdown", function (event) {
      var axis = axes.reduce(function (a, b) {
        return Math.abs(b.x - event.offsetX) < Math.abs(a.x - event.offsetX) ? b : a;
      });
      function place(e) { return Math.min(Math.max((axis.bottom - e.offsetY) / (axis.bottom - axis.top), 0), 1); }
      var start = place(event);
      lines.setPointerCapture(event.pointerId);
      function move(e) {
        var slack = kReach / (axis.bottom - axis.top);
        axis.column.brush(Math.min(start, place(e)) - slack, Math.max(start, place(e)) + slack);
        filter();
      }
      lines.addEventListener("pointermove", move);
      lines.addEventListener("pointerup", function (e) {
        lines.removeEventListener("pointermove", move);
        if (Math.abs(place(e) - start) > 0.01) return;
        axis.column.lo = 0;
        axis.column.hi = axis.column.steps - 1;
        filter();
      }, { once: true });
    });

    reset.addEventListener("click", function () {
      columns.forEach(function (c) { c.lo = 0; c.hi = c.steps - 1; });
      filter();
    });
    function quoted(text) {
      if (/^[=+\-@\t\r]/.test(text) && !(Number(text) === Number(text))) text = "'" + text;
      return /[",\r\n]|^ | $/.test(text) ? "\"" + text.replace(/"/g, "\"\"") + "\"" : text;
    }
    csv.addEventListener("click", function () {
      var out = [["number"].concat(columns.map(function (c) { return quoted(c.name); })).join(",")];
      keep.forEach(function (one, i) {
        if (one) out.push([numbers[i]].concat(columns.map(function (c) { return quoted(exact(c, i)); })).join(","));
      });
      if (csv.href.startsWith("blob:")) URL.revokeObjectURL(csv.href);
      csv.href = URL.createObjectURL(new Blob([out.join("\r\n") + "\r\n"], { type: "text/csv" }));
    });

    function picture(canvas, name, controls, key) {
      return element("div", { class: "view " + name }, [
        element("div", { class: "choose" }, controls.map(function (c) { return c.box; })),
        key, element("div", { class: "canvas" }, [canvas]),
      ]);
    }
    var chosen = element("div", { class: "axes" }, columns.map(function (column) {
      var box = element("input", { type: "checkbox" });
      box.checked = shown.indexOf(column) >= 0;
      box.addEventListener("change", function () {
        shown = columns.filter(function (c) { return c === column ? box.checked : shown.indexOf(c) >= 0; });
        schedule();
      });
      return element("label", {}, [box, " " + column.header]);
    }));
    root.append(
      element("div", { class: "bar" }, [status, reset, csv]),
      element("div", { class: "view parallel" }, [element("div", { class: "canvas" }, [lines])]),
      element("p", { class: "plot-note", text: [say("Drag along an axis to keep what lies there; click it to let everything through.")]
        .concat(data.left_out.length ? say("Left out to keep the page small: {}.", data.left_out.join(", ")) : []).join(" ") }),
      element("details", {}, [element("summary", { text: say("Columns shown") }), chosen]),
      element("div", { class: "filters" }, columns.map(sliderFor)),
      element("div", { class: "pair" }, [
        picture(dots, "scatter", [x, y, hue], hueKey),
        picture(heat, "heat", [what, side, hx, hy], heatKey),
      ]),
      element("p", { class: "plot-note", text: (data.front.length ? [say("Ringed: points that nothing beats.")] : [])
        .concat(say("Each cell of the map is the best over everything else.")).join(" ") }),
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("Best points") }, [table]));
    columns.forEach(function (c) { c.refresh(); });
    new ResizeObserver(schedule).observe(root);
    window.addEventListener("themechange", function () { colour = colours(root); schedule(); });
    update();
  }

  document.querySelectorAll(".explorer").forEach(explore);
})();
