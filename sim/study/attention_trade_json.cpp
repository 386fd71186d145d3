#include <nlohmann/json.hpp>

#include "study/attention_trade.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

json formats_json(const TradeRow& row) {
  json out = json::object();
  for (const TradeFormat& format : row.formats) {
    out[format.name] = {{"growth_bytes_per_token", format.growth_per_token.value},
                        {"constant_bytes_per_sequence", format.constant.value}};
  }
  return out;
}

json point_json(const TradePoint& p, const TradeRow& row) {
  json out{{"context_tokens", p.context_tokens},
           {"beyond_model_limit", p.beyond_limit},
           {"kv_bytes_per_sequence", p.kv_per_sequence.value}};
  if (row.cache_only) return out;
  out["flops_per_token_fp8_equivalent"] = p.flops_per_token.value;
  if (!row.plan) return out;
  out["max_sequences_per_device"] = p.max_sequences_per_device;
  out["sequences_per_device"] = p.sequences_per_device;
  if (p.ttft.value > 0.0) {
    out["prefill"] = {{"ttft_s", p.ttft.value},
                      {"tokens_per_s_per_device", p.prefill_per_device.value}};
  }
  if (p.sequences_per_device <= 0.0) return out;
  out["roofline"] = {{"step_s", p.ideal_step.value},
                     {"bound", p.ideal_memory_bound ? "memory" : "compute"},
                     {"tokens_per_s_per_device", p.ideal_per_device.value}};
  out["estimate"] = {{"tpot_s", p.tpot.value}, {"tokens_per_s_per_device", p.per_device.value}};
  return out;
}

json row_json(const TradeRow& row, FlopsPerByte ridge) {
  json out{{"label", row.label},
           {"attention", row.attention},
           {"exchanged", row.exchanged},
           {"max_position_embeddings", row.max_position_embeddings},
           {"kv_cache", formats_json(row)},
           {"plan", row.plan ? mapping::to_json(*row.plan) : json()},
           {"infeasible", row.infeasible.empty() ? json() : json(row.infeasible)}};
  if (!row.cache_only) {
    out["parameters"] = {{"total", row.parameters},
                         {"activated_incl_embedding_and_head", row.activated_parameters},
                         {"attention", row.attention_parameters}};
    out["core_flops_per_byte"] = row.core_intensity.value;
  }
  if (row.plan) {
    out["core_flops_per_byte_on_rank"] = row.rank_intensity.value;
    out["core_bound_on_rank"] = row.rank_intensity > ridge ? "compute" : "memory";
    out["core_bound_estimated"] = row.core_bound ? json(timing::name(*row.core_bound)) : json();
    out["weights_bytes_per_device"] = row.weights_per_device.value;
  }
  out["points"] = json::array();
  for (const TradePoint& point : row.points) out["points"].push_back(point_json(point, row));
  return out;
}

json request_json(const TradeRequest& r) {
  return {{"models", r.models},
          {"base", r.base},
          {"attention", r.attentions},
          {"contexts", r.contexts},
          {"hardware", r.hardware},
          {"plan", r.plan ? mapping::to_json(*r.plan) : json()},
          {"kv", r.kv},
          {"sequences_per_device", r.sequences_per_device}};
}

}  // namespace

json to_json(const AttentionTrade& trade) {
  json out{{"request", request_json(trade.request)},
           {"device", trade.cluster.device.id},
           {"ridge_bf16_flops_per_byte", trade.ridge.value},
           {"memory_usable_bytes", trade.cluster.device.memory_usable.value},
           {"rows", json::array()},
           {"notes", trade.notes},
           {"sources", trade.sources}};
  for (const TradeRow& row : trade.rows) out["rows"].push_back(row_json(row, trade.ridge));
  for (const TradeInput& input : trade.inputs) {
    out["inputs"].push_back({{"name", input.name}, {"hash", input.hash}});
  }
  return out;
}

}  // namespace fathom::study
