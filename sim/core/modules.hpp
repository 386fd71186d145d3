#pragma once

#include <string>
#include <string_view>

namespace fathom {

/// Parts of the program that need a library which may be missing are shared objects beside it,
/// opened when they are asked for.
enum class ModuleScope : unsigned char {
  local,
  global  // its symbols serve what it loads in turn: plug-ins of Open MPI need that
};

/// A handle for dlsym(), kept for the life of the process; null when there is no such file, or,
/// with `error` telling why, when it cannot be loaded.
void* open_module(std::string_view file_name, ModuleScope scope, std::string* error = nullptr);

/// Whether mpirun or srun started this process: Open MPI, MPICH, Intel MPI and Slurm's PMIx say so
/// in its environment. Without a launcher Open MPI starts a daemon only to find one rank.
bool started_by_mpi_launcher();

}  // namespace fathom
