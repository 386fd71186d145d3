#include "measure/suites.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/error.hpp"

namespace fathom::measure {
namespace {

constexpr std::array<std::string_view, 4> kNames{"quick", "standard", "full", "micro"};

struct Product {
  std::int64_t n, k;
};

// Projections of DeepSeek-V3 (arXiv 2412.19437, 4.2) and V2-Lite (arXiv 2405.04434, B): q_a, q_b,
// kv_a, o_proj and an expert's gate and up; V2-Lite's kv_a and expert.
constexpr std::array<Product, 5> kV3{
    {{1536, 7168}, {24576, 1536}, {576, 7168}, {7168, 16384}, {4096, 7168}}};
constexpr std::array<Product, 3> kV2Lite{{{576, 2048}, {2816, 2048}, {2048, 1408}}};

using Cases = std::vector<KernelCase>;

void add_linear(Cases& out, Product p, std::initializer_list<std::int64_t> rows) {
  for (const std::int64_t m : rows) out.push_back(linear_case(m, p.n, p.k));
}

void add_small_kernels(Cases& out) {
  for (const std::int64_t rows : {1, 16, 256}) out.push_back(norm_case(rows, 7168));
  out.push_back(rope_case(64, 128, 64));
  out.push_back(activation_case(64, 2048));
  out.push_back(quantise_case(64, 7168));
  out.push_back(router_case(64, 256, 8));
  out.push_back(embedding_case(64, 7168));
}

constexpr ExpertsShape kLiteExperts{.experts = 64, .choices = 6, .dim = 2048, .inter = 1408};

ExpertsShape lite_experts(std::int64_t tokens, double zipf) {
  ExpertsShape s = kLiteExperts;
  s.tokens = tokens;
  s.zipf = zipf;
  s.prefill = tokens > 64;
  return s;
}

AttentionShape gqa(std::int64_t query_tokens, std::int64_t context) {
  return {.query_tokens = query_tokens, .context_tokens = context, .heads = 32, .kv_heads = 8};
}

AttentionShape naive_mla(std::int64_t query_tokens, std::int64_t heads) {
  return {.query_tokens = query_tokens,
          .heads = heads,
          .kv_heads = heads,
          .qk_head_dim = 192,
          .v_head_dim = 128,
          .naive_mla = true};
}

LatentShape latent(std::int64_t heads, std::int64_t context, std::int64_t query_tokens = 1) {
  return {.query_tokens = query_tokens, .context_tokens = context, .heads = heads};
}

Cases quick() {
  Cases out;
  add_linear(out, kV2Lite[1], {1, 16, 256});
  add_linear(out, kV3[0], {1, 256});
  out.push_back(linear_case(16, 512, 128, 16));
  out.push_back(experts_case(lite_experts(16, 1.0)));
  out.push_back(experts_case(lite_experts(256, 1.0)));
  for (const std::int64_t heads : {16, 128}) out.push_back(mla_decode_case(latent(heads, 4096)));
  out.push_back(gqa_decode_case(gqa(1, 8191)));
  out.push_back(prefill_case(gqa(1024, 0)));
  out.push_back(prefill_case(naive_mla(1024, 16)));
  out.push_back(indexer_case({.keys = 8192}));
  add_small_kernels(out);
  return out;
}

Cases standard() {
  Cases out = quick();
  for (const Product p : kV3) add_linear(out, p, {1, 16, 256, 1024});
  for (const Product p : kV2Lite) add_linear(out, p, {1, 4, 16, 64, 256, 1024});
  out.push_back(linear_case(64, 512, 128, 128));
  for (const std::int64_t tokens : {1, 4, 64, 1024}) {
    out.push_back(experts_case(lite_experts(tokens, 0.0)));
    out.push_back(experts_case(lite_experts(tokens, 1.0)));
  }
  out.push_back(
      experts_case({.tokens = 256, .experts = 1, .choices = 1, .dim = 2048, .inter = 10944}));
  for (const std::int64_t context : {1024, 16384, 32768})
    for (const std::int64_t heads : {16, 128})
      out.push_back(mla_decode_case(latent(heads, context)));
  out.push_back(mla_decode_case(latent(128, 4096, 2)));
  out.push_back(gqa_decode_case(gqa(2, 32766)));
  out.push_back(prefill_case(gqa(4096, 0)));
  out.push_back(prefill_case(naive_mla(4096, 16)));
  return out;
}

Cases full() {
  Cases out = standard();
  for (const Product p : kV3) add_linear(out, p, {2, 4, 8, 32, 64, 128, 512, 2048, 4096});
  for (const Product p : kV2Lite) add_linear(out, p, {2, 8, 32, 128, 512, 2048, 4096});
  for (const std::int64_t tokens : {16, 256, 4096})
    out.push_back(experts_case(lite_experts(tokens, 0.5)));
  for (const std::int64_t context : {2048, 8192, 65536})
    for (const std::int64_t heads : {16, 32, 64, 128})
      out.push_back(mla_decode_case(latent(heads, context)));
  for (const std::int64_t drafts : {1, 2, 3})
    out.push_back(mla_decode_case(latent(16, 8192, 1 + drafts)));
  out.push_back(prefill_case(naive_mla(4096, 128)));
  out.push_back(indexer_case({.query_tokens = 64, .keys = 16384}));
  return out;
}

void add_micro_products(Cases& out) {
  // Weights of 0.25 to 16 MB: read from DRAM by few rows, multiplied by many.
  for (const Product p : {Product{256, 512}, {512, 1024}, {576, 2048}, {1024, 2048}, {2048, 4096}})
    add_linear(out, p, {1, 4, 16});
  for (const Product p : {Product{256, 1024}, {512, 512}, {512, 1024}})
    add_linear(out, p, {48, 128, 256});
  add_linear(out, {512, 1024}, {64, 384});
  add_linear(out, {256, 2048}, {32, 512});
  add_linear(out, {1024, 512}, {512});
  for (const Product p : {Product{512, 4096}, {256, 7168}, {1024, 2048}}) add_linear(out, p, {128});
  for (const std::int64_t rows : {1, 4, 16, 64}) {
    out.push_back(linear_case(rows, 512, 128, 4));
    out.push_back(linear_case(rows, 128, 512, 4));
  }
  out.push_back(linear_case(128, 512, 128, 2));
  for (const std::int64_t rows : {1, 4}) {  // many heads: what each of them costs
    out.push_back(linear_case(rows, 512, 128, 32));
    out.push_back(linear_case(rows, 128, 512, 32));
  }
  out.push_back(linear_case(16, 512, 128, 16));
}

void add_micro_experts(Cases& out) {
  for (const std::int64_t tokens : {1, 2, 4, 8, 16})
    out.push_back(
        experts_case({.tokens = tokens, .experts = 8, .choices = 2, .dim = 1024, .inter = 512}));
  out.push_back(experts_case(
      {.tokens = 8, .experts = 16, .choices = 4, .dim = 512, .inter = 512, .zipf = 1.0}));
  out.push_back(experts_case({.tokens = 4, .experts = 8, .choices = 2, .dim = 2048, .inter = 512}));
  // Many rows per expert, so that arithmetic shows.
  for (const std::int64_t tokens : {32, 64})
    out.push_back(
        experts_case({.tokens = tokens, .experts = 4, .choices = 2, .dim = 1024, .inter = 256}));
  for (const std::int64_t tokens : {64, 128, 256})
    for (const double zipf : {0.0, 1.0})
      out.push_back(experts_case({.tokens = tokens,
                                  .experts = 4,
                                  .choices = 2,
                                  .dim = 512,
                                  .inter = 256,
                                  .zipf = zipf,
                                  .prefill = true}));
  out.push_back(experts_case({.tokens = 64,
                              .experts = 4,
                              .choices = 2,
                              .dim = 1024,
                              .inter = 512,
                              .zipf = 1.0,
                              .prefill = true}));
}

void add_micro_attention(Cases& out) {
  for (const std::int64_t context : {512, 1024, 2048, 4096})
    out.push_back(mla_decode_case(latent(16, context)));
  for (const std::int64_t context : {128, 256, 512, 1024})
    out.push_back(mla_decode_case(latent(128, context)));
  out.push_back(mla_decode_case(latent(64, 512)));
  out.push_back(mla_decode_case(latent(16, 1024, 2)));
  out.push_back(mla_decode_case({.sequences = 4, .context_tokens = 512, .heads = 16}));
  for (const std::int64_t context : {511, 1023, 2047, 4095})
    out.push_back(gqa_decode_case(gqa(1, context)));
  AttentionShape batch = gqa(1, 511);
  batch.sequences = 4;
  out.push_back(gqa_decode_case(batch));
  batch.kv_heads = 32;
  out.push_back(gqa_decode_case(batch));
  batch.heads = batch.kv_heads = 8;
  batch.context_tokens = 1023;
  out.push_back(gqa_decode_case(batch));
  for (const std::int64_t tokens : {64, 128, 256, 512}) {
    AttentionShape s = gqa(tokens, 0);
    s.heads = 4;
    s.kv_heads = 1;
    out.push_back(prefill_case(s));
    out.push_back(prefill_case(naive_mla(tokens, 2)));
  }
  // Keys and values beyond L2, with few heads so that it stays a few milliseconds.
  for (const std::int64_t tokens : {768, 1024}) {
    AttentionShape s = gqa(tokens, 0);
    s.heads = 1;
    s.kv_heads = 1;
    out.push_back(prefill_case(s));
    out.push_back(prefill_case(naive_mla(tokens, 1)));
  }
  for (const std::int64_t keys : {512, 1024, 2048})
    out.push_back(indexer_case({.keys = keys, .topk = 256}));
  out.push_back(indexer_case({.query_tokens = 8, .keys = 1024, .topk = 256}));
}

Cases micro() {
  Cases out;
  add_micro_products(out);
  add_micro_experts(out);
  add_micro_attention(out);
  for (const std::int64_t rows : {1, 8, 64, 256}) {
    out.push_back(norm_case(rows, 2048));
    out.push_back(rope_case(rows, 16, 64));
    out.push_back(activation_case(rows, 1408));
    out.push_back(quantise_case(rows, 2048));
    out.push_back(router_case(rows, 64, 6));
    out.push_back(embedding_case(rows, 2048));
  }
  out.push_back(norm_case(1024, 2048));
  out.push_back(activation_case(1024, 1408));
  out.push_back(rope_case(1024, 16, 192));
  out.push_back(router_case(16, 256, 8));
  return out;
}

Cases all(Suite suite) {
  switch (suite) {
    case Suite::quick:
      return quick();
    case Suite::standard:
      return standard();
    case Suite::full:
      return full();
    case Suite::micro:
      return micro();
  }
  return {};
}

std::string groups_of(const Cases& cases) {
  std::set<std::string> groups;
  for (const KernelCase& one : cases) groups.insert(one.group);
  return fmt::format("{}", fmt::join(groups, ", "));
}

}  // namespace

std::string_view name(Suite suite) { return kNames[static_cast<std::size_t>(suite)]; }

Suite parse_suite(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == text) return static_cast<Suite>(i);
  throw InputError{fmt::format("unknown suite '{}'; expected {}", text, fmt::join(kNames, ", "))};
}

