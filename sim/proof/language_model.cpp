#include "proof/language_model.hpp"

#include <algorithm>

#include "kernels/cpu/elementwise.hpp"

namespace fathom::proof {

namespace cpu = kernels::cpu;

LanguageModel::LanguageModel(const model::ArchSpec& arch, const LayerShape& shape,
                             const measure::Bench& bench)
    : shape_(shape),
      bench_(bench),
      hidden_(arch.hidden_size),
      vocab_(arch.vocab_size),
      normed_(shape.sequences * hidden_),
      delta_(shape.rows() * hidden_),
      stream_(shape.rows() * hidden_),
      logits_(shape.sequences * vocab_),
      workspace_(bench.pool.size()),
      next_(static_cast<std::size_t>(shape.sequences)) {
  Draw weights{bench.seed * 16 + 15};
  table_ = weights.matrix(vocab_, hidden_);
  final_norm_ = weights.norm(hidden_);
  head_ = weights.linear(vocab_, hidden_);
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    const model::LayerSpec& kind = arch.kinds[static_cast<std::size_t>(arch.layers[i])];
    layers_.emplace_back(arch, kind, shape,
                         measure::Bench{bench.isa, bench.pool, bench.seed + 1 + i});
  }
}

std::span<const std::int32_t> LanguageModel::run(std::span<const std::int32_t> tokens,
                                                 std::int64_t context) {
  cpu::embedding({.table = table_.data(),
                  .width = hidden_,
                  .ids = tokens.data(),
                  .tokens = shape_.rows(),
                  .y = delta_.data()},
                 bench_.isa, bench_.pool);
  std::fill(stream_.span().begin(), stream_.span().end(), 0.0F);
  for (Layer& layer : layers_) layer.run(delta_.data(), stream_.data(), context, nullptr);
  // Only each sequence's newest row has a next token to choose.
  const std::int64_t newest = (shape_.new_tokens - 1) * hidden_;
  cpu::rms_norm({.x = delta_.data() + newest,
                 .rows = shape_.sequences,
                 .width = hidden_,
                 .x_stride = shape_.new_tokens * hidden_,
                 .weight = final_norm_.data(),
                 .residual = stream_.data() + newest,
                 .y = normed_.data(),
                 .y_stride = hidden_},
                bench_.isa, bench_.pool);
  cpu::linear({.x = normed_.data(),
               .rows = shape_.sequences,
               .x_stride = hidden_,
               .w = &head_,
               .y = logits_.data(),
               .y_stride = vocab_},
              workspace_, bench_.isa, bench_.pool);
  for (std::int64_t row = 0; row < shape_.sequences; ++row) {
    const float* logits = logits_.data() + row * vocab_;
    next_[static_cast<std::size_t>(row)] =
        static_cast<std::int32_t>(std::max_element(logits, logits + vocab_) - logits);
  }
  return next_;
}

Regions LanguageModel::cold() const {
  Regions out;
  add_region(out, head_);
  for (const Layer& layer : layers_) {
    const Regions mine = layer.cold();
    out.insert(out.end(), mine.begin(), mine.end());
  }
  return out;
}

void LanguageModel::fill_cache(std::int64_t tokens, std::uint64_t seed) {
  for (Layer& layer : layers_) layer.fill_cache(tokens, seed++);
}

}  // namespace fathom::proof
