#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "measure/random_data.hpp"
#include "proof/weights.hpp"

namespace fathom::proof::test {
namespace {

using kernels::cpu::Bf16;
using kernels::cpu::Buffer;

struct Matrix {
  std::int64_t n = 0, k = 0;
  Buffer<Bf16> w;  // [n, k]
  Vector operator()(const Vector& x) const {
    Vector y(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < k; ++j)
        y[static_cast<std::size_t>(i)] +=
            static_cast<double>(kernels::cpu::to_float(w[i * k + j])) *
            x[static_cast<std::size_t>(j)];
    return y;
  }
};

Matrix draw(Draw& weights, std::int64_t n, std::int64_t k) { return {n, k, weights.matrix(n, k)}; }

Vector part(const Vector& x, std::int64_t begin, std::int64_t count) {
  return {x.begin() + begin, x.begin() + begin + count};
}

void append(Vector& to, const Vector& what) { to.insert(to.end(), what.begin(), what.end()); }

// Pairs (2i, 2i + 1), or (i, i + dim / 2), turned by position theta^(-2i / dim).
Vector rotated(const Vector& x, std::size_t position, double theta, bool halves) {
  Vector y = x;
  const std::size_t half = x.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const std::size_t a = halves ? i : 2 * i;
    const std::size_t b = halves ? i + half : 2 * i + 1;
    const double angle =
        static_cast<double>(position) *
        std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(x.size()));
    y[a] = x[a] * std::cos(angle) - x[b] * std::sin(angle);
    y[b] = x[a] * std::sin(angle) + x[b] * std::cos(angle);
  }
  return y;
}

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// One head's query over the keys and values so far.
Vector attend(const Vector& q, const Rows& keys, const Rows& values) {
  Vector scores;
  for (const Vector& key : keys)
    scores.push_back(dot(q, key) / std::sqrt(static_cast<double>(q.size())));
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0.0;
  Vector out(values.front().size());
  for (std::size_t t = 0; t < keys.size(); ++t) {
    const double p = std::exp(scores[t] - top);
    sum += p;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += p * values[t][i];
  }
  for (double& value : out) value /= sum;
  return out;
}

struct Expert {
  Matrix gate, down, up;
  Vector operator()(const Vector& x) const {
    Vector hidden = gate(x);
    const Vector factor = up(x);
    for (std::size_t i = 0; i < hidden.size(); ++i)
      hidden[i] = hidden[i] / (1.0 + std::exp(-hidden[i])) * factor[i];
    return down(hidden);
  }
};

Expert draw_expert(Draw& weights, std::int64_t dim, std::int64_t inter) {
  Expert out;
  out.gate = draw(weights, inter, dim);
  out.down = draw(weights, dim, inter);
  out.up = draw(weights, inter, dim);
  return out;
}

Vector scores_of(const model::MoeSpec& spec, const Vector& logits) {
  Vector out;
  for (const double logit : logits) {
    if (spec.scoring_func == model::GateScore::sigmoid) {
      out.push_back(1.0 / (1.0 + std::exp(-logit)));
    } else {
      out.push_back(std::exp(logit));
    }
  }
  if (spec.scoring_func == model::GateScore::sigmoid) return out;
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& score : out) score /= sum;
  return out;
}

// Experts outside the best groups are out: a group is worth its two best experts (V3).
void keep_best_groups(const model::MoeSpec& spec, Vector& ranking) {
  if (spec.n_group <= 1) return;
  const std::size_t size = ranking.size() / static_cast<std::size_t>(spec.n_group);
  Vector worth;
  for (std::size_t g = 0; g < static_cast<std::size_t>(spec.n_group); ++g) {
    Vector group =
        part(ranking, static_cast<std::int64_t>(g * size), static_cast<std::int64_t>(size));
    std::sort(group.rbegin(), group.rend());
    worth.push_back(group[0] + group[1]);
  }
  Vector sorted = worth;
  std::sort(sorted.rbegin(), sorted.rend());
  const double last = sorted[static_cast<std::size_t>(spec.topk_group) - 1];
  for (std::size_t e = 0; e < ranking.size(); ++e)
    if (worth[e / size] < last) ranking[e] = -INFINITY;
}

struct Router {
  Matrix gate;
  Buffer<float> bias;
};

