#include "cli/machine_flags.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "core/error.hpp"

namespace fathom::cli {

void add_machine_flags(CLI::App& command, MachineFlags& flags) {
  command.add_option("--isa", flags.isa, "portable, avx512, avx512_bf16 or amx; else the fastest")
      ->option_text("NAME");
  command.add_option("--threads", flags.threads, "Threads, each on a CPU of its own; 0: all")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  command.add_option("--seed", flags.seed, "Of all random data")->capture_default_str();
  command.add_flag("--strict", flags.strict, "Refuse to measure on a busy machine");
}

void apply(const MachineFlags& flags, measure::RunOptions& options) {
  using namespace kernels::cpu;
  options.isa = flags.isa.empty() ? preferred_isa() : parse_isa(flags.isa);
  if (!supported(options.isa))
    throw InputError{fmt::format("command line: --isa {}: this machine ({}) does not have it",
                                 flags.isa, cpu_features().model)};
  options.threads = flags.threads;
  options.seed = flags.seed;
  const measure::Machine machine = measure::this_machine();
  if (flags.strict && busy(machine))
    throw InputError{fmt::format("--strict: the machine is busy (load average {:.1f} on {} CPUs)",
                                 machine.load_average, machine.cpus)};
}

}  // namespace fathom::cli
