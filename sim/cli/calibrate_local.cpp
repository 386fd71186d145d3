#include "cli/calibrate_local.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "calib/local_page.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "core/json_io.hpp"
#include "lang/say.hpp"

namespace fathom::cli {
void add_local_flags(CLI::App& command, LocalRequest& request) {
  add_machine_flags(command, request.machine);
  command
      .add_option("--only", request.only, "This machine: only kernels with this text; repeatable")
      ->option_text("TEXT");
  command.add_option("--seconds", request.seconds, "This machine: at most this long per kernel")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
  command.add_option("--profile", request.profile, "This machine: where the profile goes")
      ->option_text("FILE.json");
}

void calibrate_this_machine(const LocalRequest& request, const OutputOptions& output) {
  const std::filesystem::path path =
      request.profile.empty() ? hw::local_profile_path() : std::filesystem::path{request.profile};
  if (request.profile.empty() && path.has_parent_path()) {
    std::error_code error;  // said by expect_writable
    std::filesystem::create_directories(path.parent_path(), error);
  }
  expect_writable(path.string(), "--profile");
  expect_writable(output.output);
  measure::RunOptions options{.suite = measure::Suite::micro, .only = request.only};
  options.ceilings = false;
  options.baselines = false;
  options.paired.seconds = request.seconds;
  apply(request.machine, options);
  Progress progress{"calibrating"};
  options.progress = [&](double share, const std::string&) { progress.report(share); };
  const measure::Measurement measured = measure::run(options, stop_on_interrupt());
  progress.finish();
  calib::LocalCalibration calibration = calib::calibrate_local(measured.results, measured.machine);
  calibration.complete = measured.complete;
  const nlohmann::json profile = calib::profile_json(calibration);
  write_file(path.string(), dump_json(profile));
  report::Document page = calib::local_page(calibration);
  page.blocks.emplace_back(
      report::Paragraph{lang::say("Written to `{}`; use it with `--hardware {}`.", path.string(),
                                  request.profile.empty() ? "local" : path.string())});
  emit(std::move(page), profile, output);
}

}  // namespace fathom::cli
