#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "calib/calibrate.hpp"
#include "calib/corpus.hpp"
#include "calib/efficiency_file.hpp"
#include "calib/page.hpp"
#include "cli/calibrate_local.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "core/json_io.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string directory;
  calib::CorpusFilter filter;
  std::string efficiency;
  std::size_t ratio_shapes = 256;
  LocalRequest local;
  OutputOptions output;
};

// The name of the folder, not where it lies: results must not depend on that.
std::string shown_folder(const std::string& directory) {
  const std::filesystem::path path = std::filesystem::path(directory).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

void write_efficiency(const Request& request, const calib::CalibrationReport& report) {
  const std::filesystem::path file{request.efficiency};
  const auto document = calib::efficiency_file(
      report.calibrations, {.name = file.stem().string(), .source = report.source});
  write_file(file.string(), dump_json(document));
}

void import_tables(const Request& request) {
  const calib::Corpus corpus = calib::load_corpus(request.directory, request.filter);
  if (!request.efficiency.empty()) calib::check_one_device(corpus);
  Progress progress{"fitting"};
  const std::size_t ratio_shapes = request.efficiency.empty() ? 0 : request.ratio_shapes;
  const calib::CalibrationReport report{
      .source = shown_folder(request.directory),
      .calibrations = calib::calibrate(corpus,
                                       {.threads = request.local.machine.threads,
                                        .progress = [&](double share) { progress.report(share); }},
                                       ratio_shapes),
      .skipped = corpus.skipped};
  progress.finish();
  for (const std::string& family : calib::unasked(report.calibrations)) {
    fmt::print(stderr, "warning: fitted, but no operator of an estimate asks for {}\n", family);
  }
  if (!request.efficiency.empty()) write_efficiency(request, report);
  const nlohmann::json data = calib::to_json(report);
  OutputOptions shown = request.output;
  const bool to_file = !shown.output.empty() && shown.output != "-";
  if (to_file) write_file(std::exchange(shown.output, {}), dump_json(data));
  if (!to_file || shown.format != "json") emit(calib::page(report), data, shown);
}

}  // namespace

void add_calibrate(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "calibrate", "Fit the time model to kernels run on this machine, or to measured tables");
  command->add_option("--import", request->directory, "A folder of measured kernel tables")
      ->option_text("DIR");
  add_local_flags(*command, request->local);
  command->add_option("--device", request->filter.device, "Only this device, as h100-sxm")
      ->option_text("NAME");
  command->add_option("--family", request->filter.family, "Only this kernel family, as gemm")
      ->option_text("NAME");
  command
      ->add_option("--write-efficiency", request->efficiency,
                   "Also write the fits of one device as an efficiency file, for --efficiency")
      ->option_text("FILE");
  command
      ->add_option("--ratio-shapes", request->ratio_shapes,
                   "Measured shapes kept beside each fit in that file; 0: the bare forms")
      ->check(CLI::Range(0, 4096))
      ->option_text("N [256]");
  add_output_options(*command, request->output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "Without --import: small shapes of every kernel run on this machine, next to its ceilings;\n"
      "efficiency curves are fitted, and a hardware profile is written that every command takes\n"
      "as `--hardware local` (FATHOM_LOCAL names another place).\n"
      "With --import: reads folders laid out as DEVICE/FAMILY.csv (ai-dynamo/aiconfigurator), as "
      "bench_data of\n"
      "alibaba/InferSim, and a generic table with the columns op, device, stack, dtype, one of\n"
      "latency_us, latency_ms, latency_s, and the shape of the operation. Rows that cannot be\n"
      "measurements are flagged and not fitted. -o writes the fitted parameters as JSON, with "
      "start\n"
      "values, errors, bands and flagged rows; the table of errors is printed all the same.\n"
      "--write-efficiency writes what estimate, explain and plan take with --efficiency.\n"
      "\n"
      "Examples:\n"
      "  fathom calibrate\n"
      "  fathom calibrate --threads 1 --profile one-core.json --format html -o one-core.html\n"
      "  fathom calibrate --import measured -o measured.json\n"
      "  fathom calibrate --import measured --device h100-sxm --family gemm\n"
      "  fathom calibrate --import my-timings --format markdown\n"
      "  fathom calibrate --import measured --device h200 --write-efficiency my-h200.json\n"
      "  fathom estimate --hardware h200 --efficiency my-h200.json …");
  command->callback([request, &exit_code] {
    if (request->directory.empty()) {
      calibrate_this_machine(request->local, request->output);
    } else {
      import_tables(*request);
    }
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
