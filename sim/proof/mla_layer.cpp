#include "proof/mla_layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "kernels/cpu/elementwise.hpp"
#include "kernels/cpu/flash_prefill.hpp"
#include "kernels/cpu/mla_decode.hpp"
#include "measure/random_data.hpp"

namespace fathom::proof {
namespace {

namespace cpu = kernels::cpu;
using cpu::Bf16;
using cpu::Buffer;

constexpr float kEps = 1e-6F;

}  // namespace

struct MlaLayer::State {
  model::MlaSpec spec;
  LayerShape shape;
  cpu::Isa isa;
  cpu::ThreadPool* pool;
  std::int64_t hidden = 0;
  std::int64_t heads = 0, nope = 0, rope = 0, value = 0, latent = 0;
  std::int64_t qk = 0;   // qk_nope_head_dim + qk_rope_head_dim
  std::int64_t row = 0;  // of the cache: kv_lora_rank + qk_rope_head_dim

  cpu::PackedLinear q_a, q_b, kv_a, kv_b, o;            // q_b is q_proj without compression
  std::vector<cpu::PackedLinear> absorb_uk, absorb_uv;  // per head, in decode
  Buffer<float> q_a_norm, kv_a_norm;
  RopeTable angles;

  Buffer<Bf16> cache;           // [sequences, capacity, row]
  Buffer<float> q_low, kv_low;  // [rows, q_lora_rank], [rows, row]
  Buffer<Bf16> q_low_normed, q, q_latent, core, out_heads;
  Buffer<Bf16> kv, k, v;  // prefill: expanded latents of one sequence
  std::vector<cpu::KvSpan> spans;
  std::vector<cpu::KvSequence> sequences;
  cpu::LinearWorkspace linear;
  std::vector<cpu::LinearWorkspace> batched;
  std::optional<cpu::MlaDecode> decode;
  std::optional<cpu::FlashPrefill> prefill;
  std::int64_t prefix = -1;  // what `prefill` was made for

  void draw(std::uint64_t seed);
  void allocate();
  void absorb(const Buffer<Bf16>& w);

