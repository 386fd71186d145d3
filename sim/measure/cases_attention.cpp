#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "kernels/cpu/buffer.hpp"
#include "kernels/cpu/flash_prefill.hpp"
#include "kernels/cpu/gqa_decode.hpp"
#include "kernels/cpu/mla_decode.hpp"
#include "measure/baselines.hpp"
#include "measure/cases.hpp"
#include "measure/random_data.hpp"
#include "measure/sampled_error.hpp"

namespace fathom::measure {
namespace {

namespace cpu = kernels::cpu;
using cpu::Bf16;
using cpu::Buffer;

// Probabilities are rounded to bf16, and so is the output.
constexpr double kAttentionError = 0x1p-7;

// Queries that spread the scores over a range of a few units, so that the softmax is neither flat
// nor a maximum.
constexpr float kQueryScale = 2.0F;

double number(Bf16 value) { return static_cast<double>(cpu::to_float(value)); }

// softmax(scale q k^T) v over `rows` rows of strided keys and values: one query, in double.
struct Rows {
  const Bf16* keys;
  const Bf16* values;
  std::int64_t key_stride, value_stride;
  std::int64_t rows;
};

std::vector<double> attend(const Bf16* q, const Rows& kv, std::int64_t qk, std::int64_t v,
                           double scale) {
  std::vector<double> scores;
  for (std::int64_t r = 0; r < kv.rows; ++r) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < qk; ++i)
      sum += number(q[i]) * number(kv.keys[r * kv.key_stride + i]);
    scores.push_back(scale * sum);
  }
  const double top = *std::max_element(scores.begin(), scores.end());
  double weight = 0.0;
  std::vector<double> out(static_cast<std::size_t>(v));
  for (std::int64_t r = 0; r < kv.rows; ++r) {
    const double p = std::exp(scores[static_cast<std::size_t>(r)] - top);
    weight += p;
    for (std::int64_t i = 0; i < v; ++i)
      out[static_cast<std::size_t>(i)] += p * number(kv.values[r * kv.value_stride + i]);
  }
  for (double& value : out) value /= weight;
  return out;
}

void poison(Buffer<Bf16>& out) {
  for (Bf16& value : out.span()) value = cpu::to_bf16(std::numeric_limits<float>::quiet_NaN());
}

// Causal pairs of `query_tokens` new tokens at the end of `context` rows, per sequence.
double causal_pairs(std::int64_t query_tokens, std::int64_t context) {
  return ops::causal_pairs(static_cast<double>(query_tokens),
                           static_cast<double>(context - query_tokens));
}

struct LatentData {
  LatentShape shape;
  std::int64_t row = 0;  // elements of a cached row
  double scale = 1.0;
  Buffer<Bf16> q, cache, out;
  std::vector<cpu::KvSpan> spans;
  std::vector<cpu::KvSequence> sequences;
  std::unique_ptr<cpu::MlaDecode> kernel;
};

std::shared_ptr<LatentData> latent_data(const LatentShape& s, const Bench& bench) {
  auto d = std::make_shared<LatentData>();
  d->shape = s;
  d->row = s.kv_lora_rank + s.qk_rope_head_dim;
  d->scale = 1.0 / std::sqrt(static_cast<double>(d->row));
  const std::int64_t queries = s.sequences * s.query_tokens * s.heads;
  d->q = Buffer<Bf16>{queries * d->row};
  d->cache = Buffer<Bf16>{s.sequences * s.context_tokens * d->row};
  d->out = Buffer<Bf16>{queries * s.kv_lora_rank};
  fill_random(d->q.span(), kQueryScale, bench.seed);
  fill_random(d->cache.span(), 1.0F, bench.seed + 1);
  poison(d->out);
  for (std::int64_t i = 0; i < s.sequences; ++i)
    d->spans.push_back(
        {.keys = d->cache.data() + i * s.context_tokens * d->row, .rows = s.context_tokens});
  for (const cpu::KvSpan& span : d->spans) d->sequences.emplace_back(&span, 1);
  d->kernel =
      std::make_unique<cpu::MlaDecode>(cpu::MlaDecodeShape{.sequences = s.sequences,
                                                           .query_tokens = s.query_tokens,
                                                           .heads = s.heads,
                                                           .kv_lora_rank = s.kv_lora_rank,
                                                           .qk_rope_head_dim = s.qk_rope_head_dim,
                                                           .softmax_scale = d->scale},
                                       bench.isa, bench.pool.size());
  return d;
}

