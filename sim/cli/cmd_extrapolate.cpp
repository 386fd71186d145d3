#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/machine_flags.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "proof/extrapolate.hpp"

namespace fathom::cli {
namespace {

struct Request {
  bool proof = false;
  proof::ProofOptions options;
  MachineFlags machine;
  OutputOptions output;
};

void run(Request& request) {
  if (!request.proof)
    throw InputError{"command line: --proof is required: this command runs what it predicts"};
  measure::RunOptions machine;
  apply(request.machine, machine);
  request.options.isa = machine.isa;
  request.options.threads = machine.threads;
  request.options.seed = machine.seed;
  expect_writable(request.output.output);
  Progress progress{"proving"};
  request.options.progress = [&](double share, const std::string&) { progress.report(share); };
  const proof::Proof proof = proof::prove(request.options, stop_on_interrupt());
  progress.finish();
  emit(proof::page(proof), proof::to_json(proof), request.output);
}

}  // namespace

void add_extrapolate(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "extrapolate", "Predict large kernels and layers from small ones, then run and compare");
  command->add_flag("--proof", request->proof, "Calibrate, predict, execute, compare");
  command->add_flag("--quick", request->options.quick, "A few targets of each kind");
  command->add_option("--only", request->options.only, "Only targets with this text; repeatable")
      ->option_text("TEXT");
  command->add_option("--seconds", request->options.target_seconds, "At most this long per target")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  add_machine_flags(*command, request->machine);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg"});
  command->footer(
      "Calibrates on small shapes (at most 5 ms, at least eight times smaller than the target),\n"
      "predicts kernels at the sizes of DeepSeek-V3 and V2-Lite, whole layers of these, Qwen3 and\n"
      "Llama, an MTP module and a model of a billion parameters, then executes each and shows the\n"
      "error and whether the 80 % interval held.\n"
      "\n"
      "Examples:\n"
      "  fathom extrapolate --proof --quick\n"
      "  fathom extrapolate --proof --format html -o proof.html\n"
      "  fathom extrapolate --proof --only mla_decode --threads 2");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
