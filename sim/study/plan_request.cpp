#include "study/plan_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "study/kernel_error.hpp"
#include "study/scenario.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxDevices = 1 << 20;
constexpr std::array<std::string_view, 2> kElementwise{"separate", "fused"};
constexpr std::array<std::string_view, 2> kServing{"aggregated", "disaggregated"};

model::ReadOptions read_model_options(JsonReader& in) {
  model::ReadOptions options;
  options.text_only = in.boolean_or("text_only", false);
  options.attention = in.string_or("attention", "");
  if (!in.has("model_patch")) return options;
  const json& patch = in.raw("model_patch");
  if (!patch.is_object()) in.fail("model_patch", "expected an object of configuration fields");
  for (const auto& item : patch.items()) {
    options.sets.push_back(fmt::format("{}={}", item.key(), item.value().dump()));
  }
  return options;
}

std::vector<hw::Cluster> read_hardware(JsonReader& in) {
  const bool list = in.has("hardware") && in.raw("hardware").is_array();
  const std::vector<std::string> names =
      list ? in.strings("hardware") : std::vector<std::string>{in.string("hardware")};
  if (names.empty()) in.fail("hardware", "an empty list; expected at least one profile");
  std::vector<hw::Cluster> clusters;
  for (const std::string& name : names) {
    hw::Cluster cluster = hw::load_cluster(name);
    const bool twice =
        std::ranges::any_of(clusters, [&](const hw::Cluster& c) { return c.id == cluster.id; });
    if (twice) in.fail("hardware", fmt::format("'{}' is listed twice", cluster.id));
    clusters.push_back(std::move(cluster));
  }
  return clusters;
}

// The folder of the file that `where` begins with: "plans/a.json#" or "plans/a.json + command
// line#".
std::string folder_of(std::string_view where) {
  const std::string_view file = where.substr(0, std::min(where.find('#'), where.find(" + ")));
  return std::filesystem::path(file).parent_path().string();
}

// A percentile is nothing without the wait that makes it.
void check_percentiles(JsonReader& in, PlanRequest& r) {
  if (r.targets.percentiles.empty()) return;
  const std::string what = name(r.targets.percentiles.front());
  if (r.traffic.concurrency > 0.0) {
    throw InputError(
        fmt::format("{}/targets: {} needs 'requests_per_s'; with a concurrency the next request "
                    "waits for an answer, which the queue does not model",
                    in.where(), what));
  }
  if (in.raw("traffic").value("queueing", true) == false) {
    throw InputError(
        fmt::format("{}/traffic/queueing: false contradicts the target for {}", in.where(), what));
  }
  r.traffic.queueing = true;
}

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

