#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "report/document.hpp"

namespace fathom::cli {

/// ok: nothing to do. note: something is missing or slower than it could be. problem: the program
/// cannot do its work here.
enum class Verdict : std::uint8_t { ok, note, problem };
std::string_view name(Verdict verdict);

/// One thing that was looked at.
struct Finding {
  std::string what;
  Verdict verdict = Verdict::ok;
  std::string found;
  std::string advice;  ///< what to do; empty when all is well
  bool operator==(const Finding&) const = default;
};

/// Processor, memory, data folder, modules, calibration, terminal: what this machine offers, now.
std::vector<Finding> examine_this_machine();

report::Document doctor_page(const std::vector<Finding>& findings);
nlohmann::json to_json(const std::vector<Finding>& findings);
bool has_problem(const std::vector<Finding>& findings);

}  // namespace fathom::cli