  Bf16* cache_row(std::int64_t sequence, std::int64_t position) {
    return cache.data() + (sequence * shape.capacity() + position) * row;
  }
  double softmax_scale() const { return 1.0 / std::sqrt(static_cast<double>(qk)); }
  void project(const cpu::PackedLinear& w, const Bf16* x, std::int64_t x_stride, float* y,
               Bf16* y16, std::int64_t rows) {
    cpu::linear({.x = x,
                 .rows = rows,
                 .x_stride = x_stride,
                 .w = &w,
                 .y = y,
                 .y_bf16 = y16,
                 .y_stride = w.n},
                linear, isa, *pool);
  }
  void queries(const SublayerIo& io, StepLog* log);
  void write_cache(const SublayerIo& io, StepLog* log);
  void rotate_queries(std::int64_t sequence, std::int64_t context);
  void attend_absorbed(const SublayerIo& io, StepLog* log);
  void attend_naive(const SublayerIo& io, StepLog* log);
  void assemble(std::int64_t sequence, std::int64_t rows);
};

void MlaLayer::State::draw(std::uint64_t seed) {
  Draw weights{seed};
  if (spec.q_lora_rank > 0) {
    q_a = weights.linear(spec.q_lora_rank, hidden);
    q_a_norm = weights.norm(spec.q_lora_rank);
  }
  q_b = weights.linear(heads * qk, spec.q_lora_rank > 0 ? spec.q_lora_rank : hidden);
  kv_a = weights.linear(row, hidden);
  kv_a_norm = weights.norm(latent);
  const Buffer<Bf16> w = weights.matrix(heads * (nope + value), latent);
  if (shape.prefill) {
    kv_b = cpu::pack_linear(w.data(), heads * (nope + value), latent);
  } else {
    absorb(w);
  }
  o = weights.linear(hidden, heads * value);
}

// W_UK of a head maps the latent to its keys; absorbed it maps the query to the latent: the
// transposed matrix. W_UV stays as it is.
void MlaLayer::State::absorb(const Buffer<Bf16>& w) {
  Buffer<Bf16> transposed{latent * nope};
  for (std::int64_t h = 0; h < heads; ++h) {
    const Bf16* uk = w.data() + h * (nope + value) * latent;
    for (std::int64_t j = 0; j < nope; ++j)
      for (std::int64_t c = 0; c < latent; ++c) transposed[c * nope + j] = uk[j * latent + c];
    absorb_uk.push_back(cpu::pack_linear(transposed.data(), latent, nope));
    absorb_uv.push_back(cpu::pack_linear(uk + nope * latent, value, latent));
  }
}

void MlaLayer::State::allocate() {
  const std::int64_t rows = shape.rows();
  cache = Buffer<Bf16>{shape.sequences * shape.capacity() * row};
  kv_low = Buffer<float>{rows * row};
  if (spec.q_lora_rank > 0) {
    q_low = Buffer<float>{rows * spec.q_lora_rank};
    q_low_normed = Buffer<Bf16>{rows * spec.q_lora_rank};
  }
  q = Buffer<Bf16>{rows * heads * qk};
  out_heads = Buffer<Bf16>{rows * heads * value};
  if (shape.prefill) {
    kv = Buffer<Bf16>{shape.capacity() * heads * (nope + value)};
    k = Buffer<Bf16>{shape.capacity() * heads * qk};
    v = Buffer<Bf16>{shape.capacity() * heads * value};
    return;
  }
  q_latent = Buffer<Bf16>{rows * heads * row};
  core = Buffer<Bf16>{rows * heads * latent};
  for (std::int64_t s = 0; s < shape.sequences; ++s) spans.push_back({.keys = cache_row(s, 0)});
  for (const cpu::KvSpan& span : spans) sequences.emplace_back(&span, 1);
  for (int i = 0; i < pool->size(); ++i) batched.emplace_back(pool->size());
  decode.emplace(cpu::MlaDecodeShape{.sequences = shape.sequences,
                                     .query_tokens = shape.new_tokens,
                                     .heads = heads,
                                     .kv_lora_rank = latent,
                                     .qk_rope_head_dim = rope,
                                     .softmax_scale = softmax_scale()},
                 isa, pool->size());
}

void MlaLayer::State::queries(const SublayerIo& io, StepLog* log) {
  const std::int64_t rows = shape.rows();
  if (spec.q_lora_rank == 0)
    return step(log, {"q_proj"}, [&] { project(q_b, io.x, hidden, nullptr, q.data(), rows); });
  step(log, {"q_a_proj"}, [&] { project(q_a, io.x, hidden, q_low.data(), nullptr, rows); });
  step(log, {"q_a_layernorm"}, [&] {
    cpu::rms_norm({.x = q_low.data(),
                   .rows = rows,
                   .width = spec.q_lora_rank,
                   .x_stride = spec.q_lora_rank,
                   .weight = q_a_norm.data(),
                   .eps = kEps,
                   .y = q_low_normed.data(),
                   .y_stride = spec.q_lora_rank},
                  isa, *pool);
  });
  step(log, {"q_b_proj"},
       [&] { project(q_b, q_low_normed.data(), spec.q_lora_rank, nullptr, q.data(), rows); });
}

// Norm of the latent and rotation of the shared key, straight into the cache.
void MlaLayer::State::write_cache(const SublayerIo& io, StepLog* log) {
  const std::int64_t rows = shape.rows();
  step(log, {"kv_a_proj_with_mqa"},
       [&] { project(kv_a, io.x, hidden, kv_low.data(), nullptr, rows); });
  step(log, {"kv_norm_rope_write"}, [&] {
    for (std::int64_t s = 0; s < shape.sequences; ++s) {
      const float* from = kv_low.data() + s * shape.new_tokens * row;
      Bf16* to = cache_row(s, io.context);
      cpu::rms_norm({.x = from,
                     .rows = shape.new_tokens,
                     .width = latent,
                     .x_stride = row,
                     .weight = kv_a_norm.data(),
                     .eps = kEps,
                     .y = to,
                     .y_stride = row},
                    isa, *pool);
      for (std::int64_t t = 0; t < shape.new_tokens; ++t)
        cpu::to_bf16({from + t * row + latent, static_cast<std::size_t>(rope)},
                     to + t * row + latent);
      cpu::rope({.x = to + latent,
                 .tokens = shape.new_tokens,
                 .token_stride = row,
                 .dim = rope,
                 .cos = angles.cos_at(io.context),
                 .sin = angles.sin_at(io.context)},
                isa, *pool);
    }
  });
}

void MlaLayer::State::rotate_queries(std::int64_t sequence, std::int64_t context) {
  cpu::rope({.x = q.data() + sequence * shape.new_tokens * heads * qk + nope,
             .tokens = shape.new_tokens,
             .heads = heads,
             .token_stride = heads * qk,
             .head_stride = qk,
             .dim = rope,
             .cos = angles.cos_at(context),
             .sin = angles.sin_at(context)},
            isa, *pool);
}

void MlaLayer::State::attend_absorbed(const SublayerIo& io, StepLog* log) {
  const std::int64_t rows = shape.rows();
  step(log, {"rope_q"}, [&] {
    for (std::int64_t i = 0; i < shape.sequences; ++i) rotate_queries(i, io.context);
    for (std::int64_t i = 0; i < rows * heads; ++i)
      std::copy_n(q.data() + i * qk + nope, rope, q_latent.data() + i * row + latent);
  });
  const auto heads_linear = [&](const std::vector<cpu::PackedLinear>& w, const Buffer<Bf16>& x,
                                std::int64_t x_head, Buffer<Bf16>& y, std::int64_t y_head) {
    cpu::batched_linear({.first = {.x = x.data(),
                                   .rows = rows,
                                   .x_stride = heads * x_head,
                                   .y_bf16 = y.data(),
                                   .y_stride = heads * y_head},
                         .weights = w.data(),
                         .heads = heads,
                         .x_head_stride = x_head,
                         .y_head_stride = y_head},
                        batched, isa, *pool);
  };
  step(log, {"absorb_uk"}, [&] { heads_linear(absorb_uk, q, qk, q_latent, row); });
  step(log, {"attention_core"}, [&] {
    for (cpu::KvSpan& span : spans) span.rows = io.context + shape.new_tokens;
    decode->run(q_latent.data(), sequences, {.bf16 = core.data()}, *pool);
  });
  step(log, {"absorb_uv"}, [&] { heads_linear(absorb_uv, core, latent, out_heads, value); });
}

// Keys and values of one sequence, head by head, from its expanded latents and shared keys.
void MlaLayer::State::assemble(std::int64_t sequence, std::int64_t rows) {
  pool->run([&](int worker) {
    const cpu::Range mine = cpu::part_of(rows, 1, worker, pool->size());
    for (std::int64_t t = mine.begin; t < mine.end; ++t) {
      const Bf16* shared = cache_row(sequence, t) + latent;
      for (std::int64_t h = 0; h < heads; ++h) {
        const Bf16* from = kv.data() + (t * heads + h) * (nope + value);
        Bf16* key = std::copy_n(from, nope, k.data() + (t * heads + h) * qk);
        std::copy_n(shared, rope, key);
        std::copy_n(from + nope, value, v.data() + (t * heads + h) * value);
      }
    }
  });
}

void MlaLayer::State::attend_naive(const SublayerIo& io, StepLog* log) {
  const std::int64_t rows = io.context + shape.new_tokens;
  if (prefix != io.context) {
    prefix = io.context;
    prefill.emplace(cpu::FlashPrefillShape{.tokens = shape.new_tokens,
                                           .prefix_tokens = prefix,
                                           .heads = heads,
                                           .kv_heads = heads,
                                           .qk_head_dim = qk,
                                           .v_head_dim = value,
                                           .softmax_scale = softmax_scale()},
                    cpu::FlashPrefillStrides{}, isa, pool->size());
  }
  for (std::int64_t s = 0; s < shape.sequences; ++s) {
    step(log, {"kv_b_proj"},
         [&] { project(kv_b, cache_row(s, 0), row, nullptr, kv.data(), rows); });
    step(log, {"rope_q"}, [&] { rotate_queries(s, io.context); });
    step(log, {"assemble_kv"}, [&] { assemble(s, rows); });
    step(log, {"attention_core"}, [&] {
      prefill->run(
          {.q = q.data() + s * shape.new_tokens * heads * qk, .k = k.data(), .v = v.data()},
          {.bf16 = out_heads.data() + s * shape.new_tokens * heads * value}, *pool);
    });
  }
}

MlaLayer::MlaLayer(const model::ArchSpec& arch, const model::MlaSpec& spec, const LayerShape& shape,
                   const measure::Bench& bench)
    : state_(std::make_unique<State>()) {
  if (spec.indexer.index_topk > 0)
    throw InputError{fmt::format("{}: layers with sparse attention are not executed", arch.name)};
  State& s = *state_;
  s.spec = spec;
  s.shape = shape;
  s.isa = bench.isa;
  s.pool = &bench.pool;
  s.hidden = arch.hidden_size;
  s.heads = spec.num_attention_heads;
  s.nope = spec.qk_nope_head_dim;
  s.rope = spec.qk_rope_head_dim;
  s.value = spec.v_head_dim;
  s.latent = spec.kv_lora_rank;
  s.qk = s.nope + s.rope;
  s.row = s.latent + s.rope;
  s.linear = cpu::LinearWorkspace{bench.pool.size()};
  s.angles = RopeTable{shape.capacity(), s.rope, arch.rope.rope_theta};
  s.draw(bench.seed);
  s.allocate();
}
MlaLayer::MlaLayer(MlaLayer&&) noexcept = default;
MlaLayer::~MlaLayer() = default;

void MlaLayer::run(const SublayerIo& io, StepLog* log) {
  State& s = *state_;
  FATHOM_EXPECT(io.context <= s.shape.max_context, "the cache holds the context");
  s.queries(io, log);
  s.write_cache(io, log);
  if (s.shape.prefill) {
    s.attend_naive(io, log);
  } else {
    s.attend_absorbed(io, log);
  }
  step(log, {"o_proj"}, [&] {
    s.project(s.o, s.out_heads.data(), s.heads * s.value, io.y, nullptr, s.shape.rows());
  });
}

Regions MlaLayer::cold() const {
  const State& s = *state_;
  Regions out{{s.cache.data(), s.cache.bytes()}};
  for (const cpu::PackedLinear* w : {&s.q_a, &s.q_b, &s.kv_a, &s.kv_b, &s.o})
    if (!w->tiles.empty()) add_region(out, *w);
  for (const cpu::PackedLinear& w : s.absorb_uk) add_region(out, w);
  for (const cpu::PackedLinear& w : s.absorb_uv) add_region(out, w);
  return out;
}

void MlaLayer::fill_cache(std::int64_t tokens, std::uint64_t seed) {
  State& s = *state_;
  for (std::int64_t i = 0; i < s.shape.sequences; ++i)
    measure::fill_random({s.cache_row(i, 0), static_cast<std::size_t>(tokens * s.row)}, 1.7F,
                         seed + static_cast<std::uint64_t>(i));
}

}  // namespace fathom::proof
