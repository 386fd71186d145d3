#include "report/what_if.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lang/say.hpp"
#include "report/assets.hpp"
#include "report/escape.hpp"
#include "whatif/calculator.hpp"

namespace fathom::report {
namespace {

using lang::tr;
using nlohmann::json;

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json slider_json(const WhatIfSlider& slider) {
  json stops = json::array();
  if (!slider.value) stops.push_back(nullptr);  // not known: the first stop
  for (const double stop : slider.stops) stops.push_back(stop);
  return {{"pointer", slider.pointer},      {"stops", std::move(stops)},
          {"value", or_null(slider.value)}, {"needs", slider.needs},
          {"whole", or_null(slider.whole)}, {"whole_unit", slider.whole_unit}};
}

std::string data(const WhatIf& block) {
  json files = json::object();
  for (const WhatIf::File& file : block.files) files[file.name] = file.text;
  json sliders = json::array();
  for (const WhatIfSlider& slider : block.sliders) sliders.push_back(slider_json(slider));
  return json{{"scenario", json::parse(block.scenario)},
              {"document", json::parse(block.document)},
              {"command", block.command},
              {"needs_file", block.needs_file},
              {"files", std::move(files)},
              {"sliders", std::move(sliders)}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

std::size_t own_stop(const WhatIfSlider& slider) {
  if (!slider.value) return 0;
  return static_cast<std::size_t>(std::ranges::find(slider.stops, *slider.value) -
                                  slider.stops.begin());
}

std::string slider_html(const WhatIfSlider& slider, const std::string& id) {
  const std::size_t last = slider.stops.size() - (slider.value ? 1 : 0);
  const std::size_t own = own_stop(slider);
  return fmt::format(
      "<div class=\"dial\" data-pointer=\"{0}\" style=\"--own: {1:.6g}; --at: {1:.6g}\">\n"
      "<label for=\"{2}\">{3}</label>\n"
      "<span class=\"track\"><input type=\"range\" id=\"{2}\" min=\"0\" max=\"{4}\" step=\"1\" "
      "value=\"{5}\"/></span>\n"
      "<span class=\"typed\"><input type=\"number\" aria-label=\"{3}, {6}\" min=\"{7}\" "
      "max=\"{8}\" step=\"any\" value=\"{9}\"/> <span class=\"unit\">{6}</span> <span "
      "class=\"means\"></span></span>\n</div>\n",
      escape_html(slider.pointer),
      last == 0 ? 0.0 : static_cast<double>(own) / static_cast<double>(last), id,
      escape_html(slider.label), last, own, escape_html(slider.unit), slider.stops.front(),
      slider.stops.back(), slider.value ? fmt::format("{}", *slider.value) : "");
}

std::string figure_html(const WhatIfFigure& figure) {
  const Column column = number_column("");
  const std::string shown =
      figure.value ? shown_text(Cell{*figure.value * figure.scale}, column) : "–";
  const std::string exact = figure.value ? exact_text(Cell{*figure.value}) : "";
  return fmt::format(
      "<tr data-pointer=\"{0}\" data-scale=\"{1}\"><th scope=\"row\">{2} <span "
      "class=\"unit\">{3}</span></th><td class=\"n\" data-v=\"{4}\">{5}</td><td class=\"n now\" "
      "data-v=\"{4}\">{5}</td><td class=\"n change\"></td></tr>\n",
      escape_html(figure.pointer), figure.scale, escape_html(figure.label),
      escape_html(figure.unit), exact, escape_html(shown));
}

std::string script(std::string_view kind, std::string_view id, std::string_view text) {
  return fmt::format("<script type=\"{}\" id=\"{}\">{}</script>\n", kind, id, text);
}

}  // namespace

bool has_calculator() { return !whatif::calculator_code().empty(); }

std::string what_if_text(const WhatIf& block) {
  if (block.sliders.empty()) return "";
  const WhatIfSlider& first = block.sliders.front();
  const double value = first.value.value_or(first.stops.front());
  return lang::say("The same question with another value: `{} --set {}={}`.", block.command,
                   first.pointer, 2.0 * value);
}

std::string what_if_html(const WhatIf& block, const std::string& id) {
  std::string out = fmt::format(
      "<div class=\"what-if\" id=\"{}\">\n<p>{}</p>\n<noscript><p>{}</p></noscript>\n<fieldset "
      "class=\"dials\" disabled aria-label=\"{}\">\n",
      id,
      tr("Each move asks the program that wrote this page: its own functions, compiled for the "
         "browser."),
      tr("Moving the sliders needs script."), tr("Inputs"));
  for (std::size_t i = 0; i < block.sliders.size(); ++i)
    out += slider_html(block.sliders[i], fmt::format("{}-{}", id, i));
  out += fmt::format(
      "</fieldset>\n<p class=\"verdict\" role=\"status\" data-infeasible=\"{}\" "
      "data-refused=\"{}\" data-broken=\"{}\"></p>\n",
      tr("Does not run:"), tr("Not a question:"), tr("This browser cannot compute:"));
  out += fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\n<table>\n<caption "
      "class=\"sr\">{0}</caption>\n"
      "<thead><tr><th scope=\"col\">{1}</th><th scope=\"col\" class=\"n\">{2}</th><th "
      "scope=\"col\" class=\"n\">{3}</th><th scope=\"col\" class=\"n\">{4}</th></tr></thead>"
      "\n<tbody>\n",
      tr("Figures"), tr("figure"), tr("this report"), tr("now"), tr("difference"));
  for (const WhatIfFigure& figure : block.figures) out += figure_html(figure);
  return out + fmt::format(
                   "</tbody>\n</table>\n</div>\n<p class=\"tools\"><button type=\"button\" "
                   "class=\"reset\" disabled>{}</button> <a class=\"csv\" "
                   "download=\"what-if.json\" href=\"#\">{}</a></p>\n<pre tabindex=\"0\" "
                   "aria-label=\"{}\"><code>{}</code></pre>\n<script "
                   "type=\"application/json\">{}</script>\n</div>\n",
                   tr("Reset"), tr("Scenario of this point"), tr("Command that answers this point"),
                   escape_html(block.command), escape_script(data(block)));
}

std::string what_if_scripts() {
  return script("application/gzip", "calculator-script", whatif::calculator_script()) +
         script("application/gzip", "calculator-code", whatif::calculator_code()) +
         fmt::format("<script>\n{}</script>\n", assets::whatif_js());
}

}  // namespace fathom::report
