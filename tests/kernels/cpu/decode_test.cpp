#include <cstdint>
#include <string>
#include <vector>

#include "attention_samples.hpp"
#include "catch.hpp"
#include "kernels/cpu/flash_prefill.hpp"
#include "kernels/cpu/gqa_decode.hpp"
#include "kernels/cpu/indexer.hpp"
#include "kernels/cpu/mla_decode.hpp"

namespace fathom::kernels::cpu {

using namespace samples;

namespace {

AttentionShape mla(std::int64_t heads) {
  return {.heads = heads,
          .kv_heads = 1,
          .qk_head_dim = 160,
          .v_head_dim = 128,
          .shared_kv = true,
          .softmax_scale = 0.1};
}

/// Queries of all sequences one after the other.
std::vector<Bf16> joined_queries(const std::vector<Sequence>& sequences) {
  std::vector<Bf16> q;
  for (const Sequence& s : sequences) q.insert(q.end(), s.q.begin(), s.q.end());
  return q;
}

/// A sequence's rows quantised, and what they are after it.
struct Quantised {
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
};
Quantised quantised(const KvLayout& layout, const std::vector<Bf16>& rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  Quantised q;
  q.codes.resize(rows.size());
  q.scales.resize(static_cast<std::size_t>(count / layout.key_stride *
                                           scales_per_row(layout, layout.key_stride)));
  quantise_rows(layout, rows, q.codes.data(), q.scales.data());
  return q;
}

/// Largest |probability-weighted value error| and score error that rounding keys and values by
/// `relative` of a magnitude `top` can cause: out moves by at most the values' error plus, for
/// scores off by e, (exp(2 e) - 1) max |v|.
double quantisation_bound(double element_error, double q_norm1, double scale, double top) {
  const double score_error = scale * q_norm1 * element_error;
  return element_error + (std::exp(2.0 * score_error) - 1.0) * top;
}

double largest_norm1(const std::vector<Bf16>& q, std::int64_t dim) {
  double largest = 0.0;
  for (std::size_t row = 0; row < q.size(); row += static_cast<std::size_t>(dim)) {
    double sum = 0.0;
    for (std::size_t d = 0; d < static_cast<std::size_t>(dim); ++d)
      sum += std::abs(static_cast<double>(to_float(q[row + d])));
    largest = std::max(largest, sum);
  }
  return largest;
}

}  // namespace

TEST_CASE("a batch of MLA decodes is each sequence by itself", "[cpu][attention][mla]") {
  const AttentionShape shape = mla(16);
  const std::int64_t tokens = 2;
  std::vector<Sequence> sequences;
  for (const std::int64_t keys : {2, 65, 700, 130})
    sequences.push_back(random_sequence(shape, tokens, keys, static_cast<std::uint64_t>(keys)));
  std::vector<std::vector<KvSpan>> pages;
  for (const Sequence& s : sequences) pages.push_back(pages_of(shape, s, 64));
  const std::vector<KvSequence> caches(pages.begin(), pages.end());
  const auto q = joined_queries(sequences);
  for (const Isa isa : supported_isas()) {
    CAPTURE(std::string{name(isa)});
    ThreadPool pool{2, false};
    MlaDecode decode{{.sequences = 4,
                      .query_tokens = tokens,
                      .heads = shape.heads,
                      .kv_lora_rank = 128,
                      .qk_rope_head_dim = 32,
                      .softmax_scale = shape.softmax_scale},
                     isa,
                     2};
    const std::int64_t each = tokens * shape.heads * 128;
    auto out = poisoned(4 * each);
    std::vector<Bf16> rounded(out.size(), 0x7fff);
    auto sums = poisoned(4 * tokens * shape.heads);
    decode.run(q.data(), caches, {.fp32 = out.data(), .log_sum_exp = sums.data()}, pool);
    decode.run(q.data(), caches, {.bf16 = rounded.data()}, pool);
    std::int64_t at = 0;
    for (const Sequence& s : sequences) {
      const auto want = expected(shape, s);
      const std::span<const float> own{out.data() + at * each, static_cast<std::size_t>(each)};
      CHECK(difference(own, want.out).frobenius < kPairBound);
      ++at;
      // The newest row sees itself: the sum of exponentials over all rows of the scores.
      double worst = 0.0;
      for (std::int64_t row = 0; row < tokens * shape.heads; ++row) {
        double sum = 0.0;
        for (const double x : want.scores.row(row)) sum += std::exp(x);
        const auto index = static_cast<std::size_t>((at - 1) * tokens * shape.heads + row);
        worst = std::max(worst, std::abs(static_cast<double>(sums[index]) - std::log(sum)));
      }
      CHECK(worst < 1e-5);
    }
    for (std::size_t i = 0; i < out.size(); ++i)
      if (rounded[i] != to_bf16(out[i])) FAIL("bf16 output is not the rounded fp32 output");
  }
}

TEST_CASE("quantised caches move the output no further than their rounding can",
          "[cpu][attention][quantised]") {
  const auto storage = GENERATE(KvStorage::int8, KvStorage::e4m3);
  const std::int64_t group = GENERATE(0, 32);
  const std::int64_t heads = 8, keys = 200, dim = 160;
  const AttentionShape shape = mla(heads);
  const Sequence s = random_sequence(shape, 1, keys, 5);
  const KvLayout layout{.storage = storage, .key_stride = dim, .scale_group = group};
  const Quantised rows = quantised(layout, s.k);
  const KvSpan span{.keys = rows.codes.data(), .key_scales = rows.scales.data(), .rows = keys};
  const KvSequence cache{&span, 1};
  // Elements are below 1. int8: half a step of 1/127. e4m3: 2^-4 of the element. Either is rounded
  // to bf16 (2^-9), and bf16 products round the probabilities (2^-9).
  const double step = storage == KvStorage::int8 ? 0.5 / 127.0 : 0x1p-4;
  const double bound =
      quantisation_bound(step + 0x1p-9, largest_norm1(s.q, dim), shape.softmax_scale, 1.0) + 0x1p-8;
  const auto want = expected(shape, s).out;
  for (const Isa isa : supported_isas()) {
    ThreadPool pool{1, false};
    MlaDecode decode{{.heads = heads,
                      .kv_lora_rank = 128,
                      .qk_rope_head_dim = 32,
                      .softmax_scale = shape.softmax_scale,
                      .storage = storage,
                      .scale_group = group},
                     isa,
                     1};
    auto out = poisoned(heads * 128);
    decode.run(s.q.data(), {&cache, 1}, {.fp32 = out.data()}, pool);
    double worst = 0.0;
    for (std::int64_t i = 0; i < want.size(); ++i)
      worst = std::max(worst,
                       std::abs(static_cast<double>(out[static_cast<std::size_t>(i)]) - want[i]));
    CAPTURE(std::string{name(isa)}, bound, worst);
    CHECK(worst < bound);
    // Rounding errors of random sign average out: relative to the output they stay below twice the
    // relative error of an element, which is at most step / (1 / sqrt(3)) and less in e4m3.
    CHECK(difference(out, want).frobenius < 2.0 * step * std::sqrt(3.0) + 2.0 * kPairBound);
    CHECK(difference(out, want).frobenius > kPairBound);
  }
}

TEST_CASE("quantised keys and values of several heads keep their own scales",
          "[cpu][attention][quantised]") {
  const std::int64_t keys = 150, kv_heads = 2, dim = 64;
  const AttentionShape shape{.heads = 4,
                             .kv_heads = kv_heads,
                             .qk_head_dim = dim,
                             .v_head_dim = dim,
                             .softmax_scale = 0.125};
  Sequence s = random_sequence(shape, 1, keys, 6);
  // Head 1 is 64 times smaller: with a scale of its own it loses no more than head 0.
  for (auto* rows : {&s.k, &s.v})
    for (std::size_t i = 0; i < rows->size(); ++i)
      if (i / dim % 2 == 1) (*rows)[i] = to_bf16(to_float((*rows)[i]) / 64.0F);
  const KvLayout layout{
      .storage = KvStorage::int8, .key_stride = kv_heads * dim, .scale_group = dim};
  const Quantised k = quantised(layout, s.k), v = quantised(layout, s.v);
  const KvSpan span{.keys = k.codes.data(),
                    .values = v.codes.data(),
                    .key_scales = k.scales.data(),
                    .value_scales = v.scales.data(),
                    .rows = keys};
  const KvSequence cache{&span, 1};
  const auto want = expected(shape, s).out;
  for (const Isa isa : supported_isas()) {
    ThreadPool pool{1, false};
    GqaDecode decode{{.heads = 4,
                      .kv_heads = kv_heads,
                      .qk_head_dim = dim,
                      .v_head_dim = dim,
                      .softmax_scale = shape.softmax_scale,
                      .storage = KvStorage::int8,
                      .scale_group = dim},
                     isa,
                     1};
    auto out = poisoned(4 * dim);
    decode.run(s.q.data(), {&cache, 1}, {.fp32 = out.data()}, pool);
    for (std::int64_t head : {0, 2}) {
      const Tensor<double> own{
          {2, dim}, {want.data.begin() + head * dim, want.data.begin() + (head + 2) * dim}};
      const std::span<const float> got{out.data() + head * dim, 2 * dim};
      CHECK(difference(got, own).frobenius < 2.0 * std::sqrt(3.0) * 0.5 / 127.0 + 2.0 * kPairBound);
    }
  }
}

TEST_CASE("sparse decode attends to the selected rows only", "[cpu][attention][sparse]") {
  const AttentionShape shape = mla(16);
  const std::int64_t keys = 500;
  const Sequence s = random_sequence(shape, 1, keys, 8);
  const auto pages = pages_of(shape, s, 64);
  TopKeys top{100};
  const auto noise = test::random_tensor({keys}, 12);
  const auto chosen = top.select(converted<float>(noise).data);
  std::vector<KvSpan> selected;
  select_rows({.key_stride = 160, .value_stride = 160}, pages, chosen, selected);
  Indices allowed{{1, keys}};
  for (const std::int64_t key : chosen) allowed[key] = 1;
  const auto q = as_tensor(s.q, {1, shape.heads, 160});
  const auto k = as_tensor(s.k, {keys, 1, 160});
  const ref::AttentionSpec spec{.heads = shape.heads,
                                .kv_heads = 1,
                                .v_head_dim = 128,
                                .softmax_scale = shape.softmax_scale,
                                .visible = {.keys = keys, .prefix = keys - 1, .allowed = &allowed}};
  const auto want = ref::attention(spec, q, ref::head_rows(k), ref::head_rows(k)).out;
  for (const Isa isa : supported_isas()) {
    ThreadPool pool{2, false};
    MlaDecode decode{{.heads = shape.heads,
                      .kv_lora_rank = 128,
                      .qk_rope_head_dim = 32,
                      .softmax_scale = shape.softmax_scale,
                      .causal = false},
                     isa,
                     2};
    auto out = poisoned(shape.heads * 128);
    const KvSequence cache = selected;
    decode.run(s.q.data(), {&cache, 1}, {.fp32 = out.data()}, pool);
    CHECK(difference(out, want).frobenius < kPairBound);
  }
}

TEST_CASE("prefill reads strided tensors behind a prefix", "[cpu][attention][prefill]") {
  const AttentionShape shape{
      .heads = 4, .kv_heads = 2, .qk_head_dim = 64, .v_head_dim = 32, .softmax_scale = 0.125};
  const std::int64_t tokens = 90, prefix = 40;
  const Sequence s = random_sequence(shape, tokens, prefix + tokens, 9);
  // The same rows inside wider ones.
  const FlashPrefillStrides strides{.q = 300, .k = 130, .v = 66};
  const auto widened = [](const std::vector<Bf16>& x, std::int64_t row, std::int64_t stride) {
    std::vector<Bf16> out(
        x.size() / static_cast<std::size_t>(row) * static_cast<std::size_t>(stride), 0x7fff);
    for (std::size_t i = 0; i < x.size(); ++i)
      out[i / static_cast<std::size_t>(row) * static_cast<std::size_t>(stride) +
          i % static_cast<std::size_t>(row)] = x[i];
    return out;
  };
  const auto q = widened(s.q, 256, strides.q);
  const auto k = widened(s.k, 128, strides.k);
  const auto v = widened(s.v, 64, strides.v);
  const auto want = expected(shape, s).out;
  for (const Isa isa : supported_isas()) {
    ThreadPool pool{2, false};
    FlashPrefill prefill{{.tokens = tokens,
                          .prefix_tokens = prefix,
                          .heads = 4,
                          .kv_heads = 2,
                          .qk_head_dim = 64,
                          .v_head_dim = 32,
                          .softmax_scale = shape.softmax_scale},
                         strides,
                         isa,
                         2};
    auto out = poisoned(tokens * 4 * 32);
    prefill.run({.q = q.data(), .k = k.data(), .v = v.data()}, {.fp32 = out.data()}, pool);
    CAPTURE(std::string{name(isa)});
    CHECK(difference(out, want).frobenius < kPairBound);
  }
}

}  // namespace fathom::kernels::cpu
