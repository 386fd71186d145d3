#include "measure/baselines.hpp"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "measure/baseline_eigen.hpp"
#include "measure/libraries/module.h"

namespace fathom::measure {
namespace {

// The functions of measure/libraries/module.h, found in a shared object at run time.
struct Module {
  decltype(&fathom_baseline_name) name = nullptr;
  decltype(&fathom_baseline_version) version = nullptr;
  decltype(&fathom_baseline_linear) linear = nullptr;
  decltype(&fathom_baseline_run) run = nullptr;
  decltype(&fathom_baseline_free) free = nullptr;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::optional<Module> load(const std::filesystem::path& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  Module m;
  const bool whole = find(library, "fathom_baseline_name", m.name) &&
                     find(library, "fathom_baseline_version", m.version) &&
                     find(library, "fathom_baseline_linear", m.linear) &&
                     find(library, "fathom_baseline_run", m.run) &&
                     find(library, "fathom_baseline_free", m.free);
  if (!whole) return std::nullopt;
  return m;
}

std::vector<Module> load_all() {
  // Read by the libraries' thread pools when they are loaded.
  for (const char* variable : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) setenv(variable, "1", 0);
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  std::vector<Module> out;
  for (const char* name : {"fathom_onednn.so", "fathom_openblas.so"})
    if (const auto module = load(program.parent_path() / name)) out.push_back(*module);
  return out;
}

// Loaded when first asked for and kept: their threads outlive every use.
const std::vector<Module>& modules() {
  static const std::vector<Module> all = load_all();
  return all;
}

}  // namespace

std::vector<Baseline> linear_baselines(std::int64_t rows, std::int64_t n, std::int64_t k,
                                       const Bench& bench) {
  std::vector<Baseline> out;
  if (bench.pool.size() > 1) return out;
  for (const Module& m : modules()) {
    const std::shared_ptr<void> linear{m.linear(rows, n, k), m.free};
    if (linear)
      out.push_back({m.name(), m.version(), [linear, run = m.run] { run(linear.get()); }});
  }
  out.push_back(eigen_linear(rows, n, k, bench.seed));
  return out;
}

std::vector<Baseline> mla_decode_baselines(std::int64_t queries, std::int64_t context_tokens,
                                           std::int64_t qk_dim, std::int64_t v_dim,
                                           const Bench& bench) {
  if (bench.pool.size() > 1) return {};
  return {eigen_mla_decode(queries, context_tokens, {qk_dim, v_dim}, bench.seed)};
}

std::vector<std::string> baseline_libraries() {
  std::vector<std::string> out;
  for (const Module& m : modules()) out.push_back(std::string{m.name()} + ' ' + m.version());
  const Baseline eigen = eigen_linear(1, 1, 1, 1);
  out.push_back(eigen.name + ' ' + eigen.version);
  return out;
}

}  // namespace fathom::measure
