#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/cpu/attention_forms.hpp"
#include "kernels/cpu/bf16.hpp"

namespace fathom::kernels::cpu::portable {
namespace {

struct Lanes {
  float at[kLanes];
};

/// 16 floats that the compiler may turn into whatever vectors the build allows.
struct PlainVector {
  using Vector = Lanes;
  using Words = Lanes;
  static constexpr int kTermsPerWord = 1;
  // 8 sums of 4 lanes in either form: half of the registers of plain x86-64.
  static constexpr int kPairRows = 1;
  static constexpr int kFewRows = 1;
  static constexpr int kSingleRows = 2;

  template <class F>
  static Lanes map(F f) {
    Lanes out;
    for (int i = 0; i < kLanes; ++i) out.at[i] = f(i);
    return out;
  }
  static Lanes set1(float x) {
    return map([x](int) { return x; });
  }
  static Lanes load(const float* from) {
    return map([from](int i) { return from[i]; });
  }
  static void store(float* to, const Lanes& x) {
    for (int i = 0; i < kLanes; ++i) to[i] = x.at[i];
  }
  static Lanes add(const Lanes& a, const Lanes& b) {
    return map([&](int i) { return a.at[i] + b.at[i]; });
  }
  static Lanes sub(const Lanes& a, const Lanes& b) {
    return map([&](int i) { return a.at[i] - b.at[i]; });
  }
  static Lanes mul(const Lanes& a, const Lanes& b) {
    return map([&](int i) { return a.at[i] * b.at[i]; });
  }
  static Lanes max(const Lanes& a, const Lanes& b) {
    return map([&](int i) { return a.at[i] > b.at[i] ? a.at[i] : b.at[i]; });
  }
  static Lanes multiply_add(const Lanes& a, const Lanes& b, const Lanes& c) {
    return map([&](int i) { return a.at[i] * b.at[i] + c.at[i]; });
  }
  static Lanes multiply_sub(const Lanes& a, const Lanes& b, const Lanes& c) {
    return map([&](int i) { return a.at[i] * b.at[i] - c.at[i]; });
  }
  // Adding and taking away 1.5 2^23 leaves a whole number. exp2 is zero below the range, and above
  // it only of scores that are masked afterwards.
  static Lanes round(const Lanes& a) {
    return map([&](int i) {
      const float x = std::clamp(a.at[i], -127.0F, 127.0F);
      return (x + 0x1.8p23F) - 0x1.8p23F;
    });
  }
  /// a 2^n for whole n <= kMaximumSlack; 0 from 2^-127 on.
  static Lanes scale(const Lanes& a, const Lanes& n) {
    return map([&](int i) {
      const auto exponent = static_cast<std::int32_t>(n.at[i]) + 127;
      return std::bit_cast<float>(exponent << 23) * (exponent > 0 ? a.at[i] : 0.0F);
    });
  }
  static Lanes raise(const Lanes& old, const Lanes& best, float slack) {
    return map([&](int i) { return best.at[i] > old.at[i] + slack ? best.at[i] : old.at[i]; });
  }
  static bool equal(const Lanes& a, const Lanes& b) {
    bool same = true;
    for (int i = 0; i < kLanes; ++i) same = same && a.at[i] == b.at[i];
    return same;
  }
  static Lanes keep(const Lanes& x, std::int64_t position, const AttentionJob& job,
                    std::int64_t group, float otherwise) {
    const std::int32_t* begin = job.begin + group * kLanes;
    const std::int32_t* end = job.end + group * kLanes;
    return map(
        [&](int i) { return position >= begin[i] && position < end[i] ? x.at[i] : otherwise; });
  }
  static Lanes load_words(const Word* from) {
    return map([from](int i) { return std::bit_cast<float>(std::uint32_t{from[i]}); });
  }
  static Lanes spread(const Word* one) { return set1(std::bit_cast<float>(std::uint32_t{*one})); }
  static Lanes dot(const Lanes& sum, const Lanes& a, const Lanes& b) {
    return map([&](int i) { return sum.at[i] + a.at[i] * b.at[i]; });
  }
  static void store_pair(Word* to, const Lanes& even, const Lanes& odd) {
    for (int i = 0; i < kLanes; ++i) to[i] = std::bit_cast<std::uint32_t>(even.at[i]);
    for (int i = 0; i < kLanes; ++i) to[kLanes + i] = std::bit_cast<std::uint32_t>(odd.at[i]);
  }
  static void widen_row(const std::uint16_t* row, std::int64_t count, Word* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<std::uint32_t>(row[i]) << 16;
  }
  static void value_panels(const AttentionJob& job, const KeyBlock& block, std::int64_t v,
                           Word* to) {
    for (std::int64_t c = 0; c < block.chunks; ++c)
      for (std::int64_t r = 0; r < kChunkRows; ++r, to += kLanes) {
        const std::uint16_t* from = block.values[c].rows + r * block.values[c].stride + v;
        widen_row(from, kLanes, to);
        widen_row(from + kLanes, kLanes, to + job.block_rows * kLanes);
      }
  }
  static Lanes lane_sums(const Lanes (&x)[kLanes]) {
    return map([&](int i) { return lane_sum(x[i]); });
  }
  static float largest_lane(const Lanes& x) { return *std::ranges::max_element(x.at); }
  static float lane_sum(const Lanes& x) {
    float sum = 0.0F;
    for (const float value : x.at) sum += value;
    return sum;
  }
  static Lanes keep_range(const Lanes& x, std::int64_t first, std::int64_t begin, std::int64_t end,
                          float otherwise) {
    return map([&](int i) { return first + i >= begin && first + i < end ? x.at[i] : otherwise; });
  }
  struct Strip {
    static void load(const std::uint16_t* row, std::int64_t, Lanes (&words)[2]) {
      words[0] = load_elements(row);
      words[1] = load_elements(row + kLanes);
    }
  };
  static Lanes load_elements(const std::uint16_t* from) {
    return map([from](int i) { return to_float(from[i]); });
  }
  static void store_probs(Word* to, const Lanes& p) {
    for (int i = 0; i < kLanes; ++i) to[i] = std::bit_cast<std::uint32_t>(p.at[i]);
  }
  static void ask_for(const void*) {}
};

}  // namespace

AttentionKernel attention_kernel() {
  return {.attend = attend_on_vectors<PlainVector>,
          .index = index_on_vectors<PlainVector>,
          .terms_per_word = 1,
          .block_rows = 64,
          .few_block_rows = 64,
          .few_as_rows = true};
}

}  // namespace fathom::kernels::cpu::portable
