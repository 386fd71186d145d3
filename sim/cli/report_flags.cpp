#include "cli/report_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

constexpr const char* kWhere = "command line#";

struct Field {
  const char* flag;
  const char* key;
  const char* help;
};

constexpr std::array kFields{
    Field{"--title", "title", "Title of the report"},
    Field{"--model", "model", "Name from models/ or a config.json"},
    Field{"--models", "models", "Several of them, comma-separated"},
    Field{"--base", "base", "Whose attention is exchanged"},
    Field{"--attention", "attention", "Kinds given to it: mha, gqa-8, mqa, mla, …"},
    Field{"--hardware", "hardware", "Names from hwprofiles/ or files, comma-separated"},
    Field{"--gpus", "gpus", "Of an instance; 0: the fewest that hold the model"},
    Field{"--contexts", "contexts", "Tokens in the cache, ascending"},
    Field{"--context", "context_tokens", "… where the report has one"},
    Field{"--batches", "batches", "Sequences per GPU, ascending"},
    Field{"--sequences-per-gpu", "sequences_per_gpu", "… where the report has one"},
    Field{"--kv", "kv", "Cache: bf16, fp8, fp8_mla, nvfp4 [+index-…]"},
    Field{"--categories", "categories", "Of the ledger, comma-separated"},
    Field{"--measured", "measured", "Folder of kernel tables to fit"}};

bool is_list(std::string_view report, std::string_view key) {
  if (key == "hardware") {
    return report == "capacity" || report == "compare-hardware" || report == "kv-cache" ||
           report == "calibration";
  }
  if (key == "kv") return report == "kv-cache";
  constexpr std::array<std::string_view, 5> kLists{"models", "attention", "contexts", "batches",
                                                   "categories"};
  return std::ranges::find(kLists, key) != kLists.end();
}

// Where a spec keeps a field: what belongs to a plan request or a scenario is inside of it.
std::string pointer_of(std::string_view report, std::string_view key) {
  const bool own = key == "title" || key == "batches";
  std::string inside;
  if (report == "capacity" && !own) inside = "/plan";
  if (report == "roofline" && !own) inside = "/scenario";
  if (inside.empty()) return fmt::format("/{}", key);
  if (key == "kv") return inside + "/precision/kv";
  if (report == "roofline" && (key == "context_tokens" || key == "sequences_per_gpu")) {
    return fmt::format("{}/workload/{}", inside, key);
  }
  return fmt::format("{}/{}", inside, key);
}

// Numbers are numbers, the rest is text: the reader says what it expected.
json value_of(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  return value.is_number() ? value : json(text);
}

json list_of(const std::string& text) {
  json list = json::array();
  for (std::size_t at = 0; !text.empty() && at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    list.push_back(value_of(text.substr(at, comma - at)));
    at = comma + 1;
  }
  return list;
}

void put(json& document, const std::string& pointer, json value) {
  try {
    document[json::json_pointer(pointer)] = std::move(value);
  } catch (const json::exception&) {
    throw InputError(
        fmt::format("{}{}: cannot be set; expected a JSON pointer into objects of the "
                    "spec, as in /hardware",
                    kWhere, pointer));
  }
}

void apply(const ReportFlags& flags, std::string_view report, json& document) {
  for (const auto& [key, text] : flags.fields) {
    put(document, pointer_of(report, key), is_list(report, key) ? list_of(text) : value_of(text));
  }
  for (const std::string& set : flags.sets) {
    const std::size_t equals = set.find('=');
    if (equals == std::string::npos || !set.starts_with("/")) {
      throw InputError(fmt::format(
          "command line: --set {}: expected /json/pointer=VALUE, as in /ep_of_others=32", set));
    }
    const std::string text = set.substr(equals + 1);
    json value = json::parse(text, nullptr, false);
    put(document, set.substr(0, equals), value.is_discarded() ? json(text) : std::move(value));
  }
}

}  // namespace

void add_report_flags(CLI::App& command, ReportFlags& flags) {
  constexpr const char* kGroup = "Fields of a report's spec";
  for (const Field& field : kFields) {
    const std::string key = field.key;
    command
        .add_option_function<std::string>(
            field.flag,
            [&flags, key](const std::string& text) { flags.fields.emplace_back(key, text); },
            field.help)
        ->option_text("VALUE")
        ->group(kGroup);
  }
  command.add_option("--set", flags.sets, "Any field, repeatable: /json/pointer=VALUE")
      ->option_text("/POINTER=VALUE…")
      ->group(kGroup);
}

bool is_report(std::string_view name) {
  std::error_code error;
  return std::ranges::find(study::kReports, name) != study::kReports.end() &&
         !std::filesystem::is_regular_file(std::filesystem::path{name}, error);
}

NamedSpec resolve(const ReportFlags& flags) {
  const bool named = is_report(flags.name);
  const std::filesystem::path path =
      named ? find_data_file(flags.name, "reports") : std::filesystem::path{flags.name};
  const std::string shown = named ? fmt::format("reports/{}.json", flags.name) : flags.name;
  const std::string text = read_text(path);
  json document = parse_json(text, shown);
  NamedSpec out{.where = any(flags) ? kWhere : shown + "#"};
  if (any(flags)) {
    const std::string report =
        document.is_object() && document.contains("report") && document["report"].is_string()
            ? document["report"].get<std::string>()
            : std::string();
    apply(flags, report, document);
  }
  out.inputs.push_back({shown, content_hash(text)});
  out.spec = study::parse_report_spec(document, out.where);
  return out;
}

}  // namespace fathom::cli
