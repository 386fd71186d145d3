// Every plot as a Chart.js chart with the scales, ticks and colours of the static figure beside it.
// Series are toggled by buttons, points are read by pointer or arrow keys, with all digits.
"use strict";
(function () {
  var kSymbols = ["circle", "rect", "triangle", "rectRot", "triangle"];
  var kRadii = [4, 5, 5.5, 5.5, 5.5];  // of equal weight to the eye
  var kPalette = 8;
  var kNarrow = 480;  // pixels; below, every second tick keeps its label
  var kMostLabels = 150;
  var charts = [];

  function finite(value) { return typeof value === "number" ? value : NaN; }
  function plain(text) { return text.replace(/`/g, ""); }
  function withUnit(text, unit) { return unit ? text + " " + unit : text; }
  function title(axis) { return axis.unit ? axis.label + " (" + axis.unit + ")" : axis.label; }
  function palette(element) {
    var style = getComputedStyle(element);
    function colour(name) { return style.getPropertyValue("--" + name).trim(); }
    var series = [];
    for (var i = 1; i <= kPalette; ++i) series.push(colour("p" + i));
    return {
      series: series, ink: colour("plot-ink"), soft: colour("plot-soft"),
      grid: colour("plot-grid"), faint: colour("plot-faint"), ground: colour("plot-ground"),
    };
  }
  function faded(colour, share) {
    return colour + Math.round(share * 255).toString(16).padStart(2, "0");
  }
  function visible(axis, value) {
    return Number.isFinite(value) && (axis.scale === "linear" || value > 0);
  }

  // Bars and areas of a stacked plot stand on those before them that are shown.
  function data(plot, hidden, colours) {
    var tops = [];
    var below = -1;
    var out = [];
    plot.series.forEach(function (series, index) {
      if (hidden[index]) return;
      var bars = series.kind === "bars";
      var area = series.kind === "area";
      var stands = plot.stacked && (bars || area);
      var points = [];
      series.xs.forEach(function (x, k) {
        var base = stands ? tops[k] || 0 : 0;
        var y = base + finite(series.ys[k]);
        if (stands && Number.isFinite(y)) tops[k] = y;
        if (!visible(plot.x, finite(x)) || !visible(plot.y, y)) y = NaN;
        var low = visible(plot.y, base) ? base : plot.y.shown.lo;
        points.push({ x: finite(x), y: bars && !Number.isNaN(y) ? [low, y] : y });
      });
      out.push(style(plot, series, index, points, below, colours));
      if (area) below = out.length - 1;
    });
    return { datasets: out };
  }
  function style(plot, series, index, points, below, colours) {
    var colour = colours.series[index % kPalette];
    var dashed = Math.floor(index / kPalette) % 2 === 1;
    var set = { data: points, series: index, borderColor: colour, backgroundColor: colour };
    if (series.kind === "bars") {
      return Object.assign(set, {
        type: "bar", order: 2, grouped: !plot.stacked, maxBarThickness: 56, borderWidth: 0,
        backgroundColor: dashed ? faded(colour, 0.6) : colour, categoryPercentage: 0.8,
        barPercentage: 0.98, minBarLength: 1, hoverBackgroundColor: colour,
      });
    }
    var marked = series.kind === "points" || series.kind === "line_points";
    var area = series.kind === "area";
    return Object.assign(set, {
      type: "line", order: area ? 3 : series.kind === "points" ? 0 : 1,
      showLine: series.kind !== "points", stepped: series.kind === "step" ? "before" : false,
      borderWidth: 2, borderDash: dashed ? [7, 3] : [], borderJoinStyle: "round", tension: 0,
      pointStyle: kSymbols[index % 5], pointRotation: index % 5 === 4 ? 180 : 0,
      pointRadius: marked ? kRadii[index % 5] : 0, pointHoverRadius: 7, pointHitRadius: 6,
      pointBorderColor: colours.ground, pointBorderWidth: 1, pointHoverBorderColor: colours.ink,
      pointHoverBorderWidth: 2, clip: 6,
      fill: !area ? false : plot.stacked && below >= 0 ? below
        : plot.y.scale === "linear" ? "origin" : "start",
      backgroundColor: area ? faded(colour, plot.stacked ? 0.72 : 0.16) : colour,
      pointBackgroundColor: colour,
    });
  }

  function scale(plot, name, colours) {
    var axis = plot[name];
    var named = name === "x" && axis.categories;
    var bare = named || (name === "x" && plot.series.some(function (s) { return s.kind === "bars"; }));
    return {
      type: axis.scale === "linear" ? "linear" : "logarithmic",
      min: axis.shown.lo, max: axis.shown.hi, offset: false, grace: 0,
      title: { display: title(axis) !== "", text: title(axis), color: colours.soft },
      border: { color: colours.soft },
      grid: {
        display: !bare, drawTicks: false, borderColor: colours.soft,
        color: function (context) {
          return context.tick && context.tick.name ? colours.grid : colours.faint;
        },
      },
      ticks: {
        autoSkip: false, maxRotation: named ? 40 : 0, padding: 6, color: colours.soft,
        callback: function (value, index, ticks) {
          var labelled = ticks.filter(function (tick) { return tick.name; });
          var rank = labelled.indexOf(ticks[index]);
          var crowded = name === "x" && !named && this.chart.width < kNarrow && labelled.length > 4;
          return crowded && rank % 2 === 1 ? "" : ticks[index].name;
        },
      },
      afterBuildTicks: function (self) {
        self.ticks = axis.shown.ticks.filter(function (tick) {
          return tick[0] >= self.min && tick[0] <= self.max;
        }).map(function (tick) { return { value: tick[0], name: tick[1] }; });
      },
    };
  }

  // Reference lines lie under the data, their labels above it.
  function track(plot, line, chart) {
    var x = chart.scales.x;
    var y = chart.scales.y;
    var area = chart.chartArea;
    var from = line.from === undefined ? -Infinity : line.from;
    var to = line.to === undefined ? Infinity : line.to;
    var out = [];
    if (line.kind === "vertical") {
      var at = x.getPixelForValue(line.value);
      return [[at, area.top], [at, area.bottom]];
    }
    for (var i = 0; i <= 64; ++i) {
      var value = x.getValueForPixel(area.left + (area.right - area.left) * i / 64);
      value = Math.min(Math.max(value, from), to);
      var height = line.kind === "diagonal" ? line.value * value : line.value;
      if (!visible(plot.x, value) || !visible(plot.y, height)) continue;
      out.push([x.getPixelForValue(value), y.getPixelForValue(height)]);
    }
    return out;
  }
  function references(plot, colours) {
    return {
      id: "references",
      beforeDatasetsDraw: function (chart) {
        var context = chart.ctx;
        var area = chart.chartArea;
        context.save();
        context.beginPath();
        context.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
        context.clip();
        context.strokeStyle = colours().soft;
        context.lineWidth = 1.2;
        context.setLineDash([5, 4]);
        plot.references.forEach(function (line) {
          context.beginPath();
          track(plot, line, chart).forEach(function (at) { context.lineTo(at[0], at[1]); });
          context.stroke();
        });
        context.restore();
      },
      afterDatasetsDraw: function (chart) { drawLabels(plot, chart, colours()); },
    };
  }

  // Labels go where there is room; the data hold them all.
  function drawLabels(plot, chart, colours) {
    var context = chart.ctx;
    var area = chart.chartArea;
    var taken = [];
    function free(box) {
      return box[0] >= area.left && box[2] <= chart.width && box[1] >= area.top - 8 &&
        box[3] <= area.bottom && taken.every(function (other) {
          return box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3];
        });
    }
    function write(text, box) {
      taken.push(box);
      context.strokeText(text, box[0], box[3] - 3);
      context.fillText(text, box[0], box[3] - 3);
    }
    function place(text, x, y, offsets) {
      var width = context.measureText(text).width;
      return offsets.some(function (offset) {
        var left = x + offset[0] - width * offset[2];
        var box = [left, y + offset[1] - 7, left + width, y + offset[1] + 7];
        if (!free(box)) return false;
        write(text, box);
        return true;
      });
    }
    context.save();
    context.font = "11px " + Chart.defaults.font.family;
    context.strokeStyle = colours.ground;
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.fillStyle = colours.ink;
    chart.data.datasets.forEach(function (set, index) {
      if (set.type === "bar") return;
      chart.getDatasetMeta(index).data.forEach(function (point) {
        if (!point.skip) taken.push([point.x - 4, point.y - 4, point.x + 4, point.y + 4]);
      });
    });
    plot.references.forEach(function (line) {
      var seen = track(plot, line, chart).filter(function (at) {
        return at[0] >= area.left - 1 && at[0] <= area.right + 1 && at[1] >= area.top - 1 &&
          at[1] <= area.bottom + 1;
      });
      if (!line.label || !seen.length) return;
      // First at the far end, then nearer, above the line and below it; a vertical's at its top.
      [0.98, 0.02, 0.7, 0.4].some(function (share) {
        var at = seen[Math.round(share * (seen.length - 1))];
        var upright = line.kind === "vertical";
        if (upright) at = [at[0], share > 0.5 ? area.top + 10 : area.bottom - 10];
        var side = upright ? 0 : share > 0.9 ? 1 : share < 0.1 ? 0 : 0.5;
        return place(plain(line.label), at[0], at[1], upright ? [[5, 0, 0], [-5, 0, 1]]
          : [[side === 0 ? 5 : -2, -9, side], [side === 0 ? 5 : -2, 10, side]]);
      });
    });
    var tried = 0;
    chart.data.datasets.forEach(function (set, index) {
      var labels = plot.series[set.series].labels;
      if (!labels) return;
      chart.getDatasetMeta(index).data.forEach(function (point, k) {
        if (!labels[k] || point.skip || ++tried > kMostLabels) return;
        place(plain(labels[k]), point.x, point.y,
              [[8, 0, 0], [-8, 0, 1], [0, -13, 0.5], [0, 13, 0.5], [8, -10, 0], [8, 11, 0]]);
      });
    });
    context.restore();
  }

  // The numbers of one point, as lines of text.
  function facts(plot, set, k) {
    var series = plot.series[set.series];
    var x = series.xs[k];
    var named = plot.x.categories && plot.x.categories[x] !== undefined;
    var label = series.labels && series.labels[k];
    var head = [label, series.name].filter(Boolean).map(plain).join(", ");
    return {
      head: head || plain(plot.y.label),
      lines: [
        [plain(plot.x.label), named ? plot.x.categories[x] : withUnit(String(x), plot.x.unit)],
        [plain(plot.y.label), withUnit(String(series.ys[k]), plot.y.unit)],
      ],
    };
  }
  function fill(tip, fact) {
    var head = document.createElement("b");
    head.textContent = fact.head;
    var list = document.createElement("dl");
    fact.lines.forEach(function (line) {
      var name = document.createElement("dt");
      var value = document.createElement("dd");
      name.textContent = line[0];
      value.textContent = line[1];
      list.append(name, value);
    });
    tip.replaceChildren(head, list);
  }
  function tooltip(plot, tip) {
    return function (context) {
      var model = context.tooltip;
      var point = model.dataPoints && model.dataPoints[0];
      tip.hidden = !point || model.opacity === 0;
      if (tip.hidden) return;
      fill(tip, facts(plot, point.dataset, point.dataIndex));
      var room = context.chart.width;
      var left = model.caretX + 14;
      if (left + tip.offsetWidth > room) left = model.caretX - 14 - tip.offsetWidth;
      tip.style.left = Math.max(0, left) + "px";
      tip.style.top = Math.max(0, model.caretY - tip.offsetHeight / 2) + "px";
    };
  }

  // Left and right step through a series, up and down change it, Escape leaves.
  function keys(chart, canvas, tip) {
    var at = { set: 0, point: -1 };
    function show() {
      var meta = chart.getDatasetMeta(at.set);
      var element = meta.data[at.point];
      var active = [{ datasetIndex: at.set, index: at.point }];
      chart.setActiveElements(active);
      chart.tooltip.setActiveElements(active, { x: element.x, y: element.y });
      chart.update("none");
    }
    canvas.addEventListener("keydown", function (event) {
      var sets = chart.data.datasets;
      var step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (event.key === "Escape") {
        chart.setActiveElements([]);
        chart.tooltip.setActiveElements([], { x: 0, y: 0 });
        chart.update("none");
        tip.hidden = true;
      }
      if (!step || !sets.length) return;
      event.preventDefault();
      at.set = (at.set + step[0] + sets.length) % sets.length;
      var length = sets[at.set].data.length;
      if (!length) return;
      at.point = Math.min(Math.max(at.point + step[1], 0), length - 1);
      show();
    });
  }

  function legend(box, plot, hidden, redraw) {
    box.querySelectorAll(".legend button").forEach(function (button) {
      button.addEventListener("click", function () {
        var index = Number(button.getAttribute("data-series"));
        hidden[index] = !hidden[index];
        button.setAttribute("aria-pressed", String(!hidden[index]));
        redraw();
      });
    });
  }

  function draw(box) {
    var plot = JSON.parse(box.querySelector("script").textContent);
    var canvas = box.querySelector("canvas");
    var colour = palette(box.parentNode.querySelector(".static .plot"));
    var hidden = {};
    var tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("role", "status");
    tip.hidden = true;
    canvas.parentNode.append(tip);
    function scales() { return { x: scale(plot, "x", colour), y: scale(plot, "y", colour) }; }
    var chart = new Chart(canvas, {
      data: data(plot, hidden, colour),
      plugins: [references(plot, function () { return colour; })],
      options: {
        animation: false, responsive: true, maintainAspectRatio: false, scales: scales(),
        layout: { padding: { top: 10, right: 18 } },
        interaction: { mode: "nearest", axis: "xy", intersect: false },
        plugins: {
          legend: { display: false },
          tooltip: { enabled: false, external: tooltip(plot, tip) },
        },
      },
    });
    function redraw() {
      tip.hidden = true;
      chart.data = data(plot, hidden, colour);
      chart.update("none");
    }
    legend(box, plot, hidden, redraw);
    keys(chart, canvas, tip);
    charts.push(function () {
      colour = palette(box.parentNode.querySelector(".static .plot"));
      chart.options.scales = scales();
      redraw();
    });
  }

  Chart.defaults.font.family = getComputedStyle(document.documentElement).getPropertyValue("--sans");
  document.querySelectorAll(".chart").forEach(function (box) {
    // A figure that cannot be drawn keeps its static form.
    try { draw(box); } catch (fault) {
      box.parentNode.classList.add("undrawn");
      console.error(fault);
    }
  });
  window.addEventListener("themechange", function () {
    charts.forEach(function (refresh) { refresh(); });
  });
})();
