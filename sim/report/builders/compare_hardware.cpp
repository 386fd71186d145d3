#include "report/builders/compare_hardware.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::HardwarePoint;
using study::HardwareRow;
using study::HardwareTrade;

constexpr double kGiB = 1073741824.0;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Value = std::function<Cell(const HardwarePoint&)>;

const HardwarePoint* decode_at(const HardwareTrade& trade, const HardwareRow& row,
                               std::size_t context, std::size_t batch) {
  const std::size_t i = context * trade.request.batches.size() + batch;
  return i < row.decode.size() && row.decode[i].infeasible.empty() ? &row.decode[i] : nullptr;
}

const HardwarePoint* prefill_at(const HardwareRow& row, std::size_t context) {
  if (context >= row.prefill.size()) return nullptr;
  return row.prefill[context].infeasible.empty() ? &row.prefill[context] : nullptr;
}

struct Best {
  const HardwareRow* row = nullptr;
  const HardwarePoint* point = nullptr;
};

// Over all systems and batches at one context.
Best best_decode(const HardwareTrade& trade, std::size_t context,
                 const std::function<double(const HardwarePoint&)>& score) {
  Best best;
  for (const HardwareRow& row : trade.rows) {
    for (std::size_t b = 0; b < trade.request.batches.size(); ++b) {
      const HardwarePoint* point = decode_at(trade, row, context, b);
      if (point == nullptr || score(*point) <= 0.0) continue;
      if (best.point == nullptr || score(*point) > score(*best.point)) best = {&row, point};
    }
  }
  return best;
}

double per_dollar(const HardwarePoint& point) {
  return point.usd_per_million_tokens ? 1.0 / *point.usd_per_million_tokens : 0.0;
}

std::string finding(const HardwareTrade& trade) {
  const std::string context = context_text(trade.request.contexts.front());
  const Best fast = best_decode(trade, 0, [](const auto& p) { return p.per_device.value; });
  if (fast.point == nullptr) {
    return say("{} runs on none of the systems asked for.", trade.model);
  }
  const std::string text =
      say("{} at {} tokens: {} decodes fastest, {} tokens/s per GPU with {} sequences each",
          trade.model, context, fast.row->cluster.id,
          format_significant(fast.point->per_device.value), fast.point->batch);
  const Best cheap = best_decode(trade, 0, per_dollar);
  if (cheap.point == nullptr) return say("{}.", text);
  return say("{}; {} is cheapest, {} USD per million output tokens with {}.", text,
             cheap.row->cluster.id, format_significant(*cheap.point->usd_per_million_tokens),
             cheap.point->batch);
}

Table system_table(const HardwareTrade& trade) {
  Table table{
      .title = "Systems",
      .columns = {text_column("system"), text_column("plan"),
                  number_column("GPUs", "", NumberFormat::exact), number_column("memory", "GiB"),
                  number_column("weights", "GiB"), number_column("USD per GPU hour")}};
  for (const std::int64_t context : trade.request.contexts) {
    table.columns.push_back(
        number_column(say("sequences at {}", context_text(context)), "per GPU"));
  }
  for (const HardwareRow& row : trade.rows) {
    std::vector<Cell> cells{row.cluster.id};
    cells.emplace_back(row.plan ? mapping::describe(*row.plan) : row.infeasible);
    cells.push_back(row.plan ? Cell{mapping::devices(*row.plan)} : missing_cell());
    cells.emplace_back(row.cluster.device.memory_usable.value / kGiB);
    cells.push_back(row.plan ? Cell{row.weights.value / kGiB} : missing_cell());
    const double price = row.cluster.price.per_device_hour.value;
    cells.push_back(price > 0.0 ? Cell{price} : missing_cell());
    for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) {
      cells.push_back(i < row.max_sequences.size() ? Cell{row.max_sequences[i]} : missing_cell());
    }
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 6; i < table.columns.size(); ++i) mark_extreme(table, i, false);
  return table;
}

enum class Winner : std::uint8_t { none, least, most };

Table by_batch(const HardwareTrade& trade, std::size_t context, std::string title, Winner winner,
               const Value& value) {
  Table table{.title = std::move(title), .columns = {text_column("system")}};
  for (const std::int64_t batch : trade.request.batches) {
    table.columns.push_back(number_column(std::to_string(batch)));
  }
  for (const HardwareRow& row : trade.rows) {
    std::vector<Cell> cells{row.cluster.id};
    for (std::size_t b = 0; b < trade.request.batches.size(); ++b) {
      const HardwarePoint* point = decode_at(trade, row, context, b);
      cells.push_back(point == nullptr ? missing_cell() : value(*point));
    }
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 1; winner != Winner::none && i < table.columns.size(); ++i) {
    mark_extreme(table, i, winner == Winner::least);
  }
  return table;
}

