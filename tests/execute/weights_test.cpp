#include "execute/weights.hpp"

#include <cmath>

#include "catch.hpp"
#include "model/hf_config.hpp"
#include "model/params.hpp"

using namespace fathom;
using namespace fathom::execute;

namespace {

model::ArchSpec tiny(const std::string& form) {
  return model::load_model(std::string{FATHOM_SOURCE_DIR} + "/examples/tiny-deepseek-" + form +
                           ".json")
      .arch;
}

}  // namespace

TEST_CASE("a checkpoint has every parameter of the model once", "[execute][weights]") {
  const auto form = GENERATE(as<std::string>{}, "v2", "v3", "v3.2", "v4");
  CAPTURE(form);
  const model::ArchSpec arch = tiny(form);
  const model::ParamCount count = model::count_params(arch);
  CHECK(parameter_count(random_checkpoint(arch, 1)) == count.total_main + count.mtp_unique);
}

TEST_CASE("weights depend on the seed and on their own name only", "[execute][weights]") {
  const model::ArchSpec arch = tiny("v3");
  const auto first = random_checkpoint(arch, 1).weights;
  CHECK(first == random_checkpoint(arch, 1).weights);
  const auto other = random_checkpoint(arch, 2).weights;
  CHECK(first.at("layers.0.attn.wq_a.weight") != other.at("layers.0.attn.wq_a.weight"));
  CHECK(first.at("layers.0.attn.wq_a.weight").data != first.at("layers.1.attn.wq_a.weight").data);
  model::ArchSpec deeper = arch;
  deeper.layers.push_back(deeper.layers.back());
  CHECK(random_checkpoint(deeper, 1).weights.at("layers.2.ffn.gate.weight") ==
        first.at("layers.2.ffn.gate.weight"));
}

TEST_CASE("matrices keep the size of what they multiply", "[execute][weights]") {
  const auto weights = random_checkpoint(tiny("v3"), 1).weights;
  const auto& w = weights.at("layers.0.attn.wq_b.weight");  // 96 x 24: uniform, variance 1 / 24
  double squares = 0.0;
  for (const float v : w.data) squares += static_cast<double>(v) * static_cast<double>(v);
  CHECK(squares / static_cast<double>(w.size()) * 24.0 == Approx(1.0).epsilon(0.1));
}

TEST_CASE("hash tables name distinct experts", "[execute][weights]") {
  const auto tables = random_checkpoint(tiny("v4"), 1).tables;
  REQUIRE(tables.size() == 1);
  const auto& table = tables.at("layers.0.ffn.gate.tid2eid");
  CHECK(table.shape == kernels::Shape{128, 2});
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    CHECK(table.row(r)[0] != table.row(r)[1]);
    CHECK(table.row(r)[0] < 8);
  }
}
