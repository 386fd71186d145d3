#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validate/interval.hpp"
#include "validate/setup.hpp"

namespace fathom::validate {

enum class Category : std::uint8_t {
  exact,       // counts that follow from a published configuration
  limit,       // planning bounds, stated with their arithmetic
  kernel,      // one kernel on one device
  collective,  // NCCL inside a node
  all_to_all,  // expert-parallel exchanges
  inference,   // a step end to end
  mtp,         // gains of speculative decoding
  economics,
};
inline constexpr std::size_t kCategoryCount = 8;
std::string_view name(Category category);
/// Rows without a time model behind them have no interval.
bool has_interval(Category category);

/// A number that can be asked of a set-up: see quantity.hpp.
struct Measure {
  Setup setup;
  std::string quantity;
};

enum class Relation : std::uint8_t { none, divided_by, minus, plus };

/// A published result and what our model needs to predict it.
struct Row {
  std::string id;
  Category category = Category::exact;
  std::string claim;
  std::string source;
  Measure measure;
  Relation relation = Relation::none;
  std::optional<Measure> other;  // what `measure` is divided by, less, or added to
  double weight = 1.0;           // of `other` when added or taken off
  double scale = 1.0;            // into the published unit
  double low = 0.0;              // published; low == high unless the source gives a range
  double high = 0.0;
  std::string unit;
  double tolerance = 0.0;  // relative
  std::string unknown;     // what the source does not say about the set-up
  Unknowns unknowns;       // the part of it that widens the interval
  bool blind = false;      // true: nobody looked at it while the model was built
};

/// The published figure; the middle of a range.
double published(const Row& row);

/// A published result that the program cannot be asked for.
struct Gap {
  std::string id;
  Category category = Category::exact;
  std::string claim;
  std::string source;
  std::string reason;
};

struct LedgerFile {
  std::string name;
  std::string hash;
};

struct Ledger {
  std::vector<Row> rows;
  std::vector<Gap> gaps;
  std::vector<LedgerFile> files;
};

/// One file: {"title", "rows": […], "not_expressible": […]}. Ids must be unique in the whole
/// ledger. InputError with file#/pointer.
void read_ledger_file(const nlohmann::json& document, std::string_view where, Ledger& out);

/// Every .json file of a folder, by name; empty: reports/ledger beside models/ and hwprofiles/.
Ledger load_ledger(const std::filesystem::path& folder);

}  // namespace fathom::validate
