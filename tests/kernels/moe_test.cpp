#include <algorithm>
#include <cmath>
#include <numeric>

#include "catch.hpp"
#include "kernels/random_tensor.hpp"
#include "kernels/ref/expert_parallel.hpp"
#include "kernels/ref/moe.hpp"

namespace {

using namespace fathom::kernels;
using namespace fathom::kernels::ref;
using namespace fathom::kernels::test;

constexpr std::int64_t kTokens = 16;
constexpr std::int64_t kDim = 6;
constexpr std::int64_t kWidth = 5;
constexpr std::int64_t kExperts = 8;

MoeWeights<double> random_weights(std::uint64_t seed) {
  const auto mlp = [&](Shape stack, std::int64_t width, std::uint64_t part) {
    const auto make = [&](std::int64_t out, std::int64_t in, std::uint64_t tensor) {
      Shape shape = stack;
      shape.insert(shape.end(), {out, in});
      return random_tensor(shape, 100 * seed + 10 * part + tensor);
    };
    return MlpWeights<double>{make(width, kDim, 1), make(kDim, width, 2), make(width, kDim, 3)};
  };
  return {.gate = random_tensor({kExperts, kDim}, 100 * seed),
          .gate_bias = random_tensor({kExperts}, 100 * seed + 1, 0.3),
          .experts = mlp({kExperts}, kWidth, 1),
          .shared = mlp({}, 2 * kWidth, 2)};
}

const MoeSpec kV3{
    .gate = {
        .num_experts_per_tok = 3, .n_group = 4, .topk_group = 2, .routed_scaling_factor = 2.5}};
const MoeSpec kV4{.gate = {.num_experts_per_tok = 3, .score = ScoreFunction::sqrt_softplus},
                  .swiglu_limit = 0.4,
                  .weight_at = WeightAt::hidden};

MlpWeights<double> expert_of(const MoeWeights<double>& weights, std::int64_t e) {
  return {slice_of(weights.experts.w1, e), slice_of(weights.experts.w2, e),
          slice_of(weights.experts.w3, e)};
}

Tensor<double> input(std::uint64_t seed) { return random_tensor({kTokens, kDim}, seed, 2.0); }

// The definition: every token through every chosen expert, one after the other.
Tensor<double> routed_by_definition(const MoeSpec& spec, const MoeWeights<double>& weights,
                                    const Tensor<double>& x, const GateResult<double>& gate) {
  Tensor<double> out{x.shape};
  for (std::int64_t s = 0; s < gate.indices.size(); ++s) {
    const std::int64_t t = s / gate.indices.dim(1);
    const auto y = mlp(expert_of(weights, gate.indices[s]), slice_of(x, t).reshaped({1, kDim}),
                       spec.swiglu_limit);
    for (std::int64_t i = 0; i < kDim; ++i) out[t * kDim + i] += gate.weights[s] * y[i];
  }
  return out;
}

}  // namespace

TEST_CASE("permute, grouped products and combine are the sum over chosen experts",
          "[kernels][moe][property]") {
  const auto seed = GENERATE(1U, 2U, 3U);
  for (const MoeSpec& spec : {kV3, kV4}) {
    const auto weights = random_weights(seed);
    const auto x = input(seed + 50);
    const auto result = moe(spec, weights, x);
    const auto expected = routed_by_definition(spec, weights, x, result.gate);
    CHECK(max_difference(result.routed, expected) < 1e-13);
    CHECK(max_difference(result.out, add(expected, mlp(weights.shared, x, spec.swiglu_limit))) <
          1e-13);
  }
}

TEST_CASE("a weight before w2 and one behind it give the same sum", "[kernels][moe][property]") {
  MoeSpec spec = kV3;
  const auto weights = random_weights(4);
  const auto behind = moe(spec, weights, input(5)).routed;
  spec.weight_at = WeightAt::hidden;
  CHECK(max_difference(behind, moe(spec, weights, input(5)).routed) < 1e-13);
}

TEST_CASE("permuting the tokens permutes the output", "[kernels][moe][property]") {
  const auto weights = random_weights(6);
  const auto x = input(7);
  Tensor<double> reversed{x.shape};
  for (std::int64_t t = 0; t < kTokens; ++t) {
    std::ranges::copy(x.row(kTokens - 1 - t), reversed.row(t).begin());
  }
  const auto a = moe(kV3, weights, x).out;
  const auto b = moe(kV3, weights, reversed).out;
  for (std::int64_t t = 0; t < kTokens; ++t) {
    CHECK(std::ranges::equal(a.row(t), b.row(kTokens - 1 - t)));
  }
}

TEST_CASE("experts cut over ranks sum to the unsharded layer", "[kernels][moe][property]") {
  const auto ranks = GENERATE(1, 2, 4, 8);
  for (const MoeSpec& spec : {kV3, kV4}) {
    const auto weights = random_weights(8);
    const auto x = input(9);
    const auto sharded = moe_expert_parallel(spec, {.ranks = ranks}, weights, x);
    CHECK(max_difference(sharded, moe(spec, weights, x).routed) < 1e-13);
  }
}

