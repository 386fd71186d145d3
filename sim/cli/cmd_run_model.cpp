#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "core/error.hpp"
#include "execute/run_model.hpp"

namespace fathom::cli {
namespace {

struct Request {
  execute::RunRequest run;
  OutputOptions output;
};

int run(const Request& request) {
  const execute::RunResult result = execute::run_model(request.run);
  emit(execute::page(result), execute::to_json(result), request.output);
  if (!result.speculative_equals_greedy()) {
    throw BugError("speculative decoding gave other tokens than greedy decoding");
  }
  return execute::agrees(result) ? kOk : kOutsideTolerance;
}

}  // namespace

void add_run_model(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  execute::RunRequest& r = request->run;
  CLI::App* command = app.add_subcommand(
      "run-model", "Run a small DeepSeek with our kernels and hold it against the analytic model");
  command->add_option("--config", r.config, "Name from models/ or a config.json, of a small model")
      ->required()
      ->option_text("NAME|FILE");
  command->add_option("--seed", r.seed, "Of the weights, and of a random prompt")
      ->capture_default_str();
  command->add_option("--prompt-tokens", r.prompt, "Token ids, separated by commas")
      ->delimiter(',')
      ->option_text("ID,ID,...");
  command->add_option("--prompt-length", r.prompt_length, "Tokens of a random prompt")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--new-tokens", r.new_tokens, "Tokens to generate")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      ->add_option("--draft-tokens", r.draft_tokens,
                   "MTP drafts a step; 0: none [1 if the model has an MTP module]")
      ->check(CLI::Range(0, 16));
  add_output_options(*command, request->output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "Weights are random and depend on the seed alone. The model is run plainly and with drafts;\n"
      "printed are the tokens, a hash of the logits, the acceptance length, the KV bytes held and\n"
      "the FLOPs executed by every operator, each beside its analytic figure.\n"
      "\n"
      "Exit codes: 0 all figures equal, 4 one differs.\n"
      "\n"
      "Examples:\n"
      "  fathom run-model --config examples/tiny-deepseek-v3.json --prompt-tokens 17,4,99,3\n"
      "  fathom run-model --config examples/tiny-deepseek-v3.2.json --new-tokens 32 --draft-tokens "
      "3\n"
      "  fathom run-model --config examples/tiny-deepseek-v4.json --seed 7 --format json");
  command->callback([request, &exit_code] { exit_code = run(*request); });
}

}  // namespace fathom::cli
