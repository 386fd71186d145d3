#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "hw/figure.hpp"
#include "hw/provenance.hpp"
#include "hw/ratio_table.hpp"

namespace fathom::hw {

/// What the estimator asks a fitted form for. Several sub-fits of a family serve different uses.
enum class FormUse : std::uint8_t {
  gemm_bf16,
  gemm_fp8,
  gemm_fp4,
  batched_gemm,
  grouped_prefill,
  grouped_decode,
  experts_bf16,  // routed experts whole: permute, both products, activation, un-permute
  experts_fp8,
  experts_fp4,
  mla_prefill,
  mla_decode,
  mla_decode_fp8_cache,
  attention_prefill,
  attention_prefill_fp8_cache,
  gqa_decode,
  gqa_decode_fp8_cache,
  mha_decode,
  mha_decode_fp8_cache,
  all_gather,
  all_reduce,
  reduce_scatter,
  all_to_all,
  custom_all_reduce,  // one-shot and two-shot kernels inside a node, beside the library's own
  dispatch_low_latency,
  combine_low_latency,
  dispatch_low_latency_far,  // group spans nodes
  combine_low_latency_far,
  dispatch,  // throughput kernels
  combine,
  dispatch_far,
  combine_far
};
inline constexpr std::size_t kFormUseCount = static_cast<std::size_t>(FormUse::combine_far) + 1;
std::string_view name(FormUse use);
/// What a sub-fit serves, if any operator of ours asks for it.
std::optional<FormUse> use_of(std::string_view family, std::string_view group);

/// A kernel family's time as a function of shape (forms/form.hpp) with the parameters fitted on
/// this device and stack, and how far off the fit is.
struct FittedForm {
  std::size_t form = 0;  // index into forms::all_forms()
  std::string group;
  std::vector<double> params;    // in the order of the form's ranges(group), as measured alone
  std::vector<double> in_step;   // ... inside a step: its clock, casts not included
  double sustained_clock = 1.0;  // that clock over the one of the measurement
  Seconds launch_gap;            // in the measurement, but hidden inside a CUDA graph
  double median_error = 0.0;     // |ln(predicted / measured)| on held-out slices
  double p90_error = 0.0;
  std::int64_t samples = 0;
  Evidence evidence = Evidence::assumed;
  Transfer transfer = Transfer::none;
  std::string source;  // "key: citation"
  RatioTable ratios;   // empty: the bare form
  bool operator==(const FittedForm&) const = default;
};

using FormTable = std::array<std::optional<FittedForm>, kFormUseCount>;

/// Reads "forms": {family: {group: {params, median_error, p90_error, samples, ratios, basis, src}}}
/// over what `table` already holds. Families and groups that no operator of ours asks for are
/// checked and skipped.
void read_forms(JsonReader& file, const SourceTable& sources, bool same_device, FormTable& table);
/// Another device's forms: shares carry over, measured ratios do not, and all of it counts as
/// assumed.
void transfer(FormTable& table, Transfer how);

/// How far an estimate may lean on measurements: `automatic` takes a ratio table where it errs less
/// than its bare form, `measured` wherever there is one.
enum class FidelityLimit : std::uint8_t { automatic, roofline, fitted, measured };
inline constexpr std::array<std::string_view, 4> kFidelityLimits{"auto", "roofline", "fitted",
                                                                 "measured"};
void limit(FormTable& table, FidelityLimit fidelity);

nlohmann::json to_json(const FormTable& table);

}  // namespace fathom::hw
