#pragma once

#include <string>
#include <vector>

namespace fathom::report {

/// One line of a working: "formula", "overhead + (compute^p + memory^p)^(1/p)".
struct WorkingLine {
  std::string term;
  std::string text;
  std::string anchor;  ///< of the working that the line rests on; may be empty
  bool operator==(const WorkingLine&) const = default;
};

/// How one number came about: its formula, the numbers put in, what they rest on.
struct Working {
  std::string anchor;  ///< [a-z0-9-], unique in the document; rows and key figures name it
  std::string name;
  std::vector<WorkingLine> lines;
  bool operator==(const Working&) const = default;
};

/// The workings of a document. In HTML a row or key figure that names one opens it in place; closed
/// in Markdown; left out of terminals and CSV, which carry the numbers alone.
struct Workings {
  std::string summary;
  std::vector<Working> items;
  bool operator==(const Workings&) const = default;
};

}  // namespace fathom::report
