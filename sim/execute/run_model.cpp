#include "execute/run_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/rng.hpp"
#include "execute/numerics.hpp"
#include "execute/v3_form.hpp"
#include "execute/v4_form.hpp"
#include "execute/weights.hpp"
#include "kernels/counted.hpp"
#include "model/hf_config.hpp"
#include "model/kv_cache.hpp"
#include "model/params.hpp"

namespace fathom::execute {
namespace {

using Scalar = kernels::Counted<float>;

constexpr model::KvLayout kHeld{model::KvFormat::fp32, model::IndexKeyFormat::fp32};
constexpr std::int64_t kMaxTokens = 4096;  // of prompt and output together

bool has_mtp(const model::ArchSpec& arch) { return arch.mtp_kind != model::MtpKind::none; }

[[noreturn]] void no_kernel(const std::string& config, const std::string& part) {
  throw InputError(fmt::format(
      "{}: {}; run-model runs the DeepSeek forms: V2, V3 (MLA), V3.2 (MLA with DSA) and V4", config,
      part));
}

// The kinds of layers that one Form can run.
void check_layer(const std::string& config, const model::LayerSpec& layer, bool v4) {
  const std::string kind{model::kind_name(layer.attention)};
  const auto* mla = std::get_if<model::MlaSpec>(&layer.attention);
  const auto* compressed = std::get_if<model::CompressedSpec>(&layer.attention);
  if (v4 ? compressed == nullptr : mla == nullptr) no_kernel(config, "its attention is " + kind);
  if (mla != nullptr && mla->indexer.shared) no_kernel(config, "layers share an indexer");
  if (compressed != nullptr && !compressed->own_cache) no_kernel(config, "layers share a cache");
  const bool both = layer.dense.intermediate_size > 0 && layer.moe.n_routed_experts > 0;
  const model::MoeSpec& moe = layer.moe;
  if (both || moe.expert_bias || moe.router_bias || moe.router_scale || moe.shared_expert_gate) {
    no_kernel(config, "its feed-forward layers are of another form");
  }
}

void check_model(const std::string& config, const model::ArchSpec& arch) {
  const bool v4 = std::holds_alternative<model::CompressedSpec>(arch.kinds.front().attention);
  for (const model::LayerSpec& layer : arch.kinds) check_layer(config, layer, v4);
  if (has_mtp(arch)) check_layer(config, arch.mtp_layer, v4);
  if (arch.kv_cache_only || arch.tie_word_embeddings || arch.layer_norm_bias) {
    no_kernel(config, "its configuration has parts without kernels here");
  }
  const std::int64_t parameters = model::count_params(arch).total_main;
  if (parameters > kMaxParameters) {
    throw InputError(fmt::format(
        "{}: {} parameters; the reference kernels run at most {}. Take a smaller configuration, as "
        "in examples/tiny-deepseek-v3.json",
        config, parameters, kMaxParameters));
  }
}

std::vector<std::int64_t> random_prompt(const RunRequest& request, std::int64_t vocab) {
  Rng rng{request.seed};
  std::vector<std::int64_t> prompt(static_cast<std::size_t>(request.prompt_length));
  for (std::int64_t& id : prompt) {
    id = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(vocab)));
  }
  return prompt;
}

void complete(RunRequest& request, const model::ArchSpec& arch) {
  if (request.draft_tokens < 0) request.draft_tokens = has_mtp(arch) ? 1 : 0;
  if (request.draft_tokens > 0 && !has_mtp(arch)) {
    throw InputError(fmt::format("command line: --draft-tokens {}: {} has no MTP module",
                                 request.draft_tokens, request.config));
  }
  if (request.prompt.empty()) request.prompt = random_prompt(request, arch.vocab_size);
  for (const std::int64_t id : request.prompt) {
    if (id < 0 || id >= arch.vocab_size) {
      throw InputError(fmt::format("command line: --prompt-tokens: {} is not below vocab_size = {}",
                                   id, arch.vocab_size));
    }
  }
  const auto prompt = static_cast<std::int64_t>(request.prompt.size());
  if (prompt + request.new_tokens > kMaxTokens) {
    throw InputError(fmt::format("command line: {} tokens of prompt and output; at most {}",
                                 prompt + request.new_tokens, kMaxTokens));
  }
}

