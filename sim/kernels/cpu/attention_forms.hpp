#pragma once

#include "kernels/cpu/attention_few.hpp"
#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/attention_vector.hpp"
#include "kernels/cpu/index_vector.hpp"

namespace fathom::kernels::cpu {

/// The form that suits the number of query rows.
template <class P>
static void attend_on_vectors(const AttentionJob& job) {
  if (job.rows <= kFewQueryRows)
    FewRows<P>::attend(job);
  else
    AttentionVectors<P>::attend(job);
}

}  // namespace fathom::kernels::cpu
