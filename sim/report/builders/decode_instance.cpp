#include "report/builders/decode_instance.hpp"

#include <nlohmann/json.hpp>
#include <utility>

namespace fathom::report {
namespace {

using nlohmann::json;
using study::Scenario;

// The machine as the request prices it, and one instance at its batch.
json decode_document(const study::PlanRequest& request, const study::ClusterPlan& plan) {
  Scenario s;
  s.read = request.read_options;
  s.model = request.model;
  s.cluster = request.hardware[plan.hardware];
  s.efficiency = request.efficiency;
  s.plan = plan.decode.plan;
  s.options = request.options;
  s.options.precision = study::precisions(request)[plan.decode.precision].precision;
  s.workload = study::decode_query(request, plan.decode.batch, plan.decode.draft_tokens);
  if (request.price_override.contains(s.cluster.id))
    s.change.usd_per_device_hour = study::device_price(request, s.cluster);
  return study::to_json(s);
}

}  // namespace

std::optional<DecodeInstance> decode_instance(const study::PlanResult& result, json* document) {
  const study::ClusterPlan* plan = study::smallest_cluster(result);
  if (plan == nullptr) return std::nullopt;
  json text = decode_document(result.request, *plan);
  DecodeInstance out{.scenario = study::parse_scenario(text, "the smallest cluster#")};
  out.answer = study::evaluate(out.scenario);
  const auto* estimate = std::get_if<infer::InferEstimate>(&out.answer.outcome);
  if (estimate == nullptr || infer::to_json(*estimate) != infer::to_json(plan->decode.estimate))
    return std::nullopt;
  if (document != nullptr) *document = std::move(text);
  return out;
}

}  // namespace fathom::report
