#pragma once

#include <memory>

#include "sweep/peers.hpp"

// What the shared object fathom_sweep_mpi.so offers: it is built with the program, never apart.

extern "C" {
/// Starts MPI; the ranks that the launcher made. Once in a process: the object's end stops MPI.
fathom::sweep::Peers* fathom_sweep_peers();
}