TEST_CASE("a dispatch sends every pair, and a token at most once to a rank or node",
          "[kernels][moe][property]") {
  const auto gate = moe_gate(kV3, random_weights(10), input(11));
  const ExpertParallel cut{.ranks = 8, .ranks_per_node = 2};
  const auto traffic = expert_traffic(cut, gate.indices, kExperts);
  const auto total = [](const Indices& x) {
    return std::accumulate(x.data.begin(), x.data.end(), std::int64_t{0});
  };
  CHECK(total(traffic.pairs) == gate.indices.size());
  CHECK(total(traffic.rank_rows) <= total(traffic.pairs));
  CHECK(total(traffic.node_rows) <= total(traffic.rank_rows));
  // the groups of kV3 are the nodes here: at most topk_group nodes a token
  CHECK(total(traffic.node_rows) <= kV3.gate.topk_group * kTokens);
  // one expert per rank: rows received are the experts' loads
  const auto dispatch = dispatch_by_expert(gate.indices, kExperts);
  for (std::int64_t to = 0; to < 8; ++to) {
    std::int64_t received = 0;
    for (std::int64_t from = 0; from < 8; ++from) received += traffic.pairs[from * 8 + to];
    CHECK(received == rows_per_expert(dispatch)[static_cast<std::size_t>(to)]);
  }
}

TEST_CASE("two experts of a token on one rank need its row once", "[kernels][moe]") {
  // 2 ranks of 2 experts, 2 tokens: token 0 uses experts 2 and 3, token 1 experts 0 and 2
  const auto traffic = expert_traffic({.ranks = 2}, Indices{{2, 2}, {2, 3, 0, 2}}, 4);
  CHECK(traffic.pairs.data == std::vector<std::int64_t>{0, 2, 1, 1});
  CHECK(traffic.rank_rows.data == std::vector<std::int64_t>{0, 1, 1, 1});
}

TEST_CASE("no expert works on more rows than its capacity, and drops are counted",
          "[kernels][moe][property]") {
  const auto factor = GENERATE(0.5, 1.0, 1.25);
  MoeSpec spec = kV3;
  spec.capacity_factor = factor;
  const auto result = moe(spec, random_weights(12), input(13));
  const auto pairs = kTokens * spec.gate.num_experts_per_tok;
  const auto& rows = result.tokens_per_expert;
  CHECK(std::ranges::max(rows) <= expert_capacity(pairs, kExperts, factor));
  CHECK(std::accumulate(rows.begin(), rows.end(), result.dropped) == pairs);
  CHECK(result.dropped > 0);
}

TEST_CASE("an ample capacity changes nothing", "[kernels][moe]") {
  MoeSpec spec = kV3;
  spec.capacity_factor = static_cast<double>(kExperts);
  const auto limited = moe(spec, random_weights(14), input(15));
  CHECK(limited.dropped == 0);
  CHECK(limited.out == moe(kV3, random_weights(14), input(15)).out);
}

TEST_CASE(
    "grouped products cost two operations per row, output and input, and read only experts "
    "with rows",
    "[kernels][moe]") {
  using Number = Counted<double>;
  const auto rows = converted<Number>(random_tensor({7, kDim}, 16));
  auto weights = converted<Number>(random_tensor({4, kWidth, kDim}, 17));
  forget(weights);
  const std::vector<std::int64_t> offsets{0, 3, 3, 7, 7};  // experts 1 and 3 have none
  const CountScope scope;
  grouped_linear<Number>(rows, offsets, weights);
  CHECK(flops(scope.count()) == 2.0 * 7 * kWidth * kDim);
  CHECK(scope.count().pointwise == 0);
  CHECK(elements_read(weights) == 2 * kWidth * kDim);
}

TEST_CASE("a layer's contractions are router, chosen experts and shared experts",
          "[kernels][moe]") {
  using Number = Counted<double>;
  const auto plain = random_weights(18);
  const auto counted = [](const MlpWeights<double>& w) {
    return MlpWeights<Number>{converted<Number>(w.w1), converted<Number>(w.w2),
                              converted<Number>(w.w3)};
  };
  const MoeWeights<Number> weights{.gate = converted<Number>(plain.gate),
                                   .experts = counted(plain.experts),
                                   .shared = counted(plain.shared)};
  const auto x = converted<Number>(input(19));
  const CountScope scope;
  moe(kV3, weights, x);
  const std::int64_t per_token = kExperts * kDim + (3 + 2) * 3 * kDim * kWidth;
  CHECK(scope.count().multiply_adds == kTokens * per_token);
}

TEST_CASE("SwiGLU clamps the gate from above and the other factor on both sides",
          "[kernels][moe]") {
  CHECK(swiglu(5.0, 9.0, 2.0) == silu(2.0) * 2.0);
  CHECK(swiglu(-5.0, -9.0, 2.0) == silu(-5.0) * -2.0);
  CHECK(swiglu(5.0, 9.0) == silu(5.0) * 9.0);
}

TEST_CASE("weights are found under the names of a checkpoint", "[kernels][moe]") {
  std::map<std::string, Tensor<double>> named;
  named["ffn.gate.weight"] = random_tensor({2, 3}, 20);
  named["ffn.experts.w2.weight.stacked"] = random_tensor({2, 3, 4}, 21);
  named["ffn.shared_experts.w3.weight"] = random_tensor({4, 3}, 22);
  const auto weights = moe_weights(named, "ffn.");
  CHECK(weights.gate == named["ffn.gate.weight"]);
  CHECK(weights.gate_bias.empty());
  CHECK(weights.experts.w2 == named["ffn.experts.w2.weight.stacked"]);
  CHECK(weights.shared.w3 == named["ffn.shared_experts.w3.weight"]);
}
