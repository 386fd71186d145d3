#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "calib/corpus.hpp"
#include "calib/page.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "validate/validate_page.hpp"

namespace fathom::cli {
namespace {

// Defaults of --max-median and --max-p90 by calib::Fidelity; the roofline has none.
constexpr std::array<calib::Targets, calib::kFidelities> kTargets{
    {{}, {0.045, 0.14}, {0.022, 0.095}}};
// Of every family, all its devices together, percent.
constexpr double kFamilyMedian = 9.0;
constexpr double kFamilyP90 = 30.0;
constexpr std::array kFidelityNames{"all", "roofline", "fitted", "measured"};

struct Request {
  std::string measured;
  std::string train;
  calib::CorpusFilter filter;
  std::string fidelity = "all";
  double max_median = 0.0;  // percent; 0: the defaults
  double max_p90 = 0.0;
  double max_family_median = kFamilyMedian;
  double max_family_p90 = kFamilyP90;
  bool quick = false;
  int threads = 0;
  std::vector<std::string> categories;
  OutputOptions output;
};

std::string shown_folder(const std::string& directory) {
  const std::filesystem::path path = std::filesystem::path(directory).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

std::vector<calib::Fidelity> shown_fidelities(const std::string& wanted) {
  std::vector<calib::Fidelity> out;
  for (const auto f :
       {calib::Fidelity::roofline, calib::Fidelity::fitted, calib::Fidelity::measured}) {
    if (wanted == "all" || wanted == name(f)) out.push_back(f);
  }
  return out;
}

// The overall targets are about all families and devices; a part is only held to what the user
// asks.
std::array<calib::Targets, calib::kFidelities> targets_of(const Request& request) {
  std::array<calib::Targets, calib::kFidelities> targets{};
  const bool part =
      !request.filter.family.empty() || !request.filter.device.empty() || !request.train.empty();
  const bool asked = request.max_median > 0.0 || request.max_p90 > 0.0;
  if (part && !asked) return targets;
  for (const auto f : {calib::Fidelity::fitted, calib::Fidelity::measured}) {
    const auto i = static_cast<std::size_t>(f);
    targets.at(i) = part ? calib::Targets{1.0, 1.0} : kTargets.at(i);
    if (request.max_median > 0.0) targets.at(i).median = request.max_median / 100.0;
    if (request.max_p90 > 0.0) targets.at(i).p90 = request.max_p90 / 100.0;
  }
  return targets;
}

int run_measured(const Request& request) {
  const calib::Corpus corpus = calib::load_corpus(request.measured, request.filter);
  Progress progress{"cross-validating"};
  const calib::ValidationOptions options{.threads = request.threads,
                                         .progress = [&](double share) { progress.report(share); }};
  calib::MeasuredReport report{
      .source = shown_folder(request.measured),
      .targets = targets_of(request),
      .family_targets = {request.max_family_median / 100.0, request.max_family_p90 / 100.0},
      .skipped = corpus.skipped,
      .shown = shown_fidelities(request.fidelity)};
  calib::Corpus training;
  if (request.train.empty()) {
    report.datasets = calib::cross_validate(corpus, options);
  } else {
    report.training = shown_folder(request.train);
    training = calib::load_corpus(request.train, request.filter);
    report.datasets = calib::validate_against(training, corpus, options);
  }
  if (!request.quick && request.train.empty()) {
    report.transfers = calib::transfer_scores(corpus, calib::default_routes(), options);
    report.extrapolations = calib::extrapolation_scores(corpus, options);
  }
  progress.finish();
  emit(calib::page(report), calib::to_json(report), request.output);
  const std::vector<calib::FamilyMiss> families = calib::missed_families(report);
  for (const calib::FamilyMiss& miss : families) {
    fmt::print(stderr,
               "outside: {} by {}: median {:.1f} % (limit {:g}), p90 {:.1f} % (limit {:g})\n",
               miss.family, name(miss.fidelity), 100.0 * miss.score.median,
               request.max_family_median, 100.0 * miss.score.p90, request.max_family_p90);
  }
  return calib::missed(report).empty() && families.empty() ? kOk : kOutsideTolerance;
}

int run_ledger(const Request& request) {
  const validate::LedgerReport report =
      validate::run_ledger({.categories = request.categories, .threads = request.threads});
  emit(validate::page(report), validate::to_json(report), request.output);
  return validate::outside_tolerance(report) ? kOutsideTolerance : kOk;
}

void check(const Request& request) {
  const bool measured = !request.measured.empty();
  const bool tables_only = !request.filter.family.empty() || !request.filter.device.empty() ||
                           request.fidelity != "all" || request.max_median > 0.0 ||
                           request.max_p90 > 0.0 || request.quick || !request.train.empty() ||
                           request.max_family_median != kFamilyMedian ||
                           request.max_family_p90 != kFamilyP90;
  if (!measured && tables_only) {
    throw InputError(
        "command line: --family, --device, --fidelity, --train, --quick, --max-median, --max-p90, "
        "--max-family-median and --max-family-p90 are for tables; name a folder with --measured");
  }
  if (measured && !request.categories.empty()) {
    throw InputError("command line: --category is for the ledger; leave out --measured");
  }
}

void add_options(CLI::App& command, Request& request) {
  command
      .add_option("--measured", request.measured,
                  "Score a folder of measured kernel tables instead, leave-slice-out")
      ->option_text("DIR");
  command.add_option("--train", request.train, "Fit on this folder, score --measured with it")
      ->option_text("DIR");
  command.add_option("--family", request.filter.family, "Only this kernel family, as gemm")
      ->option_text("NAME");
  command.add_option("--device", request.filter.device, "Only this device, as h100-sxm")
      ->option_text("NAME");
  command.add_option("--fidelity", request.fidelity, "all, roofline, fitted or measured")
      ->check(CLI::IsMember(kFidelityNames))
      ->option_text("NAME [all]");
  command
      .add_option("--max-median", request.max_median, "Overall median error allowed, in percent")
      ->check(CLI::PositiveNumber)
      ->option_text("PERCENT [fitted 4.5, measured 2.2]");
  command
      .add_option("--max-p90", request.max_p90, "Overall 90th percentile error allowed, in percent")
      ->check(CLI::PositiveNumber)
      ->option_text("PERCENT [fitted 14, measured 9.5]");
  command
      .add_option("--max-family-median", request.max_family_median,
                  "Median error allowed in any family, in percent")
      ->check(CLI::PositiveNumber)
      ->option_text(fmt::format("PERCENT [{:g}]", kFamilyMedian));
  command
      .add_option("--max-family-p90", request.max_family_p90,
                  "90th percentile error allowed in any family, in percent")
      ->check(CLI::PositiveNumber)
      ->option_text(fmt::format("PERCENT [{:g}]", kFamilyP90));
  command.add_flag("--quick", request.quick, "No transfer between devices or from small to large");
  command.add_option("--category", request.categories, "Only these categories of the ledger")
      ->option_text("NAME…");
  command.add_option("--threads", request.threads, "Threads; 0: all cores")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N [0]");
}

}  // namespace

void add_validate(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand(
      "validate", "Predict published results, or measured tables, and say how far off we are");
  add_options(*command, *request);
  add_output_options(*command, request->output,
                     {"table", "json", "markdown", "html", "csv", "svg", "png"});
  command->footer(
      "Without --measured: every row of reports/ledger, published results with their set-ups.\n"
      "With it: parameters are fitted on four fifths of whole slices (shapes of one kind, the "
      "same\n"
      "on every device) and asked about the rest, by roofline, by the fitted form, and by the "
      "form\n"
      "times the smoothed ratio of measured to fitted; then other devices by data sheet alone, "
      "and\n"
      "large shapes from small ones.\n"
      "\n"
      "Exit codes: 0 all inside tolerance, 2 a file cannot be read, 4 a ledger row is outside its\n"
      "tolerance, the tables miss the overall median or p90, or a family exceeds its limits.\n"
      "\n"
      "Examples:\n"
      "  fathom validate\n"
      "  fathom validate --measured tables --quick\n"
      "  fathom validate --measured tables --family gemm --device b200\n"
      "  fathom validate --measured new-tables --train tables --fidelity measured\n"
      "  fathom validate --measured tables --format html -o accuracy.html");
  command->callback([request, &exit_code] {
    check(*request);
    exit_code = request->measured.empty() ? run_ledger(*request) : run_measured(*request);
  });
}

}  // namespace fathom::cli
