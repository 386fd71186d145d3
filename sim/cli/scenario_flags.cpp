#include "cli/scenario_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/load_flag.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "whatif/what_if.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

enum class Kind { number, text, on_off, load };

struct Field {
  const char* flag;
  const char* pointer;
  Kind kind;
  const char* help;
};

constexpr const char* kQuestion = "The question";
constexpr const char* kPlan = "How the model is cut";
constexpr const char* kPrecision = "Number formats";
constexpr const char* kWorkload = "Work";

constexpr std::array kQuestionFields{
    Field{"--name", "/name", Kind::text, "Title of the scenario"},
    Field{"--model", "/model", Kind::text, "Name from models/ or a config.json"},
    Field{"--hardware", "/hardware", Kind::text, "Name from hwprofiles/ or a file"},
    Field{"--efficiency", "/efficiency", Kind::text,
          "Efficiencies instead of the hardware's: a name or a calibration"},
    Field{"--fidelity", "/fidelity", Kind::text, "auto, roofline, fitted or measured"},
    Field{"--phase", "/phase", Kind::text, "prefill or decode"},
    Field{"--attention", "/attention", Kind::text, "Another attention: mha, mqa, gqa-N, mla, …"},
    Field{"--text-only", "/text_only", Kind::on_off, "Leave vision and audio towers out"},
    Field{"--mla", "/mla", Kind::text, "automatic, naive or absorbed"},
    Field{"--elementwise", "/elementwise", Kind::text, "separate or fused small kernels"},
};
constexpr std::array kPlanFields{
    Field{"--tp", "/plan/tp", Kind::number, "Tensor parallel ranks"},
    Field{"--pp", "/plan/pp", Kind::number, "Pipeline stages"},
    Field{"--ep", "/plan/ep", Kind::number, "Expert parallel ranks"},
    Field{"--dp", "/plan/dp", Kind::number, "Data parallel replicas of attention"},
    Field{"--cp", "/plan/cp", Kind::number, "Context parallel ranks"},
    Field{"--redundant-experts", "/plan/redundant_experts", Kind::number, "Extra expert slots"},
    Field{"--expert-load", "/plan/expert_load", Kind::load, kExpertLoadHelp},
    Field{"--two-batch-overlap", "/plan/two_batch_overlap", Kind::on_off,
          "One micro-batch computes while the other communicates"},
    Field{"--order", "/plan/order", Kind::text, "greedy or half_layer, with overlap in decode"},
    Field{"--all-to-all", "/plan/all_to_all", Kind::text,
          "automatic, throughput, low_latency, hybrid or gather"},
    Field{"--all-remote", "/plan/all_remote", Kind::on_off,
          "Planning bound: every expert copy crosses the fabric"},
};
constexpr std::array kPrecisionFields{
    Field{"--linear-dtype", "/precision/linear", Kind::text, "Projections, dense and shared FFN"},
    Field{"--experts-dtype", "/precision/experts", Kind::text, "Routed experts"},
    Field{"--other-dtype", "/precision/other", Kind::text, "Head, router, absorption products"},
    Field{"--linear-input-dtype", "/precision/linear_input", Kind::text, "Their activations"},
    Field{"--experts-input-dtype", "/precision/experts_input", Kind::text, "Experts' activations"},
    Field{"--dispatch-dtype", "/precision/dispatch", Kind::text, "Tokens on the way to experts"},
    Field{"--combine-dtype", "/precision/combine", Kind::text, "Tokens on the way back"},
    Field{"--kv-dtype,--kv", "/precision/kv", Kind::text,
          "KV cache: bf16, fp8, fp8_mla, nvfp4 [+index-…]"},
};
constexpr std::array kWorkloadFields{
    Field{"--sequences", "/workload/sequences", Kind::number, "Decode: of the whole instance"},
    Field{"--sequences-per-gpu", "/workload/sequences_per_gpu", Kind::number, "… or per device"},
    Field{"--context-tokens,--context", "/workload/context_tokens", Kind::number,
          "Decode: tokens in the cache"},
    Field{"--draft-tokens", "/workload/draft_tokens", Kind::number, "MTP drafts per step"},
    Field{"--acceptance", "/workload/acceptance", Kind::number, "Probability to accept a draft"},
    Field{"--reserve-tokens", "/workload/reserve_tokens", Kind::number,
          "Cache space for output still to come"},
    Field{"--prompts", "/workload/prompts", Kind::number, "Prefill: of the whole instance"},
    Field{"--prompts-per-gpu", "/workload/prompts_per_gpu", Kind::number, "… or per device"},
    Field{"--prompt-tokens", "/workload/prompt_tokens", Kind::number, "Prefill: tokens of each"},
    Field{"--cached-tokens", "/workload/cached_tokens", Kind::number, "… of these already cached"},
    Field{"--chunk-tokens", "/workload/chunk_tokens", Kind::number,
          "Longest piece of a prompt per step"},
};

constexpr const char* kWhere = "command line#";

