#include "infer/serving_point.hpp"

#include "catch.hpp"
#include "model/hf_config.hpp"

using namespace fathom;
using namespace fathom::infer;

namespace {

StepModel prepare(const char* name, const char* hardware, const mapping::Plan& plan) {
  model::Model model = model::load_model(name);
  model::LowerOptions options;
  options.precision = model::default_precision(model.arch);
  return make_step_model(std::move(model.arch), hw::load_cluster(hardware), plan, options);
}

const InferEstimate& estimate(const InferOutcome& outcome) {
  if (const auto* no = std::get_if<Infeasible>(&outcome)) FAIL(no->reason);
  return std::get<InferEstimate>(outcome);
}

}  // namespace

TEST_CASE("DeepSeek's published balanced traces on H800 come out within 15 percent",
          "[infer][ledger]") {
  // deepseek-ai/profile-data as read by SGLang's large-scale EP report: 62,713 and 18,598 tokens/s
  // per node of 8
  StepModel prefill_model =
      prepare("deepseek-v3", "h800", {.ep = 32, .dp = 32, .two_batch_overlap = true});
  const auto p = prefill(prefill_model, {.prompts = 4.0 * 32, .prompt_tokens = 4096});
  CHECK(estimate(p).per_device.value == Approx(7839).epsilon(0.15));
  StepModel decode_model =
      prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128, .two_batch_overlap = true});
  const auto d = decode(decode_model, {.sequences = 128.0 * 128, .context_tokens = 4096});
  CHECK(estimate(d).per_device.value == Approx(2325).epsilon(0.15));
}

TEST_CASE("expected tokens per step follow (1 - p^(k+1)) / (1 - p)", "[infer]") {
  CHECK(expected_accepted(0, 0.9) == 1.0);
  CHECK(expected_accepted(1, 0.85) == Approx(1.85).epsilon(1e-9));
  CHECK(expected_accepted(3, 0.8) == Approx((1 - 0.8 * 0.8 * 0.8 * 0.8) / (1 - 0.8)).epsilon(1e-9));
  CHECK(expected_accepted(4, 1.0) == 5.0);
}

TEST_CASE("speculation gains most at small batches", "[infer][mtp]") {
  StepModel m = prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128});
  const auto gain = [&](double batch) {
    const double plain =
        estimate(decode(m, {.sequences = batch * 128, .context_tokens = 4096})).per_user.value;
    const auto spec = decode(
        m,
        {.sequences = batch * 128, .context_tokens = 4096, .draft_tokens = 1, .acceptance = 0.85});
    return estimate(spec).per_user.value / plain;
  };
  const double small = gain(2);
  const double large = gain(128);
  CHECK(small > 1.5);  // published: 1.8 (V3 report, section 5.4.3)
  CHECK(small < 1.85);
  CHECK(large < small - 0.2);
}

TEST_CASE("a longer context never makes a decode step cheaper", "[infer][property]") {
  const auto* name =
      GENERATE("deepseek-v3", "deepseek-v3.2", "deepseek-v4-flash", "gpt-oss-120b", "llama-3.1-8b");
  StepModel m = prepare(name, "h200", {});
  m.cluster.device.memory_usable = Bytes{1e15};  // the question is time
  Seconds last;
  for (const double context : {128.0, 1024.0, 4096.0, 16384.0, 100000.0}) {
    const Seconds now = estimate(decode(m, {.sequences = 8, .context_tokens = context})).latency;
    CAPTURE(name, context);
    CHECK(now >= last);
    last = now;
  }
}

TEST_CASE("chunks of a prompt do the work of the whole", "[infer]") {
  StepModel m = prepare("llama-3.1-8b", "h200", {});
  const double whole = estimate(prefill(m, {.prompts = 1, .prompt_tokens = 8192})).latency.value;
  const double chunked =
      estimate(prefill(m, {.prompts = 1, .prompt_tokens = 8192, .chunk_tokens = 2048}))
          .latency.value;
  CHECK(chunked >= whole);
  CHECK(chunked < 1.3 * whole);
  const double hit =
      estimate(prefill(m, {.prompts = 1, .prompt_tokens = 8192, .cached_tokens = 6144}))
          .latency.value;
  CHECK(hit < 0.45 * whole);
}

TEST_CASE("what does not fit is refused with its sizes", "[infer]") {
  StepModel m = prepare("deepseek-v3", "h800", {.tp = 8, .ep = 8});
  const auto out = decode(m, {.sequences = 1, .context_tokens = 4096});
  REQUIRE(std::holds_alternative<Infeasible>(out));
  CHECK_THAT(std::get<Infeasible>(out).reason, contains("GiB"));
}

TEST_CASE("a full pipeline yields as much as its slowest stage allows", "[infer]") {
  StepModel one = prepare("llama-3.1-70b", "h100-sxm", {.tp = 8});
  StepModel two = prepare("llama-3.1-70b", "h100-sxm", {.tp = 8, .pp = 2});
  const auto a = prefill(one, {.prompts = 1, .prompt_tokens = 8192});
  const auto b = prefill(two, {.prompts = 1, .prompt_tokens = 8192});
  CHECK(estimate(b).per_device.value == Approx(estimate(a).per_device.value).epsilon(0.1));
  CHECK(estimate(b).latency.value == Approx(estimate(a).latency.value).epsilon(0.1));
}

TEST_CASE("a device without FP8 units widens FP8 weights and says so", "[infer]") {
  model::Model model = model::load_model("deepseek-v3");
  model::LowerOptions options;
  options.precision = model::default_precision(model.arch);
  std::vector<std::string> notes;
  const StepModel m = make_step_model(std::move(model.arch), hw::load_cluster("a100-sxm"),
                                      {.ep = 32, .dp = 32}, options, &notes);
  CHECK(notes.size() == 2);
  CHECK(m.options.precision.linear_input == Dtype::bf16);
  CHECK(m.options.precision.linear == Dtype::fp8_block);
}
