#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "study/claims.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr double kMostTokens = 4294967296.0;  // as contexts of an attention trade
constexpr double kLargest = 1e12;             // of a figure

std::vector<double> numbers(JsonReader& in, std::string_view key, double min, double max) {
  const json& list = in.raw(key);
  if (!list.is_array()) in.fail(key, "expected a list of numbers");
  std::vector<double> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_number() || list[i].get<double>() < min || list[i].get<double>() > max) {
      throw InputError(fmt::format("{}/{}: found {}, expected a number from {} to {}", in.at(key),
                                   i, list[i].dump(), min, max));
    }
    out.push_back(list[i].get<double>());
  }
  return out;
}

ClaimSide read_side(JsonReader in) {
  ClaimSide side;
  side.model = in.string("model");
  side.attention = in.string_or("attention", "");
  side.kv = in.string_or("kv", "");
  in.ignore("weights");
  if (in.has("weights")) side.weights = in.dtype_or("weights", Dtype::bf16);
  side.drafts = in.integer_or("draft_tokens", 0, 0, 16);
  in.finish();
  return side;
}

ClaimCase read_case(JsonReader in, ClaimQuantity quantity) {
  ClaimCase out;
  out.condition = in.string("condition");
  out.with = read_side(in.object("with"));
  if (quantity == ClaimQuantity::draft_parameters) {
    out.without = out.with;
  } else {
    out.without = read_side(in.object("without"));
  }
  out.hardware = in.string_or("hardware", out.hardware);
  out.devices = in.integer_or("gpus", 0, 0, 1 << 20);
  out.context_tokens = in.number_or("context_tokens", out.context_tokens, 1.0, kMostTokens);
  out.sequences_per_device = in.number_or("sequences_per_gpu", 0.0, 0.0, 1e6);
  out.acceptance = in.number_or("acceptance", out.acceptance, 0.0, 1.0);
  out.vary = static_cast<ClaimVary>(in.choice_or("vary", kClaimVaries, 0));
  if (out.vary == ClaimVary::nothing) {
    in.ignore("values");
    if (in.has("values")) in.fail("values", "needs 'vary': which number they are of");
  } else {
    out.values = numbers(in, "values", 0.0, kMostTokens);
    if (out.values.empty()) in.fail("values", "empty; expected numbers");
  }
  in.finish();
  return out;
}

ClaimEvidence read_evidence(JsonReader in) {
  ClaimEvidence out;
  out.says = in.string("says");
  if (in.has("figure")) out.figure = in.number("figure", -kLargest, kLargest);
  out.source = in.string("source");
  in.finish();
  return out;
}

Claim read_claim(JsonReader in) {
  Claim claim;
  claim.id = in.string("id");
  claim.statement = in.string("statement");
  claim.quantity = static_cast<ClaimQuantity>(in.choice("quantity", kClaimQuantities));
  claim.low = in.number("low", -kLargest, kLargest);
  claim.high = in.number("high", -kLargest, kLargest);
  if (claim.high < claim.low) {
    in.fail("high", fmt::format("found {}, expected at least 'low' = {}", claim.high, claim.low));
  }
  claim.unit = in.string("unit");
  claim.range = in.string_or("range", "");
  for (JsonReader& one : in.objects("cases")) claim.cases.push_back(read_case(one, claim.quantity));
  for (JsonReader& one : in.objects("published")) claim.published.push_back(read_evidence(one));
  in.finish();
  return claim;
}

json to_json(const ClaimSide& side) {
  json out{{"model", side.model},
           {"attention", side.attention},
           {"kv", side.kv},
           {"draft_tokens", side.drafts}};
  if (side.weights) out["weights"] = name(*side.weights);
  return out;
}

json to_json(const ClaimCase& c, ClaimQuantity quantity) {
  json out{{"condition", c.condition},
           {"with", to_json(c.with)},
           {"hardware", c.hardware},
           {"gpus", c.devices},
           {"context_tokens", c.context_tokens},
           {"sequences_per_gpu", c.sequences_per_device},
           {"acceptance", c.acceptance},
           {"vary", kClaimVaries[static_cast<std::size_t>(c.vary)]}};
  if (quantity != ClaimQuantity::draft_parameters) out["without"] = to_json(c.without);
  if (c.vary != ClaimVary::nothing) out["values"] = c.values;
  return out;
}

json to_json(const Claim& claim) {
  json out{{"id", claim.id},
           {"statement", claim.statement},
           {"quantity", kClaimQuantities[static_cast<std::size_t>(claim.quantity)]},
           {"low", claim.low},
           {"high", claim.high},
           {"unit", claim.unit},
           {"range", claim.range},
           {"cases", json::array()},
           {"published", json::array()}};
  for (const ClaimCase& one : claim.cases) out["cases"].push_back(to_json(one, claim.quantity));
  for (const ClaimEvidence& one : claim.published) {
    json evidence{{"says", one.says}, {"source", one.source}};
    if (one.figure) evidence["figure"] = *one.figure;
    out["published"].push_back(std::move(evidence));
  }
  return out;
}

}  // namespace

std::vector<Claim> read_claims(JsonReader& in, std::string_view key) {
  std::vector<Claim> claims;
  std::set<std::string> ids;
  for (JsonReader& one : in.objects(key)) {
    claims.push_back(read_claim(one));
    if (!ids.insert(claims.back().id).second) {
      one.fail("id", fmt::format("'{}' is the id of another claim too", claims.back().id));
    }
  }
  if (claims.empty()) in.fail(key, "empty; expected claims");
  return claims;
}

json to_json(const std::vector<Claim>& claims) {
  json out = json::array();
  for (const Claim& claim : claims) out.push_back(to_json(claim));
  return out;
}

}  // namespace fathom::study
