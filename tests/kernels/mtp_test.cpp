#include "kernels/ref/deepseek_mtp.hpp"

#include <cmath>

#include "attention_samples.hpp"
#include "catch.hpp"

using namespace fathom::kernels;
using namespace fathom::kernels::ref;

namespace {

constexpr std::int64_t kDim = 6;
constexpr std::int64_t kVocab = 9;

Tensor<double> ones(std::int64_t n) {
  return {{n}, std::vector<double>(static_cast<std::size_t>(n), 1.0)};
}

// A model without layers of its own: embedding, head and the dimensions of an MLA layer.
DeepseekModel<double> shared_parts(std::mt19937_64& random) {
  DeepseekModel<double> model;
  model.spec.mla = {
      .heads = 2, .kv_lora_rank = 3, .qk_nope_head_dim = 2, .qk_rope_head_dim = 2, .v_head_dim = 2};
  model.spec.rope = {.dim = 2, .theta = 100.0};
  model.inv_freq = inv_freq<double>(model.spec.rope);
  model.embed = samples::random_tensor(random, {kVocab, kDim});
  model.head = samples::random_tensor(random, {kVocab, kDim});
  return model;
}

// A module whose layer adds nothing: zero output projections.
MtpModule<double> passing_module(std::mt19937_64& random, const DeepseekModel<double>& model) {
  const MlaSpec& s = model.spec.mla;
  MtpModule<double> mtp{.enorm = ones(kDim), .hnorm = ones(kDim), .norm = ones(kDim)};
  mtp.eh_proj = samples::random_tensor(random, {kDim, 2 * kDim});
  mtp.block.attn_norm = mtp.block.ffn_norm = ones(kDim);
  mtp.block.attn = {.wq = samples::random_tensor(random, {s.heads * s.qk_head_dim(), kDim}),
                    .wkv_a = samples::random_tensor(random, {s.latent_row(), kDim}),
                    .kv_norm = ones(s.kv_lora_rank),
                    .wkv_b = samples::random_tensor(random, {s.heads * 4, s.kv_lora_rank}),
                    .wo = Tensor<double>{{kDim, s.heads * s.v_head_dim}}};
  mtp.block.dense = {.w1 = samples::random_tensor(random, {4, kDim}),
                     .w2 = Tensor<double>{{kDim, 4}},
                     .w3 = samples::random_tensor(random, {4, kDim})};
  return mtp;
}

}  // namespace

TEST_CASE("an MTP module projects the normed embedding beside the normed hidden state",
          "[kernels][mtp]") {
  std::mt19937_64 random{1};
  const auto model = shared_parts(random);
  const auto mtp = passing_module(random, model);
  const auto hidden = samples::random_tensor(random, {1, kDim});
  DeepseekLayerCache<double> cache{model.spec};
  const auto trace = mtp_step(model, mtp, Indices{{1}, {4}}, hidden, 5, cache, MlaForm::absorbed);
  const auto e =
      rms_norm(Tensor<double>{{1, kDim}, {model.embed.row(4).begin(), model.embed.row(4).end()}},
               ones(kDim), 1e-6);
  const auto h = rms_norm(hidden, ones(kDim), 1e-6);
  for (std::int64_t o = 0; o < kDim; ++o) {
    double sum = 0.0;
    for (std::int64_t i = 0; i < kDim; ++i) {
      sum += mtp.eh_proj[o * 2 * kDim + i] * e[i] + mtp.eh_proj[o * 2 * kDim + kDim + i] * h[i];
    }
    CHECK(trace.prenorm[o] == Approx(sum).epsilon(1e-12));
  }
  CHECK(cache.latent.length() == 1);
}

TEST_CASE("at position 0 the embedding counts as zero", "[kernels][mtp]") {
  std::mt19937_64 random{2};
  const auto model = shared_parts(random);
  const auto mtp = passing_module(random, model);
  const auto hidden = samples::random_tensor(random, {1, kDim});
  const auto run = [&](std::int64_t id, std::int64_t position) {
    DeepseekLayerCache<double> cache{model.spec};
    return mtp_step(model, mtp, Indices{{1}, {id}}, hidden, position, cache, MlaForm::absorbed)
        .recycled;
  };
  CHECK(run(3, 0) == run(7, 0));
  CHECK(run(3, 1) != run(7, 1));
}

TEST_CASE("cross-entropy of equal logits is the logarithm of the vocabulary", "[kernels][mtp]") {
  const Tensor<double> flat{{2, kVocab}, std::vector<double>(2 * kVocab, 0.7)};
  CHECK(cross_entropy(flat, Indices{{2}, {0, 5}}) == Approx(std::log(9.0)).epsilon(1e-12));
  // one logit above the others by x: -log of its softmax share
  Tensor<double> peaked = flat;
  peaked[3] += 2.0;
  peaked[kVocab + 3] += 2.0;
  const double share = std::exp(2.0) / (std::exp(2.0) + 8.0);
  CHECK(cross_entropy(peaked, Indices{{2}, {3, 3}}) == Approx(-std::log(share)).epsilon(1e-12));
}

TEST_CASE("the MTP loss is lambda times the mean over depths", "[kernels][mtp]") {
  const std::vector<double> losses{2.0, 4.0};
  CHECK(mtp_loss<double>(losses, 0.3) == Approx(0.3 * 3.0).epsilon(1e-15));
}

TEST_CASE("parallel heads do not see each other's drafts", "[kernels][mtp]") {
  std::mt19937_64 random{3};
  const auto hidden = samples::random_tensor(random, {2, kDim});
  const auto heads = samples::random_tensor(random, {3, kVocab, kDim});
  const auto logits = parallel_heads(hidden, heads);
  REQUIRE(logits.shape == Shape{3, 2, kVocab});
  for (std::int64_t depth = 0; depth < 3; ++depth) {
    CHECK(slice_of(logits, depth) == linear(hidden, slice_of(heads, depth)));
  }
}
