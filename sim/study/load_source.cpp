#include "study/load_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "lang/say.hpp"

namespace fathom::study {
namespace {

using lang::say;
using nlohmann::json;
using Counts = std::vector<std::vector<double>>;

constexpr std::array<std::string_view, 4> kKinds{"uniform", "power_law", "zipf", "trace"};
// Beyond 2 almost every draw of the density lies at its lower end: loads become even again.
constexpr double kSteepestDensity = 2.0;
constexpr double kSteepestZipf = 10.0;
constexpr std::int64_t kMaxLayers = 1000;  // some seconds of sampling
constexpr double kMaxTokens = 1e9;

std::vector<double> numbers(const json& row, const std::string& where) {
  if (!row.is_array()) {
    throw InputError(fmt::format("{}: found {}; expected the counts of one layer as a list", where,
                                 row.type_name()));
  }
  std::vector<double> out;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!row[i].is_number() || row[i].get<double>() < 0.0) {
      throw InputError(
          fmt::format("{}/{}: found {}; expected a count, 0 or above", where, i, row[i].dump()));
    }
    out.push_back(row[i].get<double>());
  }
  return out;
}

// A line of CSV is a row of a JSON list without its brackets.
Counts read_csv(const std::string& file) {
  const std::string text = read_text(file);
  Counts out;
  std::size_t begin = 0;
  for (int line = 1; begin < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string row = text.substr(begin, end - begin);
    begin = end + 1;
    if (!row.empty() && row.back() == '\r') row.pop_back();
    if (row.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = fmt::format("{}:{}", file, line);
    out.push_back(numbers(parse_json(fmt::format("[{}]", row), where), where));
  }
  return out;
}

Counts read_trace(const std::string& file) {
  if (file.ends_with(".csv")) return read_csv(file);
  const json document = read_json(file);
  JsonReader in{document, file + "#"};
  in.ignore({"comment", "source", "model", "counts"});
  in.finish();
  if (!in.has("counts") || !in.raw("counts").is_array()) {
    in.fail("counts", "expected one list of counts per MoE layer");
  }
  const json& rows = in.raw("counts");
  Counts out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out.push_back(numbers(rows[i], fmt::format("{}/{}", in.at("counts"), i)));
  }
  return out;
}

double total(const std::vector<double>& row) {
  return std::accumulate(row.begin(), row.end(), 0.0);
}

// Engines that count every layer leave the dense ones empty.
void drop_dense_layers(Counts& counts, const model::ArchSpec& arch, const std::string& file) {
  Counts kept;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (arch.kinds[static_cast<std::size_t>(arch.layers[i])].moe.n_routed_experts > 0) {
      kept.push_back(std::move(counts[i]));
    } else if (total(counts[i]) > 0.0) {
      throw InputError(
          fmt::format("{}: layer {} of {} has no experts; expected no counts", file, i, arch.name));
    }
  }
  counts = std::move(kept);
}

void check_trace(Counts& counts, const model::ArchSpec& arch, const std::string& file) {
  const std::vector<model::MoeSpec> layers = moe_layers(arch);
  if (counts.size() == arch.layers.size() && counts.size() != layers.size()) {
    drop_dense_layers(counts, arch, file);
  }
  if (counts.size() != layers.size()) {
    throw InputError(fmt::format("{}: found {} layers; {} has {} with experts, {} in all", file,
                                 counts.size(), arch.name, layers.size(), arch.layers.size()));
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto experts = static_cast<std::size_t>(layers[i].n_routed_experts);
    if (counts[i].size() != experts) {
      throw InputError(fmt::format("{}: MoE layer {} has {} counts; {} has {} routed experts", file,
                                   i, counts[i].size(), arch.name, experts));
    }
    if (total(counts[i]) <= 0.0) {
      throw InputError(fmt::format("{}: MoE layer {} has no tokens at all", file, i));
    }
  }
}

