#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "mapping/plan.hpp"
#include "model/arch_spec.hpp"
#include "study/basis.hpp"
#include "timing/roofline.hpp"

namespace fathom::study {

/// What the experts of a model cost as one of their numbers changes, decoding.
struct ExpertTradeRequest {
  std::string model;     // NAME|FILE, mixture of experts
  std::string hardware;  // NAME|FILE
  std::int64_t context_tokens = 4096;
  std::int64_t sequences_per_device = 64;
  std::vector<std::int64_t> ep{8, 16, 32, 64, 128, 256};        // ranks: EP n, attention DP n
  std::int64_t ep_of_others = 64;                               // at which the other numbers change
  std::vector<double> skew{0.0, 0.25, 0.5, 0.75, 1.0};          // Zipf exponents of popularity
  std::vector<double> granularity{0.125, 0.25, 0.5, 1.0, 2.0};  // experts per published expert
  std::vector<std::int64_t> shared{0, 1, 2, 4};                 // shared experts
  bool operator==(const ExpertTradeRequest&) const = default;
};

/// A model's experts on one plan, one decode step.
struct ExpertPoint {
  std::string infeasible;  // empty: the figures of the step are there
  mapping::Plan plan;
  model::MoeSpec moe;  // of the last layer that has experts
  std::int64_t parameters = 0;
  std::int64_t activated = 0;     // per token
  double log10_choices = 0.0;     // of sets of experts that a token may take
  Bytes weights;                  // of the fullest rank
  double experts_per_rank = 0.0;  // redundant ones included
  double touched = 0.0;           // of them, with at least one row, expected
  double rows_per_touched = 0.0;
  Bytes scale_up, scale_out;  // dispatch and combine of one layer, per rank and direction
  Seconds exchange;           // both, one layer
  Seconds experts;            // grouped products of one layer
  timing::Bound experts_bound = timing::Bound::memory;
  Seconds step;
  Seconds exposed;  // communication that compute waits for, whole step
  TokensPerSecond per_device;
};

struct SkewPoint {
  double exponent = 0.0;
  bool balanced = false;  // redundant experts placed by EPLB
  double load = 1.0;      // slowest rank's rows over the mean, over some layers
  double worst = 1.0;     // in the worst layer
  ExpertPoint point;
};
struct GranularityPoint {
  double factor = 1.0;
  ExpertPoint point;
};

struct ExpertTrade {
  ExpertTradeRequest request;
  std::string model, hardware;
  std::vector<ExpertPoint> sizes;  // per ep
  std::vector<SkewPoint> skews;    // per exponent: in order, then balanced
  std::vector<GranularityPoint> granularities;
  std::vector<ExpertPoint> shared;  // per number of shared experts
  Basis basis;
};

ExpertTrade trade_experts(const ExpertTradeRequest& request, std::string_view where);

/// The same model with every expert cut into `factor` ones of 1 / factor the width and factor times
/// as many chosen: equal arithmetic. InputError where that is no whole number.
model::ArchSpec with_granularity(const model::ArchSpec& arch, double factor,
                                 std::string_view where);
/// The same with `shared` shared experts, and as many routed ones fewer chosen: equal arithmetic.
model::ArchSpec with_shared_experts(const model::ArchSpec& arch, std::int64_t shared,
                                    std::string_view where);

}  // namespace fathom::study
