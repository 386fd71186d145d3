#include "validate/production_day.hpp"

#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "study/evaluate.hpp"

namespace fathom::validate {
namespace {

using nlohmann::json;

constexpr double kMaxTokens = 1e18;
constexpr double kMaxUsd = 1e9;
constexpr double kSecondsPerDay = 86400.0;
constexpr double kHoursPerDay = 24.0;
constexpr double kMillion = 1e6;

study::Scenario unit(JsonReader& in, std::string_view key) {
  const std::string name = in.string(key);
  try {
    return study::parse_scenario(read_json(find_data_file(name, "examples")), name + "#");
  } catch (const InputError& error) {
    in.fail(key, error.what());
  }
}

Usd dollars(JsonReader& in, std::string_view key) { return Usd{in.number(key, 0.0, kMaxUsd)}; }

// Figures to show beside ours; only the number of nodes is calculated with.
void read_published(JsonReader in, ProductionDay& day) {
  day.published_nodes = in.number("nodes", 0.0, kMaxUsd);
  const json ours = to_json(DayEstimate{});
  for (const auto& item : ours.items()) {
    const std::string& key = item.key();
    if (in.has(key)) day.published[key] = in.number(key, -kMaxTokens, kMaxTokens);
  }
  in.finish();
}

// Tokens per second and device, or why there are none.
double rate(const study::Scenario& scenario, DayEstimate& out, double* per_user = nullptr) {
  const study::Answer answer = study::evaluate(scenario);
  if (const auto* reason = std::get_if<infer::Infeasible>(&answer.outcome)) {
    out.infeasible = reason->reason;
    return 0.0;
  }
  const auto& estimate = std::get<infer::InferEstimate>(answer.outcome);
  if (per_user != nullptr) *per_user = estimate.per_user.value;
  return estimate.per_device.value;
}

}  // namespace

ProductionDay parse_day(const json& document, std::string_view where) {
  JsonReader in{document, std::string(where)};
  in.ignore({"$schema", "comment", "source"});
  ProductionDay day;
  day.name = in.string("name");
  day.input_tokens = in.number("input_tokens", 1.0, kMaxTokens);
  day.hit_tokens = in.number("hit_tokens", 0.0, day.input_tokens);
  day.output_tokens = in.number("output_tokens", 1.0, kMaxTokens);
  day.prefill = unit(in, "prefill");
  day.decode = unit(in, "decode");
  day.gpu_hour = dollars(in, "gpu_hour_usd");
  JsonReader prices = in.object("prices_usd_per_million");
  day.prices = {.input_hit = dollars(prices, "input_hit"),
                .input_miss = dollars(prices, "input_miss"),
                .output = dollars(prices, "output")};
  prices.finish();
  read_published(in.object("published"), day);
  in.finish();
  return day;
}

DayEstimate estimate(const ProductionDay& day) {
  DayEstimate out;
  out.gpus_per_node = static_cast<double>(day.decode.cluster.devices_per_node);
  out.hit_rate = day.hit_tokens / day.input_tokens;
  const double misses = day.input_tokens - day.hit_tokens;
  out.income = (day.hit_tokens * day.prices.input_hit + misses * day.prices.input_miss +
                day.output_tokens * day.prices.output) /
               kMillion;
  const Usd node_day = kHoursPerDay * out.gpus_per_node * day.gpu_hour;
  out.published_cost = day.published_nodes * node_day;
  out.published_margin = (out.income - out.published_cost) / out.published_cost;

  out.prefill_per_node = rate(day.prefill, out) * out.gpus_per_node;
  out.decode_per_node = rate(day.decode, out, &out.speed_per_user) * out.gpus_per_node;
  if (!out.infeasible.empty()) return out;
  out.prefill_nodes = misses / kSecondsPerDay / out.prefill_per_node;
  out.decode_nodes = day.output_tokens / kSecondsPerDay / out.decode_per_node;
  out.nodes = out.prefill_nodes + out.decode_nodes;
  out.cost = out.nodes * node_day;
  out.margin = (out.income - out.cost) / out.cost;
  if (day.published_nodes > out.decode_nodes) {
    out.implied_prefill_per_node =
        misses / kSecondsPerDay / (day.published_nodes - out.decode_nodes);
  }
  return out;
}

json to_json(const DayEstimate& d) {
  if (!d.infeasible.empty()) return {{"infeasible", d.infeasible}};
  return {{"prefill_tokens_per_s_per_node", d.prefill_per_node},
          {"decode_tokens_per_s_per_node", d.decode_per_node},
          {"tokens_per_s_per_user", d.speed_per_user},
          {"prefill_nodes", d.prefill_nodes},
          {"decode_nodes", d.decode_nodes},
          {"nodes", d.nodes},
          {"cost_usd", d.cost.value},
          {"published_cost_usd", d.published_cost.value},
          {"income_usd", d.income.value},
          {"margin", d.margin},
          {"published_margin", d.published_margin},
          {"hit_rate", d.hit_rate},
          {"implied_prefill_tokens_per_s_per_node", d.implied_prefill_per_node}};
}

}  // namespace fathom::validate
