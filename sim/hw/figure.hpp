#pragma once
// A figure is a number with its grounds: {"v": 3350, "src": ["key"], "basis": "third_party"}.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_reader.hpp"
#include "hw/provenance.hpp"

namespace fathom::hw {

/// The `sources` object of one file: the keys that `src` may name, with the citation behind each.
using SourceTable = std::map<std::string, std::string, std::less<>>;
SourceTable read_sources(JsonReader& file);
/// "key: citation", sorted by key.
std::vector<std::string> listed(const SourceTable& sources);

struct Grounds {
  Basis basis = Basis::assumed;
  std::vector<std::string> src;
  bool noted = false;  // has a note; checks accept an odd value only with one
};
/// Reads `basis`, `src` and `note` of one object. InputError if it names no known source.
Grounds read_grounds(JsonReader& entry, const SourceTable& sources);

struct Figure {
  double value = 0.0;
  Grounds grounds;
};
struct Range {
  double min = 0.0;
  double max = 1e18;
};

/// Reads the figures of one file and remembers which of them need confessing.
class FigureReader {
 public:
  explicit FigureReader(SourceTable sources) : sources_(std::move(sources)) {}

  Figure required(JsonReader& parent, std::string_view key, Range range);
  /// Empty when the key is absent or null: the figure is unknown.
  std::optional<Figure> optional(JsonReader& parent, std::string_view key, Range range);

  const SourceTable& sources() const { return sources_; }
  /// JSON pointers of figures that rest on an assumption or an unopened vendor document.
  const std::vector<std::string>& assumed() const { return assumed_; }

 private:
  SourceTable sources_;
  std::vector<std::string> assumed_;
};

}  // namespace fathom::hw
