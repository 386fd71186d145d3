#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "experiment/page.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string name;
  experiment::BalanceExperiment balance;
  experiment::Fp8Experiment fp8;
  std::uint64_t seed = 1;
  OutputOptions output;
};

void check(const experiment::BalanceExperiment& e) {
  if (e.experts % e.ranks != 0) {
    throw InputError(
        fmt::format("command line: --ranks {} does not divide --experts {}", e.ranks, e.experts));
  }
  if ((e.experts + e.redundant) % e.ranks != 0) {
    throw InputError(
        fmt::format("command line: --ranks {} does not divide --experts + --redundant = {}",
                    e.ranks, e.experts + e.redundant));
  }
  if (e.topk > e.experts) {
    throw InputError(
        fmt::format("command line: --topk {} is more than --experts {}", e.topk, e.experts));
  }
}

void run(Request& request) {
  constexpr std::array<std::string_view, 2> kNames{"balance", "fp8"};
  if (request.name == "balance") {
    request.balance.seed = request.seed;
    check(request.balance);
    const auto result = experiment::run_balance(request.balance);
    emit(experiment::page(result), experiment::to_json(result), request.output);
  } else if (request.name == "fp8") {
    request.fp8.seed = request.seed;
    const auto result = experiment::run_fp8(request.fp8);
    emit(experiment::page(result), experiment::to_json(result), request.output);
  } else {
    const std::string hint = did_you_mean(request.name, kNames);
    throw InputError(fmt::format("command line: unknown experiment '{}'{}", request.name,
                                 hint.empty() ? "; expected balance or fp8" : hint));
  }
}

void add_balance_options(CLI::App& command, experiment::BalanceExperiment& e) {
  const auto count = [&command](const char* flag, std::int64_t& value, const char* text,
                                std::int64_t most) {
    command.add_option(flag, value, text)
        ->check(CLI::Range(std::int64_t{1}, most))
        ->capture_default_str()
        ->group("balance");
  };
  count("--experts", e.experts, "Routed experts", 1024);
  count("--topk", e.topk, "Experts per token", 64);
  count("--tokens", e.tokens, "Tokens per step", 65536);
  count("--steps", e.steps, "Steps", 100000);
  count("--ranks", e.ranks, "Ranks that the experts lie on", 1024);
  command.add_option("--redundant", e.redundant, "Slots for copies of hot experts (EPLB)")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str()
      ->group("balance");
  command.add_option("--zipf", e.zipf, "Exponent of the cluster sizes: how skewed the tokens are")
      ->check(CLI::Range(0.0, 4.0))
      ->capture_default_str()
      ->group("balance");
  command.add_option("--learning-rate", e.learning_rate, "Of the router")
      ->check(CLI::Range(0.0, 1000.0))
      ->capture_default_str()
      ->group("balance");
  command.add_option("--alpha", e.balance_alphas, "Coefficients of the balance loss")
      ->delimiter(',')
      ->option_text("A,A,... [0.3,3,30]")
      ->group("balance");
  command.add_option("--bias-speed", e.bias_update_speeds, "u of the bias update")
      ->delimiter(',')
      ->option_text("U,U,... [0.001,0.01]")
      ->group("balance");
}

}  // namespace

void add_experiment(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "experiment", "Small experiments with the real kernels: expert balance, FP8");
  command->add_option("name", request->name, "Which experiment")
      ->required()
      ->option_text("balance|fp8");
  command->add_option("--seed", request->seed, "Of all random numbers")->capture_default_str();
  add_balance_options(*command, request->balance);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg", "png"});
  command->footer(
      "balance  a router that learns under a skewed, drifting stream of tokens, balanced by the\n"
      "         auxiliary-loss-free bias of DeepSeek-V3, by an auxiliary loss, or not at all:\n"
      "         MaxVio and regret over the steps, the fullest rank with and without EPLB.\n"
      "fp8      error of FP8 and FP4 formats on ordinary and outlier-heavy tensors, and of an FP8\n"
      "         product with sums in the tensor core or promoted every 128 (V3 report, 3.3).\n"
      "\n"
      "Examples:\n"
      "  fathom experiment balance\n"
      "  fathom experiment balance --experts 64 --topk 8 --format html -o balance.html\n"
      "  fathom experiment fp8 --format json");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
