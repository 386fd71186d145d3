#include "hw/efficiency.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "hw/figure.hpp"

namespace fathom::hw {
namespace {

constexpr std::string_view kSchema = "hweff-default/1";
constexpr std::string_view kCalibrationSchema = "calibration/1";  // calib/calibration_page.cpp
constexpr std::string_view kFolder = "hwprofiles/efficiency";
// A share may exceed 1 a little: measured clocks and rounded datasheets disagree by a few percent.
constexpr Range kShare{.min = 1e-6, .max = 1.05};
// A read ceiling belongs to one pattern of access; a kernel's own may be a little faster.
constexpr Range kMemoryShare{.min = 1e-6, .max = 1.3};
constexpr int kMaxTransfers = 4;
// pow(t, blend) of a nanosecond stays a normal double up to here.
constexpr double kMaxBlend = 32.0;

constexpr std::array<std::string_view, kFamilyCount> kFamilyNames{"gemm",
                                                                  "grouped_gemm",
                                                                  "grouped_gemm_decode",
                                                                  "batched_gemm",
                                                                  "attention_prefill",
                                                                  "attention_decode",
                                                                  "mla_prefill",
                                                                  "mla_decode",
                                                                  "sparse_attention",
                                                                  "sparse_prefill",
                                                                  "indexer",
                                                                  "linear_attention",
                                                                  "norm",
                                                                  "cast",
                                                                  "copy",
                                                                  "activation",
                                                                  "permute",
                                                                  "misc",
                                                                  "embedding",
                                                                  "all_reduce",
                                                                  "all_gather",
                                                                  "reduce_scatter",
                                                                  "all_to_all",
                                                                  "send_recv",
                                                                  "dispatch",
                                                                  "combine",
                                                                  "dispatch_low_latency",
                                                                  "combine_low_latency",
                                                                  "kv_transfer"};

std::array<std::string_view, kMathCount> math_names() {
  std::array<std::string_view, kMathCount> names{};
  for (std::size_t i = 0; i < kMathCount; ++i) names[i] = fathom::name(static_cast<Math>(i));
  return names;
}

Seconds microseconds(double us) { return Seconds{us * 1e-6}; }

// Absent keys mean "this effect is not modelled here", never "unknown": shares and the overhead,
// which every call has, must be written down.
Efficiency read_efficiency(JsonReader& entry, Family family, const SourceTable& sources) {
  Efficiency e;
  if (is_arithmetic(family)) e.compute = entry.number("compute", kShare.min, kShare.max);
  if (is_communication(family)) e.near = entry.number("near", kShare.min, kShare.max);
  e.memory = entry.number("memory", kMemoryShare.min, kMemoryShare.max);
  e.overhead = microseconds(entry.number("overhead_us", 0.0, 1e6));
  e.floor = microseconds(entry.number_or("floor_us", 0.0, 0.0, 1e6));
  e.blend = entry.number_or("blend", e.blend, 1.0, kMaxBlend);
  e.tile_m = entry.number_or("tile_m", e.tile_m, 1.0, 65536.0);
  e.tile_n = entry.number_or("tile_n", e.tile_n, 1.0, 65536.0);
  e.feed = BytesPerSecond{entry.number_or("feed_gb_s", 0.0, 0.0, 1e6) * 1e9};
  e.wave = entry.number_or("wave", 0.0, 0.0, 1.0);
  e.cache = Bytes{entry.number_or("cache_mib", 0.0, 0.0, 1e6) * 0x1p20};
  e.cache_rate = BytesPerSecond{entry.number_or("cache_gb_s", 0.0, 0.0, 1e6) * 1e9};
  e.log_sigma = entry.number_or("log_sigma", 0.0, 0.0, 3.0);
  e.sustained_clock = entry.number_or("sustained_clock", 1.0, kShare.min, 1.0);
  e.overlapped = entry.number_or("overlapped", 0.0, 0.0, 1.0);
  e.sm_busy_fixed_s = entry.number_or("sm_busy_fixed_us", 0.0, 0.0, 1e6) * 1e-6;
  e.sm_busy_per_token_s = entry.number_or("sm_busy_per_token_us", 0.0, 0.0, 1e6) * 1e-6;
  e.sm_reserved = entry.number_or("sm_reserved", 0.0, 0.0, 1e6);
  e.evidence = evidence_of(read_grounds(entry, sources).basis);
  return e;
}

/// Which family x arithmetic pairs a file itself speaks about; index kMathCount is "any".
using Stated = std::array<std::bitset<kMathCount + 1>, kFamilyCount>;

struct Entry {
  std::size_t family = 0;
  std::size_t math = kMathCount;  // kMathCount: any
  Efficiency efficiency;
};

Entry read_entry(JsonReader& reader, const SourceTable& sources, Stated& stated) {
  Entry entry;
  entry.family = reader.choice("family", kFamilyNames);
  if (reader.has("math")) entry.math = reader.choice("math", math_names());
  entry.efficiency = read_efficiency(reader, static_cast<Family>(entry.family), sources);
  reader.finish();
  if (stated[entry.family].test(entry.math)) {
    reader.fail("family",
                fmt::format("'{}' has a second entry for the same arithmetic; expected one",
                            kFamilyNames[entry.family]));
  }
  stated[entry.family].set(entry.math);
  return entry;
}

EfficiencySet load_at(const std::filesystem::path& path, int transfers);

std::filesystem::path referenced_file(JsonReader& parent, std::string_view key) {
  const auto name_or_file = parent.string(key);
  try {
    return find_data_file(name_or_file, kFolder);
  } catch (const InputError& error) {
    parent.fail(key, error.what());
  }
}

struct Inherited {
  EfficiencySet set;
  bool same_device = false;
};

// Architecture rule: a curve measured on one device and applied to another is an assumption,
// however well it was measured there.
Inherited read_transfer(JsonReader& reader, const SourceTable& sources, int transfers) {
  const auto from = referenced_file(reader, "from");
  const auto latency_scale = reader.number("communication_latency_scale", 0.1, 10.0);
  // another stack on the same device leaves the evidence as it is
  const bool same_device = reader.boolean_or("same_device", false);
  // fitted forms hold for the same kernels on a close relative, not for another vendor's stack
  const bool with_forms = reader.boolean_or("with_forms", false);
  const Transfer how = reader.boolean_or("same_generation", with_forms)
                           ? Transfer::same_generation
                           : Transfer::other_generation;
  read_grounds(reader, sources);
  reader.finish();
  if (transfers >= kMaxTransfers) {
    reader.fail("from", fmt::format("{} is transfer number {}; expected a chain of at most {} "
                                    "(does it come back to itself?)",
                                    from.filename().string(), transfers + 1, kMaxTransfers));
  }
  auto set = load_at(from, transfers + 1);
  for (std::size_t f = 0; f < kFamilyCount; ++f) {
    // From one generation to the next the latencies of communication grow and those of kernels do
    // not: from H100 to B200 by 1.5 to 1.7 against 0.8 to 1.2.
    const double scale = is_communication(static_cast<Family>(f)) ? latency_scale : 1.0;
    for (auto& e : set.table[f]) {
      e.overhead *= scale;
      if (same_device) continue;
      e.evidence = Evidence::assumed;
      e.transfer = std::max(e.transfer, how);
    }
  }
  if (!same_device) transfer(set.forms, how);
  if (!with_forms) set.forms = {};
  return {std::move(set), same_device};
}

struct Served {
  Family family;
  std::size_t math;  // kMathCount: any
};

/// Which entry of the table a form takes the place of.
constexpr std::array<Served, kFormUseCount> kServed = [] {
  std::array<Served, kFormUseCount> out{};
  const auto set = [&out](FormUse use, Family family, std::size_t math = kMathCount) {
    out[static_cast<std::size_t>(use)] = {family, math};
  };
  set(FormUse::gemm_bf16, Family::gemm, static_cast<std::size_t>(Math::bf16));
  set(FormUse::gemm_fp8, Family::gemm, static_cast<std::size_t>(Math::fp8));
  set(FormUse::gemm_fp4, Family::gemm, static_cast<std::size_t>(Math::fp4));
  set(FormUse::batched_gemm, Family::batched_gemm);
  set(FormUse::grouped_prefill, Family::grouped_gemm);
  set(FormUse::grouped_decode, Family::grouped_gemm_decode);
  set(FormUse::experts_bf16, Family::grouped_gemm, static_cast<std::size_t>(Math::bf16));
  set(FormUse::experts_fp8, Family::grouped_gemm, static_cast<std::size_t>(Math::fp8));
  set(FormUse::experts_fp4, Family::grouped_gemm, static_cast<std::size_t>(Math::fp4));
  set(FormUse::mla_prefill, Family::mla_prefill);
  set(FormUse::mla_decode, Family::mla_decode);
  set(FormUse::mla_decode_fp8_cache, Family::mla_decode);
  set(FormUse::attention_prefill, Family::attention_prefill);
  set(FormUse::attention_prefill_fp8_cache, Family::attention_prefill);
  for (const FormUse use : {FormUse::gqa_decode, FormUse::gqa_decode_fp8_cache, FormUse::mha_decode,
                            FormUse::mha_decode_fp8_cache}) {
    set(use, Family::attention_decode);
  }
  set(FormUse::all_gather, Family::all_gather);
  set(FormUse::all_reduce, Family::all_reduce);
  set(FormUse::reduce_scatter, Family::reduce_scatter);
  set(FormUse::all_to_all, Family::all_to_all);
  set(FormUse::custom_all_reduce, Family::all_reduce);
  set(FormUse::dispatch_low_latency, Family::dispatch_low_latency);
  set(FormUse::dispatch_low_latency_far, Family::dispatch_low_latency);
  set(FormUse::combine_low_latency, Family::combine_low_latency);
  set(FormUse::combine_low_latency_far, Family::combine_low_latency);
  set(FormUse::dispatch, Family::dispatch);
  set(FormUse::dispatch_far, Family::dispatch);
  set(FormUse::combine, Family::combine);
  set(FormUse::combine_far, Family::combine);
  return out;
}();

// What a file says itself goes before a form that it inherits.
void drop_overruled(FormTable& forms, const std::vector<Entry>& entries) {
  for (std::size_t u = 0; u < kFormUseCount; ++u) {
    const Served& served = kServed[u];
    const auto overrules = [&served](const Entry& entry) {
      const bool any = entry.math == kMathCount || served.math == kMathCount;
      return entry.family == static_cast<std::size_t>(served.family) &&
             (any || entry.math == served.math);
    };
    if (std::any_of(entries.begin(), entries.end(), overrules)) forms[u].reset();
  }
}

void refine(EfficiencySet& set, const std::vector<Entry>& entries) {
  // Entries for any arithmetic first, whatever their place in the file: specific ones refine them.
  for (const auto& entry : entries) {
    if (entry.math == kMathCount) set.table[entry.family].fill(entry.efficiency);
  }
  for (const auto& entry : entries) {
    if (entry.math != kMathCount) set.table[entry.family][entry.math] = entry.efficiency;
  }
}

void add_sources(EfficiencySet& set, const SourceTable& sources) {
  for (auto& line : listed(sources)) {
    if (std::find(set.sources.begin(), set.sources.end(), line) == set.sources.end()) {
      set.sources.push_back(std::move(line));
    }
  }
  std::sort(set.sources.begin(), set.sources.end());
}

EfficiencySet parse_at(const nlohmann::json& document, std::string_view where, int transfers) {
  JsonReader file{document, std::string{where}};
  if (file.has("schema") && file.raw("schema") == kCalibrationSchema) {
    file.fail("schema",
              "a report of fits; write them as efficiencies with "
              "fathom calibrate --write-efficiency FILE");
  }
  const std::array schemas{kSchema};
  file.choice("schema", schemas);
  const auto set_name = file.string("name");
  file.ignore({"$schema", "note"});
  const auto sources = read_sources(file);

  Inherited from;
  const bool inherits = file.has("transfer");
  if (auto transfer = file.object_opt("transfer"))
    from = read_transfer(*transfer, sources, transfers);
  EfficiencySet set = std::move(from.set);
  Stated stated{};
  std::vector<Entry> entries;
  for (auto& reader : file.objects("entries"))
    entries.push_back(read_entry(reader, sources, stated));
  drop_overruled(set.forms, entries);
  read_forms(file, sources, from.same_device, set.forms);
  file.finish();

  for (std::size_t f = 0; f < kFamilyCount && !inherits; ++f) {
    if (stated[f].test(kMathCount)) continue;
    file.fail("entries", fmt::format("no entry for family '{}' with any arithmetic; expected one",
                                     kFamilyNames[f]));
  }
  refine(set, entries);
  set.name = set_name;
  add_sources(set, sources);
  return set;
}

EfficiencySet load_at(const std::filesystem::path& path, int transfers) {
  const auto text = read_text(path);
  const bool ours = path.parent_path() == data_dir() / kFolder;
  const auto shown = ours ? fmt::format("{}/{}", kFolder, path.filename().string()) : path.string();
  auto set = parse_at(parse_json(text, shown), shown + "#", transfers);
  // A transferred set depends on both files.
  set.hash = content_hash(set.hash + text);
  return set;
}

nlohmann::json entry_json(Family family, const Efficiency& e) {
  nlohmann::json out{{"family", name(family)},
                     {"memory", e.memory},
                     {"overhead_us", e.overhead.value * 1e6},
                     {"floor_us", e.floor.value * 1e6},
                     {"blend", e.blend},
                     {"evidence", name(e.evidence)}};
  if (e.cache_rate.value > 0.0) {
    out["cache_mib"] = e.cache.value * 0x1p-20;
    out["cache_gb_s"] = e.cache_rate.value / 1e9;
  }
  if (e.log_sigma > 0.0) out["log_sigma"] = e.log_sigma;
  if (is_arithmetic(family)) {
    out["compute"] = e.compute;
    out["sustained_clock"] = e.sustained_clock;
    out["overlapped"] = e.overlapped;
    out["tile_m"] = e.tile_m;
    out["tile_n"] = e.tile_n;
    out["feed_gb_s"] = e.feed.value / 1e9;
    out["wave"] = e.wave;
  }
  if (is_communication(family)) {
    out["near"] = e.near;
    out["sm_busy_fixed_us"] = e.sm_busy_fixed_s * 1e6;
    out["sm_busy_per_token_us"] = e.sm_busy_per_token_s * 1e6;
    out["sm_reserved"] = e.sm_reserved;
  }
  return out;
}

}  // namespace

std::string_view name(Family family) { return kFamilyNames[static_cast<std::size_t>(family)]; }

bool is_communication(Family family) { return family >= Family::all_reduce; }

bool is_arithmetic(Family family) { return family <= Family::linear_attention; }

EfficiencySet load_efficiency(std::string_view name_or_file) {
  return load_at(find_data_file(name_or_file, kFolder), 0);
}

EfficiencySet load_efficiency(JsonReader& parent, std::string_view key) {
  return load_at(referenced_file(parent, key), 0);
}

EfficiencySet parse_efficiency(const nlohmann::json& document, std::string_view where) {
  return parse_at(document, where, 0);
}

nlohmann::json to_json(const EfficiencySet& set) {
  auto entries = nlohmann::json::array();
  for (std::size_t f = 0; f < kFamilyCount; ++f) {
    const auto family = static_cast<Family>(f);
    const auto& row = set.table[f];
    const bool same =
        std::all_of(row.begin(), row.end(), [&](const auto& e) { return e == row[0]; });
    for (std::size_t m = 0; m < (same ? 1 : kMathCount); ++m) {
      auto entry = entry_json(family, row[m]);
      if (!same) entry["math"] = fathom::name(static_cast<Math>(m));
      entries.push_back(std::move(entry));
    }
  }
  return {{"name", set.name},
          {"hash", set.hash},
          {"entries", entries},
          {"forms", to_json(set.forms)},
          {"sources", set.sources}};
}

}  // namespace fathom::hw
