#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "report/document.hpp"

namespace CLI {
class App;
}

namespace fathom::cli {

/// Exit codes of the program (README, "Exit codes").
inline constexpr int kOk = 0;
inline constexpr int kBug = 1;
inline constexpr int kInput = 2;
inline constexpr int kInfeasible = 3;
inline constexpr int kOutsideTolerance = 4;
inline constexpr int kInterrupted = 130;  // as a shell reports SIGINT; what was done is kept

/// --format, --output and --figure of a command.
struct OutputOptions {
  std::string format = "table";
  std::string output;  // empty or "-": standard output
  int figure = 1;      // which of the document's figures svg and png show, from 1
};

/// Adds --format {formats…} and -o/--output to a subcommand; md is markdown.
void add_output_options(CLI::App& command, OutputOptions& options,
                        const std::vector<std::string>& formats);

/// --format alone, for a command whose -o is something else.
void add_format_option(CLI::App& command, OutputOptions& options,
                       const std::vector<std::string>& formats);

/// Renders `document` as table (terminal), markdown, html, csv, svg or png (one figure), or `data`
/// as json, and writes it whole or not at all. Fills the document's metadata with version and
/// command line.
void emit(report::Document document, const nlohmann::json& data, const OutputOptions& options);

/// The same with the document itself as json (docs/schema/report.json).
void emit(report::Document document, const OutputOptions& options);

/// InputError when `file` (empty and "-": standard output) could not be written, naming the flag
/// that takes another one: asked before a long measurement rather than after it.
void expect_writable(const std::string& file, std::string_view flag = "--output");

/// Text to standard output. A reader that closed the pipe is no error; a full disk is.
void print(std::string_view text);

/// The command line as typed, for the metadata of reports; set once by main.
void remember_command_line(int argc, char** argv);
/// The same line without --format, --output and --lang: what asks the question, however it is
/// shown.
std::string question_line();

/// "fathom 0.1.0 (commit, compiler)".
std::string version_line();

// One function per verb: registers its subcommand, options and examples. Running it stores the exit
// code.
void add_model(CLI::App& app, int& exit_code);
void add_hardware(CLI::App& app, int& exit_code);
void add_estimate(CLI::App& app, int& exit_code);
void add_explain(CLI::App& app, int& exit_code);
void add_compare(CLI::App& app, int& exit_code);
void add_roofline(CLI::App& app, int& exit_code);
void add_plan(CLI::App& app, int& exit_code);
void add_measure(CLI::App& app, int& exit_code);
void add_calibrate(CLI::App& app, int& exit_code);
void add_extrapolate(CLI::App& app, int& exit_code);
void add_sweep(CLI::App& app, int& exit_code);
void add_merge(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
void add_validate(CLI::App& app, int& exit_code);
void add_verify(CLI::App& app, int& exit_code);
void add_run_model(CLI::App& app, int& exit_code);
void add_experiment(CLI::App& app, int& exit_code);
void add_demo(CLI::App& app, int& exit_code);
void add_init(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_completions(CLI::App& app, int& exit_code);
void add_complete(CLI::App& app, int& exit_code);  // hidden: what completion scripts ask
void add_texts(CLI::App& app, int& exit_code);  // hidden: what a translator of the help translates
void add_man(CLI::App& app, int& exit_code);

}  // namespace fathom::cli