Table prefill_table(const HardwareTrade& trade, std::string title, Winner winner,
                    const Value& value) {
  Table table{.title = std::move(title), .columns = {text_column("system")}};
  for (const std::int64_t context : trade.request.contexts) {
    table.columns.push_back(number_column(context_text(context)));
  }
  for (const HardwareRow& row : trade.rows) {
    std::vector<Cell> cells{row.cluster.id};
    for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) {
      const HardwarePoint* point = prefill_at(row, i);
      cells.push_back(point == nullptr ? missing_cell() : value(*point));
    }
    table.rows.push_back(std::move(cells));
  }
  for (std::size_t i = 1; winner != Winner::none && i < table.columns.size(); ++i) {
    mark_extreme(table, i, winner == Winner::least);
  }
  return table;
}

Plot decode_plot(const HardwareTrade& trade, std::size_t context) {
  Plot plot{.title = say("Decode speed at {} tokens of context",
                         context_text(trade.request.contexts[context])),
            .x = {.label = "sequences per GPU", .scale = AxisScale::log2},
            .y = {.label = "decode", .unit = "tokens/s per GPU", .scale = AxisScale::log}};
  for (const HardwareRow& row : trade.rows) {
    Series series{.name = row.cluster.id};
    for (std::size_t b = 0; b < trade.request.batches.size(); ++b) {
      const HardwarePoint* point = decode_at(trade, row, context, b);
      series.xs.push_back(static_cast<double>(trade.request.batches[b]));
      series.ys.push_back(point == nullptr ? kNaN : point->per_device.value);
    }
    plot.series.push_back(std::move(series));
  }
  plot.note = "A gap: the batch does not fit in memory.";
  return plot;
}

Plot prefill_plot(const HardwareTrade& trade) {
  Plot plot{.title = "Prefill speed against the length of the prompt",
            .x = {.label = "prompt", .unit = "tokens", .scale = AxisScale::log2},
            .y = {.label = "prefill", .unit = "tokens/s per GPU", .scale = AxisScale::log}};
  for (const HardwareRow& row : trade.rows) {
    Series series{.name = row.cluster.id};
    for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) {
      const HardwarePoint* point = prefill_at(row, i);
      series.xs.push_back(static_cast<double>(trade.request.contexts[i]));
      series.ys.push_back(point == nullptr ? kNaN : point->per_device.value);
    }
    plot.series.push_back(std::move(series));
  }
  return plot;
}

Cell dollars(const HardwarePoint& point) {
  return point.usd_per_million_tokens ? Cell{*point.usd_per_million_tokens} : missing_cell();
}

Cell binds(const HardwarePoint& point) {
  return fmt::format("{} {}", lang::tr(timing::name(point.bound)), share_text(point.bound_share));
}

void add_decode(const HardwareTrade& trade, std::size_t context, std::vector<Block>& blocks) {
  const std::string tokens = context_text(trade.request.contexts[context]);
  const auto add = [&](const char* what, Winner winner, const Value& value) {
    blocks.push_back(by_batch(
        trade, context, say("{} at {} tokens, by sequences per GPU", what, tokens), winner, value));
  };
  blocks.push_back(Heading{.level = 3, .text = say("Context {}", tokens)});
  blocks.push_back(decode_plot(trade, context));
  add("Decode, tokens/s per GPU,", Winner::most,
      [](const HardwarePoint& p) { return Cell{p.per_device.value}; });
  add("Time per output token, ms,", Winner::least,
      [](const HardwarePoint& p) { return Cell{1e3 * p.latency.value}; });
  add("USD per million output tokens", Winner::least, dollars);
  add("What binds a decode step", Winner::none, binds);
}

}  // namespace

Document compare_hardware_document(const HardwareTrade& trade) {
  Document document{.title = say("{} on {} systems", trade.model, trade.rows.size()),
                    .finding = finding(trade)};
  document.metadata.inputs = inputs_of(trade.basis);
  std::vector<Block>& blocks = document.blocks;
  blocks.push_back(Heading{.text = "Memory"});
  blocks.push_back(system_table(trade));
  blocks.push_back(Heading{.text = "Decode"});
  for (std::size_t i = 0; i < trade.request.contexts.size(); ++i) add_decode(trade, i, blocks);
  blocks.push_back(Heading{.text = "Prefill"});
  blocks.push_back(prefill_plot(trade));
  blocks.push_back(prefill_table(trade, "Prefill, tokens/s per GPU, by prompt in tokens",
                                 Winner::most,
                                 [](const auto& p) { return Cell{p.per_device.value}; }));
  blocks.push_back(prefill_table(trade, "Time to first token, s, by prompt in tokens",
                                 Winner::least,
                                 [](const auto& p) { return Cell{p.latency.value}; }));
  blocks.push_back(prefill_table(trade, "USD per million input tokens, by prompt in tokens",
                                 Winner::least, dollars));
  blocks.push_back(prefill_table(trade, "What binds a prompt's last step, by prompt in tokens",
                                 Winner::none, binds));
  blocks.push_back(Note{NoteKind::info, say("Cache layout {}; –: does not fit, or no price "
                                            "is known.",
                                            trade.kv)});
  add_basis(blocks, trade.basis);
  return document;
}

}  // namespace fathom::report
