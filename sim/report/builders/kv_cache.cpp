#include "report/builders/kv_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::CacheCurve;
using study::CacheRow;
using study::CacheTrade;

constexpr double kGiB = 1073741824.0;

const CacheCurve& drawn(const CacheRow& row) { return row.curves.front(); }

struct Extremes {
  const CacheRow* least = nullptr;
  const CacheRow* most = nullptr;
};

Extremes extremes(const CacheTrade& trade) {
  const auto growth = [](const CacheRow& row) { return drawn(row).growth_per_token; };
  const auto [least, most] = std::ranges::minmax_element(trade.rows, {}, growth);
  return {&*least, &*most};
}

std::string tokens_text(double tokens) {
  return tokens > 0.0 ? say("{} tokens", format_si(tokens, ""))
                      : std::string("any number of tokens");
}

std::string finding(const CacheTrade& trade) {
  const auto [least, most] = extremes(trade);
  const Bytes small = drawn(*least).growth_per_token;
  const Bytes large = drawn(*most).growth_per_token;
  if (least == most) {
    return say("{} keeps {} per token ({}).", least->label, format_si(small.value, "B"),
               drawn(*least).kv);
  }
  const std::string text = say("{} keeps {} per token, {} less than {} ({}; {})", least->label,
                               format_si(small.value, "B"), ratio_text(large / small), most->label,
                               format_si(large.value, "B"), drawn(*least).kv);
  if (trade.devices.empty()) return say("{}.", text);
  return say("{}; the memory of one {} is the cache of {} and of {}.", text,
             trade.devices.front().id, tokens_text(drawn(*least).longest_tokens.front()),
             tokens_text(drawn(*most).longest_tokens.front()));
}

Plot cache_plot(const CacheTrade& trade) {
  const auto [least, most] = extremes(trade);
  Plot plot{.title = say("Cache of one sequence: {} grows {} as fast as {}", most->label,
                         ratio_text(drawn(*most).growth_per_token / drawn(*least).growth_per_token),
                         least->label),
            .x = {.label = "context", .unit = "tokens", .scale = AxisScale::log2},
            .y = {.label = "cache per sequence", .unit = "GiB", .scale = AxisScale::log}};
  for (const CacheRow& row : trade.rows) {
    Series series{.name = row.label, .kind = SeriesKind::line_points};
    for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) {
      series.xs.push_back(static_cast<double>(trade.request.contexts[i]));
      series.ys.push_back(drawn(row).bytes[i].value / kGiB);
    }
    plot.series.push_back(std::move(series));
  }
  for (const study::CacheDevice& device : trade.devices) {
    plot.references.push_back(
        {.kind = ReferenceKind::horizontal,
         .value = device.memory.value / kGiB,
         .label = say("one {}: {}", device.id, format_bytes_binary(device.memory))});
  }
  plot.note = say("Whole model, cache layout {}.", trade.request.kv.front());
  return plot;
}

Table growth_table(const CacheTrade& trade) {
  Table table{.title = "Growth of the cache per token, beyond every window",
              .columns = {text_column("model")}};
  for (const std::string& kv : trade.request.kv) table.columns.push_back(number_column(kv, "B"));
  table.columns.push_back(number_column("growth / least"));
  const double least = drawn(*extremes(trade).least).growth_per_token.value;
  for (const CacheRow& row : trade.rows) {
    std::vector<Cell> cells{row.label};
    for (const CacheCurve& curve : row.curves) {
      Cell cell{curve.growth_per_token.value};
      cell.shown = format_count(std::llround(curve.growth_per_token.value));
      cells.push_back(std::move(cell));
    }
    cells.emplace_back(drawn(row).growth_per_token.value / least);
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 1; i <= trade.request.kv.size(); ++i) mark_extreme(table, i, true);
  return table;
}

// A context beyond what the model was trained for is marked.
Table by_context(const CacheTrade& trade, std::string title, bool least,
                 const std::function<double(Bytes)>& value) {
  Table table{.title = std::move(title), .columns = {text_column("model")}};
  for (const std::int64_t tokens : trade.request.contexts) {
    table.columns.push_back(number_column(context_text(tokens)));
  }
  for (const CacheRow& row : trade.rows) {
    std::vector<Cell> cells{row.label};
    for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) {
      Cell cell{value(drawn(row).bytes[i])};
      const std::int64_t limit = row.max_position_embeddings;
      if (limit > 0 && trade.request.contexts[i] > limit) {
        cell.shown = format_significant(*number(cell)) + " †";
      }
      cells.push_back(std::move(cell));
    }
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 1; i < table.columns.size(); ++i) mark_extreme(table, i, least);
  return table;
}

Table longest_table(const CacheTrade& trade) {
  Table table{.title = "Tokens whose cache fills one device's memory, nothing else in it",
              .columns = {text_column("model")}};
  for (const study::CacheDevice& device : trade.devices) {
    table.columns.push_back(number_column(device.id, "tokens", NumberFormat::count));
  }
  for (const CacheRow& row : trade.rows) {
    std::vector<Cell> cells{row.label};
    for (const double tokens : drawn(row).longest_tokens) {
      cells.push_back(tokens > 0.0 ? Cell{tokens} : missing_cell());
    }
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 1; i < table.columns.size(); ++i) mark_extreme(table, i, false);
  return table;
}

bool beyond_limit(const CacheTrade& trade) {
  return std::ranges::any_of(trade.rows, [&](const CacheRow& row) {
    return row.max_position_embeddings > 0 &&
           trade.request.contexts.back() > row.max_position_embeddings;
  });
}

}  // namespace

Document kv_cache_document(const CacheTrade& trade) {
  Document document{.title = "KV cache against context", .finding = finding(trade)};
  document.metadata.inputs = inputs_of(trade.basis);
  std::vector<Block>& blocks = document.blocks;
  if (beyond_limit(trade)) {
    blocks.push_back(Note{NoteKind::warning,
                          "† beyond the model's limit (max_position_embeddings): computed, but the "
                          "model was not trained for it."});
  }
  const std::string& kv = trade.request.kv.front();
  blocks.push_back(Heading{.text = "Bytes"});
  blocks.push_back(cache_plot(trade));
  blocks.push_back(growth_table(trade));
  blocks.push_back(by_context(trade,
                              say("Cache of one sequence in {}, GiB, by context in tokens", kv),
                              true, [](Bytes bytes) { return bytes.value / kGiB; }));
  if (!trade.devices.empty()) {
    blocks.push_back(Heading{.text = "Capacity"});
    blocks.push_back(longest_table(trade));
    for (const study::CacheDevice& device : trade.devices) {
      blocks.push_back(
          by_context(trade,
                     say("Sequences in {} whose caches fill one {} ({}), by context in tokens", kv,
                         device.id, format_bytes_binary(device.memory)),
                     false, [&](Bytes bytes) { return std::floor(device.memory / bytes); }));
    }
  }
  add_basis(blocks, trade.basis);
  return document;
}

}  // namespace fathom::report