void add_field(CLI::App& command, const Field& field, const char* group, ScenarioFlags& flags) {
  const std::string pointer = field.pointer;
  if (field.kind == Kind::on_off) {
    const std::string no = std::string(",!--no-") + (field.flag + 2);
    command
        .add_flag_function(
            field.flag + no,
            [&flags, pointer](std::int64_t count) {
              flags.switches.emplace_back(pointer, count > 0);
            },
            field.help)
        ->group(group);
    return;
  }
  const bool load = field.kind == Kind::load;
  const bool number = field.kind == Kind::number;
  command
      .add_option_function<std::string>(
          field.flag,
          [&flags, pointer, number, load](const std::string& text) {
            (number ? flags.numbers : load ? flags.loads : flags.texts).emplace_back(pointer, text);
          },
          field.help)
      ->option_text(load     ? "LOAD"
                    : number ? "N"
                             : "TEXT")
      ->group(group);
}

// Numbers are read as a file would be, so that 1e400 is refused; words stay words and the reader
// says what it expected instead.
json number_or_word(const std::string& text, const std::string& where) {
  const bool number = text.find_first_of("0123456789") != std::string::npos &&
                      text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  return number ? parse_json(text, where) : json(text);
}

json any_value(const std::string& text, const std::string& where) {
  const bool structured = !text.empty() && (text[0] == '[' || text[0] == '{' || text[0] == '"');
  if (structured) return parse_json(text, where);
  if (text == "true" || text == "false" || text == "null") return json::parse(text);
  return number_or_word(text, where);
}

void put(json& document, const std::string& pointer, json value) {
  whatif::set_field(document, pointer, std::move(value), kWhere);
}

std::pair<std::string, std::string> split_set(const std::string& text, const char* flag,
                                              const char* expected) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw InputError(fmt::format("command line: {} {}: expected {}", flag, text, expected));
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

bool any_flag(const ScenarioFlags& f) {
  return !(f.numbers.empty() && f.loads.empty() && f.texts.empty() && f.switches.empty() &&
           f.patches.empty() && f.sets.empty());
}

void apply(const ScenarioFlags& flags, json& document) {
  for (const auto& [pointer, text] : flags.texts) put(document, pointer, text);
  for (const auto& [pointer, text] : flags.numbers) {
    put(document, pointer, number_or_word(text, kWhere + pointer));
  }
  for (const auto& [pointer, text] : flags.loads) {
    put(document, pointer, expert_load_value(text, kWhere + pointer));
  }
  for (const auto& [pointer, on] : flags.switches) put(document, pointer, on);
  for (const std::string& patch : flags.patches) {
    const auto [key, value] = split_set(patch, "--patch", "FIELD=VALUE");
    const std::string pointer = "/model_patch/" + pointer_token(key);
    put(document, pointer, any_value(value, kWhere + pointer));
  }
  for (const std::string& set : flags.sets) {
    const auto [pointer, value] = split_set(set, "--set", "/json/pointer=VALUE");
    if (!pointer.starts_with("/")) {
      throw InputError(
          fmt::format("command line: --set {}: expected /json/pointer=VALUE, as in "
                      "/plan/tp=8",
                      set));
    }
    put(document, pointer, any_value(value, kWhere + pointer));
  }
}

}  // namespace

void add_scenario_flags(CLI::App& command, ScenarioFlags& flags) {
  command.add_option("scenario", flags.file, "A scenario file; flags replace its fields")
      ->option_text("SCENARIO.json");
  for (const Field& field : kQuestionFields) add_field(command, field, kQuestion, flags);
  for (const Field& field : kPlanFields) add_field(command, field, kPlan, flags);
  for (const Field& field : kPrecisionFields) add_field(command, field, kPrecision, flags);
  for (const Field& field : kWorkloadFields) add_field(command, field, kWorkload, flags);
  command
      .add_option("--patch", flags.patches,
                  "Change a field of the model's configuration; repeatable")
      ->option_text("FIELD=VALUE")
      ->expected(1)
      ->take_all()
      ->group(kQuestion);
  command.add_option("--set", flags.sets, "Set any field of the scenario; repeatable")
      ->option_text("/json/pointer=VALUE")
      ->expected(1)
      ->take_all()
      ->group(kQuestion);
}

NamedScenario resolve(const ScenarioFlags& flags) {
  if (flags.file.empty() && !any_flag(flags)) {
    throw InputError(
        "command line: no scenario; expected a file or --model, --hardware, --phase and the work");
  }
  NamedScenario named;
  json document = json::object();
  if (!flags.file.empty()) {
    const std::string text = read_text(flags.file);
    document = parse_json(text, flags.file);
    if (!document.is_object() && any_flag(flags)) {
      throw InputError(
          fmt::format("{}#: found {}; expected an object", flags.file, document.type_name()));
    }
    named.inputs.push_back({flags.file, content_hash(text)});
  }
  apply(flags, document);
  const std::string where = flags.file.empty() ? kWhere
                            : any_flag(flags)  ? flags.file + " + command line#"
                                               : flags.file + "#";
  named.scenario = study::parse_scenario(document, where);
  named.document = document.dump();
  const study::Scenario& s = named.scenario;
  named.inputs.push_back({s.model.path.filename().string(), s.model.hash});
  named.inputs.push_back({s.cluster.path.filename().string(), s.cluster.hash});
  if (!s.efficiency.file.empty())
    named.inputs.push_back({s.efficiency.file, s.cluster.efficiency.hash});
  if (s.load && !s.load->source.file.empty()) {
    const std::string& trace = s.load->source.file;
    named.inputs.push_back({trace, content_hash(read_text(trace))});
  }
  return named;
}

}  // namespace fathom::cli
