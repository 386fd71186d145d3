#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace fathom::cli {

inline constexpr const char* kExpertLoadHelp =
    "Slowest rank's rows over the mean: a number, or where it comes from: uniform, power_law=A, "
    "zipf=S or trace=FILE, then ,tokens=N ,layers=N ,seed=N ,eplb=true";

/// The text of --expert-load as a scenario's expert_load: a number, a JSON object, or the object's
/// fields as key=value,key=value where a key alone means true.
nlohmann::json expert_load_value(const std::string& text, const std::string& where);

}  // namespace fathom::cli
