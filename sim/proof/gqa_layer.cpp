#include "proof/gqa_layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/error.hpp"
#include "kernels/cpu/elementwise.hpp"
#include "kernels/cpu/flash_prefill.hpp"
#include "kernels/cpu/gqa_decode.hpp"
#include "measure/random_data.hpp"

namespace fathom::proof {
namespace {

namespace cpu = kernels::cpu;
using cpu::Bf16;
using cpu::Buffer;

constexpr float kEps = 1e-6F;

bool executed(const model::GqaSpec& s) {
  return s.sliding_window == 0 && s.attention_chunk_size == 0 && !s.qkv_bias && !s.o_bias &&
         !s.qk_norm_full_width && !s.sinks && !s.output_gate && !s.k_eq_v && s.rope;
}

}  // namespace

struct GqaLayer::State {
  model::GqaSpec spec;
  LayerShape shape;
  cpu::Isa isa;
  cpu::ThreadPool* pool;
  std::int64_t hidden = 0, heads = 0, kv_heads = 0, dim = 0;

  cpu::PackedLinear q_proj, k_proj, v_proj, o_proj;
  Buffer<float> q_norm, k_norm;
  RopeTable angles;

  Buffer<Bf16> keys, values;   // caches [sequences, capacity, kv_heads, dim]
  Buffer<float> q_raw, k_raw;  // before their norms
  Buffer<Bf16> q, k, v, out_heads;
  std::vector<cpu::KvSpan> spans;
  std::vector<cpu::KvSequence> sequences;
  cpu::LinearWorkspace linear;
  std::optional<cpu::GqaDecode> decode;
  std::optional<cpu::FlashPrefill> prefill;
  std::int64_t prefix = -1;

