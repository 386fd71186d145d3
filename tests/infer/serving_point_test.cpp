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

TEST_CASE("DeepSeek's published balanced traces on H800 come out within 4 percent",
          "[infer][ledger]") {
  // deepseek-ai/profile-data as read by SGLang's large-scale EP report: 62,713 and 18,598 tokens/s
  // per node of 8
  StepModel prefill_model =
      prepare("deepseek-v3", "h800", {.ep = 32, .dp = 32, .two_batch_overlap = true});
  const auto p = prefill(prefill_model, {.prompts = 4.0 * 32, .prompt_tokens = 4096});
  CHECK(estimate(p).per_device.value == Approx(7839).epsilon(0.04));
  StepModel decode_model =
      prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128, .two_batch_overlap = true});
  const auto d = decode(decode_model, {.sequences = 128.0 * 128, .context_tokens = 4096});
  CHECK(estimate(d).per_device.value == Approx(2325).epsilon(0.04));
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

TEST_CASE("one draft gains 1.8 at batch 1 of a node and little at a full one", "[infer][ledger]") {
  // TensorRT-LLM tech blog 1 (B200, TP8, NVFP4 experts): acceptance length 1.92, gain 1.78
  model::Model model = model::load_model("deepseek-r1");
  model::LowerOptions options;
  options.precision = model::default_precision(model.arch);
  options.precision.linear = options.precision.linear_input = Dtype::bf16;
  options.precision.experts = options.precision.experts_input = Dtype::nvfp4;
  StepModel m =
      make_step_model(std::move(model.arch), hw::load_cluster("b200"), {.tp = 8, .ep = 4}, options);
  const auto speed = [&](std::int64_t drafts, double acceptance) {
    return estimate(decode(m, {.sequences = 1,
                               .context_tokens = 2048,
                               .draft_tokens = drafts,
                               .acceptance = acceptance}))
        .per_user.value;
  };
  CHECK(speed(1, 0.92) / speed(0, 0.0) == Approx(1.78).epsilon(0.04));
  StepModel large = prepare("deepseek-v3", "h800", {.ep = 128, .dp = 128});
  const auto rate = [&](std::int64_t drafts, double acceptance) {
    return estimate(decode(large, {.sequences = 128.0 * 128,
                                   .context_tokens = 4096,
                                   .draft_tokens = drafts,
                                   .acceptance = acceptance}))
        .per_user.value;
  };
  const double gain = rate(1, 0.85) / rate(0, 0.0);
  CHECK(gain > 0.95);
  CHECK(gain < 1.25);
}

TEST_CASE("host time stands between steps, launches only hide behind the device", "[infer]") {
  StepModel m = prepare("llama-3.1-8b", "h200", {});
  const DecodeQuery q{.sequences = 8, .context_tokens = 1024};
  const StepTime free = estimate(decode(m, q)).step;
  m.host.per_step = Seconds{1e-3};
  CHECK(estimate(decode(m, q)).step.cycle.value == Approx(free.cycle.value + 1e-3).epsilon(1e-9));
  m.host = {.per_step = {}, .per_launch = free.latency / free.step.launches * 0.5};
  CHECK(estimate(decode(m, q)).step.cycle == free.cycle);
  m.host.per_launch = free.latency / free.step.launches * 3.0;
  CHECK(estimate(decode(m, q)).step.cycle.value == Approx(3.0 * free.latency.value).epsilon(1e-9));
}

TEST_CASE("a hybrid all-to-all lowers the cost of large decode batches", "[infer]") {
  // one copy per node instead of eight: the wire of 18 nodes binds later
  StepModel direct =
      prepare("deepseek-v3", "h800",
              {.ep = 144, .dp = 144, .redundant_experts = 32, .two_batch_overlap = true});
  StepModel hybrid = prepare("deepseek-v3", "h800",
                             {.ep = 144,
                              .dp = 144,
                              .redundant_experts = 32,
                              .two_batch_overlap = true,
                              .all_to_all = mapping::AllToAll::hybrid});
  const DecodeQuery q{.sequences = 144.0 * 256, .context_tokens = 512};
  CHECK(estimate(decode(hybrid, q)).per_device > estimate(decode(direct, q)).per_device);
}

TEST_CASE("a model that has answered other questions answers as a fresh one", "[infer][property]") {
  const auto plan = GENERATE(mapping::Plan{.ep = 32, .dp = 32},
                             mapping::Plan{.tp = 4, .pp = 2, .ep = 16, .dp = 4});
  const char* name = GENERATE("deepseek-v3", "deepseek-v3.2", "llama-3.1-70b");
  mapping::Plan cut = plan;
  if (std::string_view(name) == "llama-3.1-70b") cut = {.tp = 8, .pp = plan.pp};
  CAPTURE(name, mapping::describe(cut));
  StepModel used = prepare(name, "h200", cut);
  // Contexts change what attention costs, batches what products cost, overlap the SMs they have.
  for (const bool overlap : {false, true, false}) {
    for (const double sequences : {64.0, 64.0, 320.0, 64.0}) {
      for (const double context : {1000.0, 5000.0, 1000.0}) {
        used.plan.two_batch_overlap = overlap;
        used.programs.clear();
        cut.two_batch_overlap = overlap;
        const DecodeQuery d{.sequences = sequences, .context_tokens = context};
        const PrefillQuery p{.prompts = sequences / 8, .prompt_tokens = context};
        StepModel fresh = prepare(name, "h200", cut);
        CHECK(estimate(decode(used, d)).step == estimate(decode(fresh, d)).step);
        StepModel fresh_again = prepare(name, "h200", cut);
        CHECK(estimate(prefill(used, p)).step == estimate(prefill(fresh_again, p)).step);
      }
    }
  }
}
