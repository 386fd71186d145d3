#include "calib/folds.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace fathom::calib {
namespace {

// FNV-1a with the finaliser of splitmix64: slices that differ in one digit must not stay
// neighbours.
std::uint64_t mixed_hash(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325U;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  h = (h ^ (h >> 30U)) * 0xbf58476d1ce4e5b9U;
  h = (h ^ (h >> 27U)) * 0x94d049bb133111ebU;
  return h ^ (h >> 31U);
}

}  // namespace

SliceFolds slice_folds(std::span<const Dataset* const> datasets, int folds) {
  std::set<std::pair<std::uint64_t, std::string>> slices;
  for (const Dataset* dataset : datasets) {
    for (const Measurement& row : dataset->rows) slices.emplace(mixed_hash(row.slice), row.slice);
  }
  SliceFolds out;
  int next = 0;
  for (const auto& [hash, slice] : slices) out.emplace(slice, next++ % folds);
  return out;
}

std::map<std::string, std::vector<const Dataset*>, std::less<>> by_family(
    std::span<const Dataset> datasets) {
  std::map<std::string, std::vector<const Dataset*>, std::less<>> out;
  for (const Dataset& dataset : datasets) out[dataset.family].push_back(&dataset);
  return out;
}

}  // namespace fathom::calib
