#include "core/modules.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>

namespace fathom {

void* open_module(std::string_view file_name, ModuleScope scope, std::string* error) {
  std::error_code missing;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", missing);
  const auto path = program.parent_path() / file_name;
  if (!std::filesystem::exists(path, missing)) return nullptr;
  void* library =
      dlopen(path.c_str(), RTLD_NOW | (scope == ModuleScope::global ? RTLD_GLOBAL : RTLD_LOCAL));
  if (library == nullptr && error != nullptr) *error = dlerror();
  return library;
}

bool started_by_mpi_launcher() {
  constexpr std::array kVariables{"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK"};
  return std::ranges::any_of(kVariables, [](const char* v) { return std::getenv(v) != nullptr; });
}

}  // namespace fathom
