#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/completions.hpp"
#include "core/data_dir.hpp"
#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom::cli {
namespace {

struct Shell {
  std::string_view name;
  std::string (*script)(const CommandTree& tree);
};
constexpr std::array kShells{Shell{"bash", bash_completions}, Shell{"zsh", zsh_completions},
                             Shell{"fish", fish_completions}};

void write_script(const CLI::App& app, std::string_view wanted) {
  for (const Shell& shell : kShells) {
    if (shell.name == wanted) return print(shell.script(tree_of(app)));
  }
  constexpr std::array<std::string_view, 3> kNames{"bash", "zsh", "fish"};
  const std::string hint = did_you_mean(wanted, kNames);
  throw InputError(fmt::format("command line: unknown shell '{}'{}", wanted,
                               hint.empty() ? "; expected bash, zsh or fish" : hint));
}

// One name per line; nothing at all rather than a complaint in the middle of a command line.
void write_names(const std::string& what) {
  const std::string folder = what == "hardware" ? "hwprofiles" : what;
  std::string lines;
  for (const std::string& name : list_data_files(folder)) lines += name + "\n";
  if (what == "hardware") lines += "local\n";
  print(lines);
}

}  // namespace

void add_completions(CLI::App& app, int& exit_code) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("completions", "Completion of commands, options and names for a shell");
  command->add_option("shell", *shell, "Which shell")->required()->option_text("bash|zsh|fish");
  command->footer(
      "Examples:\n"
      "  source <(fathom completions bash)          now, in this shell\n"
      "  fathom completions bash > ~/.local/share/bash-completion/completions/fathom\n"
      "  fathom completions zsh > ~/.zfunc/_fathom    with fpath+=(~/.zfunc) before compinit\n"
      "  fathom completions fish > ~/.config/fish/completions/fathom.fish\n"
      "\n"
      "`cmake --install` and the Debian package put all three where the shells look.");
  command->callback([shell, &app, &exit_code] {
    write_script(app, *shell);
    exit_code = kOk;
  });
}

void add_complete(CLI::App& app, int& exit_code) {
  auto what = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("__complete", "Names for the completion scripts");
  command->group("");
  command->add_option("what", *what)
      ->required()
      ->check(CLI::IsMember({"models", "hardware", "reports"}));
  command->callback([what, &exit_code] {
    write_names(*what);
    exit_code = kOk;
  });
}

}  // namespace fathom::cli
