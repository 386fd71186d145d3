/* What a baseline module (a shared object beside the program, built where its library is found)
 * offers: products with random operands, on one thread. Libraries are not linked into the program:
 * it must run where they are missing, they start threads when loaded, and Eigen is another library
 * for each instruction set.
 */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
/* The rest of a module stays its own: two of them may carry the same inline functions, compiled for
 * different processors. */
#pragma GCC visibility push(default)

const char* fathom_baseline_name(void);    /* "oneDNN bf16" */
const char* fathom_baseline_version(void); /* "2.6.3" */

/* y[rows, n] = x[rows, k] w[n, k]^T; null where this processor cannot. */
void* fathom_baseline_linear(int64_t rows, int64_t n, int64_t k);
/* Optional. softmax(q[queries, qk_dim] cache[context_tokens, qk_dim]^T) times the first v_dim
 * columns of the cache: absorbed MLA decode as it is usually written down. */
void* fathom_baseline_mla_decode(int64_t queries, int64_t context_tokens, int64_t qk_dim,
                                 int64_t v_dim);

/* For whatever one of the above returned. */
void fathom_baseline_run(void* work);
void fathom_baseline_free(void* work);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