// Weight of every expert for a token, most of them zero.
Vector route(const model::MoeSpec& spec, const Router& router, const Vector& x) {
  const Vector scores = scores_of(spec, router.gate(x));
  Vector ranking = scores;
  for (std::size_t e = 0; e < ranking.size(); ++e)
    if (spec.selection_bias)
      ranking[e] += static_cast<double>(router.bias[static_cast<std::int64_t>(e)]);
  keep_best_groups(spec, ranking);
  Vector sorted = ranking;
  std::sort(sorted.rbegin(), sorted.rend());
  const double last = sorted[static_cast<std::size_t>(spec.num_experts_per_tok) - 1];
  Vector out(scores.size());
  for (std::size_t e = 0; e < out.size(); ++e)
    if (ranking[e] >= last) out[e] = scores[e];
  if (spec.scoring_func == model::GateScore::softmax) return out;
  const double sum = std::accumulate(out.begin(), out.end(), 0.0);
  for (double& weight : out) weight /= sum;
  return out;
}

void add(Vector& to, double factor, const Vector& what) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * what[i];
}

Rows mixture(const model::ArchSpec& arch, const model::MoeSpec& spec, std::uint64_t seed,
             const Rows& x) {
  Draw weights{seed};
  Router router{draw(weights, spec.n_routed_experts, arch.hidden_size),
                Buffer<float>{spec.n_routed_experts}};
  if (spec.selection_bias) measure::fill_random(router.bias.span(), 0.01F, seed);
  std::vector<Expert> shared, routed;
  if (spec.shared_intermediate_size > 0)
    shared.push_back(draw_expert(weights, arch.hidden_size, spec.shared_intermediate_size));
  for (std::int64_t e = 0; e < spec.n_routed_experts; ++e)
    routed.push_back(draw_expert(weights, arch.hidden_size, spec.moe_intermediate_size));
  Rows out;
  for (const Vector& token : x) {
    Vector y(token.size());
    for (const Expert& expert : shared) add(y, 1.0, expert(token));
    const Vector share = route(spec, router, token);
    for (std::size_t e = 0; e < share.size(); ++e)
      if (share[e] > 0.0) add(y, share[e], routed[e](token));
    out.push_back(std::move(y));
  }
  return out;
}

}  // namespace

std::vector<Bf16> random_tokens(std::int64_t tokens, std::int64_t width, std::uint64_t seed) {
  std::vector<Bf16> out(static_cast<std::size_t>(tokens * width));
  measure::fill_random(std::span{out}, 1.7F, seed);
  return out;
}

Rows rows_of(std::span<const Bf16> data, std::int64_t width) {
  Rows out;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (i % static_cast<std::size_t>(width) == 0) out.emplace_back();
    out.back().push_back(static_cast<double>(kernels::cpu::to_float(data[i])));
  }
  return out;
}

Rows rows_of(std::span<const float> data, std::int64_t width) {
  Rows out;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (i % static_cast<std::size_t>(width) == 0) out.emplace_back();
    out.back().push_back(static_cast<double>(data[i]));
  }
  return out;
}

Vector rms_norm(const Vector& x, std::span<const float> weight) {
  const double mean = dot(x, x) / static_cast<double>(x.size());
  Vector out;
  for (std::size_t i = 0; i < x.size(); ++i)
    out.push_back(x[i] / std::sqrt(mean + 1e-6) * static_cast<double>(weight[i]));
  return out;
}

