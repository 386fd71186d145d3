#pragma once

#include <string_view>

namespace fathom::whatif {

/// what_if() compiled to WebAssembly, for pages: the code and the script that loads it, each
/// compressed with gzip, in base64. Both empty where the program was built without emscripten.
std::string_view calculator_script();
std::string_view calculator_code();

}  // namespace fathom::whatif
