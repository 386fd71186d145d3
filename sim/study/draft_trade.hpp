#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.hpp"
#include "mapping/plan.hpp"
#include "study/basis.hpp"

namespace fathom::study {

/// What speculative decoding with MTP modules is worth.
struct DraftTradeRequest {
  std::string model;         // NAME|FILE, with an MTP module
  std::string hardware;      // NAME|FILE
  std::int64_t devices = 0;  // of the instance; 0: the fewest that hold every batch's first
  std::int64_t context_tokens = 4096;
  std::vector<std::int64_t> batches{1, 4, 16, 32, 64, 128, 256};   // sequences per device
  std::vector<std::int64_t> drafts{1, 2, 3};                       // per step
  std::vector<double> acceptances{0.5, 0.6, 0.7, 0.8, 0.85, 0.9};  // of a draft, ascending
  std::string kv;                                                  // empty: as the checkpoint
  bool operator==(const DraftTradeRequest&) const = default;
};

/// So many drafts at one batch.
struct DraftPoint {
  std::int64_t batch = 0;
  std::int64_t drafts = 0;
  std::string infeasible;            // why nothing below is known
  Seconds step;                      // that verifies the drafts and makes the next ones
  double step_ratio = 0.0;           // to the step without drafts
  std::optional<double> break_even;  // acceptance from which it pays; none: never
  std::vector<double> speedup;       // per acceptance: tokens/s over those without drafts
};

struct DraftTrade {
  DraftTradeRequest request;
  std::string model, hardware;
  mapping::Plan plan;
  std::vector<Seconds> plain;      // step without drafts, per batch; 0: does not fit
  std::vector<DraftPoint> points;  // by drafts, then batch
  Bytes weights, weights_mtp;      // of the fullest rank, without and with the modules
  Basis basis;
};

DraftTrade trade_drafts(const DraftTradeRequest& request, std::string_view where);

/// The acceptance at which a step `step_ratio` times as long brings as many tokens per second:
/// 1 + p + … + p^drafts = step_ratio. None when even p = 1 does not.
std::optional<double> break_even(std::int64_t drafts, double step_ratio);

}  // namespace fathom::study