// The one key that says where the loads come from.
LoadSource::Kind read_kind(JsonReader& in) {
  std::vector<std::string_view> found;
  for (const std::string_view kind : kKinds) {
    in.ignore(kind);
    if (in.has(kind)) found.push_back(kind);
  }
  if (found.empty()) {
    in.ignore({"layers", "seed", "tokens", "eplb"});
    in.finish();
    throw InputError(
        fmt::format("{}: no source of loads; expected 'uniform', 'power_law', 'zipf' "
                    "or 'trace', or a number instead of an object",
                    in.where()));
  }
  if (found.size() > 1) {
    in.fail(found[1], fmt::format("contradicts '{}'; give one of them", found[0]));
  }
  const auto at = std::ranges::find(kKinds, found[0]);
  return static_cast<LoadSource::Kind>(at - kKinds.begin());
}

}  // namespace

std::vector<model::MoeSpec> moe_layers(const model::ArchSpec& arch) {
  std::vector<model::MoeSpec> out;
  for (const int kind : arch.layers) {
    const model::MoeSpec& moe = arch.kinds[static_cast<std::size_t>(kind)].moe;
    if (moe.n_routed_experts > 0) out.push_back(moe);
  }
  return out;
}

LoadSource parse_load_source(const json& document, std::string_view where,
                             const model::ArchSpec& arch) {
  JsonReader in{document, std::string(where)};
  LoadSource s;
  s.kind = read_kind(in);
  const std::string key{kKinds[static_cast<std::size_t>(s.kind)]};
  if (moe_layers(arch).empty()) {
    in.fail(key, fmt::format("{} has no experts; expected no expert_load", arch.name));
  }
  switch (s.kind) {
    case LoadSource::Kind::uniform:
      if (!in.boolean(key)) in.fail(key, "found false; expected true, or another source");
      break;
    case LoadSource::Kind::power_law:
      s.exponent = in.number(key, 0.0, kSteepestDensity);
      break;
    case LoadSource::Kind::zipf:
      s.exponent = in.number(key, 0.0, kSteepestZipf);
      break;
    case LoadSource::Kind::trace:
      s.file = in.string(key);
      s.counts = read_trace(s.file);
      check_trace(s.counts, arch, s.file);
      break;
  }
  if (s.kind == LoadSource::Kind::trace && in.has("layers")) {
    in.fail("layers", "a trace has its own layers; leave it out");
  }
  if (in.has("layers")) s.layers = in.integer("layers", 1, kMaxLayers);
  s.seed = in.integer_or("seed", 1);
  if (in.has("tokens")) s.tokens = in.number("tokens", 1.0, kMaxTokens);
  if (in.has("eplb")) s.eplb = in.boolean("eplb");
  in.finish();
  return s;
}

json to_json(const LoadSource& s) {
  const std::string key{kKinds[static_cast<std::size_t>(s.kind)]};
  json out{{"seed", s.seed}};
  if (s.kind == LoadSource::Kind::uniform) out[key] = true;
  if (s.kind == LoadSource::Kind::power_law || s.kind == LoadSource::Kind::zipf) {
    out[key] = s.exponent;
  }
  if (s.kind == LoadSource::Kind::trace) out[key] = s.file;
  if (s.layers > 0) out["layers"] = s.layers;
  if (s.tokens) out["tokens"] = *s.tokens;
  if (s.eplb) out["eplb"] = *s.eplb;
  return out;
}

std::string describe(const LoadSource& s) {
  switch (s.kind) {
    case LoadSource::Kind::uniform:
      return "uniform routing";
    case LoadSource::Kind::power_law:
      return say("a power law of exponent {:g}", s.exponent);
    case LoadSource::Kind::zipf:
      return say("Zipf's law of exponent {:g}", s.exponent);
    case LoadSource::Kind::trace:
      return say("the trace {}", s.file);
  }
  return {};
}

}  // namespace fathom::study
