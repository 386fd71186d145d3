#include "study/scenario.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "mapping/map.hpp"
#include "study/library.hpp"

namespace fathom::study {
namespace {

constexpr std::array<std::string_view, 2> kPhases{"prefill", "decode"};
constexpr std::array<std::string_view, 3> kMlaForms{"automatic", "naive", "absorbed"};
constexpr std::array<std::string_view, 2> kElementwise{"separate", "fused"};
constexpr std::array<std::string_view, 2> kOrders{"greedy", "half_layer"};
constexpr std::array<std::string_view, 5> kAllToAll{"automatic", "throughput", "low_latency",
                                                    "hybrid", "gather"};
constexpr std::int64_t kMaxRanks = 1 << 20;

// A name or file that must exist, so that a complaint points at the field and not into thin air.
std::string existing_file(JsonReader& in, std::string_view key, std::string_view folder) {
  const std::string name = in.string(key);
  try {
    find_data_file(name, folder);
  } catch (const InputError& error) {
    in.fail(key, error.what());
  }
  return name;
}

// `local` and `transferred:FILE` are no files of hwprofiles/; load_cluster knows what is wrong with
// them.
std::string hardware_name(JsonReader& in) {
  std::string name = in.string("hardware");
  return hw::is_plain_profile(name) ? existing_file(in, "hardware", "hwprofiles") : name;
}

model::ReadOptions read_options(JsonReader& in) {
  model::ReadOptions options;
  options.text_only = in.boolean_or("text_only", false);
  options.attention = in.string_or("attention", "");
  if (in.has("model_patch")) {
    const nlohmann::json& patch = in.raw("model_patch");
    if (!patch.is_object()) in.fail("model_patch", "expected an object of configuration fields");
    for (const auto& item : patch.items())
      options.sets.push_back(fmt::format("{}={}", item.key(), item.value().dump()));
  }
  return options;
}

infer::HostCosts read_host(JsonReader& in) {
  auto host = in.object_opt("host");
  if (!host) return {};
  constexpr double kLongest = 1e7;  // us
  const infer::HostCosts costs{
      Seconds{host->number_or("per_step_us", 0.0, 0.0, kLongest) * 1e-6},
      Seconds{host->number_or("per_launch_us", 0.0, 0.0, kLongest) * 1e-6}};
  host->finish();
  return costs;
}

void check_mla(const JsonReader& in, const Scenario& s) {
  if (s.options.mla == model::MlaForm::automatic) return;
  for (const model::LayerSpec& layer : s.model.arch.kinds) {
    if (std::holds_alternative<model::MlaSpec>(layer.attention)) return;
  }
  in.fail("mla",
          fmt::format("{} has no latent attention to run in either form", s.model.arch.name));
}

}  // namespace

mapping::Plan parse_plan(const nlohmann::json& document, std::string_view where) {
  JsonReader in{document, std::string(where)};
  mapping::Plan p;
  p.tp = in.integer_or("tp", 1, 1, kMaxRanks);
  p.pp = in.integer_or("pp", 1, 1, kMaxRanks);
  p.ep = in.integer_or("ep", 1, 1, kMaxRanks);
  p.dp = in.integer_or("dp", 1, 1, kMaxRanks);
  p.cp = in.integer_or("cp", 1, 1, kMaxRanks);
  in.ignore("devices");  // derived; printed by `fathom explain`
  p.redundant_experts = in.integer_or("redundant_experts", 0, 0, kMaxRanks);
  p.expert_load = in.number_or("expert_load", 1.0, 1.0, 1e4);
  p.two_batch_overlap = in.boolean_or("two_batch_overlap", false);
  p.fixed_order = in.choice_or("order", kOrders, 1) == 1;
  p.all_to_all = static_cast<mapping::AllToAll>(in.choice_or("all_to_all", kAllToAll, 0));
  p.all_remote = in.boolean_or("all_remote", false);
  in.finish();
  if (mapping::devices(p) > kMaxRanks) {
    throw InputError(fmt::format("{}: tp*pp*dp*cp = {} devices, expected at most {}", where,
                                 mapping::devices(p), kMaxRanks));
  }
  return p;
}

model::Precision parse_precision(const nlohmann::json& document, std::string_view where,
                                 const model::Precision& defaults) {
  JsonReader in{document, std::string(where)};
  model::Precision p = defaults;
  p.linear = in.dtype_or("linear", p.linear);
  p.experts = in.dtype_or("experts", p.experts);
  p.other = in.dtype_or("other", p.other);
  // a changed weight format brings its own activation format unless that is given too
  if (in.has("linear")) p.linear_input = model::input_for(p.linear);
  if (in.has("experts")) p.experts_input = model::input_for(p.experts);
  p.linear_input = in.dtype_or("linear_input", p.linear_input);
  p.experts_input = in.dtype_or("experts_input", p.experts_input);
  p.dispatch = in.dtype_or("dispatch", p.dispatch);
  p.combine = in.dtype_or("combine", p.combine);
  if (in.has("kv")) p.kv = model::parse_kv_layout(in.string("kv"), in.at("kv"));
  in.finish();
  return p;
}

double expert_tokens(const Scenario& s) {
  const std::int64_t micro = s.plan.two_batch_overlap ? 2 : 1;
  model::StepShape step;
  std::int64_t pieces = micro;
  if (const auto* d = std::get_if<infer::DecodeQuery>(&s.workload)) {
    step.phase = model::Phase::decode;
    step.groups = {{d->sequences, 1.0 + static_cast<double>(d->draft_tokens), d->context_tokens}};
    pieces *= s.plan.pp;
  } else {
    const auto& p = std::get<infer::PrefillQuery>(s.workload);
    const double fresh = p.prompt_tokens - p.cached_tokens;
    const double chunk = p.chunk_tokens > 0.0 ? std::min(p.chunk_tokens, fresh) : fresh;
    step.phase = model::Phase::prefill;
    step.groups = {{p.prompts, chunk, p.cached_tokens}};
  }
  return model::tokens(mapping::local_step(step, s.plan, pieces)) *
         static_cast<double>(s.plan.dp * s.plan.cp);
}

namespace {

// The plan, and what its expert_load says when that is no number.
std::optional<LoadSource> read_plan(JsonReader& in, Scenario& s) {
  if (!in.has("plan")) return std::nullopt;
  nlohmann::json plan = in.raw("plan");
  const bool source =
      plan.is_object() && plan.contains("expert_load") && plan["expert_load"].is_object();
  std::optional<LoadSource> out;
  if (source) {
    out = parse_load_source(plan["expert_load"], in.at("plan") + "/expert_load", s.model.arch);
    plan["expert_load"] = 1.0;
  }
  s.plan = parse_plan(plan, in.at("plan"));
  return out;
}

// An infeasible plan is refused by evaluate(); it has no placement to look at.
void take_load(const LoadSource& source, Scenario& s) {
  if (mapping::infeasible(s.model.arch, s.plan, s.cluster)) return;
  s.load = sample_load(source, s.model.arch, s.plan, s.cluster, expert_tokens(s));
  s.plan.expert_load = used(*s.load).mean;
  s.notes.push_back(describe(*s.load));
}

}  // namespace

namespace {

// Everything but the workload and the load that follows from it. Where the plan has one, `source`
// says so.
Scenario read_setting(JsonReader& in, Library& library, std::optional<LoadSource>& source) {
  Scenario s;
  s.name = in.string_or("name", "");
  in.ignore({"$schema", "comment"});
  const std::string model_name = existing_file(in, "model", "models");
  s.read = read_options(in);
  s.model = library.model(model_name, s.read);
  if (s.model.arch.kv_cache_only) {
    in.fail("model", fmt::format("{} describes its KV cache only; a step needs the whole model",
                                 s.model.arch.name));
  }
  s.cluster = library.cluster(hardware_name(in));
  s.efficiency = read_efficiency_choice(in, {&s.cluster, 1});
  if (!s.efficiency.file.empty())
    library.record("efficiency/" + s.efficiency.file, s.cluster.efficiency.hash);
  s.change = read_hardware_change(in, s.cluster);
  for (std::string& note : describe(s.change, s.cluster)) s.notes.push_back(std::move(note));
  source = read_plan(in, s);
  if (source && !source->file.empty())
    library.record("trace/" + source->file, content_hash(nlohmann::json(source->counts).dump()));
  s.options.precision = model::default_precision(s.model.arch);
  if (in.has("precision")) {
    s.options.precision =
        parse_precision(in.raw("precision"), in.at("precision"), s.options.precision);
  }
  s.options.mla = static_cast<model::MlaForm>(in.choice_or("mla", kMlaForms, 0));
  s.options.fused_elementwise = in.choice_or("elementwise", kElementwise, 0) == 1;
  s.host = read_host(in);
  check_mla(in, s);
  if (read_phase(in) == model::Phase::prefill) s.workload = infer::PrefillQuery{};
  return s;
}

}  // namespace

model::Phase read_phase(JsonReader& in) {
  return static_cast<model::Phase>(in.choice("phase", kPhases));
}

std::optional<Scenario> parse_setting(const nlohmann::json& document, std::string_view where,
                                      Library& library) {
  JsonReader in{document, std::string(where)};
  in.ignore("workload");
  std::optional<LoadSource> source;
  Scenario s = read_setting(in, library, source);
  in.finish();
  if (source) return std::nullopt;
  return s;
}

Scenario parse_scenario(const nlohmann::json& document, std::string_view where, Library& library) {
  JsonReader in{document, std::string(where)};
  std::optional<LoadSource> source;
  Scenario s = read_setting(in, library, source);
  const model::Phase phase = phase_of(s);
  JsonReader given = in.object("workload");
  auto workload =
      make_workload(read_workload(given, phase), phase, mapping::devices(s.plan), s.model.arch);
  if (const auto* error = std::get_if<WorkloadError>(&workload))
    given.fail(name(error->field), error->text);
  given.finish();
  s.workload = std::get<Workload>(workload);
  in.finish();
  if (source) take_load(*source, s);
  return s;
}

Scenario parse_scenario(const nlohmann::json& document, std::string_view where) {
  Library library;
  return parse_scenario(document, where, library);
}

Scenario load_scenario(std::string_view file) {
  const std::string path{file};
  return parse_scenario(read_json(path), path + "#");
}

namespace {

void add_read_options(const model::ReadOptions& read, nlohmann::json& out) {
  if (read.text_only) out["text_only"] = true;
  if (!read.attention.empty()) out["attention"] = read.attention;
  for (const std::string& set : read.sets) {
    const std::size_t equals = set.find('=');
    out["model_patch"][set.substr(0, equals)] = nlohmann::json::parse(set.substr(equals + 1));
  }
}

}  // namespace

nlohmann::json to_json(const Scenario& s) {
  nlohmann::json plan = mapping::to_json(s.plan);
  if (s.load) plan["expert_load"] = to_json(s.load->source);
  plan["order"] = kOrders[s.plan.fixed_order ? 1 : 0];
  plan.erase("fixed_order");
  nlohmann::json out{{"name", s.name},
                     {"model", shown_data_file(s.model.path, "models")},
                     {"hardware", shown_data_file(s.cluster.path, "hwprofiles")},
                     {"plan", std::move(plan)},
                     {"precision", model::to_json(s.options.precision)},
                     {"mla", kMlaForms[static_cast<std::size_t>(s.options.mla)]},
                     {"elementwise", kElementwise[s.options.fused_elementwise ? 1 : 0]}};
  add_read_options(s.read, out);
  if (s.host != infer::HostCosts{}) {
    out["host"] = {{"per_step_us", s.host.per_step.value * 1e6},
                   {"per_launch_us", s.host.per_launch.value * 1e6}};
  }
  add_efficiency_choice(s.efficiency, out);
  add_hardware_change(s.change, out);
  if (const auto* d = std::get_if<infer::DecodeQuery>(&s.workload)) {
    out["phase"] = "decode";
    out["workload"] = {{"sequences", d->sequences},
                       {"context_tokens", d->context_tokens},
                       {"draft_tokens", d->draft_tokens},
                       {"acceptance", d->acceptance},
                       {"reserve_tokens", d->reserve_tokens}};
  } else {
    const auto& p = std::get<infer::PrefillQuery>(s.workload);
    out["phase"] = "prefill";
    out["workload"] = {{"prompts", p.prompts},
                       {"prompt_tokens", p.prompt_tokens},
                       {"cached_tokens", p.cached_tokens},
                       {"chunk_tokens", p.chunk_tokens}};
  }
  return out;
}

}  // namespace fathom::study
