#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "mapping/plan.hpp"
#include "model/precision.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::study {

/// Number formats to try, under the name that answers call them by.
struct NamedPrecision {
  std::string name;  // empty: the request's own, when no variants are listed
  model::Precision precision;
  bool operator==(const NamedPrecision&) const = default;
};

/// What is tried. An empty list means: what makes sense for the model and the machine. Attention
/// data parallelism is dp with tp = 1 (every rank has whole sequences) against tp > 1 (ranks share
/// a sequence's heads): dp x tp covers both and everything between.
struct SearchSpace {
  std::vector<std::int64_t> tp;     // automatic: 1, 2, 4, 8, 16
  std::vector<std::int64_t> pp;     // automatic: 1, 2
  std::vector<std::int64_t> dp;     // automatic: powers of two; 1 without experts
  std::vector<std::int64_t> ep;     // automatic: divisors of tp*cp*dp; 1 without experts
  std::vector<std::int64_t> cp{1};  // ranks that share one sequence
  std::vector<std::int64_t> redundant_experts{0};  // slots of a load balancer beyond the experts
  std::vector<std::int64_t> draft_tokens{0};       // MTP drafts per decode step
  std::vector<std::int64_t> chunk_tokens{0};       // longest piece of a prompt per step; 0: whole
  // Kernels between ranks and experts. Those that come to the same for a plan and phase count once.
  std::vector<mapping::AllToAll> all_to_all{mapping::AllToAll::automatic};
  std::vector<NamedPrecision> precision;    // empty: the request's; both phases use the same
  bool without_overlap = true;              // two_batch_overlap contains false
  bool with_overlap = true;                 // … contains true
  bool aggregated = true;                   // serving contains "aggregated"
  bool disaggregated = true;                // … contains "disaggregated"
  bool pair_hardware = false;               // disaggregated also with a machine for each phase
  std::int64_t max_instance_devices = 256;  // one copy of the model
  std::int64_t max_devices = 16384;         // the whole cluster
  bool operator==(const SearchSpace&) const = default;
};

/// `base`: what a precision variant starts from. InputError with the reader's file#/pointer.
SearchSpace read_search(JsonReader in, const model::Precision& base);

/// With every default spelled out.
nlohmann::json to_json(const SearchSpace& space);

}  // namespace fathom::study
