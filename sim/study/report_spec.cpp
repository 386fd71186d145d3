#include "study/report_spec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostTokens = std::int64_t{1} << 32;
constexpr std::int64_t kMostSequences = 1000000;
constexpr std::int64_t kMostDevices = std::int64_t{1} << 20;

void counts(JsonReader& in, std::string_view key, std::vector<std::int64_t>& out, std::int64_t most,
            std::int64_t least = 1) {
  if (in.has(key)) out = in.integers(key, least, most);
  in.ignore(key);
}

void numbers(JsonReader& in, std::string_view key, std::vector<double>& out, double min,
             double max) {
  in.ignore(key);
  if (!in.has(key)) return;
  const json& list = in.raw(key);
  if (!list.is_array()) in.fail(key, "expected a list of numbers");
  out.clear();
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_number() || list[i].get<double>() < min || list[i].get<double>() > max) {
      throw InputError(fmt::format("{}/{}: found {}, expected a number from {} to {}", in.at(key),
                                   i, list[i].dump(), min, max));
    }
    out.push_back(list[i].get<double>());
  }
}

std::vector<std::string> names_or(JsonReader& in, std::string_view key,
                                  std::vector<std::string> fallback) {
  in.ignore(key);
  return in.has(key) ? in.strings(key) : std::move(fallback);
}

// An object, or the name of a file of examples/, or a file.
template <class Parse>
auto object_or_file(JsonReader& in, std::string_view key, const Parse& parse) {
  const json& value = in.raw(key);
  if (value.is_object()) return parse(value, in.at(key));
  const std::string file = in.string(key);
  return parse(read_json(find_data_file(file, "examples")), file + "#");
}

PlanRequest read_capacity(JsonReader& in) {
  return object_or_file(in, "plan", [](const json& document, const std::string& where) {
    return parse_plan_request(document, where);
  });
}

TradeRequest read_attention(JsonReader& in) {
  TradeRequest request = default_trade_request();
  request.models = names_or(in, "models", request.models);
  request.base = in.string_or("base", request.base);
  request.attentions = names_or(in, "attention", request.attentions);
  counts(in, "contexts", request.contexts, kMostTokens);
  request.hardware = in.string_or("hardware", request.hardware);
  in.ignore("plan");
  if (in.has("plan")) request.plan = parse_plan(in.raw("plan"), in.at("plan"));
  request.kv = in.string_or("kv", request.kv);
  request.sequences_per_device = in.number_or("sequences_per_gpu", 0.0, 0.0, 1e6);
  return request;
}

HardwareTradeRequest read_hardware_trade(JsonReader& in) {
  HardwareTradeRequest request;
  request.model = in.string("model");
  request.hardware = in.strings("hardware");
  counts(in, "batches", request.batches, kMostSequences);
  counts(in, "contexts", request.contexts, kMostTokens);
  request.kv = in.string_or("kv", "");
  request.devices = in.integer_or("gpus", 0, 0, kMostDevices);
  request.chunk_tokens = in.integer_or("chunk_tokens", request.chunk_tokens, 1, kMostTokens);
  return request;
}

CacheTradeRequest read_cache(JsonReader& in) {
  CacheTradeRequest request;
  request.models = names_or(in, "models", {});
  request.base = in.string_or("base", "");
  request.attentions = names_or(in, "attention", {});
  counts(in, "contexts", request.contexts, kMostTokens);
  request.kv = names_or(in, "kv", request.kv);
  request.hardware = names_or(in, "hardware", {});
  return request;
}

ExpertTradeRequest read_experts(JsonReader& in) {
  ExpertTradeRequest request;
  request.model = in.string("model");
  request.hardware = in.string("hardware");
  request.context_tokens = in.integer_or("context_tokens", request.context_tokens, 1, kMostTokens);
  request.sequences_per_device =
      in.integer_or("sequences_per_gpu", request.sequences_per_device, 1, kMostSequences);
  counts(in, "ep", request.ep, kMostDevices);
  request.ep_of_others = in.integer_or("ep_of_others", request.ep_of_others, 1, kMostDevices);
  numbers(in, "skew", request.skew, 0.0, 4.0);
  numbers(in, "granularity", request.granularity, 1e-3, 1e3);
  counts(in, "shared_experts", request.shared, kMostSequences, 0);
  return request;
}

DraftTradeRequest read_drafts(JsonReader& in) {
  DraftTradeRequest request;
  request.model = in.string("model");
  request.hardware = in.string("hardware");
  request.devices = in.integer_or("gpus", 0, 0, kMostDevices);
  request.context_tokens = in.integer_or("context_tokens", request.context_tokens, 1, kMostTokens);
  counts(in, "batches", request.batches, kMostSequences);
  counts(in, "draft_tokens", request.drafts, 16);
  numbers(in, "acceptances", request.acceptances, 0.0, 1.0);
  request.kv = in.string_or("kv", "");
  return request;
}

