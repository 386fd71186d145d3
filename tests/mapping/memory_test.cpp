#include "mapping/memory.hpp"

#include "catch.hpp"
#include "model/hf_config.hpp"
#include "model/params.hpp"

using namespace fathom;
using namespace fathom::mapping;

namespace {

Bytes weights_on_all_ranks(const char* name, const Plan& plan) {
  const model::ArchSpec arch = model::load_model(name).arch;
  const model::Precision precision = model::default_precision(arch);
  Bytes sum;
  for (const RankClass& c : rank_classes(arch, plan)) {
    sum += static_cast<double>(c.ranks) * weight_bytes(arch, plan, precision, c, false);
  }
  return sum;
}

}  // namespace

TEST_CASE("one rank holds exactly the parameters of a BF16 model", "[mapping][memory]") {
  const model::ArchSpec arch = model::load_model("llama-3.1-8b").arch;
  CHECK(weights_on_all_ranks("llama-3.1-8b", {}).value ==
        2.0 * static_cast<double>(model::count_params(arch).total_main));
}

TEST_CASE("tensor parallelism divides all weights but the norms", "[mapping][memory][property]") {
  const auto tp = GENERATE(2, 4, 8);
  const model::ArchSpec arch = model::load_model("llama-3.1-8b").arch;
  const double norms = 2.0 * (2 * 32 + 1) * 4096;  // bytes: two per layer and the last
  CHECK(weights_on_all_ranks("llama-3.1-8b", {.tp = tp}).value ==
        Approx(weights_on_all_ranks("llama-3.1-8b", {}).value + (tp - 1) * norms).epsilon(1e-12));
}

TEST_CASE("expert parallelism copies everything but the routed experts", "[mapping][memory]") {
  const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  const double one = weights_on_all_ranks("deepseek-v3", {}).value;
  const double experts =
      58.0 * 256 * 3 * (2048.0 * 7168 + 4.0 * 16 * 56);  // FP8 with one scale per 128x128
  const double all = weights_on_all_ranks("deepseek-v3", {.ep = 32, .dp = 32}).value;
  CHECK(all == Approx(experts + 32 * (one - experts)).epsilon(1e-12));
}

TEST_CASE("pipeline stages partition the layers", "[mapping][memory][property]") {
  const auto pp = GENERATE(1, 2, 3, 7, 16);
  const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  std::size_t layers = 0;
  std::int64_t ranks = 0;
  for (const RankClass& c : rank_classes(arch, {.pp = pp, .ep = 8, .dp = 8})) {
    layers += c.sequence.size() * static_cast<std::size_t>(c.stages);
    ranks += c.ranks;
  }
  CHECK(layers == 61);
  CHECK(ranks == 8 * pp);
  CHECK(weights_on_all_ranks("deepseek-v3", {.pp = pp}).value ==
        Approx(weights_on_all_ranks("deepseek-v3", {}).value).epsilon(1e-12));
}

TEST_CASE("KV heads are divided over tensor ranks until one is left; latents are not divided",
          "[mapping][memory]") {
  const auto per_sequence = [](const char* name, std::int64_t tp) {
    const model::ArchSpec arch = model::load_model(name).arch;
    const Plan plan{.tp = tp};
    return kv_bytes_per_sequence(arch, plan, model::default_precision(arch),
                                 rank_classes(arch, plan)[0], 1000, false);
  };
  CHECK(per_sequence("llama-3.1-70b", 1) == Bytes{327680.0 * 1000});
  CHECK(per_sequence("llama-3.1-70b", 8) == Bytes{327680.0 * 1000 / 8});
  CHECK(per_sequence("llama-3.1-70b", 16) == Bytes{327680.0 * 1000 / 8});
  CHECK(per_sequence("deepseek-v3", 1) == Bytes{70272.0 * 1000});
  CHECK(per_sequence("deepseek-v3", 8) == Bytes{70272.0 * 1000});
}

TEST_CASE("max_sequences is the largest number that fits", "[mapping][memory]") {
  const model::ArchSpec arch = model::load_model("deepseek-v3").arch;
  const Plan plan{.ep = 32, .dp = 32};
  const RankClass c = rank_classes(arch, plan)[0];
  const model::Precision precision = model::default_precision(arch);
  MemoryQuery query{.sequences = 1,
                    .context_tokens = 4096,
                    .step_tokens = 64,
                    .weights = weight_bytes(arch, plan, precision, c, false)};
  const hw::Cluster h800 = hw::load_cluster("h800");
  query.sequences = footprint(arch, plan, precision, h800, c, query).max_sequences();
  CHECK(query.sequences > 50);
  CHECK(footprint(arch, plan, precision, h800, c, query).fits());
  query.sequences += 1;
  CHECK_FALSE(footprint(arch, plan, precision, h800, c, query).fits());
}
