#include "report/chart.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "lang/language.hpp"
#include "report/assets.hpp"
#include "report/document_json.hpp"
#include "report/escape.hpp"
#include "report/plot_frame.hpp"
#include "report/plot_marks.hpp"
#include "report/svg.hpp"
#include "report/text.hpp"

namespace fathom::report {
namespace {

using nlohmann::json;

json scale_json(const Scale& scale, const std::vector<Tick>& ticks) {
  json out{{"lo", scale.lo}, {"hi", scale.hi}, {"ticks", json::array()}};
  for (const Tick& tick : ticks) out["ticks"].push_back({tick.value, clean(tick.label)});
  return out;
}

std::string legend(const Plot& plot, const Frame& frame) {
  if (frame.legend_rows.empty()) return {};
  std::string out =
      fmt::format("<div class=\"legend\" role=\"group\" aria-label=\"{}\">\n", lang::tr("Series"));
  for (const auto& row : frame.legend_rows) {
    for (const std::size_t i : row) {
      out += fmt::format(
          "<button type=\"button\" aria-pressed=\"true\" data-series=\"{}\">"
          "<svg class=\"plot swatch\" viewBox=\"0 0 20 12\" aria-hidden=\"true\">{}</svg>{}"
          "</button>\n",
          i, legend_sample(plot.series[i], i, 0, 6),
          escape_html(one_line(without_backticks(plot.series[i].name))));
    }
  }
  return out + "</div>\n";
}

}  // namespace

std::string_view chart_library_version() { return assets::chart_library_version(); }

std::string chart_html(const Plot& plot) {
  const Frame frame = lay_out(plot, SvgOptions{}.width, false);
  json data = to_json(plot);
  data["x"]["shown"] = scale_json(frame.x, frame.x_ticks);
  data["y"]["shown"] = scale_json(frame.y, frame.y_ticks);
  const std::string text = data.dump(-1, ' ', false, json::error_handler_t::replace);
  return fmt::format(
      "<div class=\"chart\">\n{}<div class=\"canvas\"><canvas tabindex=\"0\" role=\"img\" "
      "aria-label=\"{}. {}. {}\"></canvas></div>\n"
      "<script type=\"application/json\">{}</script>\n</div>\n",
      legend(plot, frame), escape_html(one_line(without_backticks(plot.title))),
      escape_html(one_line(description(plot))), lang::tr("Arrow keys step through the points."),
      escape_script(text));
}

}  // namespace fathom::report
