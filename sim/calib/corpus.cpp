#include "calib/corpus.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "calib/devices.hpp"
#include "calib/import.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "hw/cluster.hpp"

namespace fathom::calib {
namespace {

void keep_only(Corpus& corpus, std::string Dataset::*field, const std::string& wanted,
               std::string_view flag) {
  if (wanted.empty()) return;
  std::set<std::string> known;
  for (const Dataset& d : corpus.datasets) known.insert(d.*field);
  if (!known.contains(wanted)) {
    const std::vector<std::string_view> names(known.begin(), known.end());
    const std::string hint = did_you_mean(wanted, names);
    throw InputError(
        fmt::format("command line: {} '{}' has no rows here{}", flag, wanted,
                    hint.empty() ? fmt::format("; expected {}", fmt::join(names, ", ")) : hint));
  }
  std::erase_if(corpus.datasets, [&](const Dataset& d) { return d.*field != wanted; });
}

}  // namespace

Corpus load_corpus(const std::filesystem::path& directory, const CorpusFilter& filter) {
  Import found = import_tables(directory);
  Corpus corpus{.datasets = std::move(found.datasets), .skipped = std::move(found.skipped)};
  keep_only(corpus, &Dataset::family, filter.family, "--family");
  keep_only(corpus, &Dataset::device, filter.device, "--device");
  if (corpus.datasets.empty()) {
    throw InputError(fmt::format("{}: no measured tables found", directory.string()));
  }
  std::ranges::stable_sort(corpus.datasets, [](const Dataset& a, const Dataset& b) {
    return std::tie(a.family, a.device, a.stack) < std::tie(b.family, b.device, b.stack);
  });
  for (const Dataset& d : corpus.datasets) {
    if (!corpus.devices.contains(d.device)) {
      corpus.devices.emplace(d.device, device_figures(hw::load_cluster(d.device)));
    }
  }
  return corpus;
}

}  // namespace fathom::calib
