#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "hw/provenance.hpp"
#include "infer/serving_point.hpp"
#include "study/evaluate.hpp"
#include "validate/setup.hpp"

namespace fathom::validate {

/// A number, or why the set-up cannot run.
using Predicted = std::variant<double, infer::Infeasible>;

/// One number of a set-up, in base units.
///   scenario   tokens_per_s_per_gpu, tokens_per_s_per_node, tokens_per_s_per_user, tpot_s, ttft_s,
///              step_s, gpu_s_per_token, usd_per_million_tokens, exchange_s (dispatch + combine of
///              one layer and micro-batch), or a JSON pointer into the estimate
///   operators  time_s, flops, tflops (flops / time), gb_s (memory traffic / time), flop_per_byte
///   model      a JSON pointer into `fathom model --format json`
///   day        a JSON pointer into the day's estimate
/// InputError for a name that the set-up does not have.
Predicted quantity(const Setup& setup, std::string_view name);
/// The same for one set-up draw after draw (Variations): `kept` is what the last one left.
Predicted quantity(Setup& setup, std::string_view name, std::optional<study::Answer>& kept);

/// Share of operator time by what its efficiency rests on; empty set-ups (models) have none.
std::array<double, hw::kEvidenceCount> evidence_shares(const Setup& setup);

}  // namespace fathom::validate
