#include "calib/generic_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "calib/moe_table.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"

namespace fathom::calib {
namespace {

struct Unit {
  std::string_view column;
  double seconds;
};
constexpr std::array<Unit, 3> kUnits{
    {{"latency_us", 1e-6}, {"latency_ms", 1e-3}, {"latency_s", 1.0}}};

double latency(const CsvRow& row) {
  const Unit* used = nullptr;
  for (const Unit& unit : kUnits) {
    if (!row.has(unit.column)) continue;
    if (used != nullptr) {
      row.fail(unit.column,
               fmt::format("a second latency column beside {}; expected one unit", used->column));
    }
    used = &unit;
  }
  if (used == nullptr) row.text(kUnits[0].column);  // complains
  return row.positive(used->column) * used->seconds;
}

const forms::Form& form_in(const CsvRow& row) {
  const std::string_view op = row.text("op");
  std::vector<std::string_view> names;
  for (const forms::Form& form : forms::all_forms()) {
    if (form.family == op) return form;
    names.push_back(form.family);
  }
  row.fail("op",
           fmt::format("unknown kernel family '{}'{}", printable(op), did_you_mean(op, names)));
}

struct Default {
  std::string_view column;
  double value;
};
// What most rows have nothing to say about, and columns that may be zero.
constexpr std::array<Default, 5> kDefaults{{{"query_tokens", 1.0},
                                            {"past_tokens", 0.0},
                                            {"eager", 0.0},
                                            {"nodes", 1.0},
                                            {"streams", 4.0}}};

double shape_value(const CsvRow& row, std::string_view column) {
  const auto* known = std::find_if(kDefaults.begin(), kDefaults.end(),
                                   [&](const Default& d) { return d.column == column; });
  if (known == kDefaults.end()) return row.positive(column);
  return row.has(column) && known->value == 0.0 ? row.count(column)
         : row.has(column)                      ? row.positive(column)
                                                : known->value;
}

std::string kv_label(const CsvRow& row) {
  return "kv_" + dtype_of(row, row.has("kv_dtype") ? "kv_dtype" : "dtype");
}

std::string kernel_label(const CsvRow& row) {
  const bool named = row.has("kernel") && !row.text("kernel").empty();
  return named ? '/' + std::string{row.text("kernel")} : std::string{};
}

std::string choice(const CsvRow& row, std::initializer_list<std::string_view> known) {
  const std::string_view found = row.text("kernel");
  if (std::find(known.begin(), known.end(), found) == known.end()) {
    row.fail("kernel", fmt::format("found '{}'; expected one of {}", printable(found),
                                   fmt::join(known, ", ")));
  }
  return std::string{found};
}

// The sub-fit: number formats and kernel, spelled as the importers of published tables do.
std::string group_of(const CsvRow& row, std::string_view family) {
  if (family == "mhc") return choice(row, {"pre", "post"});
  if (family == "nccl") {
    return choice(row,
                  {"all_reduce", "integer/all_reduce", "all_gather", "reduce_scatter", "alltoall"});
  }
  if (family == "custom_allreduce") return "all_reduce";
  if (family == "context_mla" || family == "generation_mla" || family == "infersim_mla_decode" ||
      family == "infersim_mha_decode") {
    return kv_label(row);
  }
  if (family == "generation_attention") {
    const bool plain = row.positive("heads") == row.positive("kv_heads");
    return kv_label(row) + (plain ? "/mha" : "/gqa");
  }
  const std::string dtype = dtype_of(row, "dtype");
  if (family == "context_attention" || family.starts_with("mla_context") ||
      family.starts_with("mla_generation")) {
    return dtype + '/' + kv_label(row);
  }
  if (family.starts_with("dsa_")) {
    const bool dense = row.has("kernel") && row.text("kernel").starts_with("dense");
    return dtype + (dense ? "/dense" : "/sparse") + kernel_label(row) + '/' + kv_label(row);
  }
  return family == "moe" || family == "infersim_grouped" ? dtype + kernel_label(row) : dtype;
}

}  // namespace

bool looks_generic(const std::vector<std::string>& header) {
  return std::any_of(header.begin(), header.end(), [](const std::string& name) {
    return name == "op" || std::any_of(kUnits.begin(), kUnits.end(),
                                       [&](const Unit& unit) { return unit.column == name; });
  });
}

Draft generic_draft(const CsvRow& row, forms::ExpertLoads& loads) {
  const forms::Form& form = form_in(row);
  Draft draft{.family = form.family};
  if (form.family == "moe") {
    constexpr MoeColumns kColumns{"tokens",  "hidden", "inter", "topk",
                                  "experts", "tp",     "ep",    "distribution"};
    draft = moe_draft(row, kColumns, loads);
    draft.transfer_group = dtype_of(row, "dtype");
  } else {
    for (const std::string_view column : form.columns) {
      draft.shape.push_back(shape_value(row, column));
    }
  }
  draft.group = group_of(row, form.family);
  draft.latency_s = latency(row);
  return draft;
}

}  // namespace fathom::calib
