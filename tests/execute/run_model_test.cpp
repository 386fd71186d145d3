#include "execute/run_model.hpp"

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "catch.hpp"
#include "core/error.hpp"

using namespace fathom;
using namespace fathom::execute;

namespace {

std::string tiny(const std::string& form) {
  return std::string{FATHOM_SOURCE_DIR} + "/examples/tiny-deepseek-" + form + ".json";
}

}  // namespace

TEST_CASE("what a tiny DeepSeek executes and holds equals the analytic figures", "[execute]") {
  const auto form = GENERATE(as<std::string>{}, "v2", "v3", "v3.2", "v4");
  const auto seed = GENERATE(1U, 2U);
  CAPTURE(form, seed);
  const RunResult r =
      run_model({.config = tiny(form), .seed = seed, .prompt_length = 11, .new_tokens = 9});
  CHECK(r.parameters == r.analytic_parameters);
  CHECK(r.kv_main.held == r.kv_main.analytic);
  CHECK(r.kv_mtp.held == r.kv_mtp.analytic);
  CHECK(r.work.size() > 20);
  for (const OperatorWork& w : r.work) {
    CAPTURE(name(w.pass), w.op);
    CHECK(w.executed_flops == w.analytic_flops);
  }
  for (const OperatorWork& w : r.speculative_work) {
    CAPTURE(name(w.pass), w.op);
    CHECK(w.executed_flops == w.analytic_flops);
  }
  CHECK(agrees(r));
}

TEST_CASE("speculative decoding gives the tokens and logits of greedy decoding", "[execute]") {
  const auto form = GENERATE(as<std::string>{}, "v3", "v3.2", "v4");
  const auto drafts = GENERATE(1, 2, 3);
  const auto seed = GENERATE(1U, 3U);
  CAPTURE(form, drafts, seed);
  const RunResult r = run_model({.config = tiny(form),
                                 .seed = seed,
                                 .prompt_length = 6,
                                 .new_tokens = 14,
                                 .draft_tokens = drafts});
  CHECK(r.speculative.tokens == r.greedy.tokens);
  CHECK(r.speculative.logits_hash == r.greedy.logits_hash);
  CHECK(r.greedy.tokens.size() == 14);
  // the first token comes from the prompt, every step gives one to 1 + drafts
  std::int64_t sum = 1;
  for (const std::int64_t tokens : r.speculative.step_tokens) {
    CHECK(tokens >= 1);
    CHECK(tokens <= 1 + drafts);
    sum += tokens;
  }
  CHECK(sum == 14);
}

TEST_CASE("drafts of an untrained module are accepted sometimes, and then save steps",
          "[execute]") {
  const RunResult r =
      run_model({.config = tiny("v3"), .prompt_length = 6, .new_tokens = 24, .draft_tokens = 1});
  CHECK(acceptance_length(r.speculative) > 1.0);
  CHECK(acceptance_length(r.speculative) < 2.0);
  CHECK(r.speculative.step_tokens.size() < r.greedy.step_tokens.size());
}

TEST_CASE("the same request gives the same run, another seed another", "[execute]") {
  const RunRequest request{.config = tiny("v3"), .prompt = {17, 4, 99, 3}, .new_tokens = 5};
  const RunResult first = run_model(request);
  CHECK(to_json(first) == to_json(run_model(request)));
  RunRequest other = request;
  other.seed = 2;
  CHECK(run_model(other).greedy.logits_hash != first.greedy.logits_hash);
}

TEST_CASE("a longer prompt continues as if its tail had been generated", "[execute][property]") {
  // greedy decoding from prompt + generated prefix gives the rest of the generation: prefill and
  // decode are the same function (FLOPs differ, tokens do not)
  const auto form = GENERATE(as<std::string>{}, "v3", "v3.2", "v4");
  CAPTURE(form);
  RunRequest request{
      .config = tiny(form), .prompt = {5, 90, 41, 7, 77}, .new_tokens = 12, .draft_tokens = 0};
  const auto whole = run_model(request).greedy.tokens;
  request.prompt.insert(request.prompt.end(), whole.begin(), whole.begin() + 7);
  request.new_tokens = 5;
  const auto rest = run_model(request).greedy.tokens;
  CHECK(rest == std::vector<std::int64_t>(whole.begin() + 7, whole.end()));
}

TEST_CASE("a request that cannot run says why", "[execute]") {
  CHECK_THROWS_WITH(run_model({.config = tiny("v3"), .prompt = {128}}), contains("vocab_size"));
  CHECK_THROWS_WITH(run_model({.config = tiny("v2"), .draft_tokens = 1}),
                    contains("no MTP module"));
  CHECK_THROWS_WITH(run_model({.config = "deepseek-v3"}), contains("parameters"));
  CHECK_THROWS_WITH(run_model({.config = "llama-3.1-8b"}), contains("its attention is"));
}
