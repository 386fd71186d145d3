#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"

namespace fathom::hw::test {

/// A shipped file, to be broken by a test in one place.
inline nlohmann::json shipped(std::string_view folder, std::string_view name) {
  return read_json(find_data_file(name, folder));
}
inline nlohmann::json system(std::string_view name) { return shipped("hwprofiles", name); }
inline nlohmann::json efficiencies(std::string_view name) {
  return shipped("hwprofiles/efficiency", name);
}

/// What the user would read, or an empty string.
template <class Parse>
std::string complaint(const Parse& parse, const nlohmann::json& document) {
  try {
    parse(document, "x.json#");
  } catch (const InputError& error) {
    return error.what();
  }
  return {};
}

inline nlohmann::json::json_pointer pointer(const std::string& text) {
  return nlohmann::json::json_pointer{text};
}

}  // namespace fathom::hw::test
