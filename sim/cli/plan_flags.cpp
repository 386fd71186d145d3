#include "cli/plan_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/load_flag.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"

namespace fathom::cli {
namespace {

using nlohmann::json;

constexpr const char* kWhere = "command line#";
constexpr const char* kLoadPointer = "/expert_load";

enum class Kind { value, list };

struct Field {
  const char* flag;
  const char* pointer;
  Kind kind;
  const char* help;
};

constexpr std::array kQuestion{
    Field{"--name", "/name", Kind::value, "Title of the plan"},
    Field{"--model", "/model", Kind::value, "Name from models/ or a config.json"},
    Field{"--attention", "/attention", Kind::value, "Another attention: mha, mqa, gqa-N, mla, …"},
    Field{"--hardware", "/hardware", Kind::list, "Names from hwprofiles/ or files"},
    Field{"--efficiency", "/efficiency", Kind::value,
          "Efficiencies instead of the hardware's: a name or a calibration"},
    Field{"--fidelity", "/fidelity", Kind::value, "auto, roofline, fitted or measured"},
    Field{"--price", "/price_usd_per_gpu_hour", Kind::value, "USD per device and hour"}};
constexpr std::array kTraffic{
    Field{"--input-tokens,--isl", "/traffic/input_tokens", Kind::value, "Tokens of a prompt"},
    Field{"--output-tokens,--osl", "/traffic/output_tokens", Kind::value, "Tokens generated"},
    Field{"--prefix-hit", "/traffic/prefix_hit", Kind::value, "Share of a prompt in the cache"},
    Field{"--requests-per-s,--rate", "/traffic/requests_per_s", Kind::value, "Arrivals"},
    Field{"--concurrency", "/traffic/concurrency", Kind::value, "… or requests in the system"},
    Field{"--trace", "/traffic/trace", Kind::value, "Lengths and arrivals from CSV or JSON lines"},
    Field{"--peak-factor", "/traffic/peak_factor", Kind::value, "Peak over mean rate; or trace"},
    Field{"--arrival-scv", "/traffic/arrival_scv", Kind::value,
          "Squared coefficient of variation of gaps; 1: Poisson"}};
constexpr std::array kTargets{
    Field{"--ttft-s", "/targets/ttft_s", Kind::value, "Time to first token, seconds"},
    Field{"--ttft-ms", "/targets/ttft_ms", Kind::value, "… milliseconds"},
    Field{"--tpot-s", "/targets/tpot_s", Kind::value, "Time per output token, seconds"},
    Field{"--tpot-ms", "/targets/tpot_ms", Kind::value, "… milliseconds"},
    Field{"--ttft-p90-s", "/targets/ttft_p90_s", Kind::value, "Nine in ten wait no longer"},
    Field{"--ttft-p99-s", "/targets/ttft_p99_s", Kind::value, "99 in 100 wait no longer"},
    Field{"--tpot-p90-ms", "/targets/tpot_p90_ms", Kind::value, "Nine in ten users see no more"},
    Field{"--tpot-p99-ms", "/targets/tpot_p99_ms", Kind::value, "99 in 100 users see no more"},
    Field{"--user-speed", "/targets/tokens_per_s_per_user", Kind::value, "Tokens/s a user sees"},
    Field{"--budget", "/targets/budget_usd_per_hour", Kind::value, "USD per hour"},
    Field{"--power-kw", "/targets/power_kw", Kind::value, "Rated power of all devices"},
    Field{"--max-gpus", "/targets/max_gpus", Kind::value, "Devices"},
    Field{"--confidence", "/targets/confidence", Kind::value,
          "Size for slower kernels: 0.9 leaves one chance in ten to miss"}};
constexpr std::array kSearch{
    Field{"--tp", "/search/tp", Kind::list, "Tensor parallel ranks to try"},
    Field{"--pp", "/search/pp", Kind::list, "Pipeline stages to try"},
    Field{"--dp", "/search/dp", Kind::list, "Data parallel replicas to try"},
    Field{"--ep", "/search/ep", Kind::list, "Expert parallel ranks to try"},
    Field{"--cp", "/search/cp", Kind::list, "Context parallel ranks to try"},
    Field{"--redundant-experts", "/search/redundant_experts", Kind::list,
          "Expert slots of a load balancer to try"},
    Field{"--all-to-all", "/search/all_to_all", Kind::list,
          "automatic, throughput, low_latency, hybrid, gather"},
    Field{"--pair-hardware", "/search/pair_hardware", Kind::value,
          "true: prefill and decode on different machines too"},
    Field{"--draft-tokens", "/search/draft_tokens", Kind::list, "MTP drafts per step to try"},
    Field{"--chunk-tokens", "/search/chunk_tokens", Kind::list, "Prompt chunks to try; 0: whole"},
    Field{"--two-batch-overlap", "/search/two_batch_overlap", Kind::list, "true, false or both"},
    Field{"--serving", "/search/serving", Kind::list, "aggregated, disaggregated or both"},
    Field{"--max-instance-devices", "/search/max_instance_devices", Kind::value,
          "Largest copy of the model"},
    Field{"--max-devices", "/search/max_devices", Kind::value, "Largest cluster"}};
constexpr std::array kMore{
    Field{"--acceptance", "/acceptance", Kind::value, "Probability to accept a draft"},
    Field{"--expert-load", kLoadPointer, Kind::value, kExpertLoadHelp},
    Field{"--spare-nodes", "/spare_nodes", Kind::value, "Nodes that may fail"},
    Field{"--growth", "/growth", Kind::value,
          "{\"factor\": 2, \"every\": \"quarter\", \"periods\": 8}"},
    Field{"--utilisation", "/utilisation", Kind::value, "Highest busy share of an instance"},
    Field{"--elementwise", "/elementwise", Kind::value, "separate or fused small kernels"},
    Field{"--kv", "/precision/kv", Kind::value, "KV cache: bf16, fp8, fp8_mla, nvfp4 [+index-…]"}};

// Two spellings of one quantity: a flag replaces whichever the file has.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kAlternatives{{
    {"/traffic/requests_per_s", "/traffic/concurrency"},
    {"/traffic/concurrency", "/traffic/requests_per_s"},
    {"/targets/ttft_s", "/targets/ttft_ms"},
    {"/targets/ttft_ms", "/targets/ttft_s"},
    {"/targets/tpot_s", "/targets/tpot_ms"},
    {"/targets/tpot_ms", "/targets/tpot_s"},
    {"/traffic/trace", "/traffic/input_tokens"},
    {"/traffic/trace", "/traffic/output_tokens"},
    {"/traffic/trace", "/traffic/lengths"},
    {"/targets/ttft_p90_s", "/targets/ttft_p90_ms"},
    {"/targets/ttft_p99_s", "/targets/ttft_p99_ms"},
    {"/targets/tpot_p90_ms", "/targets/tpot_p90_s"},
    {"/targets/tpot_p99_ms", "/targets/tpot_p99_s"},
}};

