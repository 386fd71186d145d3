#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/json_reader.hpp"
#include "validate/setup.hpp"

// Shapes of single operators as papers and benchmark tables state them.

namespace fathom::validate {
namespace {

constexpr double kMaxCount = 1e9;

double count(JsonReader& in, std::string_view key) { return in.number(key, 0.0, kMaxCount); }

ops::Op gemm(JsonReader& in) {
  return ops::Gemm{.m = count(in, "m"),
                   .n = in.integer("n", 1),
                   .k = in.integer("k", 1),
                   .batch = in.integer_or("batch", 1, 1),
                   .weight = in.dtype_or("weight", Dtype::fp8_block),
                   .input = in.dtype_or("input", Dtype::fp8_block)};
}

ops::Op grouped_gemm(JsonReader& in) {
  const double groups = count(in, "groups");
  return ops::GroupedGemm{.rows = groups * count(in, "rows_per_group"),
                          .experts = groups,
                          .touched_experts = groups,
                          .n = in.integer("n", 1),
                          .k = in.integer("k", 1),
                          .weight = in.dtype_or("weight", Dtype::fp8_block),
                          .input = in.dtype_or("input", Dtype::fp8_block),
                          .masked = in.boolean_or("masked", false)};
}

// Absorbed MLA over a whole cache: every query token of a sequence sees all of it.
ops::Op mla_decode(JsonReader& in) {
  const double sequences = count(in, "sequences");
  const double context = count(in, "context_tokens");
  const double queries = sequences * in.number_or("query_tokens", 1.0, 1.0, kMaxCount);
  return ops::LatentAttention{
      .heads = in.integer_or("heads", 128, 1),
      .qk_dim = 576,
      .v_dim = 512,
      .query_tokens = queries,
      .kv_tokens = sequences * context,
      .pairs = queries * context,
      .sequences = sequences,
      .row_bytes = Bytes{in.number_or("row_bytes", 1152.0, 1.0, kMaxCount)}};
}

// Every query gathers `topk` rows of its own; shorter contexts are padded to as many. Queries of
// one sequence share its `context_tokens` rows, where that length is given.
ops::Op sparse_attention(JsonReader& in) {
  const double queries = count(in, "query_tokens");
  const double topk = count(in, "topk");
  const double sequences = in.number_or("sequences", queries, 1.0, kMaxCount);
  const double context = in.number_or("context_tokens", 0.0, 0.0, kMaxCount);
  return ops::LatentAttention{.heads = in.integer_or("heads", 128, 1),
                              .qk_dim = 576,
                              .v_dim = 512,
                              .query_tokens = queries,
                              .kv_tokens = queries * topk,
                              .kv_distinct = sequences * context,
                              .pairs = queries * topk,
                              .sequences = sequences,
                              .row_bytes = Bytes{in.number("row_bytes", 1.0, kMaxCount)},
                              .sparse = true,
                              .prefill = in.boolean_or("prefill", false)};
}

// Naive MLA of whole prompts: 128 + 64 wide keys, 128 wide values, causal.
ops::Op mla_prefill(JsonReader& in) {
  const double sequences = count(in, "sequences");
  const double tokens = count(in, "prompt_tokens");
  const std::int64_t heads = in.integer_or("heads", 128, 1);
  return ops::Attention{.heads = heads,
                        .kv_heads = heads,
                        .qk_head_dim = 192,
                        .v_head_dim = 128,
                        .query_tokens = sequences * tokens,
                        .kv_tokens = sequences * tokens,
                        .pairs = sequences * ops::causal_pairs(tokens, 0.0),
                        .sequences = sequences,
                        .naive_mla = true,
                        .prefill = true};
}

// `causal`: the queries are the last ones of the context; otherwise each sees all of it.
ops::Op indexer(JsonReader& in) {
  const double sequences = count(in, "sequences");
  const double queries = count(in, "query_tokens");
  const double context = count(in, "context_tokens");
  const bool causal = in.boolean_or("causal", false);
  const double pairs = causal ? ops::causal_pairs(queries, context - queries) : queries * context;
  return ops::Indexer{.heads = in.integer_or("heads", 64, 1),
                      .head_dim = in.integer_or("head_dim", 128, 1),
                      .query_tokens = sequences * queries,
                      .keys = sequences * context,
                      .pairs = sequences * pairs,
                      .key_bytes = Bytes{132.0},  // 128 e4m3 + one fp32 scale
                      .math = Math::fp8,
                      .prefill = in.boolean_or("prefill", false)};
}

ops::Op exchange(JsonReader& in) {
  constexpr std::array<std::string_view, 2> kDirections{"dispatch", "combine"};
  const bool combine = in.choice("direction", kDirections) == 1;
  const Dtype format = in.dtype_or("format", combine ? Dtype::bf16 : Dtype::fp8_block);
  const double hidden = in.number_or("hidden_size", 7168.0, 1.0, kMaxCount);
  return ops::ExpertExchange{
      .direction = combine ? ops::Exchange::combine : ops::Exchange::dispatch,
      .group = {.size = in.integer("ranks", 1), .stride = 1},
      .tokens = count(in, "tokens"),
      .copies = in.number_or("experts_per_token", 8.0, 1.0, kMaxCount),
      .experts = in.number_or("experts", 256.0, 1.0, kMaxCount),
      .copy_bytes = hidden * row_size_of(format),
      .n_group = in.integer_or("n_group", 1, 1),
      .topk_group = in.integer_or("topk_group", 1, 1),
      .low_latency = in.boolean_or("low_latency", false)};
}

ops::Op collective(JsonReader& in, ops::CollectiveKind kind) {
  return ops::Collective{.kind = kind,
                         .group = {.size = in.integer("ranks", 1), .stride = 1},
                         .payload = Bytes{count(in, "bytes")}};
}

}  // namespace

ops::Op parse_operator(JsonReader in) {
  constexpr std::array<std::string_view, 12> kOps{
      "gemm",     "grouped_gemm", "mla_decode", "mla_prefill",    "sparse_attention", "indexer",
      "exchange", "all_reduce",   "all_gather", "reduce_scatter", "all_to_all",       "send_recv"};
  constexpr std::array kParsers{gemm,    grouped_gemm, mla_decode, mla_prefill, sparse_attention,
                                indexer, exchange};
  const std::size_t which = in.choice("op", kOps);
  const ops::Op op =
      which < kParsers.size()
          ? kParsers[which](in)
          : collective(in, static_cast<ops::CollectiveKind>(which - kParsers.size()));
  in.finish();
  return op;
}

}  // namespace fathom::validate
