#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "kernels/ref/gate.hpp"
#include "verify/gate_config.hpp"
#include "verify/replay.hpp"

// Routers: DeepSeek-V3 (Gate.forward, with HF's choice beside it) and TileKernels' tie rule. V2's
// gate is replayed with its balance losses.

namespace fathom::verify {
namespace {

using namespace kernels::ref;
using kernels::Indices;
using kernels::Tensor;

// ---- gate_v3 ----

bool matches_gate_v3(const GoldenCase& golden) {
  const auto sets = golden.config().find("sets");
  if (sets == golden.config().end() || !sets->is_array() || sets->empty()) return false;
  const auto& first = sets->front();
  return first.is_object() && first.contains("score") && first.contains("topk_groups") &&
         first.contains("name") && !first.contains("alpha");
}

GateSpec gate_v3_spec(JsonReader& set) {
  return {.num_experts_per_tok = set.integer("topk", 1),
          .n_group = set.integer("groups", 1),
          .topk_group = set.integer("topk_groups", 1),
          .score = score_function(set, "score"),
          .routed_scaling_factor = set.number("scale", 0.0, 1e9)};
}

// One token's values by which experts are chosen, after the group limit: scores + bias, [experts].
template <class T>
std::vector<T> ranking_of(const GateSpec& spec, std::span<const T> scores, const Tensor<T>& bias,
                          std::span<const T> group_scores) {
  std::vector<T> ranking(scores.begin(), scores.end());
  for (std::int64_t e = 0; e < bias.size(); ++e) ranking[static_cast<std::size_t>(e)] += bias[e];
  limit_groups<T>(spec, group_scores, ranking);
  return ranking;
}

// The choice of torch.topk on the CPU (ATen native/TopKImpl.h): a partial sort of few, else
// nth_element. Needed because HF's router chooses among experts that are all exactly zero, where
// the order of these algorithms of libstdc++ decides.
template <class T>
std::vector<std::int64_t> torch_top_indices(std::span<const T> values, std::int64_t k) {
  std::vector<std::int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto better = [&](std::int64_t a, std::int64_t b) {
    return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
  };
  if (k * 64 <= static_cast<std::int64_t>(values.size())) {
    std::partial_sort(order.begin(), order.begin() + k, order.end(), better);
  } else {
    std::nth_element(order.begin(), order.begin() + k - 1, order.end(), better);
  }
  order.resize(static_cast<std::size_t>(k));
  return order;
}

// HF's DeepseekV3TopkRouter gives experts of excluded groups the value zero and adds 1e-20 to the
// sum of the weights.
template <class T>
void put_hf_choice(GateSpec spec, const Tensor<T>& logits, const Tensor<T>& bias,
                   const std::string& prefix, Produced<T>& out) {
  spec.excluded = Excluded::zero;
  spec.group_score = GroupScore::two_best;
  spec.weight_sum_floor = 1e-20;
  const GateResult<T> stable = gate_topk(spec, logits, bias);
  Indices chosen{stable.indices.shape};
  for (std::int64_t t = 0; t < logits.rows(); ++t) {
    const auto ranking =
        ranking_of<T>(spec, stable.scores.row(t), bias, stable.group_scores.row(t));
    const auto best = torch_top_indices<T>(ranking, spec.num_experts_per_tok);
    std::ranges::copy(best, chosen.row(t).begin());
  }
  chosen = sorted_choices(std::move(chosen));
  out.put(prefix + "hf_weights_for_ascending_indices", gate_chosen(spec, logits, chosen).weights);
  out.put(prefix + "hf_indices_ascending", chosen);
}

// Without a bias the source masks excluded groups in place, in what it keeps as unbiased scores.
template <class T>
Tensor<T> masked_scores(const GateSpec& spec, const GateResult<T>& result) {
  Tensor<T> scores = result.scores;
  for (std::int64_t t = 0; t < scores.rows(); ++t) {
    limit_groups<T>(spec, result.group_scores.row(t), scores.row(t));
  }
  return scores;
}

template <class T>
void replay_gate_v3_set(const GoldenCase& golden, JsonReader set, Produced<T>& out) {
  const std::string prefix = set.string("name") + ".";
  const GateSpec spec = gate_v3_spec(set);
  const Tensor<T> weight = golden.weight<T>(prefix + "weight");
  const Tensor<T> bias =
      golden.has_weight(prefix + "bias") ? golden.weight<T>(prefix + "bias") : Tensor<T>{};
  const Tensor<T> logits = router_logits(golden.input<T>(prefix + "x"), weight);
  const GateResult<T> result = gate_topk(spec, logits, bias);
  const bool grouped = spec.n_group > 1;
  out.put(prefix + "weights", result.weights);
  out.put(prefix + "indices", result.indices);
  out.put(prefix + "scores_unbiased",
          grouped && bias.empty() ? masked_scores(spec, result) : result.scores);
  if (grouped) out.put(prefix + "group_scores", result.group_scores);
  if (golden.expects(prefix + "hf_indices_ascending")) {
    put_hf_choice(spec, logits, bias, prefix, out);
  }
}

template <class T>
void replay_gate_v3(const GoldenCase& golden, Produced<T>& out) {
  for (std::size_t i = 0; i < golden.config().at("sets").size(); ++i) {
    replay_gate_v3_set(golden, golden.config_item("sets", i), out);
  }
}

// ---- gate_ties_tilekernels ----

struct NamedScore {
  const char* name;
  ScoreFunction function;
};
constexpr std::array<NamedScore, 3> kTieScores{{{"sigmoid", ScoreFunction::sigmoid},
                                                {"sqrtsoftplus", ScoreFunction::sqrt_softplus},
                                                {"softmax", ScoreFunction::softmax}}};

bool matches_gate_ties(const GoldenCase& golden) {
  return golden.config().contains("routed_scaling_factor") && golden.has_input("logits") &&
         golden.has_input("bias") && golden.expects_prefix("sigmoid.");
}

template <class T>
void replay_gate_ties(const GoldenCase& golden, Produced<T>& out) {
  JsonReader config = golden.config_reader();
  const Tensor<T> logits = golden.input<T>("logits");
  const Tensor<T> bias = golden.input<T>("bias");
  GateSpec spec{.num_experts_per_tok = config.integer("topk", 1),
                .group_score = GroupScore::two_best,
                .renormalise = Renormalise::always,
                .routed_scaling_factor = config.number("routed_scaling_factor", 0.0, 1e9),
                .weight_sum_floor = 1e-20};
  for (const auto& [name, function] : kTieScores) {
    spec.score = function;
    spec.rank_by_logits = spec.score == ScoreFunction::softmax;
    for (const bool grouped : {true, false}) {
      spec.n_group = grouped ? config.integer("groups", 1) : 1;
      spec.topk_group = grouped ? config.integer("topk_groups", 1) : 1;
      const GateResult<T> result = gate_topk(spec, logits, bias);
      const std::string prefix = std::string{name} + (grouped ? ".grouped." : ".ungrouped.");
      out.put(prefix + "indices", result.indices);
      out.put(prefix + "weights", result.weights);
    }
  }
}

}  // namespace

extern const Family kGateV3;
const Family kGateV3{"gate_v3", matches_gate_v3, replay_gate_v3<float>, replay_gate_v3<double>};

extern const Family kGateTies;
const Family kGateTies{"gate_ties", matches_gate_ties, replay_gate_ties<float>,
                       replay_gate_ties<double>};

}  // namespace fathom::verify
