// Sliders over a scenario. Every figure comes from the program's own functions, compiled to
// WebAssembly; this script asks, and shows what they say.
"use strict";
(function () {
  var kDigits = 3;  // as tables show numbers; data-v holds all digits

  function unpacked(id) {
    var text = atob(document.getElementById(id).textContent);
    var bytes = new Uint8Array(text.length);
    for (var i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
  }
  // The calculator as a function from request to answer; once per page.
  async function calculator() {
    var loader = document.createElement("script");
    loader.textContent = await unpacked("calculator-script").text();
    document.head.append(loader);
    var code = new Uint8Array(await unpacked("calculator-code").arrayBuffer());
    var module = await window.fathomModule({ wasmBinary: code });
    function passed(text) {
      var size = module.lengthBytesUTF8(text) + 1;
      var at = module._malloc(size);
      module.stringToUTF8(text, at, size);
      return at;
    }
    return {
      file: function (name, text) {
        var a = passed(name);
        var b = passed(text);
        module._fathom_file(a, b);
        module._free(a);
        module._free(b);
      },
      ask: function (request) {
        var at = passed(JSON.stringify(request));
        var answer = module.UTF8ToString(module._fathom_what_if(at));
        module._free(at);
        return JSON.parse(answer);
      },
    };
  }

  function at(answer, pointer) {
    return pointer.split("/").slice(1).reduce(function (node, key) {
      return node === undefined || node === null ? undefined : node[key];
    }, answer);
  }
  function shown(value, digits) {
    if (value === 0) return "0";
    var rounded = Number(value.toPrecision(digits));
    var size = Math.abs(rounded);
    if (size < 1e-4 || size >= 1e7) return value.toExponential(digits - 1).replace(/e([+-])(\d)$/, "e$10$2");
    var decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(size) + 1e-12));
    return rounded.toFixed(decimals);
  }
  // The scenario with one more value; the other spelling of the same quantity goes, as in the program.
  var others = { sequences: "sequences_per_gpu", sequences_per_gpu: "sequences", prompts: "prompts_per_gpu", prompts_per_gpu: "prompts" };
  function put(scenario, pointer, value) {
    var keys = pointer.split("/").slice(1);
    var last = keys.pop();
    var node = keys.reduce(function (parent, key) { return parent[key] = parent[key] || {}; }, scenario);
    if (keys[0] === "workload" && others[last]) delete node[others[last]];
    node[last] = value;
  }

  function play(root, machine) {
    var data = JSON.parse(root.querySelector("script").textContent);
    var verdict = root.querySelector(".verdict");
    var reset = root.querySelector(".reset");
    var link = root.querySelector("a.csv");
    var code = root.querySelector("pre code");
    var rows = Array.from(root.querySelectorAll("tbody tr"));
    var waiting = false;
    Object.keys(data.files).forEach(function (name) { machine.file(name, data.files[name]); });

    var dials = data.sliders.map(function (slider, i) {
      var box = root.querySelectorAll(".dial")[i];
      return {
        pointer: slider.pointer, stops: slider.stops, own: slider.value, now: slider.value,
        needs: slider.needs, whole: slider.whole, unit: slider.whole_unit, box: box,
        range: box.querySelector("input[type=range]"), typed: box.querySelector("input[type=number]"),
        means: box.querySelector(".means"),
      };
    });
    function dial(pointer) { return dials.find(function (d) { return d.pointer === pointer; }); }
    function nearest(d) {
      var best = 0;
      d.stops.forEach(function (stop, i) {
        if (stop !== null && d.now !== null && (d.stops[best] === null || Math.abs(stop - d.now) < Math.abs(d.stops[best] - d.now))) best = i;
      });
      return d.now === null ? 0 : best;
    }
    function idle(d) { return d.needs !== "" && !(dial(d.needs).now > 0); }
    // What differs from the report, as the command line would set it.
    function changes() {
      var set = {};
      dials.forEach(function (d) {
        if (d.needs === "") {
          if (d.now !== d.own && d.now !== null) set[d.pointer] = d.now;
          return;
        }
        var was = dial(d.needs).own > 0 ? d.own : 0;
        var is = idle(d) ? 0 : d.now;
        if (is !== was || (!idle(d) && !(dial(d.needs).own > 0))) set[d.pointer] = is;
      });
      return set;
    }
    function showDial(d) {
      var stop = nearest(d);
      var share = d.stops.length < 2 ? 0 : stop / (d.stops.length - 1);
      d.range.value = stop;
      d.range.setAttribute("aria-valuetext", d.now === null ? "" : String(d.now));
      d.typed.value = d.now === null ? "" : String(d.now);
      d.box.style.setProperty("--at", share);
      d.box.classList.toggle("moved", d.now !== d.own);
      d.box.classList.toggle("idle", idle(d));
      d.range.disabled = d.typed.disabled = idle(d);
      d.means.textContent = d.whole === null || d.now === null ? "" : "= " + Number((d.whole * d.now).toPrecision(4)) + " " + d.unit;
    }
    function showRow(row, answer) {
      var value = at(answer, row.getAttribute("data-pointer"));
      var known = typeof value === "number";
      var scale = Number(row.getAttribute("data-scale"));
      var cells = row.cells;
      var own = cells[1].getAttribute("data-v");
      cells[2].textContent = known ? shown(value * scale, kDigits) : "–";
      if (known) cells[2].setAttribute("data-v", String(value)); else cells[2].removeAttribute("data-v");
      var ratio = known && own !== "" && Number(own) !== 0 ? value / Number(own) - 1 : NaN;
      var percent = Math.abs(100 * ratio);
      cells[3].textContent = !(percent > 0) ? "" : (ratio > 0 ? "+" : "−") + (percent < 0.1 ? "<0.1" : shown(percent, percent < 10 ? 2 : kDigits)) + " %";
    }
    function tell(kind, text) {
      verdict.replaceChildren();
      if (kind === "") return;
      var mark = document.createElement("strong");
      mark.textContent = verdict.getAttribute("data-" + kind);
      verdict.append(mark, " " + text);
    }
    function showPoint(set) {
      var scenario = JSON.parse(JSON.stringify(data.document));
      var words = data.command;
      Object.keys(set).forEach(function (pointer) {
        put(scenario, pointer, set[pointer]);
        if (!data.needs_file) words += " --set " + pointer + "=" + set[pointer];
      });
      code.textContent = words;
      link.href = "data:application/json;charset=utf-8," + encodeURIComponent(JSON.stringify(scenario, null, 2) + "\n");
      reset.disabled = dials.every(function (d) { return d.now === d.own; });
    }
    function update() {
      var begin = performance.now();
      var set = changes();
      var answer = machine.ask({ scenario: data.scenario, set: set });
      dials.forEach(showDial);
      rows.forEach(function (row) { showRow(row, answer); });
      if (answer.error) tell("refused", answer.error.replace(/^what-if#/, ""));
      else if (answer.infeasible) tell("infeasible", answer.infeasible);
      else tell("", "");
      showPoint(set);
      root.setAttribute("data-ms", String(performance.now() - begin));
    }
    function schedule() {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(function () { waiting = false; update(); });
    }
    dials.forEach(function (d) {
      d.range.addEventListener("input", function () { d.now = d.stops[Number(d.range.value)]; schedule(); });
      d.typed.addEventListener("change", function () {
        var value = d.typed.value === "" ? d.own : Number(d.typed.value);
        d.now = value === null || Number.isFinite(value) ? value : d.own;
        schedule();
      });
    });
    reset.addEventListener("click", function () {
      dials.forEach(function (d) { d.now = d.own; });
      schedule();
    });
    root.querySelector(".dials").disabled = false;
    update();
    root.classList.add("ready");
  }

  var roots = Array.from(document.querySelectorAll(".what-if"));
  function start() {
    calculator().then(function (machine) {
      roots.forEach(function (root) { play(root, machine); });
    }).catch(function (problem) {
      roots.forEach(function (root) {
        var verdict = root.querySelector(".verdict");
        verdict.textContent = verdict.getAttribute("data-broken") + " " + problem.message;
      });
    });
  }
  // After the page has been painted.
  if (roots.length) requestAnimationFrame(function () { setTimeout(start, 0); });
})();
