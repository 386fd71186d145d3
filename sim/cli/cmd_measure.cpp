#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.hpp"
#include "cli/interrupt.hpp"
#include "cli/machine_flags.hpp"
#include "cli/measure_ranks.hpp"
#include "cli/progress.hpp"
#include "measure/run.hpp"
#include "proof/side_by_side.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string suite = "quick";
  bool collectives = false;
  std::int64_t largest_mib = 64;
  std::vector<std::string> compare;  // systems
  measure::RunOptions options;
  MachineFlags machine;
  OutputOptions output;
};

void run(Request& request) {
  request.options.suite = measure::parse_suite(request.suite);
  apply(request.machine, request.options);
  expect_writable(request.output.output);
  if (request.collectives)
    return measure_ranks(request.options, request.largest_mib, request.output);
  // Before a minute of measuring rather than after it.
  std::vector<hw::Cluster> clusters;
  for (const std::string& name : request.compare) clusters.push_back(hw::load_cluster(name));
  if (!clusters.empty()) request.options.also.push_back(proof::small_mtp_module());
  Progress progress{"measuring"};
  request.options.progress = [&](double share, const std::string&) { progress.report(share); };
  measure::Measurement measurement = measure::run(request.options, stop_on_interrupt());
  progress.finish();
  if (clusters.empty())
    return emit(measure::page(measurement), measure::to_json(measurement), request.output);
  const auto comparison = proof::side_by_side(std::move(measurement), std::move(clusters));
  emit(proof::page(comparison), proof::to_json(comparison), request.output);
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
  command
      ->add_option("--compare", request->compare,
                   "Next to what these systems are estimated to take for the same kernels, on one "
                   "roofline; adds a small MTP module")
      ->delimiter(',')
      ->option_text("SYSTEM,…");
  command
      ->add_flag("--collectives", request->collectives,
                 "All-reduce, all-gather, all-to-all, dispatch and combine between the ranks "
                 "that mpirun started, 1 KiB to 64 MiB")
      ->excludes("--compare");
  command->add_option("--largest-mib", request->largest_mib, "Collectives: largest message")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  add_machine_flags(*command, request->machine);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg", "png"});
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
      "  fathom measure --format json -o kernels.json\n"
      "  fathom measure --compare h800,h200 --format html -o side-by-side.html\n"
      "  mpirun -n 2 fathom measure --collectives --format html -o ranks.html");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
