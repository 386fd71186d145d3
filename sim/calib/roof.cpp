#include "calib/roof.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "forms/block_work.hpp"
#include "forms/deepep.hpp"
#include "forms/precision.hpp"

namespace fathom::calib {
namespace {

using forms::DeviceFigures;
using Shape = std::span<const double>;

// Middle of what large shapes reach on Hopper and Blackwell.
constexpr double kMemoryShare = 0.85;
constexpr double kBf16Share = 0.79;
constexpr double kNarrowShare = 0.58;
constexpr double kLinkShare = 0.75;
// A flat cost of a collective, the usual default.
constexpr double kCollective_s = 10e-6;

double compute_share(const forms::Precision& precision) {
  return precision.peak == &DeviceFigures::peak_bf16 ? kBf16Share : kNarrowShare;
}

double slower(double flops, double rate, double bytes, const DeviceFigures& device) {
  return std::max(flops / rate, bytes / (device.memory_bandwidth * kMemoryShare));
}

double product(std::string_view group, double batch, Shape mnk, const DeviceFigures& device) {
  const auto e = forms::precision_of(group);
  const double m = mnk[0];
  const double n = mnk[1];
  const double k = mnk[2];
  const double bytes = batch * (m * k * e.activation_bytes + n * k * e.weight_bytes + 2.0 * m * n);
  return slower(2.0 * batch * m * n * k, device.*e.peak * compute_share(e), bytes, device);
}

double gemm(std::string_view group, Shape s, const DeviceFigures& device) {
  return product(group, 1.0, s, device);
}
double bmm(std::string_view group, Shape s, const DeviceFigures& device) {
  return product(group, s[0], s.subspan(1), device);
}

double moe(std::string_view group, Shape s, const DeviceFigures& device) {
  const auto e = forms::precision_of(group);
  const double expert = 3.0 * s[1] * s[2];
  return slower(2.0 * s[5] * expert, device.*e.peak * compute_share(e),
                s[4] * expert * e.weight_bytes, device);
}

double grouped(std::string_view group, Shape s, const DeviceFigures& device) {
  const auto e = forms::precision_of(group);
  return slower(2.0 * s[3] * s[0] * s[1], device.*e.peak * compute_share(e),
                s[2] * s[0] * s[1] * e.weight_bytes, device);
}

double context(std::string_view group, Shape s, const DeviceFigures& device) {
  const bool fp8 = forms::first_label(group) == "fp8";
  const double rate = fp8 ? device.peak_fp8 * kNarrowShare : device.peak_bf16 * kBf16Share;
  const double dims = s[5] + s[6];
  const double pairs = s[1] * s[2] + 0.5 * s[1] * (s[1] + 1.0);
  const double bytes = 2.0 * s[0] * dims * (s[1] * s[3] + (s[1] + s[2]) * s[4]);
  return slower(2.0 * s[0] * s[3] * dims * pairs, rate, bytes, device);
}

// The latent row (576) holds the value; otherwise keys and values are cached side by side.
double generation(std::string_view group, Shape s, const DeviceFigures& device) {
  const double row = s[5] > s[6] ? s[5] : s[5] + s[6];
  const double tokens = s[0] * s[2];
  return slower(2.0 * tokens * s[1] * s[3] * (s[5] + s[6]), device.peak_bf16 * kBf16Share,
                tokens * s[4] * row * forms::kv_bytes(group), device);
}

double block(std::string_view family, std::string_view group, Shape s,
             const DeviceFigures& device) {
  forms::BlockShape x{.batch = s[0],
                      .new_tokens = s[1],
                      .past_tokens = s[2],
                      .heads = s[3],
                      .hidden = s[4],
                      .q_lora_rank = s[5]};
  forms::BlockWork work;
  if (family == "mla_context_module") {
    work = forms::mla_prefill_work(x);
  } else if (family == "mla_generation_module") {
    work = forms::mla_decode_work(x, forms::kv_bytes(group), device.sm_count);
  } else if (family.starts_with("dsa_")) {
    work = forms::dsa_work(x, forms::kv_bytes(group), forms::has_label(group, "dense"));
  } else if (family.starts_with("dsv4_csa")) {
    x.index_topk = s[6];
    work = forms::csa_work(x);
  } else {
    work = forms::hca_work(x);
  }
  const auto e = forms::precision_of(group);
  return slower(2.0 * work.weights * x.tokens(), device.*e.peak * compute_share(e),
                work.weights * e.weight_bytes, device) +
         slower(work.core_flops, device.peak_bf16 * kBf16Share, work.core_bytes, device) +
         work.index_flops / (device.peak_fp8 * kNarrowShare);
}

double stream(std::string_view group, Shape s, const DeviceFigures& device) {
  const double passes = forms::has_label(group, "pre") ? s[3] + 1.0 : 2.0 * s[3] + 1.0;
  return 2.0 * s[0] * s[1] * s[2] * passes / (device.memory_bandwidth * kMemoryShare);
}

double collective(std::string_view group, Shape s, const DeviceFigures& device) {
  const double passes = forms::has_label(group, "all_reduce") ? 2.0 : 1.0;
  const double bytes = passes * s[1] * (s[0] - 1.0) / s[0];
  return bytes / (device.scale_up * kLinkShare) + kCollective_s;
}

double exchange(std::string_view family, std::string_view group, Shape s,
                const DeviceFigures& device) {
  const double value_bytes = forms::has_label(group, "fp8") ? 1.0 + 1.0 / 32.0 : 2.0;
  const double row = s[0] * s[1] * value_bytes;
  const double remote = (s[5] - 1.0) / s[5];
  const bool each_copy = family.starts_with("deepep_ll");
  const double near = each_copy ? s[2] * (1.0 - remote) : forms::distinct_groups(s[2], s[4], s[3]);
  const double far = each_copy ? s[2] * remote : forms::distinct_groups(s[2], s[5], s[3]) * remote;
  return std::max(row * near / (device.scale_up * kLinkShare),
                  row * far / (device.scale_out * kLinkShare));
}

}  // namespace

double roof_seconds(std::string_view family, std::string_view group, Shape shape,
                    const DeviceFigures& device) {
  if (family == "gemm" || family == "infersim_gemm") return gemm(group, shape, device);
  if (family == "mla_bmm") return bmm(group, shape, device);
  if (family == "moe") return moe(group, shape, device);
  if (family == "infersim_grouped") return grouped(group, shape, device);
  if (family == "mhc") return stream(group, shape, device);
  if (family == "nccl" || family == "custom_allreduce") return collective(group, shape, device);
  if (family.starts_with("deepep_")) return exchange(family, group, shape, device);
  if (family.starts_with("dsa_") || family.starts_with("dsv4_") || family.ends_with("_module")) {
    return block(family, group, shape, device);
  }
  if (family.starts_with("context_") || family == "infersim_prefill") {
    return context(group, shape, device);
  }
  FATHOM_EXPECT(family.starts_with("generation_") || family.ends_with("_decode"),
                "every family has a roofline");
  return generation(group, shape, device);
}

}  // namespace fathom::calib
