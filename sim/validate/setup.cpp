#include "validate/setup.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"

namespace fathom::validate {
namespace {

using nlohmann::json;

constexpr double kMaxLaunchUs = 1000.0;

json document_of(JsonReader& in, std::string_view key) {
  const std::string name = in.string(key);
  try {
    return read_json(find_data_file(name, "examples"));
  } catch (const InputError& error) {
    in.fail(key, error.what());
  }
}

study::Scenario parse_example(JsonReader& in) {
  json document = document_of(in, "example");
  if (in.has("patch")) document.merge_patch(in.raw("patch"));
  return study::parse_scenario(document, in.at("example"));
}

ModelSetup parse_model(JsonReader& in) {
  model::ReadOptions options;
  const std::string name = in.string("model");
  options.attention = in.string_or("attention", "");
  if (in.has("model_patch")) {
    for (const auto& item : in.raw("model_patch").items())
      options.sets.push_back(fmt::format("{}={}", item.key(), item.value().dump()));
  }
  try {
    return {model::load_model(name, options)};
  } catch (const InputError& error) {
    in.fail("model", error.what());
  }
}

// A benchmark runs one kernel at a time: the power that lowers the clock of a busy step is not
// drawn (hwprofiles/efficiency/hopper-h800.json, sustained_clock), fitted forms answer as they were
// measured, and a collective is the library's, not a serving stack's own.
void as_benchmarked(hw::EfficiencySet& efficiency) {
  for (auto& family : efficiency.table) {
    for (hw::Efficiency& e : family) e.sustained_clock = 1.0;
  }
  for (auto& form : efficiency.forms) {
    if (form) form->in_step = form->params;
  }
  efficiency.forms[static_cast<std::size_t>(hw::FormUse::custom_all_reduce)].reset();
}

OperatorSetup parse_operators(JsonReader& in) {
  OperatorSetup setup;
  setup.cluster = hw::load_cluster(in.string("hardware"));
  if (in.has("efficiency")) setup.cluster.efficiency = hw::load_efficiency(in, "efficiency");
  for (JsonReader& reader : in.objects("operators")) setup.ops.push_back(parse_operator(reader));
  if (setup.ops.empty()) in.fail("operators", "empty; expected at least one operator");
  setup.launch = Seconds{1e-6 * in.number_or("launch_us", 0.0, 0.0, kMaxLaunchUs)};
  as_benchmarked(setup.cluster.efficiency);
  return setup;
}

}  // namespace

Setup parse_setup(const json& document, std::string_view where) {
  JsonReader in{document, std::string(where)};
  const auto finished = [&in](Setup setup) {
    in.finish();
    return setup;
  };
  if (in.has("example")) return finished(parse_example(in));
  if (in.has("scenario")) {
    return finished(study::parse_scenario(in.raw("scenario"), in.at("scenario")));
  }
  if (in.has("model")) return finished(parse_model(in));
  if (in.has("operators")) return finished(parse_operators(in));
  if (in.has("day")) return finished(parse_day(document_of(in, "day"), in.at("day")));
  throw InputError(
      fmt::format("{}: expected one of 'example', 'scenario', 'model', 'operators', 'day'", where));
}

}  // namespace fathom::validate