Bytes analytic_main(const model::ArchSpec& arch, std::int64_t positions) {
  return model::kv_bytes_per_sequence(arch, kHeld, positions);
}

// An MTP module is one more layer.
Bytes analytic_mtp(const model::ArchSpec& arch, std::int64_t positions) {
  model::ArchSpec module = arch;
  module.kinds = {arch.mtp_layer};
  module.layers = {0};
  return model::kv_bytes_per_sequence(module, kHeld, positions);
}

Bytes held_bytes(std::int64_t elements) {
  return Bytes{static_cast<double>(elements) * sizeof(float)};
}

template <class Form>
void run_form(const Form& form, RunResult& result) {
  const RunRequest& request = result.request;
  {
    WorkLedger ledger;
    const GenerateRequest plain{request.prompt, request.new_tokens, 0};
    result.greedy = Generator<Form>{form, plain, ledger}.run();
    result.work = compare_work(result.arch, ledger);
  }
  result.speculative = result.greedy;
  if (request.draft_tokens > 0) {
    WorkLedger ledger;
    const GenerateRequest drafting{request.prompt, request.new_tokens, request.draft_tokens};
    result.speculative = Generator<Form>{form, drafting, ledger}.run();
    result.speculative_work = compare_work(result.arch, ledger);
    result.kv_mtp = {held_bytes(result.speculative.held_mtp),
                     analytic_mtp(result.arch, result.speculative.positions)};
  }
  result.kv_main = {held_bytes(result.greedy.held_main),
                    analytic_main(result.arch, result.greedy.positions)};
}

}  // namespace

RunResult run_model(const RunRequest& request) {
  const model::Model loaded = model::load_model(request.config);
  RunResult result{.arch = loaded.arch, .request = request};
  check_model(request.config, result.arch);
  complete(result.request, result.arch);
  const nlohmann::json document = read_json(loaded.path);
  const bool wrapped = document.contains("config");
  const Numerics numerics =
      read_numerics(wrapped ? document["config"] : document,
                    fmt::format("{}#{}", request.config, wrapped ? "/config" : ""));
  const Checkpoint checkpoint = random_checkpoint(result.arch, request.seed);
  const model::ParamCount count = model::count_params(result.arch);
  result.parameters = parameter_count(checkpoint);
  result.analytic_parameters = count.total_main + count.mtp_unique;
  const kernels::CountScope counting;
  if (std::holds_alternative<model::CompressedSpec>(result.arch.kinds.front().attention)) {
    run_form(
        V4Form<Scalar>{result.arch, numerics, weights_as<Scalar>(checkpoint), checkpoint.tables},
        result);
  } else {
    run_form(V3Form<Scalar>{result.arch, numerics, weights_as<Scalar>(checkpoint)}, result);
  }
  return result;
}

bool agrees(const RunResult& r) {
  const auto same_flops = [](const OperatorWork& w) {
    return w.executed_flops == w.analytic_flops;
  };
  return r.parameters == r.analytic_parameters && r.kv_main.held == r.kv_main.analytic &&
         r.kv_mtp.held == r.kv_mtp.analytic && r.speculative_equals_greedy() &&
         std::ranges::all_of(r.work, same_flops) &&
         std::ranges::all_of(r.speculative_work, same_flops);
}

double acceptance_length(const Generation& generation) {
  if (generation.step_tokens.empty()) return 1.0;
  double tokens = 0.0;
  for (const std::int64_t step : generation.step_tokens) tokens += static_cast<double>(step);
  return tokens / static_cast<double>(generation.step_tokens.size());
}

}  // namespace fathom::execute
