// The explorer's columns: decoded from base64, each with a filter in steps (its distinct values, or
// as many quantiles), a place between 0 and 1 for every value, and words for people.
"use strict";
window.fathomColumns = (function () {
  var kNothing = 65535;
  var kQuantiles = 200;
  var kOrdinal = 24;   // up to so many distinct values an axis names them, evenly spaced
  var kLogRatio = 50;  // a wider range of positive numbers is shown on a log scale
  var kSeconds = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];
  var kBinary = [[1099511627776, "TiB"], [1073741824, "GiB"], [1048576, "MiB"], [1024, "KiB"], [1, "B"]];

  function bytes(text) {
    var raw = atob(text);
    var out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; ++i) out[i] = raw.charCodeAt(i);
    return out.buffer;
  }
  function number(entry) { return entry === "inf" ? Infinity : entry === "-inf" ? -Infinity : entry; }
  function decode(part) {
    if (part.coding === "plain") return Float64Array.from(part.data);
    var buffer = bytes(part.data);
    if (part.coding === "f32") return new Float32Array(buffer);
    var index = part.coding === "u8" ? new Uint8Array(buffer) : new Uint16Array(buffer);
    var table = part.table.map(number);
    return Float64Array.from(index, function (i) { return i < table.length ? table[i] : NaN; });
  }
  function numbers(part) {
    var at = part.first;
    return Array.from(decode(part), function (step) { return at += step; });
  }

  function rounded(value, digits) {
    if (Number.isInteger(value) && Math.abs(value) < 1e7) return value.toLocaleString("en");
    var size = Math.abs(value);
    if (size >= 1e6 || (size < 1e-4 && size > 0)) return value.toExponential(2).replace("e+", "e");
    return String(Number(value.toPrecision(digits)));
  }
  function scaled(value, units) {
    var size = Math.abs(value);
    var unit = units.find(function (u) { return size >= u[0]; }) || (value === 0 ? units[0] : units[units.length - 1]);
    return rounded(value / unit[0], 3) + " " + unit[1];
  }
  function words(column) {
    return function (value) {
      if (!(value === value)) return "–";
      if (column.texts) return column.texts[value];
      if (column.format === "seconds") return scaled(value, kSeconds);
      if (column.format === "bytes_binary") return scaled(value, kBinary);
      if (column.format === "percent") return rounded(100 * value, 3) + " %";
      return rounded(value, 3);
    };
  }

  function distinct(values) {
    var sorted = Float64Array.from(values).filter(Number.isFinite).sort();
    return { sorted: sorted, unique: sorted.filter(function (v, i) { return i === 0 || v !== sorted[i - 1]; }) };
  }
  // The first step whose value exceeds v, less one: the step that holds v.
  function stepOf(edges, v) {
    var low = 0;
    var high = edges.length;
    while (low < high) {
      var middle = low + high >> 1;
      if (edges[middle] <= v) low = middle + 1; else high = middle;
    }
    return low - 1;
  }
  function linearTicks(low, high, most) {
    var raw = (high - low) / most;
    var power = Math.pow(10, Math.floor(Math.log10(raw)));
    var step = [1, 2, 5, 10].find(function (f) { return f * power >= raw; }) * power;
    var out = [];
    for (var i = Math.ceil(low / step); i * step <= high * (1 + 1e-12); ++i) out.push(i * step);
    return out;
  }
  function logTicks(low, high, most) {
    var out = [];
    var every = Math.ceil(Math.log10(high / low) / most);
    for (var p = Math.floor(Math.log10(low)); p <= Math.log10(high); p += every) {
      (Math.log10(high / low) < 3 ? [1, 2, 5] : [1]).forEach(function (f) {
        var value = f * Math.pow(10, p);
        if (value >= low * 0.999 && value <= high * 1.001) out.push(value);
      });
    }
    return out;
  }

  function make(part, bins) {
    var values = decode(part);
    var found = distinct(values);
    var edges = Array.from(found.unique);
    var exactSteps = part.coding !== "f32" && edges.length > 0;
    if (!exactSteps && edges.length > kQuantiles) {
      edges = [];
      for (var q = 0; q < kQuantiles; ++q) {
        var edge = found.sorted[Math.floor(q * found.sorted.length / kQuantiles)];
        if (!edges.length || edge > edges[edges.length - 1]) edges.push(edge);
      }
    }
    var ordinal = !!part.texts || edges.length <= kOrdinal;
    var low = found.sorted.length ? found.sorted[0] : 0;
    var high = found.sorted.length ? found.sorted[found.sorted.length - 1] : 1;
    var log = low > 0 && high / low >= kLogRatio;
    function place(value) {
      if (ordinal) return edges.length < 2 ? 0.5 : stepOf(edges, value) / (edges.length - 1);
      if (high === low) return 0.5;
      return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
    }
    var n = values.length;
    var column = {
      name: part.name, header: part.header, input: part.input, better: part.better, texts: part.texts,
      format: part.format, values: values, steps: edges.length, exact: part.coding !== "f32",
      norm: new Float32Array(n).fill(-1), bins: new Uint8Array(n).fill(255),
      rank: new Uint16Array(n).fill(kNothing), lo: 0, hi: edges.length - 1,
    };
    for (var i = 0; i < n; ++i) {
      if (!Number.isFinite(values[i])) continue;
      column.rank[i] = stepOf(edges, values[i]);
      column.norm[i] = place(values[i]);
      column.bins[i] = Math.round(column.norm[i] * (bins - 1));
    }
    column.show = words(column);
    column.title = function () { return column.header; };
    column.stepText = function (step) { return column.show(edges[step]); };
    column.upper = function (step) {  // the largest value that a filter up to this step keeps
      return found.unique.length === edges.length ? edges[step] : step + 1 < edges.length ? edges[step + 1] : high;
    };
    column.filtered = function () { return column.lo > 0 || column.hi < column.steps - 1; };
    column.span = function () { return [place(edges[column.lo]), place(column.upper(column.hi))]; };
    column.range = function () {
      var from = column.show(edges[column.lo]);
      var to = column.show(column.upper(column.hi));
      return from === to ? from : from + " – " + to;
    };
    // The filter that keeps what lies between two places of the axis; all when nothing does.
    column.brush = function (from, to) {
      var inside = edges.map(function (_, step) { return step; }).filter(function (step) {
        return place(edges[step]) >= from - 1e-6 && place(edges[step]) <= to + 1e-6;
      });
      column.lo = inside.length ? inside[0] : 0;
      column.hi = inside.length ? inside[inside.length - 1] : column.steps - 1;
    };
    column.ticks = function (most) {
      var at;
      if (ordinal) {
        var every = Math.ceil(edges.length / (2 * most));
        at = edges.filter(function (_, step) { return step % every === 0; });
      } else {
        at = high === low ? [low] : (log ? logTicks : linearTicks)(low, high, most);
      }
      return at.map(function (value) { return { at: place(value), text: column.show(value) }; });
    };
    return column;
  }

  // Neighbouring steps together, for a heat map of a column with many values.
  function grouped(column, most) {
    if (column.steps <= most) return column;
    var each = column.steps / most;
    var rank = column.rank.map(function (step) {
      return step === kNothing ? kNothing : Math.min(most - 1, Math.floor(step / each));
    });
    return {
      steps: most, rank: rank, title: column.title,
      stepText: function (group) { return column.stepText(Math.ceil(group * each)); },
    };
  }

  return { make: make, numbers: numbers, grouped: grouped };
})();
