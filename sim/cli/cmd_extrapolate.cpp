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
  std::string folder;  // empty: only what --output says
  OutputOptions output;
};

// The proof for readers and for programs: the run takes minutes, so one run writes them all.
void write_all(const std::string& folder, const proof::Proof& proof) {
  for (const char* format : {"json", "markdown", "html", "svg"}) {
    const std::string suffix = std::string_view{format} == "markdown" ? "md" : format;
    emit(proof::page(proof), proof::to_json(proof),
         {.format = format, .output = folder + "/proof." + suffix});
  }
}

void run(Request& request) {
  if (!request.proof)
    throw InputError{"command line: --proof is required: this command runs what it predicts"};
  measure::RunOptions machine;
  apply(request.machine, machine);
  request.options.isa = machine.isa;
  request.options.threads = machine.threads;
  request.options.seed = machine.seed;
  expect_writable(request.output.output);
  if (!request.folder.empty()) expect_writable(request.folder + "/proof.json", "--folder");
  Progress progress{"proving"};
  request.options.progress = [&](double share, const std::string&) { progress.report(share); };
  const proof::Proof proof = proof::prove(request.options, stop_on_interrupt());
  progress.finish();
  if (!request.folder.empty()) write_all(request.folder, proof);
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
  command
      ->add_option("--folder", request->folder,
                   "Also write proof.json, proof.md, proof.html and proof.svg there")
      ->option_text("DIR");
  add_machine_flags(*command, request->machine);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg", "png"});
  command->footer(
      "Calibrates on small shapes (at most 5 ms, at least eight times smaller than the target),\n"
      "predicts kernels at the sizes of DeepSeek-V3 and V2-Lite, whole layers of these, Qwen3 and\n"
      "Llama, an MTP module and a model of a billion parameters, then executes each and shows the\n"
      "error and whether the 80 % interval held.\n"
      "\n"
      "Examples:\n"
      "  fathom extrapolate --proof --quick\n"
      "  fathom extrapolate --proof --folder .\n"
      "  fathom extrapolate --proof --only mla_decode --threads 2");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
