#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

/// Where models/ and hwprofiles/ live: $FATHOM_DATA, else <prefix>/share/fathom (install), else
/// found upward from the running binary (build tree). Never depends on the working directory.
/// InputError that lists what was tried.
std::filesystem::path data_dir();

/// NAME|FILE: an existing path, or a name looked up as <data_dir>/<folder>/<name>.json
/// (case-insensitive). InputError with the nearest name otherwise.
std::filesystem::path find_data_file(std::string_view name_or_file, std::string_view folder);

/// The other way: the name of a file in <data_dir>/<folder>, the path of any other file. For output
/// that must not depend on where the data lies.
std::string shown_data_file(const std::filesystem::path& path, std::string_view folder);

/// Names (without .json) of all files in <data_dir>/<folder>, sorted.
std::vector<std::string> list_data_files(std::string_view folder);

}  // namespace fathom
