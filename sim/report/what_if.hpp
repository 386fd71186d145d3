#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/table.hpp"

namespace fathom::report {

/// One field of a scenario that a reader may move.
struct WhatIfSlider {
  std::string pointer;          ///< JSON pointer of the field
  std::string label;            ///< "Context"
  std::string unit;             ///< "tokens"; "×" for a factor
  std::vector<double> stops;    ///< ascending; the scenario's own value is one of them
  std::optional<double> value;  ///< the scenario's own; absent: not known
  std::string needs;            ///< pointer of the slider without which (at 0) this one is 0
  std::optional<double> whole;  ///< what a factor multiplies …
  std::string whole_unit;       ///< … "GB/s"
  bool operator==(const WhatIfSlider&) const = default;
};

/// A figure of the answer.
struct WhatIfFigure {
  std::string pointer;  ///< of what `fathom estimate --format json` prints
  std::string label;
  std::string unit;
  double scale = 1.0;           ///< shown = printed * scale
  std::optional<double> value;  ///< as printed, of the scenario as it is
  bool operator==(const WhatIfFigure&) const = default;
};

/// A scenario to play with: in HTML sliders whose figures the program's own functions recompute
/// (whatif/calculator.hpp), elsewhere the command that does.
struct WhatIf {
  std::string scenario;     ///< JSON, names resolved by `files`
  std::string document;     ///< JSON, as the reader would write it
  std::string command;      ///< answers `document`, without output options
  bool needs_file = false;  ///< `command` reads `document` from what-if.json
  struct File {
    std::string name;
    std::string text;
    bool operator==(const File&) const = default;
  };
  std::vector<File> files;
  std::vector<WhatIfSlider> sliders;
  std::vector<WhatIfFigure> figures;
  bool operator==(const WhatIf&) const = default;
};

/// Where there is nothing to move: how to ask the same question with another value.
std::string what_if_text(const WhatIf& block);

/// Sliders, figures and the data for assets/whatif.js; `id` is unique on the page.
std::string what_if_html(const WhatIf& block, const std::string& id);
/// Once per page: the calculator, compressed, and the script that moves with it.
std::string what_if_scripts();
/// Whether the program carries a calculator for pages.
bool has_calculator();

}  // namespace fathom::report
