#include "measure/baselines.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <memory>
#include <optional>

#include "core/modules.hpp"
#include "kernels/cpu/isa.hpp"
#include "measure/libraries/module.h"

namespace fathom::measure {
namespace {

// The functions of measure/libraries/module.h, found in a shared object at run time.
struct Module {
  decltype(&fathom_baseline_name) name = nullptr;
  decltype(&fathom_baseline_version) version = nullptr;
  decltype(&fathom_baseline_linear) linear = nullptr;
  decltype(&fathom_baseline_mla_decode) mla_decode = nullptr;  // may be missing
  decltype(&fathom_baseline_run) run = nullptr;
  decltype(&fathom_baseline_free) free = nullptr;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::optional<Module> load(const char* file_name) {
  void* library = open_module(file_name, ModuleScope::local);
  if (library == nullptr) return std::nullopt;
  Module m;
  const bool whole = find(library, "fathom_baseline_name", m.name) &&
                     find(library, "fathom_baseline_version", m.version) &&
                     find(library, "fathom_baseline_linear", m.linear) &&
                     find(library, "fathom_baseline_run", m.run) &&
                     find(library, "fathom_baseline_free", m.free);
  if (!whole) return std::nullopt;
  find(library, "fathom_baseline_mla_decode", m.mla_decode);
  return m;
}

// The widest vectors that the processor has; what is compiled into the program where no module is.
Module load_eigen() {
  const auto& cpu = kernels::cpu::cpu_features();
  if (cpu.avx512)
    if (const auto module = load("fathom_eigen_avx512.so")) return *module;
  if (cpu.avx2)
    if (const auto module = load("fathom_eigen_avx2.so")) return *module;
  return {fathom_baseline_name,       fathom_baseline_version, fathom_baseline_linear,
          fathom_baseline_mla_decode, fathom_baseline_run,     fathom_baseline_free};
}

std::vector<Module> load_all() {
  // Read by the libraries' thread pools when they are loaded.
  for (const char* variable : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}) setenv(variable, "1", 0);
  std::vector<Module> out;
  for (const char* name : {"fathom_onednn.so", "fathom_openblas.so"})
    if (const auto module = load(name)) out.push_back(*module);
  out.push_back(load_eigen());
  return out;
}

// Loaded when first asked for and kept: their threads outlive every use.
const std::vector<Module>& modules() {
  static const std::vector<Module> kAll = load_all();
  return kAll;
}

// Nothing for a null `work`: the library cannot do it on this processor.
void add(const Module& module, void* work, const char* how, std::vector<Baseline>& out) {
  if (work == nullptr) return;
  const std::shared_ptr<void> kept{work, module.free};
  out.push_back({std::string{module.name()} + how, module.version(),
                 [kept, run = module.run] { run(kept.get()); }});
}

}  // namespace

std::vector<Baseline> linear_baselines(std::int64_t rows, std::int64_t n, std::int64_t k,
                                       const Bench& bench) {
  std::vector<Baseline> out;
  if (bench.pool.size() > 1) return out;
  for (const Module& m : modules()) add(m, m.linear(rows, n, k), "", out);
  return out;
}

std::vector<Baseline> mla_decode_baselines(std::int64_t queries, std::int64_t context_tokens,
                                           std::int64_t qk_dim, std::int64_t v_dim,
                                           const Bench& bench) {
  std::vector<Baseline> out;
  if (bench.pool.size() > 1) return out;
  for (const Module& m : modules())
    if (m.mla_decode != nullptr)
      add(m, m.mla_decode(queries, context_tokens, qk_dim, v_dim), ", two products and a softmax",
          out);
  return out;
}

std::vector<std::string> baseline_libraries() {
  std::vector<std::string> out;
  for (const Module& m : modules()) out.push_back(std::string{m.name()} + ' ' + m.version());
  return out;
}

}  // namespace fathom::measure