  std::int64_t kv_width() const { return kv_heads * dim; }
  double softmax_scale() const { return 1.0 / std::sqrt(static_cast<double>(dim)); }
  void draw(std::uint64_t seed);
  void allocate();
  void project(const cpu::PackedLinear& w, const Bf16* x, float* y, Bf16* y16) {
    cpu::linear({.x = x,
                 .rows = shape.rows(),
                 .x_stride = w.k,
                 .w = &w,
                 .y = y,
                 .y_bf16 = y16,
                 .y_stride = w.n},
                linear, isa, *pool);
  }
  void head_norm(const Buffer<float>& from, const Buffer<float>& weight, std::int64_t count,
                 Buffer<Bf16>& to);
  void rotate(Buffer<Bf16>& x, std::int64_t count, std::int64_t context);
  void write_cache(std::int64_t context);
  void attend(std::int64_t context);
};

void GqaLayer::State::draw(std::uint64_t seed) {
  Draw weights{seed};
  q_proj = weights.linear(heads * dim, hidden);
  k_proj = weights.linear(kv_width(), hidden);
  v_proj = weights.linear(kv_width(), hidden);
  if (spec.qk_norm) {
    q_norm = weights.norm(dim);
    k_norm = weights.norm(dim);
  }
  o_proj = weights.linear(hidden, heads * dim);
}

void GqaLayer::State::allocate() {
  const std::int64_t rows = shape.rows();
  keys = Buffer<Bf16>{shape.sequences * shape.capacity() * kv_width()};
  values = Buffer<Bf16>{shape.sequences * shape.capacity() * kv_width()};
  q = Buffer<Bf16>{rows * heads * dim};
  k = Buffer<Bf16>{rows * kv_width()};
  v = Buffer<Bf16>{rows * kv_width()};
  out_heads = Buffer<Bf16>{rows * heads * dim};
  if (spec.qk_norm) {
    q_raw = Buffer<float>{rows * heads * dim};
    k_raw = Buffer<float>{rows * kv_width()};
  }
  if (shape.prefill) return;
  for (std::int64_t s = 0; s < shape.sequences; ++s)
    spans.push_back({.keys = keys.data() + s * shape.capacity() * kv_width(),
                     .values = values.data() + s * shape.capacity() * kv_width()});
  for (const cpu::KvSpan& span : spans) sequences.emplace_back(&span, 1);
  decode.emplace(cpu::GqaDecodeShape{.sequences = shape.sequences,
                                     .query_tokens = shape.new_tokens,
                                     .heads = heads,
                                     .kv_heads = kv_heads,
                                     .qk_head_dim = dim,
                                     .v_head_dim = dim,
                                     .softmax_scale = softmax_scale()},
                 isa, pool->size());
}

// Each head's vector by itself (Qwen3).
void GqaLayer::State::head_norm(const Buffer<float>& from, const Buffer<float>& weight,
                                std::int64_t count, Buffer<Bf16>& to) {
  cpu::rms_norm({.x = from.data(),
                 .rows = shape.rows() * count,
                 .width = dim,
                 .x_stride = dim,
                 .weight = weight.data(),
                 .eps = kEps,
                 .y = to.data(),
                 .y_stride = dim},
                isa, *pool);
}

void GqaLayer::State::rotate(Buffer<Bf16>& x, std::int64_t count, std::int64_t context) {
  for (std::int64_t s = 0; s < shape.sequences; ++s)
    cpu::rope({.x = x.data() + s * shape.new_tokens * count * dim,
               .tokens = shape.new_tokens,
               .heads = count,
               .token_stride = count * dim,
               .head_stride = dim,
               .dim = dim,
               .cos = angles.cos_at(context),
               .sin = angles.sin_at(context),
               .pairs = cpu::RopePairs::half},
              isa, *pool);
}

void GqaLayer::State::write_cache(std::int64_t context) {
  const std::int64_t width = shape.new_tokens * kv_width();
  for (std::int64_t s = 0; s < shape.sequences; ++s) {
    const std::int64_t to = (s * shape.capacity() + context) * kv_width();
    std::copy_n(k.data() + s * width, width, keys.data() + to);
    std::copy_n(v.data() + s * width, width, values.data() + to);
  }
}

void GqaLayer::State::attend(std::int64_t context) {
  if (!shape.prefill) {
    for (cpu::KvSpan& span : spans) span.rows = context + shape.new_tokens;
    return decode->run(q.data(), sequences, {.bf16 = out_heads.data()}, *pool);
  }
  if (prefix != context) {
    prefix = context;
    prefill.emplace(cpu::FlashPrefillShape{.tokens = shape.new_tokens,
                                           .prefix_tokens = prefix,
                                           .heads = heads,
                                           .kv_heads = kv_heads,
                                           .qk_head_dim = dim,
                                           .v_head_dim = dim,
                                           .softmax_scale = softmax_scale()},
                    cpu::FlashPrefillStrides{}, isa, pool->size());
  }
  for (std::int64_t s = 0; s < shape.sequences; ++s) {
    const std::int64_t rows = s * shape.new_tokens * heads * dim;
    const std::int64_t cached = s * shape.capacity() * kv_width();
    prefill->run({.q = q.data() + rows, .k = keys.data() + cached, .v = values.data() + cached},
                 {.bf16 = out_heads.data() + rows}, *pool);
  }
}

GqaLayer::GqaLayer(const model::ArchSpec& arch, const model::GqaSpec& spec, const LayerShape& shape,
                   const measure::Bench& bench)
    : state_(std::make_unique<State>()) {
  if (!executed(spec))
    throw InputError{fmt::format(
        "{}: attention with windows, biases, sinks or gates is not executed", arch.name)};
  State& s = *state_;
  s.spec = spec;
  s.shape = shape;
  s.isa = bench.isa;
  s.pool = &bench.pool;
  s.hidden = arch.hidden_size;
  s.heads = spec.num_attention_heads;
  s.kv_heads = spec.num_key_value_heads;
  s.dim = spec.head_dim;
  s.linear = cpu::LinearWorkspace{bench.pool.size()};
  s.angles = RopeTable{shape.capacity(), s.dim, arch.rope.rope_theta};
  s.draw(bench.seed);
  s.allocate();
}
GqaLayer::GqaLayer(GqaLayer&&) noexcept = default;
GqaLayer::~GqaLayer() = default;

void GqaLayer::run(const SublayerIo& io, StepLog* log) {
  State& s = *state_;
  FATHOM_EXPECT(io.context <= s.shape.max_context, "the cache holds the context");
  const bool normed = s.spec.qk_norm;
  step(log, {"q_proj"}, [&] {
    s.project(s.q_proj, io.x, normed ? s.q_raw.data() : nullptr, normed ? nullptr : s.q.data());
  });
  step(log, {"k_proj"}, [&] {
    s.project(s.k_proj, io.x, normed ? s.k_raw.data() : nullptr, normed ? nullptr : s.k.data());
  });
  step(log, {"v_proj"}, [&] { s.project(s.v_proj, io.x, nullptr, s.v.data()); });
  if (normed) {
    step(log, {"q_norm"}, [&] { s.head_norm(s.q_raw, s.q_norm, s.heads, s.q); });
    step(log, {"k_norm"}, [&] { s.head_norm(s.k_raw, s.k_norm, s.kv_heads, s.k); });
  }
  step(log, {"rope_q"}, [&] { s.rotate(s.q, s.heads, io.context); });
  step(log, {"rope_k_write_kv"}, [&] {
    s.rotate(s.k, s.kv_heads, io.context);
    s.write_cache(io.context);
  });
  step(log, {"attention"}, [&] { s.attend(io.context); });
  step(log, {"o_proj"}, [&] { s.project(s.o_proj, s.out_heads.data(), io.y, nullptr); });
}

Regions GqaLayer::cold() const {
  const State& s = *state_;
  Regions out{{s.keys.data(), s.keys.bytes()}, {s.values.data(), s.values.bytes()}};
  for (const cpu::PackedLinear* w : {&s.q_proj, &s.k_proj, &s.v_proj, &s.o_proj})
    add_region(out, *w);
  return out;
}

void GqaLayer::fill_cache(std::int64_t tokens, std::uint64_t seed) {
  State& s = *state_;
  for (std::int64_t i = 0; i < s.shape.sequences; ++i) {
    const std::int64_t first = i * s.shape.capacity() * s.kv_width();
    const auto count = static_cast<std::size_t>(tokens * s.kv_width());
    measure::fill_random({s.keys.data() + first, count}, 1.7F,
                         seed + 2 * static_cast<std::uint64_t>(i));
    measure::fill_random({s.values.data() + first, count}, 1.7F,
                         seed + 2 * static_cast<std::uint64_t>(i) + 1);
  }
}

}  // namespace fathom::proof
