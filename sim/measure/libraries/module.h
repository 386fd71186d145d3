/* What a baseline module (a shared object beside the program, built where its library is found)
 * offers: y[rows, n] = x[rows, k] w[n, k]^T with random operands, on one thread. Libraries are not
 * linked into the program: it must run where they are missing, and they start threads when loaded.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

const char* fathom_baseline_name(void);    /* "oneDNN bf16" */
const char* fathom_baseline_version(void); /* "2.6.3" */
void* fathom_baseline_linear(int64_t rows, int64_t n, int64_t k);
void fathom_baseline_run(void* linear);
void fathom_baseline_free(void* linear);

#ifdef __cplusplus
}
#endif
