#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/doctor.hpp"

namespace fathom::cli {

void add_doctor(CLI::App& app, int& exit_code) {
  auto output = std::make_shared<OutputOptions>();
  CLI::App* command =
      app.add_subcommand("doctor", "What this machine offers, what is missing, and what to do");
  add_output_options(*command, *output, {"table", "json", "markdown", "html", "csv"});
  command->footer(
      "Examples:\n"
      "  fathom doctor\n"
      "  fathom doctor --format json\n"
      "\n"
      "A note is something that would make measurements faster or terminals nicer. Exit code 4:\n"
      "a problem, something without which the program cannot answer.");
  command->callback([output, &exit_code] {
    const std::vector<Finding> findings = examine_this_machine();
    emit(doctor_page(findings), to_json(findings), *output);
    exit_code = has_problem(findings) ? kOutsideTolerance : kOk;
  });
}

}  // namespace fathom::cli
