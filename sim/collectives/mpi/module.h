/* What the MPI module (a shared object beside the program, built where MPI is found) offers: the
 * few collectives that are measured, on all ranks that mpirun started. Every function but rank,
 * ranks and version is called by all ranks.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int fathom_mpi_start(void); /* 0, or an error code of MPI */
void fathom_mpi_stop(void);
const char* fathom_mpi_version(void);
int fathom_mpi_rank(void);
int fathom_mpi_ranks(void);
void fathom_mpi_barrier(void);
double fathom_mpi_max(double value);
void fathom_mpi_all_reduce(const float* in, float* out, int64_t count);
/* `bytes` of every rank, in the order of ranks. */
void fathom_mpi_all_gather(const void* in, void* out, int64_t bytes);
/* `bytes` from every rank to every rank. */
void fathom_mpi_all_to_all(const void* in, void* out, int64_t bytes);
/* Rows of `row_bytes`, sent[r] of them to rank r and received[r] from it, back to back. */
void fathom_mpi_exchange_rows(const void* in, const int* sent, void* out, const int* received,
                              int64_t row_bytes);

#ifdef __cplusplus
}
#endif
