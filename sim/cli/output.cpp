#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/command.hpp"
#include "cli/terminal.hpp"
#include "core/error.hpp"
#include "core/json_io.hpp"
#include "core/json_reader.hpp"
#include "core/system_message.hpp"
#include "report/csv.hpp"
#include "report/document_json.hpp"
#include "report/html.hpp"
#include "report/in_language.hpp"
#include "report/markdown.hpp"
#include "report/png.hpp"
#include "report/svg.hpp"
#include "report/terminal.hpp"
#include "version.hpp"

namespace fathom::cli {
namespace {

// Set once by main before anything reads it: reports name the command that reproduces them.
std::vector<std::string>& command_words() {
  static std::vector<std::string> words;
  return words;
}

bool is_plain(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=,:+@%";
  return !word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos;
}

// Single quotes as a shell reads them, so that the line can be pasted back.
std::string shell_quoted(std::string_view word) {
  if (is_plain(word)) return std::string(word);
  std::string out = "'";
  for (const char c : word) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string command_line() {
  std::string line = "fathom";
  for (std::size_t i = 1; i < command_words().size(); ++i)
    line += " " + shell_quoted(command_words()[i]);
  return line;
}

struct Picture {
  const std::string& title;
  const report::Block& block;
};

// Figures of either kind, in the order of the document.
void collect_pictures(const std::vector<report::Block>& blocks, std::vector<Picture>& out) {
  for (const report::Block& block : blocks) {
    if (const auto* plot = std::get_if<report::Plot>(&block.content))
      out.push_back({plot->title, block});
    if (const auto* plot = std::get_if<report::LanePlot>(&block.content))
      out.push_back({plot->title, block});
    if (const auto* details = std::get_if<report::Details>(&block.content))
      collect_pictures(details->blocks, out);
  }
}

// The figure that --figure names, as a picture of its own.
std::string picture(const report::Document& document, const OutputOptions& options) {
  std::vector<Picture> pictures;
  collect_pictures(document.blocks, pictures);
  if (pictures.empty())
    throw InputError("--format " + options.format + ": this result has no figure");
  if (options.figure < 1 || static_cast<std::size_t>(options.figure) > pictures.size()) {
    std::string list;
    for (std::size_t i = 0; i < pictures.size(); ++i)
      list += fmt::format("{}{} '{}'", i == 0 ? "" : ", ", i + 1, pictures[i].title);
    throw InputError(fmt::format("--figure {}: expected {}", options.figure, list));
  }
  const report::Block& block = pictures[static_cast<std::size_t>(options.figure) - 1].block;
  if (const auto* lanes = std::get_if<report::LanePlot>(&block.content))
    return report::render_svg(*lanes, {.standalone = true});
  return report::render_svg(std::get<report::Plot>(block.content), {.standalone = true});
}

std::string render(const report::Document& answer, const nlohmann::json& data,
                   const OutputOptions& options) {
  if (options.format == "json") return dump_json(data);
  const report::Document document = report::in_language(answer);
  if (options.format == "markdown") return report::render_markdown(document);
  if (options.format == "html") return report::render_html(document);
  if (options.format == "csv") return report::render_csv(document);
  if (options.format == "svg") return picture(document, options);
  // Two pixels for each of the picture's: sharp on paper at the width of a column.
  if (options.format == "png") return report::render_png(picture(document, options), 2);
  if (!options.output.empty() && options.output != "-") return report::render_terminal(document);
  const int width = terminal_width();
  if (width == 0) return report::render_terminal(document);
  // Prose beyond the usual width is hard to read, however wide the window is.
  report::TerminalOptions terminal{.colour = colour_terminal()};
  terminal.width = std::min(terminal.width, width);
  return report::render_terminal(fit_tables(document, width), terminal);
}

void sign(report::Document& document) {
  // renderers say the name themselves
  document.metadata.version = version_line().substr(std::string_view{"fathom "}.size());
  document.metadata.command = command_line();
}

void write(const std::string& text, const OutputOptions& options) {
  if (options.output.empty() || options.output == "-") {
    print(text);
  } else {
    write_file(options.output, text);
  }
}

}  // namespace

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return;
    if (written < 0) {
      throw InputError("standard output: cannot be written: " + system_message(errno));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

void add_format_option(CLI::App& command, OutputOptions& options,
                       const std::vector<std::string>& formats) {
  const auto known = [formats](const std::string& found) {
    const std::vector<std::string_view> names(formats.begin(), formats.end());
    for (const std::string_view name : names) {
      if (name == found) return std::string();
    }
    const std::string hint = did_you_mean(found, names);
    return fmt::format(
        "unknown format '{}'{}", found,
        hint.empty() ? fmt::format("; expected {}", fmt::join(formats, ", ")) : hint);
  };
  const CLI::Validator in_full(
      [](std::string& found) {
        if (found == "md") found = "markdown";
        return std::string();
      },
      "");
  command.add_option("--format", options.format, fmt::format("{}", fmt::join(formats, ", ")))
      ->check(known)
      ->transform(in_full)
      ->option_text("FORMAT [" + options.format + "]");
}

void add_output_options(CLI::App& command, OutputOptions& options,
                        const std::vector<std::string>& formats) {
  add_format_option(command, options, formats);
  command.add_option("-o,--output", options.output, "Write to a file, whole or not at all")
      ->option_text("FILE");
  if (std::ranges::find(formats, "svg") == formats.end()) return;
  command.add_option("--figure", options.figure, "Which of the figures svg and png show")
      ->option_text("N [1]");
}

void emit(report::Document document, const nlohmann::json& data, const OutputOptions& options) {
  sign(document);
  write(render(document, data, options), options);
}

void emit(report::Document document, const OutputOptions& options) {
  sign(document);
  const bool json = options.format == "json";
  write(render(document, json ? report::to_json(document) : nlohmann::json(), options), options);
}

void expect_writable(const std::string& file, std::string_view flag) {
  if (file.empty() || file == "-") return;
  std::error_code error;
  const auto kind = std::filesystem::status(file, error).type();
  using std::filesystem::file_type;
  const bool through = kind != file_type::not_found && kind != file_type::regular &&
                       kind != file_type::directory && kind != file_type::none;
  if (through) return;  // a pipe or a device
  const std::filesystem::path probe{kind == file_type::directory ? file : file + ".probe"};
  try {
    write_file(probe, "");
  } catch (const InputError& complaint) {
    throw InputError(
        fmt::format("{}; name another file than {} with {}", complaint.what(), file, flag));
  }
  std::filesystem::remove(probe, error);
}

void remember_command_line(int argc, char** argv) { command_words().assign(argv, argv + argc); }

std::string question_line() {
  constexpr std::array<std::string_view, 4> kOutput{"--format", "--output", "-o", "--lang"};
  const std::vector<std::string>& words = command_words();
  std::string line = "fathom";
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::string_view name = word.substr(0, word.find('='));
    if (std::ranges::find(kOutput, name) == kOutput.end()) {
      line += " " + shell_quoted(word);
    } else if (name.size() == word.size()) {
      ++i;  // its value
    }
  }
  return line;
}

std::string version_line() {
  return fmt::format("fathom {} ({}, {})", FATHOM_VERSION, FATHOM_COMMIT, FATHOM_COMPILER);
}

}  // namespace fathom::cli