RooflineSpec read_roofline(JsonReader& in) {
  RooflineSpec spec{.scenario = object_or_file(in, "scenario",
                                               [](const json& document, const std::string& where) {
                                                 return parse_scenario(document, where);
                                               })};
  spec.batches = {1.0, 16.0, 64.0, 128.0, 256.0};
  numbers(in, "batches", spec.batches, 1e-6, static_cast<double>(kMostSequences));
  if (spec.batches.empty()) in.fail("batches", "empty; expected sequences per GPU");
  spec.other_attention = in.string_or("with_attention", "");
  return spec;
}

CalibrationSpec read_calibration(JsonReader& in) {
  CalibrationSpec spec;
  spec.hardware = names_or(in, "hardware", {});
  spec.measured = in.string_or("measured", "");
  spec.device = in.string_or("device", "");
  spec.family = in.string_or("family", "");
  if (spec.measured.empty() == spec.hardware.empty()) {
    in.fail("hardware",
            "expected the 'hardware' to show, or a folder 'measured' to fit; one of "
            "them");
  }
  for (const char* key : {"device", "family"}) {
    if (in.has(key) && spec.measured.empty() && !in.string(key).empty()) {
      in.fail(key, "is for a folder 'measured'");
    }
  }
  return spec;
}

struct BodyJson {
  json operator()(const PlanRequest& r) const { return {{"plan", to_json(r)}}; }
  json operator()(const TradeRequest& r) const {
    json out{{"models", r.models},
             {"base", r.base},
             {"attention", r.attentions},
             {"contexts", r.contexts},
             {"hardware", r.hardware},
             {"kv", r.kv},
             {"sequences_per_gpu", r.sequences_per_device}};
    if (r.plan) out["plan"] = mapping::to_json(*r.plan);
    return out;
  }
  json operator()(const HardwareTradeRequest& r) const {
    return {{"model", r.model},
            {"hardware", r.hardware},
            {"batches", r.batches},
            {"contexts", r.contexts},
            {"kv", r.kv},
            {"gpus", r.devices},
            {"chunk_tokens", r.chunk_tokens}};
  }
  json operator()(const CacheTradeRequest& r) const {
    return {{"models", r.models},     {"base", r.base}, {"attention", r.attentions},
            {"contexts", r.contexts}, {"kv", r.kv},     {"hardware", r.hardware}};
  }
  json operator()(const ExpertTradeRequest& r) const {
    return {{"model", r.model},
            {"hardware", r.hardware},
            {"context_tokens", r.context_tokens},
            {"sequences_per_gpu", r.sequences_per_device},
            {"ep", r.ep},
            {"ep_of_others", r.ep_of_others},
            {"skew", r.skew},
            {"granularity", r.granularity},
            {"shared_experts", r.shared}};
  }
  json operator()(const DraftTradeRequest& r) const {
    return {{"model", r.model},
            {"hardware", r.hardware},
            {"gpus", r.devices},
            {"context_tokens", r.context_tokens},
            {"batches", r.batches},
            {"draft_tokens", r.drafts},
            {"acceptances", r.acceptances},
            {"kv", r.kv}};
  }
  json operator()(const RooflineSpec& r) const {
    return {{"scenario", to_json(r.scenario)},
            {"batches", r.batches},
            {"with_attention", r.other_attention}};
  }
  json operator()(const ValidationSpec& r) const { return {{"categories", r.categories}}; }
  json operator()(const CalibrationSpec& r) const {
    return {{"hardware", r.hardware},
            {"measured", r.measured},
            {"device", r.device},
            {"family", r.family}};
  }
  json operator()(const std::vector<Claim>& r) const { return {{"claims", to_json(r)}}; }
};

}  // namespace

std::string_view name(const ReportSpec& spec) { return kReports.at(spec.body.index()); }

ReportSpec parse_report_spec(const json& document, std::string_view where) {
  JsonReader in{document, std::string(where)};
  in.ignore({"$schema", "comment"});
  ReportSpec spec;
  const std::size_t kind = in.choice("report", kReports);
  spec.title = in.string_or("title", "");
  switch (kind) {
    case 0:
      spec.body = read_capacity(in);
      break;
    case 1:
      spec.body = read_attention(in);
      break;
    case 2:
      spec.body = read_hardware_trade(in);
      break;
    case 3:
      spec.body = read_cache(in);
      break;
    case 4:
      spec.body = read_experts(in);
      break;
    case 5:
      spec.body = read_drafts(in);
      break;
    case 6:
      spec.body = read_roofline(in);
      break;
    case 7:
      spec.body = ValidationSpec{.categories = names_or(in, "categories", {})};
      break;
    case 8:
      spec.body = read_calibration(in);
      break;
    default:
      spec.body = read_claims(in, "claims");
      break;
  }
  in.finish();
  return spec;
}

json to_json(const ReportSpec& spec) {
  json out = std::visit(BodyJson{}, spec.body);
  out["report"] = name(spec);
  out["title"] = spec.title;
  return out;
}

}  // namespace fathom::study
