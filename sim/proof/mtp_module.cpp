#include "proof/mtp_module.hpp"

#include <algorithm>

#include "kernels/cpu/elementwise.hpp"
#include "measure/random_data.hpp"

namespace fathom::proof {

namespace cpu = kernels::cpu;

MtpModule::MtpModule(const model::ArchSpec& arch, const LayerShape& shape,
                     const measure::Bench& bench)
    : shape_(shape),
      isa_(bench.isa),
      pool_(&bench.pool),
      hidden_(arch.hidden_size),
      vocab_(arch.vocab_size),
      embedding_(shape.rows() * hidden_),
      states_(shape.rows() * hidden_),
      delta_(shape.rows() * hidden_),
      stream_(shape.rows() * hidden_),
      logits_(shape.sequences * vocab_),
      both_(shape.rows() * 2 * hidden_),
      normed_(shape.sequences * hidden_),
      workspace_(bench.pool.size()),
      layer_(arch, arch.mtp_layer, shape, bench) {
  Draw weights{bench.seed * 16 + 14};
  enorm_ = weights.norm(hidden_);
  hnorm_ = weights.norm(hidden_);
  eh_proj_ = weights.linear(hidden_, 2 * hidden_);
  final_norm_ = weights.norm(hidden_);
  head_ = weights.linear(vocab_, hidden_);
  measure::fill_random(embedding_.span(), 1.0F, bench.seed);
  measure::fill_random(states_.span(), 1.0F, bench.seed + 1);
}

void MtpModule::norm(const cpu::Buffer<float>& x, const cpu::Buffer<float>& weight,
                     std::int64_t offset) {
  cpu::rms_norm({.x = x.data(),
                 .rows = shape_.rows(),
                 .width = hidden_,
                 .x_stride = hidden_,
                 .weight = weight.data(),
                 .y = both_.data() + offset,
                 .y_stride = 2 * hidden_},
                isa_, *pool_);
}

void MtpModule::run(std::int64_t context, StepLog* log) {
  step(log, {"mtp.enorm_hnorm"}, [&] {
    norm(embedding_, enorm_, 0);
    norm(states_, hnorm_, hidden_);
  });
  step(log, {"mtp.eh_proj"}, [&] {
    cpu::linear({.x = both_.data(),
                 .rows = shape_.rows(),
                 .x_stride = 2 * hidden_,
                 .w = &eh_proj_,
                 .y = delta_.data(),
                 .y_stride = hidden_},
                workspace_, isa_, *pool_);
    std::fill(stream_.span().begin(), stream_.span().end(), 0.0F);
  });
  layer_.run(delta_.data(), stream_.data(), context, log);
  // The draft comes from each sequence's newest row.
  const std::int64_t newest = (shape_.new_tokens - 1) * hidden_;
  const std::int64_t stride = shape_.new_tokens * hidden_;
  step(log, {"final_norm"}, [&] {
    cpu::rms_norm({.x = delta_.data() + newest,
                   .rows = shape_.sequences,
                   .width = hidden_,
                   .x_stride = stride,
                   .weight = final_norm_.data(),
                   .residual = stream_.data() + newest,
                   .y = normed_.data(),
                   .y_stride = hidden_},
                  isa_, *pool_);
  });
  step(log, {"lm_head"}, [&] {
    cpu::linear({.x = normed_.data(),
                 .rows = shape_.sequences,
                 .x_stride = hidden_,
                 .w = &head_,
                 .y = logits_.data(),
                 .y_stride = vocab_},
                workspace_, isa_, *pool_);
  });
}

Regions MtpModule::cold() const {
  Regions out = layer_.cold();
  add_region(out, eh_proj_);
  add_region(out, head_);
  return out;
}

}  // namespace fathom::proof
