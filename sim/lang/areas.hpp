#pragma once

#include <string_view>
#include <vector>

namespace fathom::lang {

/// A file of the catalogue: a JSON object from English to Chinese.
struct Area {
  std::string_view file;  ///< "zh/help.json"
  std::string_view text;
};

/// The files of zh/, embedded when the library is built.
std::vector<Area> chinese_areas();

}  // namespace fathom::lang
