#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"
#include "cli/language.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"
#include "lang/catalogue.hpp"
#include "report/chart.hpp"

namespace fathom::cli {
namespace {

struct Verb {
  const char* name;
  const char* group;  // heading of --help; empty: hidden
  void (*add)(CLI::App& app, int& exit_code);
};

constexpr const char* kAsk = "One question";
constexpr const char* kMany = "Many answers";
constexpr const char* kProof = "Evidence";
constexpr const char* kTool = "The tool itself";

// In the order of --help: first what one run needs, then what builds on it.
constexpr std::array kVerbs{
    Verb{"model", kAsk, add_model},
    Verb{"hardware", kAsk, add_hardware},
    Verb{"estimate", kAsk, add_estimate},
    Verb{"explain", kAsk, add_explain},
    Verb{"compare", kAsk, add_compare},
    Verb{"roofline", kAsk, add_roofline},
    Verb{"plan", kAsk, add_plan},
    Verb{"sweep", kMany, add_sweep},
    Verb{"merge", kMany, add_merge},
    Verb{"report", kMany, add_report},
    Verb{"validate", kProof, add_validate},
    Verb{"measure", kProof, add_measure},
    Verb{"calibrate", kProof, add_calibrate},
    Verb{"extrapolate", kProof, add_extrapolate},
    Verb{"verify", kProof, add_verify},
    Verb{"run-model", kProof, add_run_model},
    Verb{"experiment", kProof, add_experiment},
    Verb{"init", kTool, add_init},
    Verb{"demo", kTool, add_demo},
    Verb{"doctor", kTool, add_doctor},
    Verb{"completions", kTool, add_completions},
    Verb{"man", kTool, add_man},
    Verb{"__complete", "", add_complete},
    Verb{"__texts", "", add_texts},
};

constexpr const char* kDescription =
    "Cost simulator for DeepSeek-style language models: this model, cut this way, on this\n"
    "machine - how much memory, how many FLOPs, which bytes over which wire, and how long?";

constexpr const char* kFooter =
    "Examples:\n"
    "  fathom init                                      a scenario of your own to begin with\n"
    "  fathom model deepseek-v3                         parameters, checkpoint, KV cache, FLOPs\n"
    "  fathom hardware show h800                        every figure of a system with its source\n"
    "  fathom estimate examples/deepseek-v3-h800-decode.json\n"
    "  fathom estimate --model deepseek-v3 --hardware h800 --phase decode --ep 32 --dp 32 \\\n"
    "      --sequences-per-gpu 64 --context 4096        the same question in flags\n"
    "  fathom explain examples/deepseek-v3-h800-decode.json --stage mapped\n"
    "  fathom compare --base deepseek-v3 --attention mha,gqa-8,mla\n"
    "  fathom roofline examples/deepseek-v3-h800-decode.json\n"
    "  fathom plan examples/plan-deepseek-v3.json       the smallest cluster for a traffic\n"
    "  fathom sweep examples/sweep-decode.json -o decode.db     many scenarios into a database\n"
    "  fathom report decode.db --format html -o decode.html     what is in it\n"
    "  fathom validate                                  published results against the model\n"
    "  fathom validate --measured DIR                   measured kernel tables, cross-validated\n"
    "  fathom calibrate --import DIR -o FILE            fit the time model to your own timings\n"
    "  fathom verify tests/golden/kernels               our kernels against the original code\n"
    "  fathom run-model --config examples/tiny-deepseek-v3.json --prompt-tokens 17,4,99\n"
    "  fathom experiment balance                        expert load under three policies\n"
    "  fathom demo                                      one report from all of these\n"
    "  fathom doctor                                    what this machine offers and lacks\n"
    "\n"
    "Every command has --help with examples and a manual page; --format json is complete for "
    "every\n"
    "command that answers, and --format md is short for markdown.\n"
    "Models and systems are files below models/ and hwprofiles/; $FATHOM_DATA names the folder\n"
    "that holds both when the program cannot find it by itself.\n"
    "\n"
    "Exit codes: 0 ok, 1 a bug of ours, 2 a mistake in the input, 3 the run is infeasible,\n"
    "4 a validation outside its tolerance, 130 interrupted (what was done is kept).";

// One line whatever a library or a file name put into it. Only a syntax error shows the place on
// indented lines of its own.
std::string shown_lines(std::string_view text) {
  constexpr std::string_view kIndented = "\n    ";
  std::string out;
  while (true) {
    const std::size_t cut = text.find(kIndented);
    const std::string_view line = text.substr(0, cut);
    out += printable(line, line.size());
    if (cut == std::string_view::npos) return out;
    out += kIndented;
    text.remove_prefix(cut + kIndented.size());
  }
}

int fail(int code, std::string_view kind, std::string_view message) {
  fmt::print(stderr, "{}: {}\n", kind, shown_lines(message));
  return code;
}

std::vector<std::string_view> verb_names() {
  std::vector<std::string_view> names;
  names.reserve(kVerbs.size());
  for (const Verb& verb : kVerbs) {
    if (*verb.group != '\0') names.emplace_back(verb.name);
  }
  return names;
}

[[noreturn]] void no_verb(std::string_view found) {
  const std::vector<std::string_view> names = verb_names();
  const std::string hint = found.empty() ? "" : did_you_mean(found, names);
  const std::string what =
      found.empty() ? "no command" : fmt::format("unknown command '{}'", found);
  throw InputError(
      fmt::format("command line: {}{}", what,
                  hint.empty() ? fmt::format("; expected {}", fmt::join(names, ", ")) : hint));
}

// The first argument that no option or positional took, with the nearest option of the verb.
[[noreturn]] void unexpected_argument(const CLI::App& app) {
  const std::vector<std::string> left = app.remaining(true);
  const std::vector<const CLI::App*> chosen = app.get_subcommands({});
  const CLI::App* verb = &app;
  for (const CLI::App* candidate : chosen) {
    if (candidate->parsed()) verb = candidate;
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : verb->get_options({})) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  std::string found = left.empty() ? "" : left.front();
  for (const std::string& argument : left) {
    if (argument.starts_with("-")) {
      found = argument.substr(0, argument.find('='));
      break;
    }
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const bool option = found.starts_with("-");
  throw InputError(fmt::format("command line: {} '{}'{}{}; see 'fathom {}--help'",
                               option ? "unknown option" : "unexpected argument", found,
                               verb == &app ? "" : " of " + verb->get_name(),
                               option ? did_you_mean(found, known) : "",
                               verb == &app ? "" : verb->get_name() + " "));
}

std::string without_capital(std::string text) {
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

std::string version_text() {
  const std::string_view charts = report::chart_library_version();
  if (charts.empty()) {
    return version_line() + "\nHTML figures: static (Chart.js was missing at build time)";
  }
  return fmt::format("{}\nHTML figures: interactive, by Chart.js {}", version_line(), charts);
}

int run(int argc, char** argv) {
  int exit_code = kOk;
  lang::speak(language_of(argc, argv));
  CLI::App app{kDescription, "fathom"};
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.set_version_flag("--version", version_text(), "Print the version and exit");
  app.footer(kFooter);
  app.require_subcommand(1);
  align_help(app);
  add_language_option(app);
  for (const Verb& verb : kVerbs) {
    verb.add(app, exit_code);
    app.get_subcommand(verb.name)->group(verb.group);
    if (*verb.group != '\0') add_language_option(*app.get_subcommand(verb.name));
  }
  if (argc < 2) no_verb("");
  const std::string_view first = argv[1];
  const bool known =
      std::ranges::any_of(kVerbs, [&](const Verb& verb) { return verb.name == first; });
  if (!first.starts_with("-") && !known) no_verb(first);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    print(fmt::format("{}\n", version.what()));
  } catch (const CLI::Success&) {
    turn_help(app);
    print(app.help());
  } catch (const CLI::ExtrasError&) {
    unexpected_argument(app);
  } catch (const CLI::ParseError& error) {
    throw InputError("command line: " + without_capital(error.what()));
  }
  return exit_code;
}

}  // namespace
}  // namespace fathom::cli

int main(int argc, char** argv) {
  using namespace fathom;
  // A reader that has seen enough (head, less) closes the pipe; print() notices and stays quiet.
  std::signal(SIGPIPE, SIG_IGN);
  cli::remember_command_line(argc, argv);
  try {
    return cli::run(argc, argv);
  } catch (const InputError& error) {
    return cli::fail(cli::kInput, "error", error.what());
  } catch (const std::exception& error) {
    return cli::fail(cli::kBug, "bug", error.what());
  }
}
