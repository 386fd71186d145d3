#include "sweep/mpi_peers.hpp"

#include <dlfcn.h>

#include "core/error.hpp"
#include "core/modules.hpp"
#include "sweep/mpi/module.hpp"

namespace fathom::sweep {

std::unique_ptr<Peers> mpi_peers() {
  if (!started_by_mpi_launcher()) return nullptr;
  std::string error;
  void* library = open_module("fathom_sweep_mpi.so", ModuleScope::global, &error);
  if (library == nullptr && error.empty()) {
    error =
        "started by an MPI launcher, but fathom_sweep_mpi.so is not beside the program; install "
        "libboost-mpi-dev and build again, or give --no-mpi";
  }
  if (library == nullptr) throw InputError(error);
  const auto start =
      reinterpret_cast<decltype(&fathom_sweep_peers)>(dlsym(library, "fathom_sweep_peers"));
  if (start == nullptr)
    throw InputError(
        "fathom_sweep_mpi.so: built from other sources than this program; build again");
  std::unique_ptr<Peers> peers(start());
  if (peers->ranks() < 2) peers.reset();
  return peers;
}

}  // namespace fathom::sweep
