#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "study/basis.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// What a popular statement is about: a figure of the technique ("with") beside one "without" it.
enum class ClaimQuantity : std::uint8_t {
  cache_ratio,            // cache of a sequence, without / with
  cache_saving,           // … 1 - with / without, in percent
  memory_saving,          // used memory of the fullest device, 1 - with / without, in percent
  decode_ratio,           // decoded tokens/s per device, with / without
  decode_gain,            // … less 1, in percent
  step_cost,              // time of a decode step, with / without - 1, in percent
  attention_flops_ratio,  // arithmetic of the attention cores of a decoded token, with / without
  draft_parameters,       // of MTP modules over those of the main model, in percent; no "without"
};
inline constexpr std::array<std::string_view, 8> kClaimQuantities{
    "cache_ratio", "cache_saving", "memory_saving",         "decode_ratio",
    "decode_gain", "step_cost",    "attention_flops_ratio", "draft_parameters"};

/// Which number of a case changes along a row.
enum class ClaimVary : std::uint8_t { nothing, context_tokens, sequences_per_gpu, acceptance };
inline constexpr std::array<std::string_view, 4> kClaimVaries{"nothing", "context_tokens",
                                                              "sequences_per_gpu", "acceptance"};

struct ClaimSide {
  std::string model;             // NAME|FILE
  std::string attention;         // exchanged; empty: as published
  std::string kv;                // layout of the cache; empty: as the checkpoint
  std::optional<Dtype> weights;  // of projections and experts; absent: as the checkpoint
  std::int64_t drafts = 0;
  bool operator==(const ClaimSide&) const = default;
};

/// A condition under which to look. The setting is the same on both sides.
struct ClaimCase {
  std::string condition;
  ClaimSide with;
  ClaimSide without;
  std::string hardware = "h800";
  std::int64_t devices = 0;  // 0: the fewest on which both sides hold a sequence
  double context_tokens = 4096.0;
  double sequences_per_device = 0.0;  // 0: as many as fit, on each side its own number
  double acceptance = 0.85;           // of a draft
  ClaimVary vary = ClaimVary::nothing;
  std::vector<double> values;  // of what varies
  bool operator==(const ClaimCase&) const = default;
};

/// What somebody measured or wrote.
struct ClaimEvidence {
  std::string says;
  std::optional<double> figure;  // in the claim's unit
  std::string source;
  bool operator==(const ClaimEvidence&) const = default;
};

struct Claim {
  std::string id;
  std::string statement;
  ClaimQuantity quantity = ClaimQuantity::cache_ratio;
  double low = 0.0;   // the statement is true from here …
  double high = 0.0;  // … to here
  std::string unit;   // "x", "%"
  std::string range;  // why these bounds, where the statement does not say them itself
  std::vector<ClaimCase> cases;
  std::vector<ClaimEvidence> published;
  bool operator==(const Claim&) const = default;
};

enum class Verdict : std::uint8_t { less, holds, more };
std::string_view name(Verdict verdict);
Verdict judge(const Claim& claim, double figure);

struct ClaimValue {
  std::optional<double> at;      // of what varies
  std::optional<double> figure;  // absent: `infeasible` says why
  std::string infeasible;
};
struct ClaimResult {
  Claim claim;
  std::vector<std::vector<ClaimValue>> cases;  // as claim.cases
};
struct ClaimsResult {
  std::vector<ClaimResult> claims;
  Basis basis;
};

std::vector<Claim> read_claims(JsonReader& in, std::string_view key);
nlohmann::json to_json(const std::vector<Claim>& claims);
/// Every figure, by the model. `where` names the list in complaints.
ClaimsResult check_claims(const std::vector<Claim>& claims, std::string_view where);

}  // namespace fathom::study
