#include "kernels/cpu/indexer.hpp"

#include <string>
#include <vector>

#include "attention_samples.hpp"
#include "catch.hpp"
#include "kernels/cpu/index_state.hpp"
#include "kernels/ref/index_select.hpp"
#include "named_kernels.hpp"

namespace fathom::kernels::cpu {

using namespace samples;

namespace {

struct Case {
  std::int64_t heads = 0, head_dim = 0, tokens = 0, keys = 0, page = 0;
};

/// A cache of the reference over rows of a tensor.
struct Rows {
  const Tensor<double>& keys;
  std::int64_t length() const { return keys.dim(0); }
  std::span<const double> row(std::int64_t i) const { return keys.row(i); }
};

struct Sample {
  std::vector<Bf16> q, k;
  std::vector<float> weights;
  std::vector<KvSpan> spans;
};

Sample sample_of(const Case& c) {
  Sample s{.q = random_bf16(c.tokens * c.heads * c.head_dim, 1),
           .k = random_bf16(c.keys * c.head_dim, 2)};
  for (const Bf16 w : random_bf16(c.tokens * c.heads, 3)) s.weights.push_back(to_float(w));
  const AttentionShape rows{.kv_heads = 1, .qk_head_dim = c.head_dim, .shared_kv = true};
  s.spans = pages_of(rows, {.keys = c.keys, .k = s.k}, c.page);
  for (KvSpan& span : s.spans)
    span.keys = s.k.data() + (&span - s.spans.data()) * c.page * c.head_dim;
  return s;
}

Tensor<double> expected_scores(const Case& c, const Sample& s) {
  const ref::IndexerSpec spec{.heads = c.heads, .head_dim = c.head_dim};
  ref::IndexerProjection<double> p;
  p.q = as_tensor(s.q, {c.tokens, c.heads, c.head_dim});
  p.queries.elements = p.q;
  p.weights = Tensor<double>{{c.tokens, c.heads}, {s.weights.begin(), s.weights.end()}};
  const auto keys = as_tensor(s.k, {c.keys, c.head_dim});
  return ref::indexer_scores(spec, p, Rows{keys});
}

std::vector<float> scores_of(const AttentionKernel& kernel, const Case& c, const Sample& s,
                             int threads) {
  ThreadPool pool{threads, false};
  IndexerState indexer{{.heads = c.heads, .head_dim = c.head_dim}, kernel, threads};
  auto scores = poisoned(c.tokens * c.keys);
  indexer.run({.q = s.q.data(), .weights = s.weights.data(), .tokens = c.tokens}, s.spans,
              scores.data(), pool);
  return scores;
}

}  // namespace

TEST_CASE("index scores on every instruction set are the reference's", "[cpu][indexer]") {
  const auto c = GENERATE(Case{64, 128, 1, 2500, 64}, Case{64, 128, 6, 300, 50},
                          Case{5, 32, 3, 77, 1000}, Case{20, 48, 9, 33, 16});
  const Sample s = sample_of(c);
  const auto want = expected_scores(c, s);
  // fp32 sums of heads x head_dim products below 1: rounding errors 2^-24 of partial sums that stay
  // below the sum of magnitudes, heads * head_dim / 4 on average; 16 for the random walk's tail.
  const double terms = static_cast<double>(c.heads * c.head_dim);
  const double bound = 16.0 * 0x1p-24 * std::sqrt(terms) * std::sqrt(terms) / 4.0;
  for (const auto& [form, kernel] : named_kernels()) {
    CAPTURE(form, c.heads, c.tokens, c.keys);
    const auto got = scores_of(kernel, c, s, 1);
    double worst = 0.0;
    for (std::int64_t i = 0; i < want.size(); ++i) {
      const auto value = static_cast<double>(got[static_cast<std::size_t>(i)]);
      if (value != want[i]) worst = std::max(worst, std::abs(value - want[i]));
      if (std::isnan(value)) worst = 1e300;
    }
    CHECK(worst < bound);
    for (const int threads : {2, 3}) CHECK(scores_of(kernel, c, s, threads) == got);
  }
}

TEST_CASE("the selected keys are those of a stable sort", "[cpu][indexer]") {
  const std::int64_t keys = GENERATE(1, 100, 5000);
  const std::int64_t topk = GENERATE(1, 64, 2048);
  const double levels = GENERATE(3.0, 1e9);  // many ties, hardly any
  auto x = test::random_tensor({1, keys}, 11);
  Tensor<float> scores{{1, keys}};
  for (std::int64_t i = 0; i < keys; ++i)
    scores[i] = static_cast<float>(std::round(x[i] * levels) / levels);
  for (std::int64_t i = keys / 2; i < keys; i += 5)
    scores[i] = -std::numeric_limits<float>::infinity();
  TopKeys top{topk};
  const auto got = top.select(scores.data);
  const auto want = ref::select_keys(scores, topk).topk;
  CHECK(std::vector<std::int64_t>(got.begin(), got.end()) == want.data);
}

TEST_CASE("selected rows come as spans in cache order, neighbours joined", "[cpu][indexer]") {
  const std::vector<Bf16> rows(10 * 4);
  const std::vector<KvSpan> cache{{.keys = rows.data(), .rows = 6},
                                  {.keys = rows.data() + 24, .rows = 4}};
  std::vector<KvSpan> selected;
  select_rows({.key_stride = 4, .value_stride = 4}, cache,
              std::vector<std::int64_t>{7, 1, -1, 6, 0, 5, 3}, selected);
  REQUIRE(selected.size() == 4);
  const std::int64_t first[] = {0, 3, 5, 6};
  const std::int64_t count[] = {2, 1, 1, 2};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(selected[i].keys == rows.data() + 4 * first[i]);
    CHECK(selected[i].rows == count[i]);
  }
}

}  // namespace fathom::kernels::cpu