double latent_error(const LatentData& d) {
  const LatentShape& s = d.shape;
  SampledError error;
  for (const std::int64_t sequence : spread(s.sequences, 2))
    for (const std::int64_t head : spread(s.heads, 2)) {
      const std::int64_t token = s.query_tokens - 1;  // sees everything
      const std::int64_t at = (sequence * s.query_tokens + token) * s.heads + head;
      const Bf16* rows = d.cache.data() + sequence * s.context_tokens * d.row;
      const auto want =
          attend(d.q.data() + at * d.row, {rows, rows, d.row, d.row, s.context_tokens}, d.row,
                 s.kv_lora_rank, d.scale);
      for (std::int64_t i = 0; i < s.kv_lora_rank; ++i)
        error.add(number(d.out[at * s.kv_lora_rank + i]), want[static_cast<std::size_t>(i)]);
    }
  return error.value();
}

ops::Op latent_op(const LatentShape& s) {
  const auto sequences = static_cast<double>(s.sequences);
  return ops::LatentAttention{
      .heads = s.heads,
      .qk_dim = s.kv_lora_rank + s.qk_rope_head_dim,
      .v_dim = s.kv_lora_rank,
      .query_tokens = sequences * static_cast<double>(s.query_tokens),
      .kv_tokens = sequences * static_cast<double>(s.context_tokens),
      .pairs = sequences * causal_pairs(s.query_tokens, s.context_tokens),
      .sequences = sequences,
      .row_bytes = Bytes{2.0 * static_cast<double>(s.kv_lora_rank + s.qk_rope_head_dim)}};
}

struct GqaData {
  AttentionShape shape;
  std::int64_t rows = 0;  // cached per sequence, the new ones included
  double scale = 1.0;
  Buffer<Bf16> q, k, v, out;
  std::vector<cpu::KvSpan> spans;
  std::vector<cpu::KvSequence> sequences;
  std::unique_ptr<cpu::GqaDecode> decode;
  std::vector<cpu::FlashPrefill> prefill;  // one: sequences of a batch are equal
};

std::shared_ptr<GqaData> gqa_data(const AttentionShape& s, const Bench& bench) {
  auto d = std::make_shared<GqaData>();
  d->shape = s;
  d->rows = s.context_tokens + s.query_tokens;
  d->scale = 1.0 / std::sqrt(static_cast<double>(s.qk_head_dim));
  const std::int64_t queries = s.sequences * s.query_tokens * s.heads;
  const std::int64_t cached = s.sequences * d->rows * s.kv_heads;
  d->q = Buffer<Bf16>{queries * s.qk_head_dim};
  d->k = Buffer<Bf16>{cached * s.qk_head_dim};
  d->v = Buffer<Bf16>{cached * s.v_head_dim};
  d->out = Buffer<Bf16>{queries * s.v_head_dim};
  fill_random(d->q.span(), kQueryScale, bench.seed);
  fill_random(d->k.span(), 1.0F, bench.seed + 1);
  fill_random(d->v.span(), 1.0F, bench.seed + 2);
  poison(d->out);
  return d;
}

double gqa_error(const GqaData& d) {
  const AttentionShape& s = d.shape;
  SampledError error;
  for (const std::int64_t token : spread(s.query_tokens, 3))
    for (const std::int64_t head : spread(s.heads, 2)) {
      const std::int64_t sequence = s.sequences - 1;
      const std::int64_t at = (sequence * s.query_tokens + token) * s.heads + head;
      const std::int64_t group = head / (s.heads / s.kv_heads);
      const std::int64_t first = sequence * d.rows * s.kv_heads + group;
      const Rows seen{d.k.data() + first * s.qk_head_dim, d.v.data() + first * s.v_head_dim,
                      s.kv_heads * s.qk_head_dim, s.kv_heads * s.v_head_dim,
                      s.context_tokens + token + 1};
      const auto want =
          attend(d.q.data() + at * s.qk_head_dim, seen, s.qk_head_dim, s.v_head_dim, d.scale);
      for (std::int64_t i = 0; i < s.v_head_dim; ++i)
        error.add(number(d.out[at * s.v_head_dim + i]), want[static_cast<std::size_t>(i)]);
    }
  return error.value();
}

ops::Op attention_op(const AttentionShape& s, bool prefill) {
  const auto sequences = static_cast<double>(s.sequences);
  const std::int64_t rows = s.context_tokens + s.query_tokens;
  return ops::Attention{.heads = s.heads,
                        .kv_heads = s.kv_heads,
                        .qk_head_dim = s.qk_head_dim,
                        .v_head_dim = s.v_head_dim,
                        .query_tokens = sequences * static_cast<double>(s.query_tokens),
                        .kv_tokens = sequences * static_cast<double>(rows),
                        .pairs = sequences * causal_pairs(s.query_tokens, rows),
                        .sequences = sequences,
                        .naive_mla = s.naive_mla,
                        .prefill = prefill};
}

std::vector<Region> cache_regions(const GqaData& d) {
  return {{d.k.data(), d.k.bytes()}, {d.v.data(), d.v.bytes()}};
}

