#include "collectives/communicator.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <exception>

#include "collectives/mpi/module.h"
#include "core/error.hpp"
#include "core/modules.hpp"

namespace fathom::collectives {

// The functions of collectives/mpi/module.h, found in a shared object at run time.
struct Communicator::Module {
  decltype(&fathom_mpi_start) start = nullptr;
  decltype(&fathom_mpi_stop) stop = nullptr;
  decltype(&fathom_mpi_version) version = nullptr;
  decltype(&fathom_mpi_rank) rank = nullptr;
  decltype(&fathom_mpi_ranks) ranks = nullptr;
  decltype(&fathom_mpi_barrier) barrier = nullptr;
  decltype(&fathom_mpi_max) max = nullptr;
  decltype(&fathom_mpi_all_reduce) all_reduce = nullptr;
  decltype(&fathom_mpi_all_gather) all_gather = nullptr;
  decltype(&fathom_mpi_all_to_all) all_to_all = nullptr;
  decltype(&fathom_mpi_exchange_rows) exchange_rows = nullptr;

  static const Module& loaded();
};

namespace {

constexpr const char* kHowToStart =
    "--collectives: needs at least two ranks; start it with `mpirun -n 2 fathom measure "
    "--collectives` (as root add --allow-run-as-root, for more ranks than cores --oversubscribe)";
constexpr const char* kHowToBuild =
    "--collectives: no MPI module (fathom_mpi.so) beside the program; install libopenmpi-dev and "
    "openmpi-bin, then build again";

template <class Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr)
    throw InputError{"fathom_mpi.so: built from other sources than this program; build again"};
}

void* open_library() {
  std::string error;
  void* library = open_module("fathom_mpi.so", ModuleScope::global, &error);
  if (library == nullptr) throw InputError{error.empty() ? kHowToBuild : "--collectives: " + error};
  return library;
}

}  // namespace

// Loaded once and kept: MPI's own threads may outlive every use.
const Communicator::Module& Communicator::Module::loaded() {
  static const Module module = [] {
    void* library = open_library();
    Module m;
    find(library, "fathom_mpi_start", m.start);
    find(library, "fathom_mpi_stop", m.stop);
    find(library, "fathom_mpi_version", m.version);
    find(library, "fathom_mpi_rank", m.rank);
    find(library, "fathom_mpi_ranks", m.ranks);
    find(library, "fathom_mpi_barrier", m.barrier);
    find(library, "fathom_mpi_max", m.max);
    find(library, "fathom_mpi_all_reduce", m.all_reduce);
    find(library, "fathom_mpi_all_gather", m.all_gather);
    find(library, "fathom_mpi_all_to_all", m.all_to_all);
    find(library, "fathom_mpi_exchange_rows", m.exchange_rows);
    return m;
  }();
  return module;
}

Communicator::Communicator() {
  if (!started_by_mpi_launcher()) throw InputError{kHowToStart};
  module_ = &Module::loaded();
  if (module_->start() != 0) throw InputError{"--collectives: MPI does not start here"};
  rank_ = module_->rank();
  ranks_ = module_->ranks();
  version_ = module_->version();
  if (ranks_ >= 2) return;
  module_->stop();
  throw InputError{kHowToStart};
}

// A rank that leaves by an exception must not wait for the others: the launcher ends them.
Communicator::~Communicator() {
  if (std::uncaught_exceptions() == 0) module_->stop();
}

void Communicator::barrier() { module_->barrier(); }
double Communicator::max(double value) { return module_->max(value); }

void Communicator::all_reduce(std::span<const float> in, std::span<float> out) {
  FATHOM_EXPECT(in.size() == out.size(), "an all-reduce of two sizes");
  module_->all_reduce(in.data(), out.data(), static_cast<std::int64_t>(in.size()));
}

void Communicator::all_gather(std::span<const float> in, std::span<float> out) {
  FATHOM_EXPECT(out.size() == in.size() * static_cast<std::size_t>(ranks_), "all-gather: room");
  module_->all_gather(in.data(), out.data(), static_cast<std::int64_t>(in.size_bytes()));
}

void Communicator::all_to_all(std::span<const float> in, std::span<float> out) {
  FATHOM_EXPECT(in.size() == out.size() && in.size() % static_cast<std::size_t>(ranks_) == 0,
                "all-to-all: equal parts");
  module_->all_to_all(in.data(), out.data(), static_cast<std::int64_t>(in.size_bytes()) / ranks_);
}

std::vector<int> Communicator::exchange_counts(const std::vector<int>& counts) {
  static_assert(sizeof(int) == 4);
  std::vector<int> out(counts.size());
  module_->all_to_all(counts.data(), out.data(), sizeof(int));
  return out;
}

void Communicator::exchange_rows(const Rows& rows, std::int64_t width) {
  module_->exchange_rows(rows.sent, rows.sent_rows.data(), rows.received, rows.received_rows.data(),
                         width * static_cast<std::int64_t>(sizeof(kernels::cpu::Bf16)));
}

}  // namespace fathom::collectives
