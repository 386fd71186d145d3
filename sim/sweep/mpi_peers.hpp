#pragma once

#include <memory>

#include "sweep/peers.hpp"

namespace fathom::sweep {

/// The ranks that mpirun or srun started this process among; null when there is only this one.
/// InputError when a launcher started it and the program was built without MPI.
std::unique_ptr<Peers> mpi_peers();

}  // namespace fathom::sweep