double memory_needed(const KernelCase& kernel) {
  const ops::OpCost one = cost(kernel);
  const double weights = one.weight_read.value;
  return 2.0 * weights + 4.0 * (ops::traffic(one).value - weights);
}

std::vector<KernelCase> suite_cases(Suite suite, std::int64_t memory_bytes,
                                    std::vector<std::string>* left_out) {
  std::vector<KernelCase> out;
  std::set<std::string> seen;
  for (KernelCase& one : all(suite)) {
    if (!seen.insert(one.id).second) continue;
    if (memory_needed(one) > static_cast<double>(memory_bytes)) {
      if (left_out != nullptr) left_out->push_back(one.id);
      continue;
    }
    out.push_back(std::move(one));
  }
  return out;
}

std::vector<KernelCase> select(std::vector<KernelCase> cases,
                               const std::vector<std::string>& only) {
  if (only.empty()) return cases;
  const std::string groups = groups_of(cases);
  const auto wanted = [&](const KernelCase& one) {
    return std::any_of(only.begin(), only.end(), [&](const std::string& text) {
      return one.group == text || one.id.find(text) != std::string::npos;
    });
  };
  std::erase_if(cases, [&](const KernelCase& one) { return !wanted(one); });
  if (cases.empty())
    throw InputError{
        fmt::format("--only {}: no such kernel; the groups are {}", fmt::join(only, " "), groups)};
  return cases;
}

}  // namespace fathom::measure
