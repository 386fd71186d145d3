#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/help_text.hpp"
#include "cli/man_page.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"

namespace fathom::cli {
namespace {

namespace fs = std::filesystem;

struct Request {
  std::string verb;
  std::string folder;
};

std::string page_of(const CommandTree& tree, const std::string& verb) {
  if (verb.empty()) return man_page(tree);
  const auto found = std::ranges::find(tree.commands, verb, &Command::name);
  if (found != tree.commands.end()) return man_page(tree, *found);
  std::vector<std::string_view> names;
  for (const Command& command : tree.commands) names.push_back(command.name);
  throw InputError(
      fmt::format("command line: unknown command '{}'{}", verb, did_you_mean(verb, names)));
}

void write_all(const CommandTree& tree, const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    throw InputError(fmt::format("{}: cannot be created: {}", folder.string(), error.message()));
  }
  write_file(folder / "fathom.1", man_page(tree));
  for (const Command& command : tree.commands) {
    write_file(folder / fmt::format("fathom-{}.1", command.name), man_page(tree, command));
  }
}

}  // namespace

void add_man(CLI::App& app, int& exit_code) {
  auto request = std::make_shared<Request>();
  CLI::App* command = app.add_subcommand("man", "Manual pages, from the same source as --help");
  command->add_option("command", request->verb, "Of this command; of the program when left out")
      ->option_text("COMMAND");
  command->add_option("--all", request->folder, "Write every page into a folder; made if missing")
      ->option_text("DIR");
  command->footer(
      "Examples:\n"
      "  fathom man | man -l -\n"
      "  fathom man estimate | man -l -\n"
      "  fathom man --all share/man/man1\n"
      "\n"
      "An installed program has them already: man fathom, man fathom-estimate.");
  command->callback([request, &app, &exit_code] {
    const CommandTree tree = tree_of(app);
    if (!request->folder.empty() && !request->verb.empty())
      throw InputError("command line: --all writes every page; leave out '" + request->verb + "'");
    if (request->folder.empty()) {
      print(page_of(tree, request->verb));
    } else {
      write_all(tree, request->folder);
    }
    exit_code = kOk;
  });
}

void add_texts(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("__texts", "Every text of help and manual, as JSON");
  command->group("");
  command->callback([&app, &exit_code] {
    std::vector<std::string> texts = help_texts(tree_of(app));
    for (const std::string& text : man_texts()) texts.push_back(text);
    print(dump_json(texts));
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
