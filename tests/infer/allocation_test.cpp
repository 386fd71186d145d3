#include <atomic>
#include <cstdlib>
#include <new>

#include "catch.hpp"
#include "infer/serving_point.hpp"
#include "model/hf_config.hpp"

namespace {
std::atomic<long> allocations{0};
}

// Counts every allocation of this test program. All forms are replaced, because a sanitiser would
// otherwise see its own allocation freed by ours.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc{};
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { std::free(p); }

using namespace fathom;

TEST_CASE("an inference point allocates nothing once its graph exists", "[infer][hot]") {
  struct Case {
    const char* model;
    mapping::Plan plan;
  };
  for (const Case& c :
       {Case{"deepseek-v3", {.ep = 128, .dp = 128, .two_batch_overlap = true}},
        Case{"deepseek-v4-pro", {.ep = 64, .dp = 64}},
        Case{"qwen3-next-80b-a3b", {.ep = 8, .dp = 8}}, Case{"llama-3.1-70b", {.tp = 8}}}) {
    model::Model model = model::load_model(c.model);
    model::LowerOptions options;
    options.precision = model::default_precision(model.arch);
    infer::StepModel m =
        infer::make_step_model(std::move(model.arch), hw::load_cluster("h800"), c.plan, options);
    (void)infer::decode(m, {.sequences = 512, .context_tokens = 1000});
    const long before = allocations;
    bool ran = true;
    for (int i = 0; i < 10; ++i) {
      const auto out =
          infer::decode(m, {.sequences = 512.0 + 64 * i, .context_tokens = 1000.0 + i});
      ran = ran && std::holds_alternative<infer::InferEstimate>(out);
    }
    const long after = allocations;  // the checks themselves allocate
    CAPTURE(c.model);
    CHECK(ran);
    CHECK(after == before);
  }
}
