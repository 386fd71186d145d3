#pragma once

#include <string_view>

/// The files of assets/, embedded by embed.cmake when the library is built.
namespace fathom::report::assets {

std::string_view page_css();
std::string_view plot_css();
std::string_view page_js();

}  // namespace fathom::report::assets
