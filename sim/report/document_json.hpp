#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "report/document.hpp"

namespace fathom::report {

/// The whole document: every cell's number in full, `shown` where a builder chose the wording, and
/// "inf", "-inf" or "nan" as strings because JSON has no such numbers.
nlohmann::json to_json(const Document& document);
nlohmann::json to_json(const Table& table);
nlohmann::json to_json(const Plot& plot);
nlohmann::json to_json(const LanePlot& plot);

/// Canonical text of to_json(document).
std::string render_json(const Document& document);

}  // namespace fathom::report
