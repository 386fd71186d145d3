#include "report/svg_head.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "core/error.hpp"
#include "report/assets.hpp"
#include "report/escape.hpp"
#include "report/plot_frame.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

// Where the block that opens at `brace` ends, one behind its closing brace.
std::size_t end_of_block(std::string_view css, std::size_t brace) {
  int depth = 0;
  for (std::size_t i = brace; i < css.size(); ++i) {
    if (css[i] == '{') ++depth;
    if (css[i] == '}' && --depth == 0) return i + 1;
  }
  throw BugError("plot.css: a block does not end");
}

std::string without_media(std::string css) {
  for (std::size_t at = css.find("@media"); at != std::string::npos; at = css.find("@media", at)) {
    css.erase(at, end_of_block(css, css.find('{', at)) - at);
  }
  return css;
}

// The lines "--name: value;" as name -> value.
std::map<std::string, std::string, std::less<>> variables(std::string_view css) {
  std::map<std::string, std::string, std::less<>> out;
  while (!css.empty()) {
    std::string_view line = css.substr(0, css.find('\n'));
    css.remove_prefix(std::min(css.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ')));
    const std::size_t colon = line.find(": ");
    if (line.starts_with("--"))
      out.emplace(line.substr(0, colon), line.substr(colon + 2, line.find(';') - colon - 2));
  }
  return out;
}

std::string standalone_style() {
  constexpr std::string_view kOpen = "var(";
  std::string css = without_media(std::string(assets::plot_css()));
  const auto values = variables(css);
  for (std::size_t at = css.find(kOpen); at != std::string::npos; at = css.find(kOpen, at)) {
    const std::size_t end = css.find(')', at);
    const auto value = values.find(css.substr(at + kOpen.size(), end - at - kOpen.size()));
    if (value == values.end()) throw BugError("plot.css: a variable without a value");
    css.replace(at, end + 1 - at, value->second);
  }
  return css;
}

}  // namespace

std::string svg_head(std::string_view title, std::string_view shown, double width, double height,
                     const SvgOptions& options) {
  const std::string size =
      options.standalone ? fmt::format(" width=\"{}\" height=\"{}\"", pixels(width), pixels(height))
                         : "";
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 {0} {1}\" "
      "role=\"img\" aria-labelledby=\"{2}-title {2}-desc\"{3}>\n<title id=\"{2}-title\">{4}</title>"
      "\n<desc id=\"{2}-desc\">{5}</desc>\n",
      pixels(width), pixels(height), escape_html(options.id), size,
      escape_html(without_backticks(title)), escape_html(without_backticks(shown)));
  if (options.standalone)
    out +=
        fmt::format("<style>{}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n",
                    standalone_style());
  return out;
}

}  // namespace fathom::report
