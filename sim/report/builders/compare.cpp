#include "report/builders/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"
#include "report/builders/compare_tables.hpp"

namespace fathom::report {
namespace {

using compare::base_name;
using compare::Best;
using compare::Group;
using compare::growth;
using compare::kGiB;
using compare::short_label;
using compare::Value;
using lang::say;
using study::AttentionTrade;
using study::TradePoint;
using study::TradeRow;

Series series_of(const TradeRow& row, const Value& value) {
  Series series{.name = short_label(row), .kind = SeriesKind::line_points};
  for (const TradePoint& point : row.points) {
    const double y = value(row, point);
    series.xs.push_back(static_cast<double>(point.context_tokens));
    series.ys.push_back(y > 0.0 ? y : std::numeric_limits<double>::quiet_NaN());
  }
  return series;
}

Plot context_plot(const Group& group, std::string title, Axis y, const Value& value) {
  Plot plot{.title = std::move(title),
            .x = {.label = "context", .unit = "tokens", .scale = AxisScale::log2},
            .y = std::move(y)};
  for (const TradeRow* row : group.rows) {
    plot.series.push_back(series_of(*row, value));
  }
  return plot;
}

double cache_gib(const TradeRow&, const TradePoint& point) {
  return point.kv_per_sequence.value / kGiB;
}
double speed(const TradeRow&, const TradePoint& point) { return point.per_device.value; }
double prefill_speed(const TradeRow&, const TradePoint& point) {
  return point.prefill_per_device.value;
}
double ideal_speed(const TradeRow&, const TradePoint& point) {
  return point.ideal_per_device.value;
}

struct Extremes {
  const TradeRow* least = nullptr;
  const TradeRow* most = nullptr;
};
Extremes by_growth(const std::vector<const TradeRow*>& rows) {
  Extremes out;
  for (const TradeRow* row : rows) {
    if (out.least == nullptr || growth(*row) < growth(*out.least)) out.least = row;
    if (out.most == nullptr || growth(*row) > growth(*out.most)) out.most = row;
  }
  return out;
}

std::string per_token(const TradeRow& row) { return format_si(growth(row).value, "B"); }

Plot cache_plot(const Group& group, const AttentionTrade& trade) {
  const Extremes by = by_growth(group.rows);
  const double ratio = growth(*by.most) / growth(*by.least);
  Plot plot = context_plot(
      group,
      say("Cache of one sequence, {}: {} grows {} faster than {}", group.subject,
          short_label(*by.most), ratio_text(ratio), short_label(*by.least)),
      {.label = "cache per sequence", .unit = "GiB", .scale = AxisScale::log}, cache_gib);
  const Bytes device = trade.cluster.device.memory_usable;
  const std::int64_t node = trade.cluster.devices_per_node;
  const auto line = [&plot](Bytes memory, std::string label) {
    plot.references.push_back({.kind = ReferenceKind::horizontal,
                               .value = memory.value / kGiB,
                               .label = std::move(label)});
  };
  line(device, say("one {}: {}", trade.cluster.id, format_bytes_binary(device)));
  if (node > 1) {
    const Bytes memory = static_cast<double>(node) * device;
    line(memory, say("node of {}: {}", node, format_bytes_binary(memory)));
  }
  plot.note = say("Whole model, cache layout {}.", trade.request.kv);
  return plot;
}

// The longest context at which `row` decodes within its limit.
const TradePoint* longest_decoded(const TradeRow& row) {
  const TradePoint* best = nullptr;
  for (const TradePoint& point : row.points) {
    if (!point.beyond_limit && point.per_device.value > 0.0) best = &point;
  }
  return best;
}

// The fastest row at the longest context at which any row decodes within its limit.
std::string speed_title(const Group& group) {
  const TradePoint* best = nullptr;
  const TradeRow* fastest = nullptr;
  for (const TradeRow* row : group.rows) {
    const TradePoint* point = longest_decoded(*row);
    if (point == nullptr) continue;
    const bool longer = best == nullptr || point->context_tokens > best->context_tokens;
    const bool faster = best != nullptr && point->context_tokens == best->context_tokens &&
                        point->per_device > best->per_device;
    if (!longer && !faster) continue;
    best = point;
    fastest = row;
  }
  if (best == nullptr) return say("Decode speed, {}", group.subject);
  return say("Decode speed, {}: {} is fastest at {} tokens, the longest within a model's limit",
             group.subject, short_label(*fastest), context_text(best->context_tokens));
}

Plot speed_plot(const Group& group, const AttentionTrade& trade) {
  Plot plot = context_plot(
      group, speed_title(group),
      {.label = "decode, estimated", .unit = "tokens/s per GPU", .scale = AxisScale::log}, speed);
  plot.note = trade.request.sequences_per_device > 0.0
                  ? say("{} sequences per GPU; a gap: they do not fit.",
                        format_significant(trade.request.sequences_per_device))
                  : "As many sequences as memory holds; a gap: none fits.";
  return plot;
}

Plot prefill_plot(const Group& group) {
  Plot plot = context_plot(
      group, say("Prefill speed, {}", group.subject),
      {.label = "prefill, estimated", .unit = "tokens/s per GPU", .scale = AxisScale::log},
      prefill_speed);
  plot.note = "One prompt per replica; a gap: its cache does not fit.";
  return plot;
}

void add_group(const Group& group, const AttentionTrade& trade, int level,
               std::vector<Block>& blocks) {
  const auto sub = [&](std::string text) {
    blocks.push_back(Heading{.level = level + 1, .text = std::move(text)});
  };
  const auto matrix = [&](const char* title, Best best, const Value& value) {
    blocks.push_back(compare::by_context(group, trade, title, value, best));
  };
  blocks.push_back(Heading{.level = level, .text = group.heading});
  if (group.rows.size() > 1) blocks.push_back(compare::winner_table(group, trade));
  sub("Cache");
  blocks.push_back(cache_plot(group, trade));
  blocks.push_back(compare::growth_table(group, trade));
  matrix("Cache of one sequence, GiB, by context in tokens", Best::least, cache_gib);
  sub("Decode");
  blocks.push_back(speed_plot(group, trade));
  matrix("Estimated decode, tokens/s per GPU, by context in tokens", Best::most, speed);
  matrix("Roofline of decode, tokens/s per GPU, by context in tokens", Best::most, ideal_speed);
  matrix("Sequences that fit per GPU, by context in tokens", Best::most,
         [](const TradeRow&, const TradePoint& p) { return p.max_sequences_per_device; });
  matrix("Estimated time per output token, ms, by context in tokens", Best::none,
         [](const TradeRow&, const TradePoint& p) { return 1e3 * p.tpot.value; });
  sub("Prefill");
  blocks.push_back(prefill_plot(group));
  matrix("Estimated prefill, tokens/s per GPU, by prompt in tokens", Best::most, prefill_speed);
  matrix("Estimated time to first token, s, by prompt in tokens", Best::none,
         [](const TradeRow&, const TradePoint& p) { return p.ttft.value; });
  sub("Arithmetic and parameters");
  blocks.push_back(compare::intensity_table(group, trade));
  matrix("GFLOP per decoded token (BF16 x 2, FP8 x 1, FP4 x 0.5), by context in tokens",
         Best::least,
         [](const TradeRow&, const TradePoint& p) { return 1e-9 * p.flops_per_token.value; });
  blocks.push_back(compare::parameter_table(group));
}

std::vector<Group> groups_of(const AttentionTrade& trade) {
  const std::string base = base_name(trade);
  Group exchanged{say("One model, other attention: {}", base), base, "attention", {}};
  Group published{"Models as published", "published models", "model", {}};
  for (const TradeRow& row : trade.rows) {
    (row.exchanged.empty() ? published : exchanged).rows.push_back(&row);
  }
  std::vector<Group> groups;
  if (!exchanged.rows.empty()) groups.push_back(std::move(exchanged));
  if (!published.rows.empty()) groups.push_back(std::move(published));
  return groups;
}

// The sentence so far, and how fast `row` decodes beside `other`.
std::string with_speed(const std::string& text, const TradeRow& row, const TradeRow& other) {
  const TradePoint* point = longest_decoded(row);
  if (point == nullptr) return say("{}.", text);
  const auto index = static_cast<std::size_t>(point - row.points.data());
  const TradePoint& there = other.points[index];
  const std::string mine = format_significant(point->per_device.value);
  const std::string context = context_text(point->context_tokens);
  if (there.per_device.value <= 0.0) {
    return say("{}; at {} tokens it decodes {} tokens/s per GPU, where {} fits no sequence.", text,
               context, mine, short_label(other));
  }
  return say("{}; at {} tokens it decodes {} tokens/s per GPU against {}.", text, context, mine,
             format_significant(there.per_device.value));
}

// The kind the base model was published with, when it is among the exchanged ones.
const TradeRow* own_kind(const std::vector<const TradeRow*>& rows) {
  for (const TradeRow* row : rows) {
    if (row->exchanged == "mla") return row;
  }
  return nullptr;
}

}  // namespace

std::string compare_finding(const AttentionTrade& trade) {
  const Group group = groups_of(trade).front();
  const Extremes by = by_growth(group.rows);
  const TradeRow* subject = own_kind(group.rows);
  if (subject == nullptr) subject = by.least;
  const std::string who = subject->exchanged.empty()
                              ? subject->label
                              : say("{} with {}", base_name(trade), subject->exchanged);
  if (subject == by.most) {
    return say("{} keeps {} per token ({}).", who, per_token(*subject), trade.request.kv);
  }
  const std::string text = say("{} keeps {} less per token than {} ({} against {})", who,
                               ratio_text(growth(*by.most) / growth(*subject)),
                               short_label(*by.most), per_token(*subject), per_token(*by.most));
  return with_speed(text, *subject, *by.most);
}

std::vector<Block> compare_blocks(const AttentionTrade& trade, int level) {
  std::vector<Block> blocks;
  const bool beyond = std::ranges::any_of(trade.rows, [](const TradeRow& row) {
    return std::ranges::any_of(row.points, &TradePoint::beyond_limit);
  });
  if (beyond) {
    blocks.push_back(Note{NoteKind::warning,
                          "† beyond the model's limit (max_position_embeddings): computed, but the "
                          "model was not trained for it."});
  }
  for (const Group& group : groups_of(trade)) add_group(group, trade, level, blocks);
  blocks.push_back(Heading{.level = level, .text = "Assumptions and sources"});
  for (const std::string& note : trade.notes) {
    blocks.push_back(Note{NoteKind::assumption, note});
  }
  Details sources{.summary = say("{} sources", trade.sources.size())};
  for (const std::string& source : trade.sources) {
    sources.blocks.push_back(Note{NoteKind::source, source});
  }
  blocks.push_back(std::move(sources));
  return blocks;
}

Document compare_document(const AttentionTrade& trade) {
  Document document{.title = say("Attention, cache and decode speed on {}", trade.cluster.id),
                    .finding = compare_finding(trade),
                    .blocks = compare_blocks(trade)};
  for (const study::TradeInput& input : trade.inputs) {
    document.metadata.inputs.push_back({input.name, input.hash});
  }
  return document;
}

}  // namespace fathom::report
