#include "cli/language.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/help_text.hpp"
#include "core/error.hpp"
#include "report/text.hpp"

namespace fathom::cli {
namespace {

constexpr std::array<std::string_view, 3> kData{"json", "csv", "jsonl"};
constexpr std::array<std::string_view, 4> kWriters{"calibrate", "explain", "merge", "sweep"};

// CLI11's own words, which stand between the names.
constexpr std::array<const char*, 7> kLabels{"Usage",    "OPTIONS", "SUBCOMMAND", "Positionals",
                                             "REQUIRED", "Needs",   "Excludes"};

// CLI11 aligns by bytes; a Chinese character has three of them and two columns.
class AlignedFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool positional) const override {
    return line(make_option_name(option, positional) + make_option_opts(option),
                make_option_desc(option));
  }
  std::string make_subcommand(const CLI::App* verb) const override {
    return line(verb->get_display_name(true), verb->get_description());
  }

 private:
  std::string line(const std::string& name, const std::string& description) const {
    const auto used = static_cast<std::size_t>(2 + report::display_width(name));
    if (description.empty()) return "  " + name + "\n";
    const std::string gap = used < column_width_ ? std::string(column_width_ - used, ' ')
                                                 : "\n" + std::string(column_width_, ' ');
    return "  " + name + gap + description + "\n";
  }
};

using Arguments = std::vector<std::string_view>;

// The value of --name VALUE or --name=VALUE, the last one given.
std::string_view value_of(const Arguments& arguments, std::string_view name) {
  std::string_view value;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    if (word == name && i + 1 < arguments.size()) value = arguments[i + 1];
    if (word.starts_with(name) && word.substr(name.size()).starts_with("=")) {
      value = word.substr(name.size() + 1);
    }
  }
  return value;
}

bool asks_for_help(const Arguments& arguments) {
  return std::ranges::any_of(arguments, [](auto word) { return word == "-h" || word == "--help"; });
}

lang::Language asked_language(const Arguments& arguments) {
  std::string_view where = "--lang";
  std::string_view asked = value_of(arguments, "--lang");
  if (const char* variable = std::getenv("FATHOM_LANG"); asked.empty() && variable != nullptr) {
    where = "$FATHOM_LANG";
    asked = variable;
  }
  if (asked.empty()) return lang::Language::english;
  if (const auto language = lang::language_named(asked)) return *language;
  throw InputError(fmt::format("{}: unknown language '{}'; expected en, zh", where, asked));
}

}  // namespace

lang::Language language_of(int argc, char** argv) {
  const Arguments arguments(argv + 1, argv + std::max(1, argc));
  const lang::Language asked = asked_language(arguments);
  if (asks_for_help(arguments)) return asked;
  const bool data = std::ranges::find(kData, value_of(arguments, "--format")) != kData.end();
  const bool writes =
      !arguments.empty() && std::ranges::find(kWriters, arguments.front()) != kWriters.end();
  return data || writes ? lang::Language::english : asked;
}

void add_language_option(CLI::App& command) {
  command
      .add_option_function<std::string>(
          "--lang", [](const std::string&) {}, "Language of help and reports: en, zh")
      ->option_text("LANG [en]");
}

void align_help(CLI::App& app) { app.formatter(std::make_shared<AlignedFormatter>()); }

void turn_help(CLI::App& app) {
  if (lang::spoken() == lang::Language::english) return;
  for (const char* word : kLabels) {
    app.get_formatter()->label(word, std::string(lang::tr(word)));
  }
  const bool is_verb = app.get_parent() != nullptr;
  app.description(is_verb ? spoken_line(app.get_description())
                          : spoken_text(app.get_description()));
  app.footer(spoken_footer(app.get_footer()));
  app.group(spoken_line(app.get_group()));
  for (CLI::Option* option : app.get_options({})) {
    option->description(spoken_line(option->get_description()));
    if (!option->get_group().empty()) option->group(spoken_line(option->get_group()));
  }
  for (CLI::App* verb : app.get_subcommands({})) turn_help(*verb);
}

}  // namespace fathom::cli
