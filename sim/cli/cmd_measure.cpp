#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/machine_flags.hpp"
#include "cli/progress.hpp"
#include "measure/run.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string suite = "quick";
  measure::RunOptions options;
  MachineFlags machine;
  OutputOptions output;
};

void run(Request& request) {
  request.options.suite = measure::parse_suite(request.suite);
  apply(request.machine, request.options);
  expect_writable(request.output.output);
  Progress progress{"measuring"};
  request.options.progress = [&](double share, const std::string&) { progress.report(share); };
  const measure::Measurement measurement = measure::run(request.options, stop_on_interrupt());
  progress.finish();
  emit(measure::page(measurement), measure::to_json(measurement), request.output);
}

}  // namespace

void add_measure(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "measure", "Run the real kernels on this machine, next to its ceilings and to libraries");
  command->add_option("--suite", request->suite, "quick, standard, full or micro")
      ->capture_default_str();
  command
      ->add_option("--only", request->options.only,
                   "Only kernels of this group, or with this text in their name; repeatable")
      ->option_text("TEXT");
  command->add_option("--rounds", request->options.paired.rounds, "Rounds per kernel")
      ->check(CLI::Range(3, 10000))
      ->capture_default_str();
  command
      ->add_option("--seconds", request->options.paired.seconds,
                   "At most this long per kernel, if fewer rounds do")
      ->check(CLI::Range(0.01, 3600.0))
      ->capture_default_str();
  command->add_flag("!--no-ceilings", request->options.ceilings, "Leave out the table of ceilings");
  command->add_flag("!--no-baselines", request->options.baselines, "Leave out the libraries");
  add_machine_flags(*command, request->machine);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg"});
  command->footer(
      "Each kernel is checked against a double-precision reference, then timed in rounds of\n"
      "ceilings, kernel, ceilings, libraries, so that a shared machine's moods cancel. Ctrl-C "
      "keeps\n"
      "what has been measured. JSON carries everything a reader needs to recompute a ratio.\n"
      "\n"
      "Examples:\n"
      "  fathom measure\n"
      "  fathom measure --suite standard --only mla_decode --format html -o kernels.html\n"
      "  fathom measure --only linear --isa avx512 --threads 2\n"
      "  fathom measure --format json -o kernels.json");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
