#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "report/document.hpp"
#include "study/evaluate.hpp"
#include "study/plan_search.hpp"

namespace fathom::report {

/// "What if": sliders over batch, context, speculation, bandwidths and price of a scenario, with
/// the figures that move; a note instead where the scenario cannot leave this machine. `document`
/// is what the scenario was parsed from; `command` answers it, or, when empty, what-if.json is to
/// be downloaded first. The answer must be feasible.
std::vector<Block> what_if_blocks(const nlohmann::json& document, const study::Scenario& scenario,
                                  const study::Answer& answer, const std::string& command);

/// The same for one decoding instance of the smallest cluster; nothing where there is none, or
/// where the search looked at it with anything but a scenario's means (slower kernels, a sampled
/// load).
std::vector<Block> what_if_blocks(const study::PlanResult& result);

/// Puts them where a page's readers find them, below its key figures, and a heading over the rest,
/// if that has none.
void insert_what_if(Document& page, std::vector<Block> blocks, const std::string& rest);

}  // namespace fathom::report
