#include "kernels/cpu/experts.hpp"

#include <cmath>
#include <limits>
#include <random>

#include "catch.hpp"
#include "kernels/ref/moe.hpp"
#include "operands.hpp"

namespace fathom::kernels::cpu {
namespace {

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
// Hidden values are rounded to bf16: at most 2^-8 of each, less in the root mean square.
constexpr double kTolerance = 0x1p-8;
constexpr int kExperts = 6;
constexpr std::int64_t kDim = 100;
constexpr std::int64_t kInter = 72;

/// Where tokens go: evenly, nearly all to one expert, or one expert alone.
enum class Load { even, skewed, single };

struct Layer {
  PackedExperts packed{.dim = kDim, .inter = kInter};
  ref::MlpWeights<double> exact;

  Layer() {
    const auto w1 = random_bf16(kExperts * kInter * kDim, 1, 0.3F);
    const auto w2 = random_bf16(kExperts * kInter * kDim, 2, 0.3F);
    const auto w3 = random_bf16(kExperts * kInter * kDim, 3, 0.3F);
    for (std::int64_t e = 0; e < kExperts; ++e) {
      const std::int64_t at = e * kInter * kDim;
      packed.experts.push_back(
          pack_expert(w1.data() + at, w2.data() + at, w3.data() + at, kDim, kInter));
    }
    exact = {.w1 = widened(w1, {kExperts, kInter, kDim}),
             .w2 = widened(w2, {kExperts, kDim, kInter}),
             .w3 = widened(w3, {kExperts, kInter, kDim})};
  }
};

struct Routing {
  std::int64_t tokens = 0;
  std::int64_t choices = 2;
  std::vector<Bf16> x;
  std::vector<std::int32_t> indices;
  std::vector<float> weights;

  Routing(std::int64_t count, Load load) : tokens(count), x(random_bf16(count * kDim, 7)) {
    std::mt19937_64 engine{8};
    for (std::int64_t t = 0; t < tokens; ++t) {
      const auto any = static_cast<std::int32_t>(engine() % kExperts);
      const bool popular = load != Load::even && (load == Load::single || t % 16 != 0);
      const std::int32_t first = popular ? 3 : any;
      indices.push_back(first);
      indices.push_back((first + (load == Load::single ? 1 : 1 + any % (kExperts - 1))) % kExperts);
    }
    weights = random_floats(tokens * choices, 9);
  }
  ExpertsCall call(const Layer& layer, std::vector<float>& y) const {
    return {.x = x.data(),
            .tokens = tokens,
            .x_stride = kDim,
            .weights = &layer.packed,
            .indices = indices.data(),
            .choice_weights = weights.data(),
            .choices = choices,
            .y = y.data(),
            .y_stride = kDim};
  }
};

/// ref::routed_experts in double; choices outside of the device's experts are left out.
std::vector<double> expected(const Layer& layer, const Routing& r) {
  Indices indices{Shape{r.tokens, r.choices}};
  Indices kept{Shape{r.tokens, r.choices}};
  Tensor<double> weights{Shape{r.tokens, r.choices}};
  for (std::int64_t i = 0; i < indices.size(); ++i) {
    const std::int32_t expert = r.indices[static_cast<std::size_t>(i)];
    kept[i] = expert >= 0 && expert < kExperts ? 1 : 0;
    indices[i] = kept[i] != 0 ? expert : 0;
    weights[i] = double{r.weights[static_cast<std::size_t>(i)]};
  }
  const auto dispatch = ref::dispatch_by_expert(indices, kExperts, kept);
  return ref::routed_experts({}, layer.exact, widened(r.x, {r.tokens, kDim}), dispatch, weights)
      .data;
}

std::vector<float> run_experts(const ExpertsCall& call, Isa isa, int threads) {
  ThreadPool pool{threads, false};
  ExpertsWorkspace workspace;
  experts(call, workspace, isa, pool);
  return {call.y, call.y + call.tokens * kDim};
}

}  // namespace

TEST_CASE("routed experts are the reference's, however skewed their load", "[cpu][experts]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const Load load = GENERATE(Load::even, Load::skewed, Load::single);
  const std::int64_t tokens = GENERATE(1, 5, 80);
  CAPTURE(name(isa), static_cast<int>(load), tokens);
  const Layer layer;
  const Routing routing{tokens, load};
  std::vector<float> y(static_cast<std::size_t>(tokens * kDim), kPoison);
  const auto one = run_experts(routing.call(layer, y), isa, 1);
  CHECK(relative_error(one, expected(layer, routing)) <= kTolerance);
  for (const int threads : {2, 3}) {
    std::fill(y.begin(), y.end(), kPoison);
    CHECK(run_experts(routing.call(layer, y), isa, threads) == one);
  }
}

TEST_CASE("experts of another device take no part", "[cpu][experts]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const Layer layer;
  Routing routing{20, Load::even};
  for (std::size_t i = 0; i < routing.indices.size(); i += 3)
    routing.indices[i] = i % 2 == 0 ? -1 : kExperts + 4;
  std::vector<float> y(static_cast<std::size_t>(20 * kDim), kPoison);
  CHECK(relative_error(run_experts(routing.call(layer, y), isa, 2), expected(layer, routing)) <=
        kTolerance);
}

TEST_CASE("without choices every token goes through the one expert", "[cpu][experts]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const Layer layer;
  Routing routing{23, Load::even};
  routing.choices = 1;
  routing.indices.assign(23, 0);
  routing.weights.assign(23, 1.0F);
  std::vector<float> y(static_cast<std::size_t>(23 * kDim), kPoison);
  ExpertsCall call = routing.call(layer, y);
  call.indices = nullptr;
  call.choice_weights = nullptr;
  CHECK(relative_error(run_experts(call, isa, 2), expected(layer, routing)) <= kTolerance);
}

TEST_CASE("accumulating adds the experts to what is there", "[cpu][experts]") {
  const Isa isa = GENERATE(from_range(supported_isas()));
  const Layer layer;
  const Routing routing{20, Load::skewed};
  std::vector<float> y(static_cast<std::size_t>(20 * kDim), 0.5F);
  ExpertsCall call = routing.call(layer, y);
  call.accumulate = true;
  std::vector<double> sum = expected(layer, routing);
  for (double& value : sum) value += 0.5;
  CHECK(relative_error(run_experts(call, isa, 1), sum) <= kTolerance);
}

}  // namespace fathom::kernels::cpu
