#include <nlohmann/json.hpp>
#include <string>

#include "kernels/ref/aux_loss.hpp"
#include "kernels/ref/gate.hpp"
#include "kernels/ref/gate_backward.hpp"
#include "kernels/ref/router_loss.hpp"
#include "kernels/ref/sinkhorn_routing.hpp"
#include "verify/replay.hpp"

// Balance losses: Megatron-LM's functions on given logits, and DeepSeek-V2's gate with its own.

namespace fathom::verify {
namespace {

using namespace kernels::ref;
using kernels::Indices;
using kernels::Tensor;

template <class T>
Tensor<T> scalar(const T& value) {
  return {{1}, {value}};
}

// ---- aux_losses ----

// The config gives the coefficient of the balance loss; the z-loss runs at the 1e-3 that
// Megatron-LM recommends (moe_z_loss_coeff) unless the case says otherwise.
constexpr double kZLossCoefficient = 1e-3;

bool matches_aux_losses(const GoldenCase& golden) {
  return golden.config().contains("coeff") && golden.has_input("logits") &&
         golden.has_input("indices") && golden.expects_prefix("switch.");
}

template <class T>
void put_switch(const std::string& name, ScoreFunction function, const GoldenCase& golden,
                Produced<T>& out) {
  const double alpha = golden.config_reader().number("coeff", 0.0, 1e9);
  const Tensor<T> logits = golden.input<T>("logits");
  const Tensor<T> scores = router_scores<T>(function, logits);
  const auto balance = expert_balance_loss(scores, golden.input_ids("indices"), alpha);
  out.put("switch." + name, scalar(balance.loss));
  out.put("switch_grad." + name, scores_backward(function, logits, scores, balance.gradient));
}

template <class T>
void put_masked(const GoldenCase& golden, double z_alpha, Produced<T>& out) {
  const double alpha = golden.config_reader().number("coeff", 0.0, 1e9);
  const TokenGroups valid{.mask = golden.input_ids("valid_mask")};
  const Tensor<T> logits = golden.input<T>("logits");
  const Tensor<T> scores = router_scores<T>(ScoreFunction::softmax, logits);
  const auto balance = expert_balance_loss(scores, golden.input_ids("indices"), alpha, valid);
  out.put("switch_masked", scalar(balance.loss));
  out.put("z_loss_masked", scalar(z_loss(logits, z_alpha, valid).loss));
}

template <class T>
void replay_aux_losses(const GoldenCase& golden, Produced<T>& out) {
  const double z_alpha = golden.config_reader().number_or("z_coeff", kZLossCoefficient, 0.0, 1e9);
  const Tensor<T> logits = golden.input<T>("logits");
  const Indices indices = golden.input_ids("indices");
  const std::int64_t experts = logits.dim(-1);
  put_switch("softmax", ScoreFunction::softmax, golden, out);
  put_switch("sigmoid_normalised", ScoreFunction::normalised_sigmoid, golden, out);
  const auto z = z_loss(logits, z_alpha);
  out.put("z_loss", scalar(z.loss));
  out.put("z_loss_grad", z.gradient);
  if (golden.has_input("valid_mask")) put_masked(golden, z_alpha, out);
  out.put("sinkhorn", sinkhorn_routing(logits));
  out.put("counts", expert_counts(indices, experts).reshaped({experts}));
  out.put("aux_fi", load_fractions<T>(indices, experts).reshaped({experts}));
  const GateSpec normalised{.score = ScoreFunction::softmax,
                            .renormalise = Renormalise::always,
                            .weight_sum_floor = 1e-20};
  out.put("normalised_topk_weights", gate_chosen(normalised, logits, indices).weights);
}

// ---- gate_v2_aux ----

bool matches_gate_v2(const GoldenCase& golden) {
  const auto sets = golden.config().find("sets");
  if (sets == golden.config().end() || !sets->is_array() || sets->empty()) return false;
  const auto& first = sets->front();
  return first.is_object() && first.contains("method") && first.contains("seq_aux") &&
         first.contains("alpha") && first.contains("name");
}

// The first file (DeepSeek-VL2) normalises and scales, the older one (ESFT, V2-Lite) does either;
// both leave a single choice unnormalised.
GateSpec gate_v2_spec(JsonReader& set, bool older) {
  const std::int64_t topk = set.integer("topk", 1);
  const bool limited = set.string("method") == "group_limited_greedy";
  const bool normalise = set.boolean("norm") && topk > 1;
  const double scale = set.number("scale", 0.0, 1e9);
  return {.num_experts_per_tok = topk,
          .n_group = limited ? set.integer("groups", 1) : 1,
          .topk_group = limited ? set.integer("topk_groups", 1) : 1,
          .score = ScoreFunction::softmax,
          .group_score = GroupScore::best,
          .excluded = Excluded::zero,
          .renormalise = normalise ? Renormalise::always : Renormalise::never,
          .routed_scaling_factor = older && normalise ? 1.0 : scale,
          .weight_sum_floor = 1e-20};
}

template <class T>
void replay_gate_v2_set(const GoldenCase& golden, JsonReader set, Produced<T>& out) {
  const std::string prefix = set.string("name") + ".";
  const GateSpec spec = gate_v2_spec(set, false);
  const Tensor<T> x = golden.input<T>(prefix + "x");
  const Tensor<T> logits = router_logits(x, golden.weight<T>(prefix + "weight"));
  const Indices chosen = sorted_choices(gate_topk(spec, logits).indices);
  const GateResult<T> gate = gate_chosen(spec, logits, chosen);
  out.put(prefix + "indices", chosen);
  out.put(prefix + "weights", gate.weights);
  out.put(prefix + "weights_older_file",
          gate_chosen(gate_v2_spec(set, true), logits, chosen).weights);
  const TokenGroups groups{.sequences = set.boolean("seq_aux") ? x.dim(0) : 1};
  const auto balance =
      expert_balance_loss(gate.scores, chosen, set.number("alpha", 0.0, 1e9), groups);
  const Tensor<T> grad = scores_backward(spec.score, logits, gate.scores, balance.gradient);
  out.put(prefix + "aux_loss", scalar(balance.loss));
  out.put(prefix + "grad_weight", router_weight_gradient(grad, x));
}

template <class T>
void replay_gate_v2(const GoldenCase& golden, Produced<T>& out) {
  for (std::size_t i = 0; i < golden.config().at("sets").size(); ++i) {
    replay_gate_v2_set(golden, golden.config_item("sets", i), out);
  }
}

}  // namespace

extern const Family kAuxLosses;
const Family kAuxLosses{"aux_losses", matches_aux_losses, replay_aux_losses<float>,
                        replay_aux_losses<double>};

extern const Family kGateV2;
const Family kGateV2{"gate_v2", matches_gate_v2, replay_gate_v2<float>, replay_gate_v2<double>};

}  // namespace fathom::verify
