#include <mpi.h>

#include <string>
#include <vector>

#include "collectives/mpi/module.h"

namespace {

// Counts of MPI are 32-bit; a block of 4 bytes lets messages grow to 8 GiB.
constexpr std::int64_t kBlock = 4;

int blocks(std::int64_t bytes) { return static_cast<int>(bytes / kBlock); }

std::vector<int> starts(const int* counts) {
  std::vector<int> out{0};
  for (int rank = 1; rank < fathom_mpi_ranks(); ++rank)
    out.push_back(out.back() + counts[rank - 1]);
  return out;
}

}  // namespace

int fathom_mpi_start(void) { return MPI_Init(nullptr, nullptr); }
void fathom_mpi_stop(void) { MPI_Finalize(); }

// "Open MPI v4.1.4": up to the first comma or line end of what may be a page of text.
const char* fathom_mpi_version(void) {
  static const std::string text = [] {
    char buffer[MPI_MAX_LIBRARY_VERSION_STRING] = {};
    int length = 0;
    MPI_Get_library_version(buffer, &length);
    const std::string all{buffer, static_cast<std::size_t>(length)};
    return all.substr(0, all.find_first_of(",\n"));
  }();
  return text.c_str();
}

int fathom_mpi_rank(void) {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int fathom_mpi_ranks(void) {
  int ranks = 1;
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  return ranks;
}

void fathom_mpi_barrier(void) { MPI_Barrier(MPI_COMM_WORLD); }

double fathom_mpi_max(double value) {
  double largest = value;
  MPI_Allreduce(&value, &largest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return largest;
}

void fathom_mpi_all_reduce(const float* in, float* out, int64_t count) {
  MPI_Allreduce(in, out, static_cast<int>(count), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

void fathom_mpi_all_gather(const void* in, void* out, int64_t bytes) {
  MPI_Allgather(in, blocks(bytes), MPI_INT32_T, out, blocks(bytes), MPI_INT32_T, MPI_COMM_WORLD);
}

void fathom_mpi_all_to_all(const void* in, void* out, int64_t bytes) {
  MPI_Alltoall(in, blocks(bytes), MPI_INT32_T, out, blocks(bytes), MPI_INT32_T, MPI_COMM_WORLD);
}

void fathom_mpi_exchange_rows(const void* in, const int* sent, void* out, const int* received,
                              int64_t row_bytes) {
  MPI_Datatype row = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(blocks(row_bytes), MPI_INT32_T, &row);
  MPI_Type_commit(&row);
  MPI_Alltoallv(in, sent, starts(sent).data(), row, out, received, starts(received).data(), row,
                MPI_COMM_WORLD);
  MPI_Type_free(&row);
}
