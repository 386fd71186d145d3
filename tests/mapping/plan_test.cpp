#include "mapping/plan.hpp"

#include "catch.hpp"
#include "model/hf_config.hpp"

using namespace fathom;
using namespace fathom::mapping;

namespace {

const model::ArchSpec& v3() {
  static const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  return arch;
}
const hw::Cluster& h800() {
  static const hw::Cluster cluster = hw::load_cluster("h800");
  return cluster;
}
std::string reason(const Plan& plan) { return infeasible(v3(), plan, h800()).value_or(""); }

}  // namespace

TEST_CASE("published DeepSeek-V3 deployments are feasible", "[mapping][plan]") {
  CHECK(reason({.ep = 32, .dp = 32}) == "");    // prefill, profile-data
  CHECK(reason({.ep = 128, .dp = 128}) == "");  // decode, profile-data
  CHECK(reason({.ep = 144, .dp = 144, .redundant_experts = 32}) ==
        "");  // day 6: 288 slots on 144 ranks
  CHECK(reason({.tp = 4, .ep = 320, .dp = 80, .redundant_experts = 64}) ==
        "");  // V3 report, section 3.4.2
  CHECK(reason({.tp = 16, .ep = 16}) == "");
}

TEST_CASE("a plan that does not divide says which field and what would", "[mapping][plan]") {
  CHECK_THAT(reason({.tp = 6}),
             contains("tp = 6 does not divide num_attention_heads = 128; try 4 or 8"));
  CHECK_THAT(reason({.ep = 3, .dp = 8}), contains("ep = 3 does not divide tp*cp*dp = 8"));
  CHECK_THAT(reason({.ep = 72, .dp = 72}), contains("n_routed_experts = 256"));
  CHECK_THAT(reason({.pp = 62}), contains("num_hidden_layers = 61"));
  CHECK_THAT(reason({.ep = 1 << 17, .dp = 1 << 17}), contains("256"));
}

TEST_CASE("a dense model has no experts to spread", "[mapping][plan]") {
  const model::ArchSpec llama = model::load_model("llama-3.1-8b").arch;
  CHECK_THAT(infeasible(llama, {.ep = 8, .dp = 8}, h800()).value_or(""), contains("no experts"));
  CHECK_FALSE(infeasible(llama, {.tp = 8}, h800()).has_value());
}

TEST_CASE("more ranks than KV heads is fine when copies are whole", "[mapping][plan]") {
  const model::ArchSpec llama = model::load_model("llama-3.1-70b").arch;  // 8 KV heads
  CHECK_FALSE(infeasible(llama, {.tp = 16}, h800()).has_value());
}

TEST_CASE("how tokens reach experts follows from who holds which token", "[mapping][plan]") {
  CHECK(expert_traffic({.tp = 8, .ep = 8}) == ExpertTraffic::none);
  CHECK(expert_traffic({.ep = 32, .dp = 32}) == ExpertTraffic::exchange);
  CHECK(expert_traffic({.ep = 4, .dp = 8}) == ExpertTraffic::gather);
  // a stack without an all-to-all gathers even where one would do
  CHECK(expert_traffic({.ep = 8, .dp = 8, .all_to_all = AllToAll::gather}) ==
        ExpertTraffic::gather);
}