Runnable prepare_decode(const AttentionShape& s, const Bench& bench) {
  const auto d = gqa_data(s, bench);
  for (std::int64_t i = 0; i < s.sequences; ++i)
    d->spans.push_back({.keys = d->k.data() + i * d->rows * s.kv_heads * s.qk_head_dim,
                        .values = d->v.data() + i * d->rows * s.kv_heads * s.v_head_dim,
                        .rows = d->rows});
  for (const cpu::KvSpan& span : d->spans) d->sequences.emplace_back(&span, 1);
  d->decode = std::make_unique<cpu::GqaDecode>(cpu::GqaDecodeShape{.sequences = s.sequences,
                                                                   .query_tokens = s.query_tokens,
                                                                   .heads = s.heads,
                                                                   .kv_heads = s.kv_heads,
                                                                   .qk_head_dim = s.qk_head_dim,
                                                                   .v_head_dim = s.v_head_dim,
                                                                   .softmax_scale = d->scale},
                                               bench.isa, bench.pool.size());
  return {.run =
              [d, pool = &bench.pool] {
                d->decode->run(d->q.data(), d->sequences, {.bf16 = d->out.data()}, *pool);
              },
          .error = [d] { return gqa_error(*d); },
          .cold = cache_regions(*d)};
}

Runnable prepare_prefill(const AttentionShape& s, const Bench& bench) {
  const auto d = gqa_data(s, bench);
  d->prefill.emplace_back(cpu::FlashPrefillShape{.tokens = s.query_tokens,
                                                 .prefix_tokens = s.context_tokens,
                                                 .heads = s.heads,
                                                 .kv_heads = s.kv_heads,
                                                 .qk_head_dim = s.qk_head_dim,
                                                 .v_head_dim = s.v_head_dim,
                                                 .softmax_scale = d->scale},
                          cpu::FlashPrefillStrides{}, bench.isa, bench.pool.size());
  const auto run = [d, pool = &bench.pool] {
    const AttentionShape& shape = d->shape;
    for (std::int64_t i = 0; i < shape.sequences; ++i) {
      const std::int64_t cached = i * d->rows * shape.kv_heads;
      const std::int64_t queries = i * shape.query_tokens * shape.heads;
      d->prefill.front().run({.q = d->q.data() + queries * shape.qk_head_dim,
                              .k = d->k.data() + cached * shape.qk_head_dim,
                              .v = d->v.data() + cached * shape.v_head_dim},
                             {.bf16 = d->out.data() + queries * shape.v_head_dim}, *pool);
    }
  };
  return {.run = run, .error = [d] { return gqa_error(*d); }, .cold = cache_regions(*d)};
}

std::string id_of(const char* group, const AttentionShape& s) {
  return fmt::format("{}/h={}of{}/d={}+{}/b={}/q={}/l={}", group, s.heads, s.kv_heads,
                     s.qk_head_dim, s.v_head_dim, s.sequences, s.query_tokens, s.context_tokens);
}

}  // namespace

KernelCase mla_decode_case(const LatentShape& s) {
  KernelCase out;
  out.group = "mla_decode";
  out.id = fmt::format("mla_decode/h={}/b={}/q={}/l={}", s.heads, s.sequences, s.query_tokens,
                       s.context_tokens);
  out.family = hw::Family::mla_decode;
  out.ops = {latent_op(s)};
  out.error_bound = kAttentionError;
  out.prepare = [s](const Bench& bench) {
    const auto d = latent_data(s, bench);
    return Runnable{.run =
                        [d, pool = &bench.pool] {
                          d->kernel->run(d->q.data(), d->sequences, {.bf16 = d->out.data()}, *pool);
                        },
                    .error = [d] { return latent_error(*d); },
                    .cold = {{d->cache.data(), d->cache.bytes()}}};
  };
  if (s.sequences == 1)
    out.baselines = [s](const Bench& bench) {
      return mla_decode_baselines(s.query_tokens * s.heads, s.context_tokens,
                                  s.kv_lora_rank + s.qk_rope_head_dim, s.kv_lora_rank, bench);
    };
  return out;
}

KernelCase gqa_decode_case(const AttentionShape& s) {
  KernelCase out;
  out.group = "gqa_decode";
  out.id = id_of("gqa_decode", s);
  out.family = hw::Family::attention_decode;
  out.ops = {attention_op(s, false)};
  out.error_bound = kAttentionError;
  out.prepare = [s](const Bench& bench) { return prepare_decode(s, bench); };
  return out;
}

KernelCase prefill_case(const AttentionShape& s) {
  KernelCase out;
  out.group = s.naive_mla ? "mla_prefill" : "prefill";
  out.id = id_of(out.group.c_str(), s);
  out.family = s.naive_mla ? hw::Family::mla_prefill : hw::Family::attention_prefill;
  out.ops = {attention_op(s, true)};
  out.error_bound = kAttentionError;
  out.prepare = [s](const Bench& bench) { return prepare_prefill(s, bench); };
  return out;
}

}  // namespace fathom::measure