void read_serving(JsonReader& in, SearchSpace& space) {
  if (!in.has("serving")) return;
  space.aggregated = space.disaggregated = false;
  const std::vector<std::string> words = in.strings("serving");
  if (words.empty()) in.fail("serving", "an empty list; expected 'aggregated', 'disaggregated'");
  for (const std::string& word : words) {
    if (std::ranges::find(kServing, word) == kServing.end()) {
      in.fail("serving", fmt::format("unknown '{}'{}; expected 'aggregated' or 'disaggregated'",
                                     word, did_you_mean(word, kServing)));
    }
    (word == kServing[0] ? space.aggregated : space.disaggregated) = true;
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

SearchSpace read_search(JsonReader in) {
  SearchSpace s;
  for (const auto& [key, list] : {std::pair{"tp", &s.tp}, std::pair{"pp", &s.pp},
                                  std::pair{"dp", &s.dp}, std::pair{"ep", &s.ep}}) {
    read_list(in, key, 1, *list);
  }
  read_list(in, "draft_tokens", 0, s.draft_tokens);
  read_list(in, "chunk_tokens", 0, s.chunk_tokens);
  if (s.draft_tokens.empty()) in.fail("draft_tokens", "an empty list; expected numbers such as 0");
  if (s.draft_tokens.back() > 64) {
    in.fail("draft_tokens", fmt::format("{}; expected at most 64", s.draft_tokens.back()));
  }
  if (s.chunk_tokens.empty()) in.fail("chunk_tokens", "an empty list; 0 means whole prompts");
  read_overlap(in, s);
  read_serving(in, s);
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

void read_drafts(JsonReader& in, PlanRequest& r) {
  const bool drafts = r.search.draft_tokens.back() > 0;
  if (drafts && r.model.arch.mtp_kind == model::MtpKind::none) {
    throw InputError(fmt::format("{}/search/draft_tokens: {} has no MTP module; expected 0",
                                 in.where(), r.model.arch.name));
  }
  if (drafts && !in.has("acceptance")) {
    in.fail("acceptance",
            "missing; with draft_tokens give the probability that a draft is accepted (0 to 1)");
  }
  if (!drafts && in.has("acceptance") && in.number("acceptance", 0.0, 1.0) > 0.0) {
    in.fail("acceptance", "needs a draft_tokens >= 1 in 'search'");
  }
  r.acceptance = in.number_or("acceptance", 0.0, 0.0, 1.0);
}

// A search varies the batch, so loads that depend on one need to be told which.
void read_expert_load(JsonReader& in, PlanRequest& r) {
  constexpr std::string_view kKey = "expert_load";
  in.ignore(kKey);
  if (!in.has(kKey) || !in.raw(kKey).is_object()) {
    r.expert_load = in.number_or(kKey, 1.0, 1.0, 1e4);
    return;
  }
  r.load_source = parse_load_source(in.raw(kKey), in.at(kKey), r.model.arch);
  const LoadSource::Kind kind = r.load_source->kind;
  const bool of_a_batch = kind == LoadSource::Kind::uniform || kind == LoadSource::Kind::power_law;
  if (of_a_batch && !r.load_source->tokens) {
    in.fail(kKey,
            "'tokens' is missing; a search tries many batches, so give the tokens of one "
            "step over the whole expert group");
  }
}

void read_price(JsonReader& in, PlanRequest& r) {
  constexpr std::string_view kKey = "price_usd_per_gpu_hour";
  if (!in.has(kKey)) return;
  if (!in.raw(kKey).is_object()) {
    const double price = in.number(kKey, 0.0, 1e6);
    for (const hw::Cluster& cluster : r.hardware) r.price_override[cluster.id] = price;
    return;
  }
  JsonReader prices = in.object(kKey);
  for (const hw::Cluster& cluster : r.hardware) {
    prices.ignore(cluster.id);  // need not be there, but is a name to suggest
    if (prices.has(cluster.id)) r.price_override[cluster.id] = prices.number(cluster.id, 0.0, 1e6);
  }
  prices.finish();
}

json as_list(const std::vector<std::int64_t>& values) {
  return values.empty() ? json(nullptr) : json(values);
}

json search_json(const SearchSpace& s) {
  json overlap = json::array();
  if (s.without_overlap) overlap.push_back(false);
  if (s.with_overlap) overlap.push_back(true);
  json serving = json::array();
  if (s.aggregated) serving.push_back(kServing[0]);
  if (s.disaggregated) serving.push_back(kServing[1]);
  return {{"tp", as_list(s.tp)},
          {"pp", as_list(s.pp)},
          {"dp", as_list(s.dp)},
          {"ep", as_list(s.ep)},
          {"draft_tokens", s.draft_tokens},
          {"chunk_tokens", s.chunk_tokens},
          {"two_batch_overlap", std::move(overlap)},
          {"serving", std::move(serving)},
          {"max_instance_devices", s.max_instance_devices},
          {"max_devices", s.max_devices}};
}

json model_patch_json(const std::vector<std::string>& sets) {
  json patch = json::object();
  for (const std::string& set : sets) {
    const std::size_t equals = set.find('=');
    patch[set.substr(0, equals)] = json::parse(set.substr(equals + 1));
  }
  return patch;
}

}  // namespace

PlanRequest parse_plan_request(const json& document, std::string_view where) {
  JsonReader in{document, std::string(where)};
  PlanRequest r;
  r.name = in.string_or("name", "");
  in.ignore({"$schema", "comment"});
  const std::string model_name = in.string("model");
  r.read_options = read_model_options(in);
  r.model = model::load_model(model_name, r.read_options);
  if (r.model.arch.kv_cache_only) {
    in.fail("model", fmt::format("{} describes its KV cache only; a plan needs the whole model",
                                 r.model.arch.name));
  }
  r.hardware = read_hardware(in);
  r.efficiency = read_efficiency_choice(in, r.hardware);
  r.traffic = read_traffic(in.object("traffic"), r.model.arch, folder_of(where));
  if (auto targets = in.object_opt("targets")) r.targets = read_targets(*std::move(targets));
  check_percentiles(in, r);
  if (auto search = in.object_opt("search")) r.search = read_search(*std::move(search));
  read_drafts(in, r);
  r.options.precision = model::default_precision(r.model.arch);
  if (in.has("precision")) {
    r.options.precision =
        parse_precision(in.raw("precision"), in.at("precision"), r.options.precision);
  }
  r.options.fused_elementwise = in.choice_or("elementwise", kElementwise, 0) == 1;
  read_expert_load(in, r);
  r.utilisation = in.number_or("utilisation", r.utilisation, 0.01, 1.0);
  read_price(in, r);
  if (auto growth = in.object_opt("growth")) r.growth = read_growth(*std::move(growth));
  r.spare_nodes = in.integer_or("spare_nodes", 0, 0, 10'000);
  in.finish();
  if (r.targets.confidence) {
    r.as_calibrated = r.hardware;
    for (hw::Cluster& cluster : r.hardware) {
      cluster = at_quantile(cluster, *r.targets.confidence);
    }
  }
  return r;
}

PlanRequest load_plan_request(std::string_view file) {
  const std::string path{file};
  return parse_plan_request(read_json(path), path + "#");
}

json to_json(const PlanRequest& r) {
  json hardware = json::array();
  for (const hw::Cluster& cluster : r.hardware) {
    hardware.push_back(shown_data_file(cluster.path, "hwprofiles"));
  }
  json out{{"name", r.name},
           {"model", shown_data_file(r.model.path, "models")},
           {"text_only", r.read_options.text_only},
           {"attention", r.read_options.attention},
           {"model_patch", model_patch_json(r.read_options.sets)},
           {"hardware", std::move(hardware)},
           {"traffic", to_json(r.traffic)},
           {"targets", to_json(r.targets)},
           {"search", search_json(r.search)},
           {"precision", model::to_json(r.options.precision)},
           {"elementwise", kElementwise[r.options.fused_elementwise ? 1 : 0]},
           {"acceptance", r.acceptance},
           {"expert_load", r.load_source ? to_json(*r.load_source) : json(r.expert_load)},
           {"utilisation", r.utilisation}};
  add_efficiency_choice(r.efficiency, out);
  if (!r.price_override.empty()) out["price_usd_per_gpu_hour"] = r.price_override;
  if (r.growth) out["growth"] = to_json(*r.growth);
  if (r.spare_nodes > 0) out["spare_nodes"] = r.spare_nodes;
  return out;
}

std::optional<double> device_price(const PlanRequest& request, const hw::Cluster& cluster) {
  const auto found = request.price_override.find(cluster.id);
  if (found != request.price_override.end()) return found->second;
  const double price = cluster.price.per_device_hour.value;
  return price > 0.0 ? std::optional<double>(price) : std::nullopt;
}

}  // namespace fathom::study
