// Bars in lanes show their numbers to pointer and arrow keys, and lead to their working; every
// figure can be saved as SVG and PNG.
"use strict";
(function () {
  var kPixels = 2;        // per unit of the drawing, in a PNG
  var kTitleWidth = 88;   // characters of a title's line over 720 units
  var kName = 60;

  function text(element) {
    var title = element.querySelector("title");
    return (title ? title.textContent : element.getAttribute("data-tip") || "").split("\n");
  }

  // The browser's own tooltip would lie over ours.
  function takeTitles(bars) {
    bars.forEach(function (bar) {
      var title = bar.querySelector("title");
      if (!title) return;
      bar.setAttribute("data-tip", title.textContent);
      title.remove();
    });
  }
  function fill(tip, lines) {
    var head = document.createElement("b");
    head.textContent = lines[0];
    var list = document.createElement("dl");
    lines.slice(1).forEach(function (line) {
      var cut = line.indexOf(": ");
      var name = document.createElement("dt");
      var value = document.createElement("dd");
      name.textContent = line.slice(0, cut);
      value.textContent = line.slice(cut + 2);
      list.append(name, value);
    });
    tip.replaceChildren(head, list);
  }

  function lanes(figure) {
    var svg = figure.querySelector(".lanes > svg");
    var bars = Array.from(svg.querySelectorAll(".span[data-how], .span, .dot")).filter(function (bar) {
      return bar.querySelector("title");
    });
    if (!bars.length) return;
    takeTitles(bars);
    var tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("role", "status");
    tip.hidden = true;
    figure.append(tip);
    svg.setAttribute("tabindex", "0");
    figure.querySelector(".lanes").removeAttribute("tabindex");
    var at = -1;
    function hide() {
      bars.forEach(function (bar) { bar.classList.remove("at"); });
      tip.hidden = true;
    }
    function show(bar) {
      hide();
      bar.classList.add("at");
      fill(tip, text(bar));
      tip.hidden = false;
      var box = bar.getBoundingClientRect();
      var frame = figure.getBoundingClientRect();
      var middle = Math.min(Math.max(box.left + box.width / 2, frame.left), frame.right);
      var left = middle - frame.left - tip.offsetWidth / 2;
      tip.style.left = Math.max(0, Math.min(left, frame.width - tip.offsetWidth)) + "px";
      tip.style.top = box.bottom - frame.top + 6 + "px";
    }
    function lead(bar) {
      var how = bar.getAttribute("data-how");
      var link = how && document.querySelector('a.how[href="#' + how + '"]');
      if (!link) return;
      hide();
      link.scrollIntoView({ block: "center" });
      link.focus();
      if (link.getAttribute("aria-expanded") !== "true") link.click();
    }
    bars.forEach(function (bar, index) {
      bar.addEventListener("pointerenter", function () { at = index; show(bar); });
      bar.addEventListener("pointerleave", hide);
      bar.addEventListener("click", function () { lead(bar); });
    });
    svg.addEventListener("blur", hide);
    function height(bar) { return bar.getBoundingClientRect().top; }
    function middle(bar) {
      var box = bar.getBoundingClientRect();
      return box.left + box.width / 2;
    }
    // The nearest bar of the next lane upwards or downwards.
    function across(step) {
      var here = height(bars[at]);
      var beyond = bars.filter(function (bar) { return step * (height(bar) - here) > 4; });
      beyond.sort(function (a, b) {
        return step * (height(a) - height(b)) ||
          Math.abs(middle(a) - middle(bars[at])) - Math.abs(middle(b) - middle(bars[at]));
      });
      return beyond.length ? bars.indexOf(beyond[0]) : at;
    }
    function along(step) {
      var row = bars.filter(function (bar) { return Math.abs(height(bar) - height(bars[at])) <= 4; });
      row.sort(function (a, b) { return middle(a) - middle(b); });
      var next = row[row.indexOf(bars[at]) + step];
      return next ? bars.indexOf(next) : at;
    }
    svg.addEventListener("keydown", function (event) {
      if (event.key === "Escape") hide();
      if (event.key === "Enter" && at >= 0) lead(bars[at]);
      var sideways = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      var upright = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!sideways && !upright) return;
      event.preventDefault();
      at = at < 0 ? 0 : sideways ? along(sideways) : across(upright);
      show(bars[at]);
    });
  }

  // The style sheet's rules for drawings, its colours as they are now.
  function style(svg) {
    var shown = getComputedStyle(svg);
    var names = ["ink", "soft", "grid", "faint", "ground"].map(function (n) { return "--plot-" + n; });
    for (var i = 1; i <= 8; ++i) names.push("--p" + i);
    var out = ".plot{" + names.map(function (name) {
      return name + ":" + shown.getPropertyValue(name).trim();
    }).join(";") + "}";
    Array.from(document.styleSheets).forEach(function (sheet) {
      Array.from(sheet.cssRules).forEach(function (rule) {
        if (rule.selectorText && /^\.plot \./.test(rule.selectorText.replace(".plot text", ".plot .t"))) out += rule.cssText;
      });
    });
    return out;
  }
  function wrapped(title) {
    var lines = [""];
    title.split(/\s+/).forEach(function (word) {
      var last = lines[lines.length - 1];
      if (last && last.length + word.length >= kTitleWidth) lines.push(word);
      else lines[lines.length - 1] = last ? last + " " + word : word;
    });
    return lines;
  }
  function caption(figure) {
    var copy = figure.querySelector("figcaption").cloneNode(true);
    var number = copy.querySelector("b");
    if (number) number.remove();
    return copy.textContent.trim();
  }
  function drawing(figure) {
    var source = figure.querySelector(".scroll > svg.plot");
    var svg = source.cloneNode(true);
    var size = source.getAttribute("viewBox").split(" ").map(Number);
    var lines = wrapped(caption(figure));
    var head = 19 * lines.length + 8;
    function element(name, attributes, content) {
      var out = document.createElementNS(source.namespaceURI, name);
      Object.keys(attributes).forEach(function (key) { out.setAttribute(key, attributes[key]); });
      if (content !== undefined) out.textContent = content;
      return out;
    }
    svg.setAttribute("viewBox", "0 " + -head + " " + size[2] + " " + (size[3] + head));
    svg.setAttribute("width", size[2]);
    svg.setAttribute("height", size[3] + head);
    var texts = lines.map(function (line, i) {
      return element("text", { class: "title", x: 4, y: 22 + 19 * i - head }, line);
    });
    svg.querySelectorAll("[data-tip]").forEach(function (bar) {
      bar.append(element("title", {}, bar.getAttribute("data-tip")));
      bar.removeAttribute("data-tip");
    });
    svg.prepend.apply(svg, [
      element("style", {}, style(source)),
      element("rect", { class: "ground", x: 0, y: -head, width: size[2], height: size[3] + head }),
    ].concat(texts));
    return { text: new XMLSerializer().serializeToString(svg), width: size[2], height: size[3] + head };
  }
  function save(blob, name) {
    var link = document.createElement("a");
    link.download = name;
    link.href = URL.createObjectURL(blob);
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
  }
  function fileName(figure) {
    var slug = caption(figure).toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, kName);
    return slug.replace(/^-+|-+$/g, "") || figure.id;
  }
  function toSvg(figure) {
    save(new Blob([drawing(figure).text], { type: "image/svg+xml" }), fileName(figure) + ".svg");
  }
  function toPng(figure) {
    var drawn = drawing(figure);
    var image = new Image();
    image.onload = function () {
      var canvas = document.createElement("canvas");
      canvas.width = kPixels * drawn.width;
      canvas.height = kPixels * drawn.height;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(function (blob) {
        save(blob, fileName(figure) + ".png");
        figure.setAttribute("data-saved", blob.size);
      }, "image/png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(drawn.text);
  }
  function button(figure, label, act) {
    var out = document.createElement("button");
    out.type = "button";
    out.textContent = label;
    out.setAttribute("aria-label", "Download figure as " + label);
    out.addEventListener("click", function () { act(figure); });
    figure.querySelector(":scope > .tools").append(out);
  }
  document.querySelectorAll("figure").forEach(function (figure) {
    if (figure.querySelector(".lanes > svg")) lanes(figure);
    button(figure, "SVG", toSvg);
    button(figure, "PNG", toPng);
  });
})();
