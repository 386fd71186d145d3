#include "calib/sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "calib/family_keys.hpp"
#include "calib/roof.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "forms/precision.hpp"

namespace fathom::calib {
namespace {

// No kernel starts and ends faster than this: the clock did not see it.
constexpr double kFastestKernel_s = 0.5e-6;

struct Spelling {
  std::string_view found;
  std::string_view dtype;
};
constexpr std::array<Spelling, 9> kSpellings{{{"bfloat16", "bf16"},
                                              {"float16", "bf16"},
                                              {"half", "bf16"},
                                              {"fp16", "bf16"},
                                              {"fp8_e4m3", "fp8"},
                                              {"float8_e4m3fn", "fp8"},
                                              {"fp8_static", "fp8"},
                                              {"fp8_ootb", "fp8"},
                                              {"auto", "bf16"}}};
constexpr std::array<std::string_view, 9> kKnown{"bf16",      "bfloat16", "fp8",
                                                 "fp8_block", "nvfp4",    "int4_wo",
                                                 "int8_wo",   "w4afp8",   "w4a8_mxfp4_mxfp8"};

std::string shape_key(const Measurement& row, std::string_view labels) {
  return fmt::format("{}|{}|{}|{:g}", row.group, labels, row.slice, fmt::join(row.shape, ","));
}

}  // namespace

std::string dtype_of(const CsvRow& row, std::string_view column) {
  const std::string_view found = row.text(column);
  for (const Spelling& spelling : kSpellings) {
    if (spelling.found == found) return std::string{spelling.dtype};
  }
  if (!forms::find_precision(found)) {
    row.fail(column, fmt::format("unknown number format '{}'{}", printable(found),
                                 did_you_mean(found, kKnown)));
  }
  return std::string{found};
}

void Sheet::add(const CsvRow& row, std::string_view stack, Draft draft) {
  Family& family = families_[std::string{draft.family}];
  if (family.data.family.empty()) {
    family.data.family = draft.family;
    family.data.device = device_;
    family.data.stack = stack;
    family.data.file = file_;
  }
  Measurement out{.group = std::move(draft.group),
                  .transfer_group = std::move(draft.transfer_group),
                  .slice = std::move(draft.slice),
                  .labels = draft.labels,
                  .shape = std::move(draft.shape),
                  .exact = std::move(draft.exact),
                  .axes = std::move(draft.axes),
                  .latency_s = draft.latency_s,
                  .line = row.line,
                  .flag = std::move(draft.flag)};
  if (out.transfer_group.empty()) out.transfer_group = out.group;
  derive_keys(draft.family, out);
  out.roof_s = roof_seconds(draft.family, out.group, out.shape, figures_);
  out.size = out.roof_s;
  const auto [seen, fresh] = family.lines.emplace(shape_key(out, draft.labels), row.line);
  if (out.flag.empty() && !fresh) out.flag = fmt::format("repeats line {}", seen->second);
  if (out.flag.empty() && out.latency_s < kFastestKernel_s) {
    out.flag = "shorter than any kernel launch";
  }
  family.data.rows.push_back(std::move(out));
}

std::vector<Dataset> Sheet::datasets() && {
  std::vector<Dataset> out;
  for (auto& [name, family] : families_) out.push_back(std::move(family.data));
  return out;
}

}  // namespace fathom::calib
