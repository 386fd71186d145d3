#include <nlohmann/json.hpp>
#include <string>

#include "kernels/ref/moe.hpp"
#include "verify/gate_config.hpp"
#include "verify/replay.hpp"

// Mixture-of-experts layers on their own: DeepSeek-V3 (inference/model.py, MoE.forward) and V4 with
// its learned and its hash routing.

namespace fathom::verify {
namespace {

using namespace kernels::ref;
using kernels::Indices;
using kernels::Tensor;

// ---- moe_v3 ----

bool matches_moe_v3(const GoldenCase& golden) {
  return golden.has_input("x") && golden.has_weight("gate.weight") &&
         golden.has_weight("experts.w1.weight.stacked") && golden.expects("out") &&
         golden.config().contains("n_activated_experts");
}

template <class T>
void replay_moe_v3(const GoldenCase& golden, Produced<T>& out) {
  JsonReader config = golden.config_reader();
  const Tensor<T> x = golden.input<T>("x");
  const MoeSpec spec{.gate = gate_spec(config)};
  const MoeWeights<T> weights = moe_weights(golden.weights<T>());
  const MoeResult<T> result = moe(spec, weights, x);
  const MlpWeights<T> expert0{slice_of(weights.experts.w1, 0), slice_of(weights.experts.w2, 0),
                              slice_of(weights.experts.w3, 0)};
  const auto experts = static_cast<std::int64_t>(result.tokens_per_expert.size());
  out.put("out", result.out);
  out.put("gate_weights", result.gate.weights);
  out.put("gate_indices", result.gate.indices);
  out.put("routed_sum", result.routed);
  if (!result.shared.empty()) out.put("shared_out", result.shared);
  out.put("tokens_per_expert", Indices{{experts}, result.tokens_per_expert});
  out.put("expert0_on_all_tokens", mlp(expert0, x.reshaped({x.rows(), x.dim(-1)})));
}

// ---- v4_gate_moe ----

bool matches_v4_moe(const GoldenCase& golden) {
  return golden.config().contains("swiglu_limit") && golden.has_input("x") &&
         (golden.has_weight("hash.gate.weight") || golden.has_weight("score.gate.weight"));
}

template <class T>
void replay_v4_layer(const GoldenCase& golden, const std::string& prefix, const Indices& chosen,
                     Produced<T>& out) {
  JsonReader config = golden.config_reader();
  const MoeSpec spec{.gate = gate_spec(config),
                     .swiglu_limit = config.number_or("swiglu_limit", 0.0, 0.0, 1e9),
                     .weight_at = WeightAt::hidden};
  const MoeResult<T> result =
      moe(spec, moe_weights(golden.weights<T>(prefix)), golden.input<T>("x"), chosen);
  out.put(prefix + "out", result.out);
  out.put(prefix + "weights", result.gate.weights);
  out.put(prefix + "indices", result.gate.indices);
  out.put(prefix + "scores", result.gate.scores);
}

// Ids of the experts that the hash layer's table gives to every token: [tokens, choices].
Indices hashed_experts(const GoldenCase& golden) {
  const Indices ids = golden.input_ids("input_ids");
  const Indices table =
      golden.has_weight("tid2eid") ? golden.weight_ids("tid2eid") : golden.input_ids("tid2eid");
  return embedding(ids, table).reshaped({ids.size(), table.dim(1)});
}

template <class T>
void replay_v4_moe(const GoldenCase& golden, Produced<T>& out) {
  if (golden.has_weight("score.gate.weight")) replay_v4_layer<T>(golden, "score.", {}, out);
  if (golden.has_weight("hash.gate.weight")) {
    replay_v4_layer<T>(golden, "hash.", hashed_experts(golden), out);
  }
}

}  // namespace

extern const Family kMoeV3;
const Family kMoeV3{"moe_v3", matches_moe_v3, replay_moe_v3<float>, replay_moe_v3<double>};

extern const Family kMoeV4;
const Family kMoeV4{"moe_v4", matches_v4_moe, replay_v4_moe<float>, replay_v4_moe<double>};

}  // namespace fathom::verify
