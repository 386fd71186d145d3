#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "report/document.hpp"
#include "study/report_spec.hpp"

namespace fathom::cli {

/// A report and the exit code that goes with it.
struct MadeReport {
  report::Document document;
  int exit_code = 0;
  std::vector<report::Block> what_if;  ///< for pages, below the key figures
};

/// Computes what the spec asks for. `where` names it in complaints. `progress` is told the share of
/// what takes long.
MadeReport make_report(const study::ReportSpec& spec, std::string_view where,
                       const std::function<void(double)>& progress);

}  // namespace fathom::cli
