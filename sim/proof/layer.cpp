#include "proof/layer.hpp"

#include <fmt/format.h>

#include "core/error.hpp"
#include "kernels/cpu/elementwise.hpp"

namespace fathom::proof {
namespace {

namespace cpu = kernels::cpu;

// Streams of seeds that do not meet.
measure::Bench with_seed(const measure::Bench& bench, std::uint64_t part) {
  return {bench.isa, bench.pool, bench.seed * 16 + part};
}

std::variant<MlaLayer, GqaLayer> attention_of(const model::ArchSpec& arch,
                                              const model::LayerSpec& spec, const LayerShape& shape,
                                              const measure::Bench& bench) {
  if (const auto* mla = std::get_if<model::MlaSpec>(&spec.attention))
    return MlaLayer{arch, *mla, shape, bench};
  if (const auto* gqa = std::get_if<model::GqaSpec>(&spec.attention))
    return GqaLayer{arch, *gqa, shape, bench};
  throw InputError{fmt::format("{}: {} layers are not executed; expected MLA, MHA, GQA or MQA",
                               arch.name, model::kind_name(spec.attention))};
}

}  // namespace

Layer::Layer(const model::ArchSpec& arch, const model::LayerSpec& spec, const LayerShape& shape,
             const measure::Bench& bench)
    : shape_(shape),
      isa_(bench.isa),
      pool_(&bench.pool),
      hidden_(arch.hidden_size),
      normed_(shape.rows() * arch.hidden_size),
      attention_(attention_of(arch, spec, shape, with_seed(bench, 1))),
      ffn_(arch, spec, shape, with_seed(bench, 2)) {
  Draw weights{bench.seed * 16};
  attention_norm_ = weights.norm(hidden_);
  ffn_norm_ = weights.norm(hidden_);
}

void Layer::norm(const cpu::Buffer<float>& weight, const float* delta, float* stream) {
  cpu::rms_norm({.x = delta,
                 .rows = shape_.rows(),
                 .width = hidden_,
                 .x_stride = hidden_,
                 .weight = weight.data(),
                 .residual = stream,
                 .y = normed_.data(),
                 .y_stride = hidden_},
                isa_, *pool_);
}

void Layer::run(float* delta, float* stream, std::int64_t context, StepLog* log) {
  const SublayerIo io{.x = normed_.data(), .y = delta, .context = context};
  step(log, {"norm"}, [&] { norm(attention_norm_, delta, stream); });
  std::visit([&](auto& attention) { attention.run(io, log); }, attention_);
  step(log, {"norm"}, [&] { norm(ffn_norm_, delta, stream); });
  ffn_.run(io, log);
}

Regions Layer::cold() const {
  Regions out = std::visit([](const auto& attention) { return attention.cold(); }, attention_);
  const Regions ffn = ffn_.cold();
  out.insert(out.end(), ffn.begin(), ffn.end());
  return out;
}

void Layer::fill_cache(std::int64_t tokens, std::uint64_t seed) {
  std::visit([&](auto& attention) { attention.fill_cache(tokens, seed); }, attention_);
}

}  // namespace fathom::proof