template <std::size_t N>
void add_fields(CLI::App& command, const std::array<Field, N>& fields, const char* group,
                PlanFlags& flags) {
  for (const Field& field : fields) {
    auto& target = field.kind == Kind::list ? flags.lists : flags.values;
    const std::string pointer = field.pointer;
    command
        .add_option_function<std::string>(
            field.flag,
            [&target, pointer](const std::string& text) { target.emplace_back(pointer, text); },
            field.help)
        ->option_text(field.kind == Kind::list ? "LIST" : "VALUE")
        ->group(group);
  }
}

// Numbers are read as a file would be, so that 1e400 is refused; words stay words and the reader
// says what it expected instead.
json any_value(const std::string& text, const std::string& where) {
  if (text == "true" || text == "false" || text == "null") return json::parse(text);
  const bool number = text.find_first_of("0123456789") != std::string::npos &&
                      text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  const bool structured = !text.empty() && (text[0] == '[' || text[0] == '{' || text[0] == '"');
  return number || structured ? parse_json(text, where) : json(text);
}

json list_value(const std::string& text, const std::string& where) {
  json list = json::array();
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    list.push_back(any_value(text.substr(begin, end - begin), where));
    begin = end + 1;
  }
  return list;
}

void put(json& document, const std::string& pointer, json value) {
  try {
    for (const auto& [mine, other] : kAlternatives) {
      const json::json_pointer gone{std::string(other)};
      if (mine != pointer || !document.contains(gone)) continue;
      document[gone.parent_pointer()].erase(gone.back());
    }
    document[json::json_pointer(pointer)] = std::move(value);
  } catch (const json::exception&) {
    throw InputError(
        fmt::format("{}{}: cannot be set; expected a JSON pointer into objects, as in /search/tp",
                    kWhere, pointer));
  }
}

