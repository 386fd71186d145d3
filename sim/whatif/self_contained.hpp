#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>
#include <vector>

#include "study/scenario.hpp"

namespace fathom::whatif {

/// A scenario with all that it is read from, to be answered where there are no files: in a page.
struct SelfContained {
  std::string scenario;  // the document; names of models and machines are those of `files`
  struct File {
    std::string name;  // below the data folder: "models/deepseek-v3.json"
    std::string text;
    bool operator==(const File&) const = default;
  };
  std::vector<File> files;
};

/// Why a scenario cannot leave this machine.
struct Bound {
  std::string reason;
};

/// `document` is what `scenario` was parsed from. Bound for `local` and transferred profiles, for
/// expert loads from a trace, and for profiles that name an efficiency file outside the data
/// folder.
std::variant<SelfContained, Bound> self_contained(const nlohmann::json& document,
                                                  const study::Scenario& scenario);

}  // namespace fathom::whatif
