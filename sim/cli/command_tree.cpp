#include "cli/command_tree.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "cli/command.hpp"

namespace fathom::cli {
namespace {

constexpr std::array<std::string_view, 4> kModelOptions{"model", "models", "base", "config"};
constexpr std::array<std::string_view, 2> kHardwareOptions{"hardware", "compare"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool is_word(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789_-+.";
  return !text.empty() && text.find_first_not_of(kLetters) == std::string_view::npos;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (std::size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator)) {
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  parts.push_back(text);
  return parts;
}

// A validator of a closed set describes itself as {a,b}; get_type_name() appends that to the type.
std::vector<std::string> validated_words(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return listed_words(std::string_view(type).substr(open, close - open + 1));
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  for (const std::vector<std::string>& words :
       {validated_words(option), listed_words(option.get_option_text()),
        listed_words(option.get_description())}) {
    if (!words.empty()) return words;
  }
  return {};
}

bool named(const CommandOption& option, const auto& known) {
  return std::ranges::any_of(option.names, [&](std::string_view name) {
    name.remove_prefix(std::min(name.find_first_not_of('-'), name.size()));
    return std::ranges::find(known, name) != known.end();
  });
}

ValueKind kind_of(const CommandOption& option, std::string_view verb) {
  const std::string_view text = option.metavar;
  const bool name_or_file = contains(text, "NAME|FILE");
  if (named(option, kModelOptions)) return ValueKind::model;
  if (named(option, kHardwareOptions) || (name_or_file && verb == "hardware"))
    return ValueKind::hardware;
  if (name_or_file && verb == "report") return ValueKind::report;
  if (!option.choices.empty()) return ValueKind::choice;
  if (contains(text, "DIR")) return ValueKind::directory;
  if (contains(text, "FILE") || contains(text, ".json")) return ValueKind::file;
  return ValueKind::text;
}

CommandOption option_of(const CLI::Option& declared, std::string_view verb) {
  CommandOption option;
  option.positional = declared.get_positional();
  if (option.positional) {
    option.names.push_back(declared.get_name(true));
  } else {
    for (const std::string& name : declared.get_snames()) option.names.push_back("-" + name);
    for (const std::string& name : declared.get_lnames()) option.names.push_back("--" + name);
  }
  option.required = declared.get_required();
  option.description = declared.get_description();
  option.repeatable = contains(option.description, "repeatable");
  option.group = declared.get_group();
  if (declared.get_items_expected_max() == 0) return option;
  option.metavar = declared.get_option_text();
  if (option.metavar.empty()) {
    const std::string value = declared.get_default_str();
    option.metavar = (declared.get_type_name() == "TEXT" ? "TEXT" : "N") +
                     (value.empty() ? "" : " [" + value + "]");
  }
  option.many = option.positional && contains(option.metavar, "...");
  option.list =
      declared.get_delimiter() != '\0' || contains(option.metavar, ",") || option.metavar == "LIST";
  option.choices = choices_of(declared);
  option.kind = kind_of(option, verb);
  if (option.kind != ValueKind::choice) option.choices.clear();
  return option;
}

Command command_of(const CLI::App& app) {
  Command command{.name = app.get_name(),
                  .description = app.get_description(),
                  .group = app.get_group(),
                  .footer = app.get_footer()};
  for (const CLI::Option* option : app.get_options({})) {
    if (!option->get_group().empty()) command.options.push_back(option_of(*option, command.name));
  }
  return command;
}

}  // namespace

std::vector<std::string> listed_words(std::string_view text) {
  if (text.starts_with("{") && text.ends_with("}")) text = text.substr(1, text.size() - 2);
  text = text.substr(0, std::min(text.find(';'), text.find(" [")));
  if (const std::size_t colon = text.find(": "); colon != std::string_view::npos)
    text.remove_prefix(colon + 2);
  std::vector<std::string> words;
  std::size_t parts = 0;
  for (const std::string_view piece : split(text, contains(text, "|") ? "|" : ",")) {
    for (std::string_view word : split(piece, " or ")) {
      word.remove_prefix(std::min(word.find_first_not_of(' '), word.size()));
      ++parts;
      // "gqa-N" and "…" say that there are more, not what they are called.
      if (word == "…" || (word.ends_with("-N") && is_word(word.substr(0, word.size() - 1))))
        continue;
      if (!is_word(word)) return {};
      words.emplace_back(word);
    }
  }
  if (parts < 2) words.clear();
  std::erase(words, "both");  // "true, false or both": a list of both, not a value
  return words;
}

Footer split_footer(std::string_view footer) {
  Footer out;
  for (const std::string_view paragraph : split(footer, "\n\n")) {
    if (paragraph.empty()) continue;
    if (paragraph.starts_with("Examples:\n")) {
      for (std::string_view line : split(paragraph.substr(paragraph.find('\n') + 1), "\n")) {
        line.remove_prefix(std::min(std::size_t{2}, line.size()));
        out.examples.emplace_back(line);
      }
    } else if (paragraph.starts_with("Exit code")) {
      out.exit_codes.emplace_back(paragraph);
    } else {
      out.paragraphs.emplace_back(paragraph);
    }
  }
  return out;
}

CommandTree tree_of(const CLI::App& app) {
  CommandTree tree{.program = command_of(app), .version = version_line()};
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!command->get_group().empty()) tree.commands.push_back(command_of(*command));
  }
  return tree;
}

}  // namespace fathom::cli
