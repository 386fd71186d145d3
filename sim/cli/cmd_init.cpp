#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/starter.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"

namespace fathom::cli {
namespace {

struct Request {
  std::string kind = "scenario";
  std::string model = "deepseek-v3";
  std::string hardware = "h800";
  std::string output;
  bool force = false;
};

void run(const Request& request) {
  const StarterKind kind = parse_starter_kind(request.kind);
  const std::string file =
      request.output.empty() ? std::string(name(kind)) + ".json" : request.output;
  std::error_code ignored;
  if (file != "-" && !request.force && std::filesystem::exists(file, ignored)) {
    throw InputError(
        fmt::format("{}: exists already; name another file with --output, or give --force", file));
  }
  const std::string text = starter(kind, request.model, request.hardware);
  if (file == "-") return print(text);
  write_file(file, text);
  print(fmt::format("{}\nrun it: fathom {} {}\n", file, verb(kind), file));
}

}  // namespace

void add_init(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command =
      app.add_subcommand("init", "Write a first scenario, plan request or sweep of your own");
  command->add_option("kind", request->kind, "What to write")->option_text("scenario|plan|sweep");
  command->add_option("--model", request->model, "A name from models/ or any config.json")
      ->option_text("NAME|FILE [deepseek-v3]");
  command->add_option("--hardware", request->hardware, "A name from hwprofiles/ or a file")
      ->option_text("NAME|FILE [h800]");
  command->add_option("-o,--output", request->output, "File to write; -: standard output")
      ->option_text("FILE [KIND.json]");
  command->add_flag("--force", request->force, "Replace a file that exists");
  command->footer(
      "Examples:\n"
      "  fathom init\n"
      "  fathom estimate scenario.json\n"
      "  fathom init plan --model ./config.json --hardware h200 -o my-plan.json\n"
      "  fathom init sweep --model qwen3-235b-a22b --hardware b200\n"
      "\n"
      "The file runs as it is, says in \"comment\" what its fields mean, and names its schema,\n"
      "from which an editor completes and checks the rest.");
  command->callback([request, &exit_code] {
    run(*request);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