Rows mla(const model::ArchSpec& arch, const model::MlaSpec& s, std::uint64_t seed, const Rows& x) {
  const std::int64_t qk = s.qk_nope_head_dim + s.qk_rope_head_dim;
  Draw weights{seed};
  Matrix q_a;
  Buffer<float> q_norm;
  if (s.q_lora_rank > 0) {
    q_a = draw(weights, s.q_lora_rank, arch.hidden_size);
    q_norm = weights.norm(s.q_lora_rank);
  }
  const Matrix q_b = draw(weights, s.num_attention_heads * qk,
                          s.q_lora_rank > 0 ? s.q_lora_rank : arch.hidden_size);
  const Matrix kv_a = draw(weights, s.kv_lora_rank + s.qk_rope_head_dim, arch.hidden_size);
  const Buffer<float> kv_norm = weights.norm(s.kv_lora_rank);
  const std::int64_t expanded = s.qk_nope_head_dim + s.v_head_dim;
  const Matrix kv_b = draw(weights, s.num_attention_heads * expanded, s.kv_lora_rank);
  const Matrix o = draw(weights, arch.hidden_size, s.num_attention_heads * s.v_head_dim);

  const auto heads = static_cast<std::size_t>(s.num_attention_heads);
  const double theta = arch.rope.rope_theta;
  std::vector<Rows> keys(heads), values(heads);
  Rows out;
  for (std::size_t t = 0; t < x.size(); ++t) {
    const Vector q = q_b(s.q_lora_rank > 0 ? rms_norm(q_a(x[t]), q_norm.span()) : x[t]);
    const Vector low = kv_a(x[t]);
    const Vector kv = kv_b(rms_norm(part(low, 0, s.kv_lora_rank), kv_norm.span()));
    const Vector shared = rotated(part(low, s.kv_lora_rank, s.qk_rope_head_dim), t, theta, false);
    Vector joined;
    for (std::size_t h = 0; h < heads; ++h) {
      const auto at = static_cast<std::int64_t>(h);
      Vector key = part(kv, at * expanded, s.qk_nope_head_dim);
      append(key, shared);
      keys[h].push_back(std::move(key));
      values[h].push_back(part(kv, at * expanded + s.qk_nope_head_dim, s.v_head_dim));
      Vector query = part(q, at * qk, s.qk_nope_head_dim);
      append(query,
             rotated(part(q, at * qk + s.qk_nope_head_dim, s.qk_rope_head_dim), t, theta, false));
      append(joined, attend(query, keys[h], values[h]));
    }
    out.push_back(o(joined));
  }
  return out;
}

Rows gqa(const model::ArchSpec& arch, const model::GqaSpec& s, std::uint64_t seed, const Rows& x) {
  Draw weights{seed};
  const std::int64_t dim = s.head_dim;
  const Matrix q = draw(weights, s.num_attention_heads * dim, arch.hidden_size);
  const Matrix k = draw(weights, s.num_key_value_heads * dim, arch.hidden_size);
  const Matrix v = draw(weights, s.num_key_value_heads * dim, arch.hidden_size);
  Buffer<float> q_norm, k_norm;
  if (s.qk_norm) {
    q_norm = weights.norm(dim);
    k_norm = weights.norm(dim);
  }
  const Matrix o = draw(weights, arch.hidden_size, s.num_attention_heads * dim);
  const auto head = [&](const Vector& all, std::int64_t h, const Buffer<float>& norm,
                        std::size_t position) {
    Vector one = part(all, h * dim, dim);
    if (s.qk_norm) one = rms_norm(one, norm.span());
    return rotated(one, position, arch.rope.rope_theta, true);
  };
  const auto groups = static_cast<std::size_t>(s.num_key_value_heads);
  std::vector<Rows> keys(groups), values(groups);
  Rows out;
  for (std::size_t t = 0; t < x.size(); ++t) {
    const Vector queries = q(x[t]);
    const Vector all_keys = k(x[t]);
    const Vector all_values = v(x[t]);
    for (std::size_t g = 0; g < groups; ++g) {
      keys[g].push_back(head(all_keys, static_cast<std::int64_t>(g), k_norm, t));
      values[g].push_back(part(all_values, static_cast<std::int64_t>(g) * dim, dim));
    }
    Vector joined;
    for (std::int64_t h = 0; h < s.num_attention_heads; ++h) {
      const auto g = static_cast<std::size_t>(h / (s.num_attention_heads / s.num_key_value_heads));
      append(joined, attend(head(queries, h, q_norm, t), keys[g], values[g]));
    }
    out.push_back(o(joined));
  }
  return out;
}

Rows feed_forward(const model::ArchSpec& arch, const model::LayerSpec& spec, std::uint64_t seed,
                  const Rows& x) {
  if (spec.moe.n_routed_experts > 0) return mixture(arch, spec.moe, seed, x);
  Draw weights{seed};
  const Expert dense = draw_expert(weights, arch.hidden_size, spec.dense.intermediate_size);
  Rows out;
  for (const Vector& token : x) out.push_back(dense(token));
  return out;
}

double distance(const Rows& got, const Rows& want) {
  double difference = 0.0;
  double size = 0.0;
  for (std::size_t t = 0; t < want.size(); ++t)
    for (std::size_t i = 0; i < want[t].size(); ++i) {
      difference += std::pow(got[t][i] - want[t][i], 2);
      size += want[t][i] * want[t][i];
    }
  return std::sqrt(difference / size);
}

}  // namespace fathom::proof::test
