#include <algorithm>
#include <string>

#include "kernels/ref/speculative.hpp"
#include "verify/replay.hpp"

namespace fathom::verify {
namespace {

using kernels::Indices;
using kernels::Tensor;
using namespace kernels::ref;

bool matches_speculative(const GoldenCase& c) {
  return c.has_input("target_logits") && c.has_input("draft_probs") &&
         c.has_input("verify_input_ids");
}

/// Inputs of all trials, stacked on the first axis.
template <class T>
struct Trials {
  explicit Trials(const GoldenCase& c)
      : temperature(c.input<T>("temperature")),
        logits(c.input<T>("target_logits")),
        draft_probs(c.input<T>("draft_probs")),
        verify_ids(c.input_ids("verify_input_ids")),
        u_accept(c.input<T>("u_accept")),
        u_sample(c.input<T>("u_sample")) {}

  DraftCheck<T> check(std::int64_t trial) const {
    const auto ids = verify_ids.slice(trial).subspan(1);  // the first is the current token
    const auto draws = u_accept.slice(trial);
    return {.target_probs = target_distribution<T>(slice_of(logits, trial), temperature[trial]),
            .draft_probs = slice_of(draft_probs, trial),
            .drafts = {ids.begin(), ids.end()},
            .accept_draws = {draws.begin(), draws.end()},
            .sample_draw = u_sample[trial]};
  }

  Tensor<T> temperature;  // [trials]
  Tensor<T> logits;       // [trials, K + 1, vocab]
  Tensor<T> draft_probs;  // [trials, K, vocab]
  Indices verify_ids;     // [trials, K + 1]
  Tensor<T> u_accept;     // [trials, K]
  Tensor<T> u_sample;     // [trials]
};

template <class T>
void replay_speculative(const GoldenCase& c, Produced<T>& out) {
  const Trials<T> trials{c};
  const std::int64_t count = trials.logits.dim(0);
  Tensor<T> target{trials.logits.shape};
  Tensor<T> sampled_from{{count, trials.logits.dim(-1)}};
  Indices accepted{{count}};
  Indices next_token{{count}};
  Indices prefix{trials.u_accept.shape};
  for (std::int64_t t = 0; t < count; ++t) {
    const DraftCheck<T> check = trials.check(t);
    const DraftVerdict<T> verdict = verify_drafts(check);
    std::ranges::copy(check.target_probs.data, target.slice(t).begin());
    std::ranges::copy(verdict.sampled_from, sampled_from.row(t).begin());
    accepted[t] = verdict.accepted;
    next_token[t] = verdict.next_token;
    std::fill_n(prefix.row(t).begin(), verdict.accepted, 1);
  }
  out.put("target_probs", target);
  out.put("sampled_from", sampled_from);
  out.put("accepted", accepted);
  out.put("next_token", next_token);
  out.put("accept_prefix_mask", prefix);
}

}  // namespace

extern const Family kSpeculative;
const Family kSpeculative{"speculative", matches_speculative, replay_speculative<float>,
                          replay_speculative<double>};

}  // namespace fathom::verify
