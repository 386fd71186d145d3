#include "study/length_mix.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace fathom::study {
namespace {

struct Moments {
  double weight = 0.0;
  double in = 0.0;
  double out = 0.0;
  double in_in = 0.0;
  double in_out = 0.0;
  double out_out = 0.0;
};

Moments moments_of(std::span<const LengthShare> lengths) {
  Moments m;
  for (const LengthShare& l : lengths) m.weight += l.weight;
  for (const LengthShare& l : lengths) {
    const double share = l.weight / m.weight;
    m.in += share * l.input_tokens;
    m.out += share * l.output_tokens;
    m.in_in += share * l.input_tokens * l.input_tokens;
    m.in_out += share * l.input_tokens * l.output_tokens;
    m.out_out += share * l.output_tokens * l.output_tokens;
  }
  return m;
}

// Equal shares of the requests, shortest prompts first, each with the mean of its prompts: mean and
// order stay, and the longest share stays apart.
std::vector<PromptShare> prompt_shares(std::span<const LengthShare> lengths, const Moments& m) {
  std::vector<LengthShare> sorted(lengths.begin(), lengths.end());
  std::ranges::stable_sort(sorted, {}, &LengthShare::input_tokens);
  std::vector<PromptShare> out;
  const bool merge = sorted.size() > LengthMix::kMostPrompts;
  const double full = merge ? 1.0 / static_cast<double>(LengthMix::kMostPrompts - 1) : 0.0;
  PromptShare open{0.0, 0.0};
  for (const LengthShare& l : sorted) {
    const double share = l.weight / m.weight;
    open.share += share;
    open.work += share * l.input_tokens / m.in;
    if (open.share < full) continue;
    out.push_back({open.share, open.work / open.share});
    open = {0.0, 0.0};
  }
  if (open.share > 0.0) out.push_back({open.share, open.work / open.share});
  return out;
}

double scv(double second_moment, double mean) {
  return std::max(0.0, second_moment / (mean * mean) - 1.0);
}

}  // namespace

LengthMix mix_of(std::span<const LengthShare> lengths) {
  FATHOM_EXPECT(!lengths.empty(), "a mix of lengths needs one");
  const Moments m = moments_of(lengths);
  LengthMix out;
  out.input_tokens = m.in;
  out.output_tokens = m.out;
  for (const LengthShare& l : lengths) {
    out.longest_tokens = std::max(out.longest_tokens, l.input_tokens + l.output_tokens);
  }
  out.resident_input = m.in_out / (m.in * m.out);
  out.resident_output = m.out_out / (m.out * m.out);
  out.prompt_scv = scv(m.in_in, m.in);
  out.output_scv = scv(m.out_out, m.out);
  out.prompts = prompt_shares(lengths, m);
  return out;
}

}  // namespace fathom::study
