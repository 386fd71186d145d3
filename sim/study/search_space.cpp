#include "study/search_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "core/json_reader.hpp"
#include "study/scenario.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxDevices = 1 << 20;
constexpr std::int64_t kMaxDrafts = 64;
constexpr std::array<std::string_view, 2> kServing{"aggregated", "disaggregated"};
constexpr std::array<std::string_view, 5> kAllToAll{"automatic", "throughput", "low_latency",
                                                    "hybrid", "gather"};

void read_overlap(JsonReader& in, SearchSpace& space) {
  if (!in.has("two_batch_overlap")) return;
  const json& value = in.raw("two_batch_overlap");
  const json list = value.is_array() ? value : json::array({value});
  space.without_overlap = space.with_overlap = false;
  for (const json& item : list) {
    if (!item.is_boolean()) {
      in.fail("two_batch_overlap", "expected true, false or a list of them");
    }
    (item.get<bool>() ? space.with_overlap : space.without_overlap) = true;
  }
  if (list.empty()) in.fail("two_batch_overlap", "an empty list; expected true, false or both");
}

// The places in `known` of the words listed under `key`, in the order of the list.
template <std::size_t N>
std::vector<std::size_t> read_words(JsonReader& in, std::string_view key,
                                    const std::array<std::string_view, N>& known) {
  const std::vector<std::string> words = in.strings(key);
  const std::string expected = fmt::format("expected '{}'", fmt::join(known, "', '"));
  if (words.empty()) in.fail(key, "an empty list; " + expected);
  std::vector<std::size_t> out;
  for (const std::string& word : words) {
    const auto at = std::ranges::find(known, word);
    if (at == known.end()) {
      in.fail(key, fmt::format("unknown '{}'{}; {}", word, did_you_mean(word, known), expected));
    }
    const auto place = static_cast<std::size_t>(at - known.begin());
    if (std::ranges::find(out, place) == out.end()) out.push_back(place);
  }
  return out;
}

void read_serving(JsonReader& in, SearchSpace& space) {
  if (!in.has("serving")) return;
  space.aggregated = space.disaggregated = false;
  for (const std::size_t i : read_words(in, "serving", kServing)) {
    (i == 0 ? space.aggregated : space.disaggregated) = true;
  }
}

void read_kernels(JsonReader& in, SearchSpace& space) {
  if (!in.has("all_to_all")) return;
  space.all_to_all.clear();
  for (const std::size_t i : read_words(in, "all_to_all", kAllToAll)) {
    space.all_to_all.push_back(static_cast<mapping::AllToAll>(i));
  }
}

void read_list(JsonReader& in, std::string_view key, std::int64_t min,
               std::vector<std::int64_t>& out) {
  in.ignore(key);  // null: automatic
  if (!in.has(key)) return;
  out = in.integers(key, min, kMaxDevices);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

void read_precision(JsonReader& in, const model::Precision& base, SearchSpace& space) {
  constexpr std::string_view kKey = "precision";
  in.ignore(kKey);
  if (!in.has(kKey)) return;
  const json& list = in.raw(kKey);
  if (!list.is_array() || list.empty()) {
    in.fail(kKey, "expected a list of objects, each with a \"name\"");
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}/{}", in.at(kKey), i);
    JsonReader entry{list[i], where};
    NamedPrecision variant{.name = entry.string("name"), .precision = {}};
    json formats = list[i];
    formats.erase("name");
    variant.precision = parse_precision(formats, where, base);
    const bool twice = std::ranges::any_of(
        space.precision, [&](const NamedPrecision& p) { return p.name == variant.name; });
    if (twice || variant.name.empty()) {
      entry.fail("name",
                 variant.name.empty() ? "empty; expected a word for the answers" : "listed twice");
    }
    space.precision.push_back(std::move(variant));
  }
}

void need_some(const JsonReader& in, std::string_view key, const std::vector<std::int64_t>& list,
               std::string_view such_as) {
  if (list.empty()) in.fail(key, fmt::format("an empty list; {}", such_as));
}

json as_list(const std::vector<std::int64_t>& values) {
  return values.empty() ? json(nullptr) : json(values);
}

}  // namespace

SearchSpace read_search(JsonReader in, const model::Precision& base) {
  SearchSpace s;
  for (const auto& [key, list] : {std::pair{"tp", &s.tp}, std::pair{"pp", &s.pp},
                                  std::pair{"dp", &s.dp}, std::pair{"ep", &s.ep}}) {
    read_list(in, key, 1, *list);
  }
  read_list(in, "cp", 1, s.cp);
  need_some(in, "cp", s.cp, "1 means that no sequence is shared");
  read_list(in, "redundant_experts", 0, s.redundant_experts);
  need_some(in, "redundant_experts", s.redundant_experts, "expected numbers such as 0");
  read_list(in, "draft_tokens", 0, s.draft_tokens);
  need_some(in, "draft_tokens", s.draft_tokens, "expected numbers such as 0");
  if (s.draft_tokens.back() > kMaxDrafts) {
    in.fail("draft_tokens",
            fmt::format("{}; expected at most {}", s.draft_tokens.back(), kMaxDrafts));
  }
  read_list(in, "chunk_tokens", 0, s.chunk_tokens);
  need_some(in, "chunk_tokens", s.chunk_tokens, "0 means whole prompts");
  read_kernels(in, s);
  read_precision(in, base, s);
  read_overlap(in, s);
  read_serving(in, s);
  s.pair_hardware = in.boolean_or("pair_hardware", false);
  s.max_devices = in.integer_or("max_devices", s.max_devices, 1, kMaxDevices);
  s.max_instance_devices = in.integer_or(
      "max_instance_devices", std::min(s.max_instance_devices, s.max_devices), 1, kMaxDevices);
  if (s.max_instance_devices > s.max_devices) {
    in.fail("max_instance_devices",
            fmt::format("{} exceeds max_devices = {}", s.max_instance_devices, s.max_devices));
  }
  in.finish();
  return s;
}

json to_json(const SearchSpace& s) {
  json overlap = json::array();
  if (s.without_overlap) overlap.push_back(false);
  if (s.with_overlap) overlap.push_back(true);
  json serving = json::array();
  if (s.aggregated) serving.push_back(kServing[0]);
  if (s.disaggregated) serving.push_back(kServing[1]);
  json kernels = json::array();
  for (const mapping::AllToAll k : s.all_to_all) {
    kernels.push_back(kAllToAll[static_cast<std::size_t>(k)]);
  }
  json precision = json::array();
  for (const NamedPrecision& p : s.precision) {
    json entry = model::to_json(p.precision);
    entry["name"] = p.name;
    precision.push_back(std::move(entry));
  }
  return {{"tp", as_list(s.tp)},
          {"pp", as_list(s.pp)},
          {"dp", as_list(s.dp)},
          {"ep", as_list(s.ep)},
          {"cp", s.cp},
          {"redundant_experts", s.redundant_experts},
          {"draft_tokens", s.draft_tokens},
          {"chunk_tokens", s.chunk_tokens},
          {"all_to_all", std::move(kernels)},
          {"precision", precision.empty() ? json(nullptr) : std::move(precision)},
          {"two_batch_overlap", std::move(overlap)},
          {"serving", std::move(serving)},
          {"pair_hardware", s.pair_hardware},
          {"max_instance_devices", s.max_instance_devices},
          {"max_devices", s.max_devices}};
}

}  // namespace fathom::study
