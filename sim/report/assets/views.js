// The explorer's three pictures. Tens of thousands of points become pixels through ImageData, since
// as many canvas calls would cost a filter its answer within a fifth of a second.
"use strict";
window.fathomViews = (function () {
  var kBins = 128;     // levels of an axis of the parallel coordinates; pairs of levels share a line
  var kShades = 64;    // steps of a colour scale
  var kHues = 8;       // values that are told apart by hue rather than by shade
  var kDot = 1.5;      // CSS pixels from a point's middle to its edge
  var kFont = "11px system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'PingFang SC', " +
    "'Hiragino Sans GB', 'Microsoft YaHei', 'Noto Sans CJK SC', 'Noto Sans SC', sans-serif";

  function rgb(text) {
    var value = parseInt(text.slice(1), 16);
    return [value >> 16 & 255, value >> 8 & 255, value & 255];
  }
  function packed(c) { return (255 << 24 | c[2] << 16 | c[1] << 8 | c[0]) >>> 0; }
  function mix(a, b, share) {
    return a.map(function (part, i) { return Math.round(part + (b[i] - part) * share); });
  }
  // From what recedes into the ground to what stands out; both themes run through one hue path.
  function ramp(colours, share) {
    var stops = colours.dark
      ? [[38, 46, 84], [37, 96, 137], [38, 150, 139], [122, 204, 100], [248, 230, 80]]
      : [[222, 235, 212], [141, 205, 180], [64, 158, 173], [38, 100, 148], [48, 32, 92]];
    var at = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
    var low = Math.min(Math.floor(at), stops.length - 2);
    return mix(stops[low], stops[low + 1], at - low);
  }
  function css(c) { return "rgb(" + c.join(" ") + ")"; }

  // A canvas as wide as its box, in device pixels; drawing is in CSS pixels.
  function begin(canvas) {
    var ratio = window.devicePixelRatio || 1;
    var width = canvas.clientWidth;
    var height = canvas.clientHeight;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    var context = canvas.getContext("2d", { willReadFrequently: true });
    context.scale(ratio, ratio);
    context.font = kFont;
    return { context: context, ratio: ratio, width: width, height: height };
  }
  function shorten(context, text, room) {
    if (context.measureText(text).width <= room) return text;
    while (text.length > 1 && context.measureText(text + "…").width > room) text = text.slice(0, -1);
    return text + "…";
  }

  // --- parallel coordinates ---

  function axes(columns, width, height) {
    var left = 44;
    var right = width - 44;
    return columns.map(function (column, i) {
      var x = columns.length < 2 ? (left + right) / 2 : left + (right - left) * i / (columns.length - 1);
      return { column: column, x: x, top: 40, bottom: height - 18 };
    });
  }
  // How often each pixel is crossed: lines of equal ends are drawn once, with their number.
  function crossings(columns, keep, box) {
    var density = new Float32Array(box.w * box.h);
    for (var gap = 0; gap + 1 < columns.length; ++gap) {
      var pairs = new Uint32Array(kBins * kBins);
      var a = columns[gap].bins;
      var b = columns[gap + 1].bins;
      for (var i = 0; i < keep.length; ++i) {
        if (keep[i] && a[i] < kBins && b[i] < kBins) ++pairs[a[i] * kBins + b[i]];
      }
      var from = box.xs[gap];
      var to = box.xs[gap + 1];
      for (var pair = 0; pair < pairs.length; ++pair) {
        if (!pairs[pair]) continue;
        var y0 = (1 - (pair / kBins | 0) / (kBins - 1)) * (box.h - 1);
        var slope = ((1 - pair % kBins / (kBins - 1)) * (box.h - 1) - y0) / (to - from);
        // Of a steep line every pixel of a column, so that it is no row of dots.
        for (var x = from; x < to; ++x) {
          var a0 = Math.round(y0 + slope * (x - from));
          var a1 = Math.round(y0 + slope * (x + 1 - from));
          var end = a1 > a0 ? Math.max(a0, a1 - 1) : Math.min(a0, a1 + 1);
          var step = a1 > a0 ? 1 : -1;
          density[a0 * box.w + x] += pairs[pair];
          for (var at = a0; at !== end; ) density[(at += step) * box.w + x] += pairs[pair];
        }
      }
    }
    return density;
  }
  function paint(image, density, ground, colour, weakest) {
    var most = 0;
    for (var i = 0; i < density.length; ++i) if (density[i] > most) most = density[i];
    var shades = [];
    for (var s = 0; s <= kShades; ++s) shades.push(packed(mix(ground, colour, weakest + (1 - weakest) * s / kShades)));
    var scale = kShades / Math.log1p(most);
    for (var k = 0; k < density.length; ++k) {
      if (density[k]) image[k] = shades[Math.min(kShades, Math.log1p(density[k]) * scale | 0)];
    }
  }
  function parallel(canvas, columns, keep, colours) {
    var pen = begin(canvas);
    var context = pen.context;
    var lines = axes(columns, pen.width, pen.height);
    if (!lines.length) return lines;
    var ground = rgb(colours.ground);
    var x0 = lines[0].x;
    var box = {
      w: Math.max(1, Math.ceil((lines[lines.length - 1].x - x0) * pen.ratio)),
      h: Math.ceil((lines[0].bottom - lines[0].top) * pen.ratio),
      xs: lines.map(function (line) { return Math.round((line.x - x0) * pen.ratio); }),
    };
    var picture = context.createImageData(box.w, box.h);
    var pixels = new Uint32Array(picture.data.buffer);
    var all = new Uint8Array(keep.length).fill(1);
    var everything = keep.every(Boolean);
    if (!everything) paint(pixels, crossings(columns, all, box), ground, rgb(colours.grid), 0.5);
    paint(pixels, crossings(columns, keep, box), ground, rgb(colours.series[0]), 0.18);
    context.putImageData(picture, Math.round(x0 * pen.ratio), Math.round(lines[0].top * pen.ratio));
    var room = lines.length < 2 ? pen.width : lines[1].x - lines[0].x - 8;
    // Names that do not fit side by side take turns in two rows.
    var crowded = lines.some(function (line) { return context.measureText(line.column.header).width > room; });
    lines.forEach(function (line, i) { drawAxis(context, line, room, crowded ? i % 2 : 1, crowded, colours); });
    return lines;
  }
  function drawAxis(context, line, room, row, crowded, colours) {
    var column = line.column;
    var height = line.bottom - line.top;
    context.strokeStyle = colours.soft;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(Math.round(line.x) + 0.5, line.top);
    context.lineTo(Math.round(line.x) + 0.5, line.bottom);
    context.stroke();
    if (column.filtered()) {
      var span = column.span();
      context.fillStyle = colours.series[1];
      context.fillRect(line.x - 3, line.bottom - height * span[1] - 2, 7, height * (span[1] - span[0]) + 4);
    }
    context.textAlign = "center";
    context.fillStyle = colours.ink;
    context.fillText(shorten(context, column.header, crowded ? 2 * room : room), line.x, row ? 28 : 12);
    context.font = "10px " + kFont.slice(5);
    context.lineWidth = 3;
    context.strokeStyle = colours.ground;
    column.ticks(6).forEach(function (tick) {
      var y = line.bottom - height * tick.at;
      context.fillStyle = colours.soft;
      context.fillRect(line.x - 3, y, 7, 1);
      context.fillStyle = colours.ink;
      var text = shorten(context, tick.text, Math.max(room - 4, 34));
      context.strokeText(text, line.x, y + 12);
      context.fillText(text, line.x, y + 12);
    });
    context.font = kFont;
  }

  // --- scatter ---

  function frame(pen) { return { left: 62, top: 24, right: pen.width - 14, bottom: pen.height - 36 }; }
  function drawFrame(context, area, x, y, colours) {
    context.fillStyle = colours.soft;
    context.strokeStyle = colours.grid;
    context.lineWidth = 1;
    context.textAlign = "center";
    var last = -Infinity;
    x.ticks(6).forEach(function (tick) {
      var at = area.left + (area.right - area.left) * tick.at;
      var half = context.measureText(tick.text).width / 2;
      if (at - half < last + 6) return;
      last = at + half;
      context.strokeRect(Math.round(at) + 0.5, area.top, 0, area.bottom - area.top);
      context.fillText(tick.text, at, area.bottom + 14);
    });
    context.textAlign = "right";
    y.ticks(6).forEach(function (tick) {
      var at = area.bottom - (area.bottom - area.top) * tick.at;
      context.strokeRect(area.left, Math.round(at) + 0.5, area.right - area.left, 0);
      context.fillText(shorten(context, tick.text, area.left - 8), area.left - 6, at + 4);
    });
    context.fillText(x.title(), area.right, area.bottom + 30);
    context.textAlign = "left";
    context.fillText(y.title(), 4, 12);
  }
  // A colour per point: one hue per value where there are few, else a scale.
  function paints(column, colours) {
    if (!column) return null;
    var by = column.steps <= kHues ? column.rank : column.bins;
    var colour = column.steps <= kHues
      ? function (i) { return rgb(colours.series[i]); }
      : function (i) { return ramp(colours, i / (kBins - 1)); };
    var table = [];
    for (var i = 0; i < (column.steps <= kHues ? column.steps : kBins); ++i) table.push(packed(colour(i)));
    return { by: by, table: table };
  }
  // What the colours mean, as [colour, words] of each hue or of both ends of the scale.
  function key(column, colours) {
    if (column && column.steps <= kHues) {
      return Array.from({ length: column.steps }, function (_, i) { return [colours.series[i], column.stepText(i)]; });
    }
    return [];
  }
  function gradient(colours, falling) {
    var stops = [0, 0.25, 0.5, 0.75, 1].map(function (at) { return css(ramp(colours, falling ? 1 - at : at)); });
    return "linear-gradient(90deg, " + stops.join(", ") + ")";
  }
  // A step that visits every point once in no order of their numbers, so that none lies on top by
  // being last.
  function scattered(n) {
    function divisor(a, b) { return b ? divisor(b, a % b) : a; }
    var step = Math.max(1, Math.round(n * 0.618));
    while (divisor(n, step) !== 1) ++step;
    return step;
  }
  function scatter(canvas, x, y, colour, keep, front, colours) {
    var pen = begin(canvas);
    var area = frame(pen);
    var context = pen.context;
    drawFrame(context, area, x, y, colours);
    var r = pen.ratio;
    var pad = 4;
    var w = Math.max(1, Math.round((area.right - area.left + 2 * pad) * r));
    var h = Math.max(1, Math.round((area.bottom - area.top + 2 * pad) * r));
    var left = Math.round((area.left - pad) * r);
    var top = Math.round((area.top - pad) * r);
    var picture = context.getImageData(left, top, w, h);
    var pixels = new Uint32Array(picture.data.buffer);
    var hues = paints(colour, colours);
    var n = keep.length;
    var stride = scattered(n);
    var dot = Math.max(1, Math.round(kDot * r));
    function pass(wanted, plain) {
      for (var k = 0, i = 0; k < n; ++k, i = (i + stride) % n) {
        if (keep[i] !== wanted || !(x.norm[i] >= 0) || !(y.norm[i] >= 0)) continue;
        var px = (pad + (area.right - area.left) * x.norm[i]) * r | 0;
        var py = (pad + (area.bottom - area.top) * (1 - y.norm[i])) * r | 0;
        var paintWith = plain;
        if (wanted && hues && hues.by[i] < hues.table.length) paintWith = hues.table[hues.by[i]];
        for (var dy = -dot; dy < dot; ++dy) {
          pixels.fill(paintWith, (py + dy) * w + px - dot, (py + dy) * w + px + dot);
        }
      }
    }
    pass(0, packed(rgb(colours.grid)));
    pass(1, packed(rgb(hues ? colours.soft : colours.series[0])));
    context.putImageData(picture, left, top);
    context.strokeStyle = colours.ink;
    context.lineWidth = 1.5;
    front.forEach(function (i) {
      if (!keep[i] || !(x.norm[i] >= 0) || !(y.norm[i] >= 0)) return;
      context.beginPath();
      context.arc(area.left + (area.right - area.left) * x.norm[i],
                  area.bottom - (area.bottom - area.top) * y.norm[i], 4, 0, 2 * Math.PI);
      context.stroke();
    });
    return area;
  }
  function nearest(area, x, y, keep, px, py) {
    var best = -1;
    var closest = 12 * 12;
    for (var i = 0; i < keep.length; ++i) {
      if (!keep[i]) continue;
      var dx = area.left + (area.right - area.left) * x.norm[i] - px;
      var dy = area.bottom - (area.bottom - area.top) * y.norm[i] - py;
      if (dx * dx + dy * dy < closest) {
        closest = dx * dx + dy * dy;
        best = i;
      }
    }
    return best;
  }

  // --- heat map: two inputs, the best of a result over everything else ---

  function cells(x, y, result, keep, high) {
    var best = new Int32Array(x.steps * y.steps).fill(-1);
    for (var i = 0; i < keep.length; ++i) {
      if (!keep[i] || x.rank[i] >= x.steps || y.rank[i] >= y.steps) continue;
      var value = result.values[i];
      if (!(value === value)) continue;
      var at = y.rank[i] * x.steps + x.rank[i];
      var other = best[at];
      if (other < 0 || (high ? value > result.values[other] : value < result.values[other])) best[at] = i;
    }
    return best;
  }
  function heat(canvas, x, y, result, keep, high, chosen, colours) {
    var pen = begin(canvas);
    var context = pen.context;
    var area = frame(pen);
    var best = cells(x, y, result, keep, high);
    var low = Infinity;
    var top = -Infinity;
    best.forEach(function (i) {
      if (i < 0) return;
      low = Math.min(low, result.norm[i]);
      top = Math.max(top, result.norm[i]);
    });
    var w = (area.right - area.left) / x.steps;
    var h = (area.bottom - area.top) / y.steps;
    best.forEach(function (i, at) {
      var left = area.left + at % x.steps * w;
      var upper = area.bottom - (Math.floor(at / x.steps) + 1) * h;
      if (i < 0) return;
      var share = top > low ? (result.norm[i] - low) / (top - low) : 1;
      var colour = ramp(colours, high ? share : 1 - share);
      context.fillStyle = css(colour);
      context.fillRect(left, upper, Math.max(1, w - 1), Math.max(1, h - 1));
      var text = result.show(result.values[i]);
      if (h < 15 || context.measureText(text).width > w - 6) return;
      var dark = colour[0] * 0.299 + colour[1] * 0.587 + colour[2] * 0.114 < 130;
      context.fillStyle = dark ? "#ffffff" : "#14181c";
      context.textAlign = "center";
      context.fillText(text, left + w / 2, upper + h / 2 + 4);
    });
    drawCellAxes(context, area, x, y, w, h, colours);
    if (chosen >= 0 && chosen < best.length) {
      context.strokeStyle = colours.series[1];
      context.lineWidth = 2;
      context.strokeRect(area.left + chosen % x.steps * w, area.bottom - (Math.floor(chosen / x.steps) + 1) * h, w - 1, h - 1);
    }
    return { area: area, best: best, w: w, h: h, low: low, high: top };
  }
  function drawCellAxes(context, area, x, y, w, h, colours) {
    var last = -Infinity;
    context.fillStyle = colours.soft;
    context.textAlign = "center";
    for (var i = 0; i < x.steps; ++i) {
      var middle = area.left + (i + 0.5) * w;
      var text = shorten(context, x.stepText(i), Math.max(w, 40));
      var half = context.measureText(text).width / 2;
      if (middle - half < last + 4) continue;
      last = middle + half;
      context.fillText(text, middle, area.bottom + 14);
    }
    context.textAlign = "right";
    last = Infinity;
    for (var k = 0; k < y.steps; ++k) {
      var at = area.bottom - (k + 0.5) * h;
      if (at > last - 12) continue;
      last = at;
      context.fillText(shorten(context, y.stepText(k), area.left - 8), area.left - 6, at + 4);
    }
    context.fillText(x.title(), area.right, area.bottom + 30);
    context.textAlign = "left";
    context.fillText(y.title(), 4, 12);
  }

  return {
    parallel: parallel, scatter: scatter, nearest: nearest, heat: heat, key: key, gradient: gradient,
    bins: kBins,
  };
})();