void apply(const PlanFlags& flags, json& document) {
  for (const auto& [pointer, text] : flags.values) {
    const bool load = pointer == kLoadPointer;
    const std::string where = kWhere + pointer;
    put(document, pointer, load ? expert_load_value(text, where) : any_value(text, where));
  }
  for (const auto& [pointer, text] : flags.lists) {
    put(document, pointer, list_value(text, kWhere + pointer));
  }
  for (const std::string& set : flags.sets) {
    const std::size_t equals = set.find('=');
    if (!set.starts_with("/") || equals == std::string::npos) {
      throw InputError(fmt::format(
          "command line: --set {}: expected /json/pointer=VALUE, as in /search/tp=[1,8]", set));
    }
    const std::string pointer = set.substr(0, equals);
    put(document, pointer, any_value(set.substr(equals + 1), kWhere + pointer));
  }
}

}  // namespace

void add_plan_flags(CLI::App& command, PlanFlags& flags) {
  command.add_option("request", flags.file, "A plan request; flags replace its fields")
      ->option_text("REQUEST.json");
  add_fields(command, kQuestion, "The question; a LIST is separated by commas", flags);
  add_fields(command, kTraffic, "Traffic", flags);
  add_fields(command, kTargets, "Targets; plain latencies are means", flags);
  add_fields(command, kSearch, "Search (default: what suits model and machine)", flags);
  add_fields(command, kMore, "Circumstances", flags);
  command.add_option("--set", flags.sets, "Any field of the request, repeatable")
      ->option_text("/json/pointer=VALUE")
      ->expected(1)
      ->take_all();
}

NamedRequest resolve(const PlanFlags& flags) {
  const bool any = !(flags.values.empty() && flags.lists.empty() && flags.sets.empty());
  if (flags.file.empty() && !any) {
    throw InputError(
        "command line: no request; expected a file or --model, --hardware, --isl, --osl, --rate");
  }
  NamedRequest named;
  json document = json::object();
  if (!flags.file.empty()) {
    const std::string text = read_text(flags.file);
    named.inputs.push_back({flags.file, content_hash(text)});
    document = parse_json(text, flags.file);
  }
  const std::string where = flags.file.empty() ? kWhere
                            : any              ? flags.file + " + command line#"
                                               : flags.file + "#";
  if (!document.is_object() && any) {
    throw InputError(fmt::format("{}: found {}; expected an object", where, document.type_name()));
  }
  apply(flags, document);
  named.request = study::parse_plan_request(document, where);
  const auto& source = named.request.load_source;
  if (source && !source->file.empty()) {
    named.inputs.push_back({source->file, content_hash(read_text(source->file))});
  }
  const study::Traffic& traffic = named.request.traffic;
  if (!traffic.trace.empty()) named.inputs.push_back({traffic.trace, traffic.trace_hash});
  return named;
}

}  // namespace fathom::cli
