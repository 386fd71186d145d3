#pragma once

#include <utility>
#include <vector>

#include "execute/numerics.hpp"
#include "execute/pass_output.hpp"
#include "execute/weights.hpp"
#include "kernels/ref/v4_transformer.hpp"
#include "model/arch_spec.hpp"

namespace fathom::execute {

/// Dimensions and numerics of a DeepSeek-V4 model as the kernels take them.
kernels::ref::V4ModelSpec v4_spec(const model::ArchSpec& arch, const Numerics& numerics);

/// A V4 model that runs on one sequence. Window rings and compressor states cannot be cut back as a
/// cache of rows can, so verification keeps the state after every token and takes up the right one.
template <class T>
class V4Form {
 public:
  using Caches = std::vector<kernels::ref::V4LayerCache<T>>;
  struct State {
    Caches layers;
    Caches mtp;  // one, or none
  };
  struct Verification {
    PassOutput<T> output;
    std::int64_t first = 0;
    std::vector<Caches> states;  // of the main model after each token
  };

  V4Form(const model::ArchSpec& arch, const Numerics& numerics,
         const std::map<std::string, kernels::Tensor<T>>& weights,
         const kernels::ref::NamedTables& tables)
      : model_(kernels::ref::v4_model(v4_spec(arch, numerics), weights, tables)) {}

  State empty_state() const {
    return {.layers = Caches(model_.layers.size()), .mtp = Caches(model_.mtp.empty() ? 0 : 1)};
  }

  PassOutput<T> forward(const kernels::Indices& ids, std::int64_t first, State& state,
                        LogitRows rows) const {
    auto trace = kernels::ref::v4_forward(model_, {ids, first}, state.layers);
    return {logits_of(model_.head, trace.streams, rows), std::move(trace.streams)};
  }

  Verification verify(const kernels::Indices& ids, std::int64_t first, State& state) const {
    Verification v{.first = first};
    for (std::int64_t i = 0; i < ids.size(); ++i) {
      const auto one = forward(slices(ids, i, 1), first + i, state, LogitRows::all);
      append(v.output.logits, one.logits);
      append(v.output.hidden, one.hidden);
      v.states.push_back(state.layers);
    }
    return v;
  }
  void keep(const Verification& v, std::int64_t end, State& state) const {
    state.layers = v.states[static_cast<std::size_t>(end - v.first - 1)];
  }

  PassOutput<T> draft(const kernels::Indices& ids, const kernels::Tensor<T>& streams,
                      std::int64_t first, State& state) const {
    const auto& mtp = model_.mtp.front();
    auto out = kernels::ref::v4_mtp(model_, mtp, {ids, first}, streams, state.mtp.front());
    return {logits_of(mtp.head, out, LogitRows::last), std::move(out)};
  }

  static std::int64_t held(const Caches& caches) {
    std::int64_t elements = 0;
    for (const auto& c : caches) {
      elements += c.window.size() + c.compressed.size() + c.index_keys.size();
      elements += c.compressor.kv.size() + c.compressor.score.size();
      elements += c.index_compressor.kv.size() + c.index_compressor.score.size();
    }
    return elements;
  }
  std::int64_t held_main(const State& state) const { return held(state.layers); }
  std::int64_t held_mtp(const State& state) const { return held(state.mtp); }

 private:
  static void append(kernels::Tensor<T>& all, const kernels::Tensor<T>& more) {
    if (all.shape.empty()) {
      all = more;
      return;
    }
    all.shape[0] += more.shape[0];
    all.data.insert(all.data.end(), more.data.begin(), more.data.end());
  }
  kernels::Tensor<T> logits_of(const kernels::ref::V4Head<T>& head,
                               const kernels::Tensor<T>& streams, LogitRows rows) const {
    if (rows == LogitRows::all) return kernels::ref::v4_logits(model_, head, streams);
    return kernels::ref::v4_logits(model_, head, slices(streams, streams.dim(0) - 1, 1));
  }

  kernels::ref::V4Model<T> model_;
};

}  // namespace fathom::execute
