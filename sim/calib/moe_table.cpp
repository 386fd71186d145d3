#include "calib/moe_table.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "core/utf8.hpp"
#include "forms/moe.hpp"

namespace fathom::calib {
namespace {

// Beyond these a row is a typing mistake, and drawing its loads would not end.
constexpr double kMaxTokens = 1e8;
constexpr double kMaxExperts = 1e5;

double bounded(const CsvRow& row, std::string_view column, double most) {
  const double value = row.count(column);
  if (value < 1.0 || value > most) {
    row.fail(column, fmt::format("found {}; expected 1 to {}", value, most));
  }
  return value;
}

// "power_law_1.2" is 1.2, "balanced" 0.
double exponent_of(const CsvRow& row, std::string_view column) {
  constexpr std::string_view kPrefix = "power_law_";
  const std::string_view text = row.text(column);
  if (text == "balanced") return 0.0;
  double exponent = 0.0;
  if (text.starts_with(kPrefix)) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + kPrefix.size(), end, exponent);
    if (parsed.ptr != end) exponent = 0.0;
  }
  if (exponent <= 0.0 || exponent > 10.0) {
    row.fail(column,
             fmt::format("found '{}'; expected balanced or power_law_<exponent>", printable(text)));
  }
  return exponent;
}

}  // namespace

Draft moe_draft(const CsvRow& row, const MoeColumns& c, forms::ExpertLoads& loads) {
  const double tokens = bounded(row, c.tokens, kMaxTokens);
  const double experts = bounded(row, c.experts, kMaxExperts);
  const double topk = bounded(row, c.topk, experts);
  const double ep = bounded(row, c.ep, experts);
  const double tp = row.positive(c.tp);
  const double hidden = row.positive(c.hidden);
  const double inter = row.positive(c.inter);
  if (std::fmod(experts, ep) != 0.0) row.fail(c.ep, "does not divide the number of experts");
  const forms::LoadKey key{.tokens = static_cast<std::int64_t>(tokens),
                           .experts = static_cast<std::int64_t>(experts),
                           .topk = static_cast<std::int64_t>(topk),
                           .ranks = static_cast<std::int64_t>(ep),
                           .exponent = exponent_of(row, c.distribution)};
  const auto shape = columns(forms::MoeShape{.tokens = tokens,
                                             .hidden = hidden,
                                             .inter = inter / tp,
                                             .local_experts = experts / ep,
                                             .load = loads.most_loaded(key)});
  return {.family = "moe",
          .labels = std::string{row.text(c.distribution)},
          .shape = {shape.begin(), shape.end()},
          .slice = fmt::format("{}|{}|{}|{}|{}|{}", hidden, inter, topk, experts, tp, ep),
          .exact = {hidden, inter, experts, tokens},
          .axes = {tp, ep}};
}

}  // namespace fathom::calib
