#include "core/data_dir.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>

#include "core/error.hpp"
#include "core/json_reader.hpp"
#include "core/utf8.hpp"

namespace fs = std::filesystem;

namespace fathom {
namespace {

bool is_data_dir(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path / "models", ignored) &&
         fs::is_directory(path / "hwprofiles", ignored);
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

fs::path data_dir_of_variable(const char* value) {
  fs::path path{value};
  if (is_data_dir(path)) return path;
  throw InputError(
      fmt::format("$FATHOM_DATA: {} has no models/ and hwprofiles/; expected the "
                  "folder that holds both",
                  printable(path.string(), 200)));
}

std::string joined(std::span<const std::string> names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

fs::path by_name(std::string_view name, std::string_view folder) {
  const std::vector<std::string> names = list_data_files(folder);
  const fs::path base = data_dir() / folder;
  if (std::ranges::binary_search(names, name)) return base / fmt::format("{}.json", name);
  for (const std::string& candidate : names) {
    if (lower(candidate) == lower(name)) return base / (candidate + ".json");
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  const std::string hint = did_you_mean(name, known);
  throw InputError(fmt::format(
      "'{}' is not in {}/{}", printable(name), folder,
      hint.empty() ? fmt::format("; expected a file or one of {}", joined(names)) : hint));
}

}  // namespace

fs::path data_dir() {
  const char* variable = std::getenv("FATHOM_DATA");
  if (variable != nullptr && *variable != '\0') return data_dir_of_variable(variable);
  std::error_code error;
  const fs::path exe_dir = fs::read_symlink("/proc/self/exe", error).parent_path();
  // An installed program's own data first, even where it is installed below a source tree.
  fs::path installed = (exe_dir / ".." / "share" / "fathom").lexically_normal();
  if (is_data_dir(installed)) return installed;
  for (fs::path dir = exe_dir; !dir.empty(); dir = dir.parent_path()) {
    if (is_data_dir(dir)) return dir;
    if (dir == dir.root_path()) break;
  }
  throw InputError(
      fmt::format("no folder with models/ and hwprofiles/: looked in {}, every folder "
                  "above it, and {}; set $FATHOM_DATA to it",
                  printable(exe_dir.string(), 200), printable(installed.string(), 200)));
}

fs::path find_data_file(std::string_view name_or_file, std::string_view folder) {
  if (name_or_file.empty()) {
    throw InputError(fmt::format("empty name; expected a file or a name from {}/", folder));
  }
  fs::path path{name_or_file};
  const bool has_slash = name_or_file.find('/') != std::string_view::npos;
  const bool has_suffix = name_or_file.ends_with(".json");
  std::error_code ignored;
  if ((has_slash || has_suffix) && fs::exists(path, ignored)) return path;
  if (has_slash) throw InputError(fmt::format("{}: no such file", printable(name_or_file, 200)));
  if (has_suffix) name_or_file.remove_suffix(std::string_view{".json"}.size());
  return by_name(name_or_file, folder);
}

std::vector<std::string> list_data_files(std::string_view folder) {
  std::vector<std::string> names;
  const fs::path base = data_dir() / folder;
  std::error_code error;
  fs::directory_iterator entry{base, error};
  for (; !error && entry != fs::directory_iterator{}; entry.increment(error)) {
    if (entry->path().extension() == ".json") names.push_back(entry->path().stem().string());
  }
  if (error) {
    throw InputError(fmt::format("{}: cannot be listed; expected a folder of .json files",
                                 printable(base.string(), 200)));
  }
  std::ranges::sort(names);
  return names;
}

std::string shown_data_file(const std::filesystem::path& path, std::string_view folder) {
  return path.parent_path() == data_dir() / folder ? path.stem().string() : path.string();
}

}  // namespace fathom
