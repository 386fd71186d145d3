#pragma once

#include <string>
#include <vector>

#include "execute/numerics.hpp"
#include "execute/pass_output.hpp"
#include "kernels/ref/deepseek_mtp.hpp"
#include "model/arch_spec.hpp"

namespace fathom::execute {

/// Dimensions and numerics of a DeepSeek-V2, V3 or V3.2 model as the kernels take them. All MLA
/// layers of such a model are alike.
kernels::ref::DeepseekSpec deepseek_spec(const model::ArchSpec& arch, const Numerics& numerics);

/// A V2, V3 or V3.2 model that runs on one sequence. A value of State is the whole cache.
template <class T>
class V3Form {
 public:
  using Caches = std::vector<kernels::ref::DeepseekLayerCache<T>>;
  struct State {
    Caches layers;
    Caches mtp;  // one, or none
  };
  struct Verification {
    PassOutput<T> output;
  };

  V3Form(const model::ArchSpec& arch, const Numerics& numerics,
         const std::map<std::string, kernels::Tensor<T>>& weights)
      : model_(kernels::ref::deepseek_model(deepseek_spec(arch, numerics), weights)) {
    if (arch.mtp_kind == model::MtpKind::none) return;
    const auto named = kernels::ref::below(weights, std::string{"mtp.0."});
    mtp_.push_back({.enorm = named.at("enorm.weight"),
                    .hnorm = named.at("hnorm.weight"),
                    .eh_proj = named.at("eh_proj.weight"),
                    .block = kernels::ref::deepseek_layer(named),
                    .norm = named.at("norm.weight")});
  }

  State empty_state() const {
    using Cache = kernels::ref::DeepseekLayerCache<T>;
    return {.layers = kernels::ref::deepseek_cache<T>(model_.spec),
            .mtp = Caches(mtp_.size(), Cache{model_.spec})};
  }

  /// The main model on `ids`, the newest positions from `first` on.
  PassOutput<T> forward(const kernels::Indices& ids, std::int64_t first, State& state,
                        LogitRows rows) const {
    const bool prompt = first == 0 && model_.spec.indexer.topk == 0;
    const auto form = prompt ? kernels::ref::MlaForm::naive : kernels::ref::MlaForm::absorbed;
    auto trace = kernels::ref::deepseek_step(model_, ids, first, state.layers, form);
    return {logits_of(trace.normed, rows), std::move(trace.normed)};
  }

  /// The newest token and the drafts after it, at positions from `first` on.
  Verification verify(const kernels::Indices& ids, std::int64_t first, State& state) const {
    return {forward(ids, first, state, LogitRows::all)};
  }
  /// Forgets the main model's positions from `end` on: drafts that were wrong.
  void keep(const Verification&, std::int64_t end, State& state) const {
    for (auto& cache : state.layers) cache.truncate(end);
  }

  /// The MTP module: ids are the tokens after each position, `hidden` the states there.
  PassOutput<T> draft(const kernels::Indices& ids, const kernels::Tensor<T>& hidden,
                      std::int64_t first, State& state) const {
    auto trace = kernels::ref::mtp_step(model_, mtp_.front(), ids, hidden, first, state.mtp.front(),
                                        kernels::ref::MlaForm::absorbed);
    return {logits_of(trace.recycled, LogitRows::last), std::move(trace.recycled)};
  }

  /// Elements held for `state`: main model, and MTP module.
  static std::int64_t held(const Caches& caches) {
    std::int64_t elements = 0;
    for (const auto& cache : caches) elements += cache.latent.size() + cache.index_keys.size();
    return elements;
  }
  std::int64_t held_main(const State& state) const { return held(state.layers); }
  std::int64_t held_mtp(const State& state) const { return held(state.mtp); }

 private:
  kernels::Tensor<T> logits_of(const kernels::Tensor<T>& normed, LogitRows rows) const {
    if (rows == LogitRows::all) return kernels::ref::deepseek_logits(model_, normed);
    return kernels::ref::deepseek_logits(model_, slices(normed, normed.dim(0) - 1, 1));
  }

  kernels::ref::DeepseekModel<T> model_;
  std::vector<kernels::ref::MtpModule<T>> mtp_;
};

}  // namespace fathom::execute
