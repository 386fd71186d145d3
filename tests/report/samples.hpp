#pragma once

#include <cctype>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "report/document.hpp"

namespace fathom::report {

/// Text that every format would misread if it were not escaped.
inline constexpr const char* kHostile = "a|b <script>\"x\" & 'y', *z* `c|d` =1";

inline Table sample_table() {
  return {.title = "Operators by time",
          .columns = {text_column("operator"), number_column("estimate", "ms"),
                      number_column("share", "", NumberFormat::percent)},
          .rows = {{"latent_attention", Cell{1.0 / 3.0, Mark::bound}, 0.75},
                   {"grouped_gemm", Cell{0.1, Mark::best}, 0.25},
                   {kHostile, 12345.678, 1e-9}}};
}

/// A log-log scatter with labels, a line, and one reference of each kind.
inline Plot sample_plot() {
  Plot plot{.title = "Time grows with size & nothing else",
            .x = {.label = "size", .unit = "B", .scale = AxisScale::log},
            .y = {.label = "time", .unit = "ms", .scale = AxisScale::log},
            .note = "Invented."};
  Series points{.name = "measured <raw>", .kind = SeriesKind::points};
  for (int i = 0; i < 40; ++i) {
    points.xs.push_back(std::pow(10.0, 0.1 * i));
    points.ys.push_back(points.xs.back() / 7.0);
    points.labels.push_back("op_" + std::to_string(i));
  }
  Series line{.name = "model", .kind = SeriesKind::line, .xs = points.xs, .ys = points.xs};
  plot.series = {points, line};
  plot.references = {{ReferenceKind::horizontal, 10, "target"},
                     {ReferenceKind::vertical, 100, "ridge"},
                     {ReferenceKind::diagonal, 0.5, "half"}};
  return plot;
}

inline Plot sample_bars() {
  return {.title = "Two kinds of memory",
          .x = {.label = "plan", .categories = {"ep 8", "ep 64"}},
          .y = {.label = "memory", .unit = "GiB"},
          .series = {{.name = "weights", .kind = SeriesKind::bars, .xs = {0, 1}, .ys = {40, 20}},
                     {.name = "cache", .kind = SeriesKind::bars, .xs = {0, 1}, .ys = {9, 30}}},
          .stacked = true};
}

/// Two lanes, a bar that leads to a working, a mark and a reference.
inline LanePlot sample_lanes() {
  return {.title = "Lanes <of> time",
          .x = {.label = "time", .unit = "us"},
          .lane_label = "lane",
          .lanes = {"compute", kHostile},
          .groups = {"first", "second & last"},
          .bars = {{.lane = 0,
                    .start = 0,
                    .length = 12.5,
                    .group = 0,
                    .label = "attention",
                    .facts = {{"bound", "memory"}},
                    .anchor = "how-latent-attention"},
                   {.lane = 1, .start = 10, .length = 5, .group = 1, .label = kHostile}},
          .marks = {{.lane = 1, .at = 11, .group = 0}},
          .references = {{ReferenceKind::vertical, 12, "deadline"}},
          .note = "Invented."};
}

inline Workings sample_workings() {
  return {.summary = "How each number came about",
          .items = {{"how-latent-attention",
                     "latent_attention",
                     {{"formula", "bytes / bandwidth"}, {"numbers put in", kHostile}}},
                    {"how-tpot", "TPOT", {{"formula", "time / tokens"}}}}};
}

/// One of every block.
inline Document sample_document() {
  return {.title = "Sample <report>",
          .finding = "Everything is `escaped` & shown.",
          .metadata = {.version = "0.1.0",
                       .command = "fathom report --model <x>",
                       .inputs = {{"models/x.json", "0123456789abcdef"}}},
          .blocks = {KeyFigures{{{"TPOT", 41.8123456789, "ms", "per token", "how-tpot"}}},
                     Heading{2, "Operators", ""}, Paragraph{kHostile}, sample_table(),
                     Heading{2, "Plots", ""}, sample_plot(), sample_bars(), sample_lanes(),
                     Heading{3, "Operators", ""}, Note{NoteKind::assumption, "Load is uniform."},
                     CodeBlock{"{\"a\": 1 < 2}\n", "json"}, sample_workings(),
                     Details{"More", {Paragraph{"Inside."}, sample_table()}}}};
}

/// Empty when every tag is closed in order, attributes are quoted and no bare & or < is left; else
/// what is wrong. Understands what we emit: no CDATA and no comments.
inline std::string xml_fault(std::string_view text) {
  std::vector<std::string> open;
  while (!text.empty()) {
    const auto at = text.find_first_of("<&");
    if (at == std::string_view::npos) break;
    text.remove_prefix(at);
    if (text[0] == '&') {
      const auto end = text.find(';');
      if (end == std::string_view::npos || end > 6) return "bare &";
      text.remove_prefix(end);
      continue;
    }
    const auto end = text.find('>');
    if (end == std::string_view::npos) return "unclosed <";
    const std::string_view tag = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (tag.find('<') != std::string_view::npos) return "< inside " + std::string(tag);
    const std::string name(tag.substr(0, tag.find_first_of(" /", 1)));
    if (tag.starts_with('/')) {
      if (open.empty() || "/" + open.back() != tag) return "unexpected " + std::string(tag);
      open.pop_back();
    } else {
      int quotes = 0;
      for (const char c : tag) quotes += c == '"' ? 1 : 0;
      if (quotes % 2 != 0) return "odd quotes in " + std::string(tag);
      if (!tag.ends_with('/')) open.push_back(name);
    }
  }
  return open.empty() ? "" : "unclosed " + open.back();
}

inline std::size_t count(std::string_view text, std::string_view part) {
  std::size_t times = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++times;
  }
  return times;
}

inline bool contains(std::string_view text, std::string_view part) { return count(text, part) > 0; }

}  // namespace fathom::report
