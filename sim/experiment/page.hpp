#pragma once

#include <nlohmann/json_fwd.hpp>

#include "experiment/balance.hpp"
#include "experiment/fp8.hpp"
#include "report/document.hpp"

namespace fathom::experiment {

report::Document page(const BalanceResult& result);
nlohmann::json to_json(const BalanceResult& result);

report::Document page(const Fp8Result& result);
nlohmann::json to_json(const Fp8Result& result);

}  // namespace fathom::experiment
