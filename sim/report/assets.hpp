#pragma once

#include <string_view>

/// The files of assets/ and Chart.js, embedded by embed.cmake when the library is built.
namespace fathom::report::assets {

std::string_view charts_js();
std::string_view columns_js();
std::string_view explorer_css();
std::string_view explorer_js();
std::string_view figures_js();
std::string_view page_css();
std::string_view page_js();
std::string_view plot_css();
std::string_view say_js();
std::string_view slider_css();
std::string_view theme_js();
std::string_view views_js();
std::string_view whatif_css();
std::string_view whatif_js();
std::string_view workings_js();

/// Chart.js and its version; both empty when it was not found at build time.
std::string_view chart_library();
std::string_view chart_library_version();

}  // namespace fathom::report::assets
