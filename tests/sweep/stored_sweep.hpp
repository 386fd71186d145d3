#pragma once
// Sweeps of random rows, for the tests of what stores them.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "core/rng.hpp"
#include "sweep/database.hpp"

namespace fathom::sweep {

/// A folder that goes with the test.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "fathom-sweep-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline Manifest random_manifest(Rng& rng, PointRange whole) {
  Manifest manifest{.range = whole, .whole = whole};
  const auto add = [&](std::vector<Column>& columns, const std::string& name) {
    Column column{.name = name, .kind = static_cast<ColumnKind>(rng.below(3))};
    if (column.kind == ColumnKind::text)
      column.texts = {"", "deepseek-v3", "it's \"so\"", "h800\n"};
    columns.push_back(column);
  };
  const std::uint64_t inputs = rng.below(12);
  for (std::uint64_t i = 0; i < inputs; ++i)
    add(manifest.layout.inputs, "/in/" + std::to_string(i));
  const std::uint64_t results = rng.below(16);
  for (std::uint64_t i = 0; i < results; ++i) {
    add(manifest.layout.results, "result_" + std::to_string(i));
  }
  manifest.provenance.entries = {{"version", "0.1.0"}, {"sweep.json", "0123456789abcdef"}};
  return manifest;
}

inline double random_value(Rng& rng, const Column& column) {
  switch (rng.below(8)) {
    case 0:
      return std::numeric_limits<double>::quiet_NaN();
    case 1:
      if (column.kind == ColumnKind::real) return std::numeric_limits<double>::infinity();
      break;
    case 2:
      if (column.kind != ColumnKind::text) return -static_cast<double>(rng.below(1U << 30U)) - 1.0;
      break;
    default:
      break;
  }
  if (column.kind == ColumnKind::text) {
    return static_cast<double>(rng.below(column.texts.size()));
  }
  if (column.kind == ColumnKind::integer) return static_cast<double>(rng.below(1U << 20U));
  return rng.normal() * 1e-3;
}

/// The rows of [begin, end), the same for one `seed` however the points are cut. About one number
/// in `sparsity` has a row, every fifth of them without results.
inline Block random_block(const Layout& layout, PointRange range, std::uint64_t seed,
                          std::uint64_t sparsity = 1) {
  Block block{.begin = range.begin, .end = range.end};
  for (std::int64_t number = range.begin; number < range.end; ++number) {
    Rng rng(seed * 1000003U + static_cast<std::uint64_t>(number));
    if (rng.below(sparsity) != 0) continue;
    block.numbers.push_back(number);
    for (const Column& column : layout.inputs) block.inputs.push_back(random_value(rng, column));
    const bool feasible = rng.below(5) != 0;
    for (const Column& column : layout.results) {
      block.results.push_back(feasible ? random_value(rng, column)
                                       : std::numeric_limits<double>::quiet_NaN());
    }
    block.reason.push_back(feasible ? -1 : static_cast<std::int32_t>(rng.below(2)));
  }
  block.reasons = {"needs 81.2 GB, has 80 GB", "=tp \"6\", heads 128"};
  return block;
}

/// Appends the rest of the range, `cuts` blocks at a time; stops before `until`.
inline void append_rows(Database& database, const Manifest& manifest, std::uint64_t seed,
                        std::int64_t until = std::numeric_limits<std::int64_t>::max(),
                        std::uint64_t sparsity = 1) {
  while (database.next() < manifest.range.end && database.next() < until) {
    const PointRange range = {database.next(), block_end(database.next(), manifest.range)};
    database.append(random_block(manifest.layout, range, seed, sparsity));
  }
}

/// A database written in one go.
inline std::string write_sweep(const std::string& path, const Manifest& manifest,
                               std::uint64_t seed, std::uint64_t sparsity = 1) {
  Database database = Database::create(path, manifest, false);
  append_rows(database, manifest, seed, std::numeric_limits<std::int64_t>::max(), sparsity);
  database.finish();
  return path;
}

}  // namespace fathom::sweep
