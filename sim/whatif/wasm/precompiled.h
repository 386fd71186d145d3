#pragma once
// What most sources include anyway, parsed once.
#include "whatif/wasm/standard_library.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
