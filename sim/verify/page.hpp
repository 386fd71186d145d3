#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "report/document.hpp"
#include "verify/verify.hpp"

namespace fathom::verify {

struct Summary {
  int cases = 0;
  int passed = 0;
  int failed = 0;
  int unknown = 0;
  int unreadable = 0;
  long tensors = 0;
  long tensors_failed = 0;
};
Summary summarize(const std::vector<CaseReport>& cases);
/// "29 cases: 29 passed; 941 tensors compared, 0 outside of their tolerance".
std::string text(const Summary& summary);

/// A line per tensor, then the closing count. `failures_only` leaves out what passed.
report::Document page(const std::vector<CaseReport>& cases, bool failures_only);
nlohmann::json to_json(const std::vector<CaseReport>& cases);

}  // namespace fathom::verify
