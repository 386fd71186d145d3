#include "ops/op.hpp"

#include <nlohmann/json.hpp>

namespace fathom::ops {
namespace {

using nlohmann::json;

json describe(const Gemm& op) {
  return {{"m", op.m},
          {"n", op.n},
          {"k", op.k},
          {"batch", op.batch},
          {"weight", name(op.weight)},
          {"input", name(op.input)},
          {"output", name(op.output)}};
}
json describe(const GroupedGemm& op) {
  return {{"rows", op.rows},
          {"experts", op.experts},
          {"touched_experts", op.touched_experts},
          {"experts_per_token", op.experts_per_token},
          {"n", op.n},
          {"k", op.k},
          {"weight", name(op.weight)},
          {"input", name(op.input)},
          {"output", name(op.output)},
          {"masked", op.masked}};
}
json describe(const Attention& op) {
  return {{"heads", op.heads},
          {"kv_heads", op.kv_heads},
          {"qk_head_dim", op.qk_head_dim},
          {"v_head_dim", op.v_head_dim},
          {"query_tokens", op.query_tokens},
          {"kv_tokens", op.kv_tokens},
          {"pairs", op.pairs},
          {"sequences", op.sequences},
          {"kv", name(op.kv)},
          {"form", op.naive_mla ? "mla naive" : "per kv head"},
          {"prefill", op.prefill}};
}
json describe(const LatentAttention& op) {
  return {{"heads", op.heads},         {"qk_dim", op.qk_dim},
          {"v_dim", op.v_dim},         {"query_tokens", op.query_tokens},
          {"kv_tokens", op.kv_tokens}, {"kv_distinct", op.kv_distinct},
          {"pairs", op.pairs},         {"sequences", op.sequences},
          {"sparse", op.sparse},       {"row_bytes", op.row_bytes.value},
          {"prefill", op.prefill}};
}
json describe(const Indexer& op) {
  return {{"heads", op.heads},     {"head_dim", op.head_dim}, {"query_tokens", op.query_tokens},
          {"keys", op.keys},       {"pairs", op.pairs},       {"key_bytes", op.key_bytes.value},
          {"math", name(op.math)}, {"prefill", op.prefill}};
}
json describe(const LinearAttention& op) {
  return {{"value_heads", op.value_heads}, {"key_heads", op.key_heads},
          {"key_dim", op.key_dim},         {"value_dim", op.value_dim},
          {"tokens", op.tokens},           {"state_passes", op.state_passes}};
}
json describe(const Elementwise& op) {
  return {{"rows", op.rows},
          {"read_bytes_per_row", op.read_bytes},
          {"write_bytes_per_row", op.write_bytes},
          {"kv_write_bytes_per_row", op.kv_write_bytes},
          {"repeated_bytes_per_row", op.repeated_bytes},
          {"weight_bytes", op.weight_bytes},
          {"kernels", op.kernels}};
}
json describe(const Collective& op) {
  return {
      {"ranks", op.group.size}, {"stride", op.group.stride}, {"payload_bytes", op.payload.value}};
}
json describe(const ExpertExchange& op) {
  return {
      {"ranks", op.group.size},  {"stride", op.group.stride},   {"tokens", op.tokens},
      {"copies", op.copies},     {"experts", op.experts},       {"copy_bytes", op.copy_bytes.value},
      {"n_group", op.n_group},   {"topk_group", op.topk_group}, {"low_latency", op.low_latency},
      {"per_node", op.per_node}, {"all_remote", op.all_remote}, {"load", op.load}};
}

std::string_view name_of(const Gemm& op) { return op.batch > 1 ? "batched_gemm" : "gemm"; }
std::string_view name_of(const GroupedGemm&) { return "grouped_gemm"; }
std::string_view name_of(const Attention& op) {
  return op.naive_mla ? "attention_mla_naive" : "attention";
}
std::string_view name_of(const LatentAttention& op) {
  return op.sparse ? "sparse_attention" : "latent_attention";
}
std::string_view name_of(const Indexer&) { return "indexer"; }
std::string_view name_of(const LinearAttention&) { return "linear_attention"; }
std::string_view name_of(const Elementwise& op) {
  constexpr std::array<std::string_view, 7> names{"norm",    "cast", "copy",     "activation",
                                                  "permute", "misc", "embedding"};
  return names[static_cast<std::size_t>(op.kind)];
}
std::string_view name_of(const Collective& op) {
  constexpr std::array<std::string_view, 5> names{"all_reduce", "all_gather", "reduce_scatter",
                                                  "all_to_all", "send_recv"};
  return names[static_cast<std::size_t>(op.kind)];
}
std::string_view name_of(const ExpertExchange& op) {
  return op.direction == Exchange::dispatch ? "dispatch" : "combine";
}

OpCost device_cost(const Collective&) { return {}; }
OpCost device_cost(const ExpertExchange&) { return {}; }
template <class T>
OpCost device_cost(const T& op) {
  return cost(op);
}

}  // namespace

OpCost cost(const Op& op) {
  return std::visit([](const auto& o) { return device_cost(o); }, op);
}

std::string_view kind_name(const Op& op) {
  return std::visit([](const auto& o) { return name_of(o); }, op);
}

bool is_communication(const Op& op) {
  return std::holds_alternative<Collective>(op) || std::holds_alternative<ExpertExchange>(op);
}

json to_json(const Op& op) {
  json out = std::visit([](const auto& o) { return describe(o); }, op);
  out["op"] = kind_name(op);
  return out;
}

}  // namespace fathom::ops
