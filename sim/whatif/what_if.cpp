#include "whatif/what_if.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "whatif/estimate_json.hpp"

namespace fathom::whatif {
namespace {

using nlohmann::json;

constexpr const char* kWhere = "what-if#";

// Two spellings of one quantity: setting one replaces whichever a scenario has.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kAlternatives{{
    {"/workload/sequences", "sequences_per_gpu"},
    {"/workload/sequences_per_gpu", "sequences"},
    {"/workload/prompts", "prompts_per_gpu"},
    {"/workload/prompts_per_gpu", "prompts"},
}};

json changed_scenario(std::string_view text) {
  const json request = parse_json(text, "what-if");
  JsonReader in{request, kWhere};
  json scenario = in.raw("scenario");
  if (in.has("set")) {
    for (const auto& item : in.raw("set").items())
      set_field(scenario, item.key(), item.value(), kWhere);
  }
  in.finish();
  return scenario;
}

}  // namespace

void set_field(json& scenario, const std::string& pointer, json value, std::string_view where) {
  for (const auto& [mine, other] : kAlternatives) {
    if (mine == pointer && scenario["workload"].is_object())
      scenario["workload"].erase(std::string(other));
  }
  try {
    scenario[json::json_pointer(pointer)] = std::move(value);
  } catch (const json::exception&) {
    throw InputError(
        fmt::format("{}{}: cannot be set; expected a JSON pointer into objects, as in /plan/tp",
                    where, pointer));
  }
}

std::string what_if(std::string_view request, study::Library& library) {
  try {
    const study::Scenario scenario =
        study::parse_scenario(changed_scenario(request), kWhere, library);
    return dump_json(estimate_json(scenario, study::evaluate(scenario)));
  } catch (const InputError& complaint) {
    return dump_json({{"error", complaint.what()}});
  }
}

}  // namespace fathom::whatif
