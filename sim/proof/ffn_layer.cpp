#include "proof/ffn_layer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "kernels/cpu/router.hpp"
#include "measure/random_data.hpp"

namespace fathom::proof {
namespace {

namespace cpu = kernels::cpu;
using cpu::Bf16;
using cpu::Buffer;

bool executed(const model::LayerSpec& s) {
  const bool dense = s.dense.intermediate_size > 0;
  const bool moe = s.moe.n_routed_experts > 0;
  if (dense == moe) return false;
  if (dense) return s.dense.gated && !s.dense.bias;
  return !s.moe.shared_expert_gate && !s.moe.hash_routed && !s.moe.router_bias &&
         !s.moe.expert_bias && !s.moe.router_scale;
}

kernels::ref::GateSpec gate_spec(const model::MoeSpec& s) {
  kernels::ref::GateSpec out;
  out.num_experts_per_tok = s.num_experts_per_tok;
  out.n_group = s.n_group;
  out.topk_group = s.topk_group;
  const bool softmax = s.scoring_func == model::GateScore::softmax;
  out.score = softmax ? kernels::ref::ScoreFunction::softmax
              : s.scoring_func == model::GateScore::sigmoid
                  ? kernels::ref::ScoreFunction::sigmoid
                  : kernels::ref::ScoreFunction::sqrt_softplus;
  out.group_score =
      s.selection_bias ? kernels::ref::GroupScore::two_best : kernels::ref::GroupScore::best;
  return out;
}

}  // namespace

struct FfnLayer::State {
  model::LayerSpec spec;
  LayerShape shape;
  cpu::Isa isa;
  cpu::ThreadPool* pool;
  std::int64_t hidden = 0;

  cpu::PackedExperts always;  // the dense layer, or the shared experts as one
  cpu::PackedExperts routed;
  cpu::PackedLinear gate;
  Buffer<float> bias, logits, choice_weights;
  Buffer<std::int32_t> indices;
  cpu::LinearWorkspace linear;
  cpu::RouterWorkspace router;
  cpu::ExpertsWorkspace experts;

  bool moe() const { return spec.moe.n_routed_experts > 0; }
  void draw(std::uint64_t seed);
  void run_always(const SublayerIo& io) {
    cpu::experts({.x = io.x,
                  .tokens = shape.rows(),
                  .x_stride = hidden,
                  .weights = &always,
                  .y = io.y,
                  .y_stride = hidden},
                 experts, isa, *pool);
  }
  void route(const SublayerIo& io, StepLog* log);
  void run_routed(const SublayerIo& io);
};

void FfnLayer::State::draw(std::uint64_t seed) {
  Draw weights{seed};
  if (!moe()) {
    always = weights.experts(1, hidden, spec.dense.intermediate_size);
    return;
  }
  const model::MoeSpec& m = spec.moe;
  gate = weights.linear(m.n_routed_experts, hidden);
  if (m.selection_bias) {
    bias = Buffer<float>{m.n_routed_experts};
    measure::fill_random(bias.span(), 0.01F, seed);
  }
  if (m.shared_intermediate_size > 0)
    always = weights.experts(1, hidden, m.shared_intermediate_size);
  routed = weights.experts(m.n_routed_experts, hidden, m.moe_intermediate_size);
  const std::int64_t rows = shape.rows();
  logits = Buffer<float>{rows * m.n_routed_experts};
  indices = Buffer<std::int32_t>{rows * m.num_experts_per_tok};
  choice_weights = Buffer<float>{rows * m.num_experts_per_tok};
}

void FfnLayer::State::route(const SublayerIo& io, StepLog* log) {
  step(log, {"gate"}, [&] {
    cpu::linear({.x = io.x,
                 .rows = shape.rows(),
                 .x_stride = hidden,
                 .w = &gate,
                 .y = logits.data(),
                 .y_stride = spec.moe.n_routed_experts},
                linear, isa, *pool);
  });
  step(log, {"gate_topk"}, [&] {
    cpu::route_logits({.tokens = shape.rows(),
                       .weight = &gate,
                       .bias = bias.empty() ? nullptr : bias.data(),
                       .spec = gate_spec(spec.moe),
                       .indices = indices.data(),
                       .weights = choice_weights.data()},
                      logits.data(), router, *pool);
  });
}

void FfnLayer::State::run_routed(const SublayerIo& io) {
  cpu::experts({.x = io.x,
                .tokens = shape.rows(),
                .x_stride = hidden,
                .weights = &routed,
                .indices = indices.data(),
                .choice_weights = choice_weights.data(),
                .choices = spec.moe.num_experts_per_tok,
                .y = io.y,
                .y_stride = hidden,
                .accumulate = !always.experts.empty()},
               experts, isa, *pool);
}

FfnLayer::FfnLayer(const model::ArchSpec& arch, const model::LayerSpec& spec,
                   const LayerShape& shape, const measure::Bench& bench)
    : state_(std::make_unique<State>()) {
  if (!executed(spec))
    throw InputError{fmt::format("{}: this kind of feed-forward layer is not executed", arch.name)};
  State& s = *state_;
  s.spec = spec;
  s.shape = shape;
  s.isa = bench.isa;
  s.pool = &bench.pool;
  s.hidden = arch.hidden_size;
  s.linear = cpu::LinearWorkspace{bench.pool.size()};
  s.router = cpu::RouterWorkspace{bench.pool.size()};
  s.draw(bench.seed);
}
FfnLayer::FfnLayer(FfnLayer&&) noexcept = default;
FfnLayer::~FfnLayer() = default;

void FfnLayer::run(const SublayerIo& io, StepLog* log) {
  State& s = *state_;
  if (!s.moe()) return step(log, {"gate_up_proj", "act", "down_proj"}, [&] { s.run_always(io); });
  s.route(io, log);
  if (!s.always.experts.empty())
    step(log, {"shared.gate_up", "shared.act", "shared.down"}, [&] { s.run_always(io); });
  if (s.shape.prefill) {
    step(log, {"permute", "experts.gate_up", "experts.act", "experts.down", "unpermute"},
         [&] { s.run_routed(io); });
  } else {
    step(log, {"experts.gate_up", "experts.act", "experts.down"}, [&] { s.run_routed(io); });
  }
}

Regions FfnLayer::cold() const {
  Regions out;
  if (state_->moe()) add_region(out, state_->gate);
  add_region(out, state_->always);
  add_region(out, state_->routed);
  return out;
}

std::int64_t FfnLayer::touched_experts() const {
  std::vector<bool> seen(static_cast<std::size_t>(state_->spec.moe.n_routed_experts));
  for (const std::int32_t expert : state_->indices.span())
    seen[static_cast<std::size_t>(expert)] = true;
  return std::count(seen.begin(), seen.end(), true);
}

}  // namespace fathom::proof
