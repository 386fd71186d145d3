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

constexpr std::array<std::string_view, 2> kElementwise{"separate", "fused"};

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
  r.options.precision = model::default_precision(r.model.arch);
  if (in.has("precision")) {
    r.options.precision =
        parse_precision(in.raw("precision"), in.at("precision"), r.options.precision);
  }
  if (auto search = in.object_opt("search")) {
    r.search = read_search(*std::move(search), r.options.precision);
  }
  read_drafts(in, r);
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
           {"search", to_json(r.search)},
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

std::vector<NamedPrecision> precisions(const PlanRequest& request) {
  if (!request.search.precision.empty()) return request.search.precision;
  return {{.name = "", .precision = request.options.precision}};
}

std::optional<double> device_price(const PlanRequest& request, const hw::Cluster& cluster) {
  const auto found = request.price_override.find(cluster.id);
  if (found != request.price_override.end()) return found->second;
  const double price = cluster.price.per_device_hour.value;
  return price > 0.0 ? std::optional<double>(price) : std::nullopt;
}

}  // namespace fathom::study
