#include "study/operator_roofline.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "catch.hpp"
#include "core/error.hpp"

namespace fathom::study {
namespace {

Scenario scenario(const std::string& model, std::int64_t ranks) {
  return parse_scenario({{"model", model},
                         {"hardware", "h800"},
                         {"plan", {{"ep", ranks}, {"dp", ranks}}},
                         {"phase", "decode"},
                         {"workload", {{"sequences", 1}, {"context_tokens", 4096}}}},
                        "scenario#");
}

const OperatorRoofline& sample() {
  static const OperatorRoofline roofline =
      operator_roofline(scenario("deepseek-v3", 32), {64.0, 1.0, 64.0}, "gqa-8", "request#");
  return roofline;
}

TEST_CASE("no operator stands above its roof", "[study][roofline][property]") {
  for (const RooflinePoint& point : sample().points) {
    CAPTURE(point.form, point.batch, point.row.name);
    CHECK(point.attained <= point.roof);
  }
}

TEST_CASE("batches are sorted and asked once", "[study][roofline]") {
  CHECK(sample().batches == std::vector<double>{1.0, 64.0});
}

TEST_CASE("latent attention is shown in both forms, beside the cores of the other kind",
          "[study][roofline]") {
  const auto count = [](const std::string& form, bool core) {
    return std::ranges::count_if(sample().points, [&](const RooflinePoint& p) {
      return p.form == form && p.core == core && p.batch == 64.0;
    });
  };
  CHECK(count("absorbed", true) == 1);
  CHECK(count("naive", true) == 1);
  CHECK(count("gqa-8", true) == 1);
  CHECK(count("absorbed", false) > 10);
  CHECK(count("gqa-8", false) == 0);
}

TEST_CASE("a larger batch raises the intensity of routed experts and not of attention",
          "[study][roofline]") {
  const auto intensity = [](const std::string& name, double batch) {
    const auto found = std::ranges::find_if(sample().points, [&](const RooflinePoint& p) {
      return p.form == "absorbed" && p.row.name == name && p.batch == batch;
    });
    REQUIRE(found != sample().points.end());
    return found->intensity.value;
  };
  CHECK(intensity("experts.gate_up", 64.0) > 10.0 * intensity("experts.gate_up", 1.0));
  CHECK(intensity("attention_core", 64.0) == intensity("attention_core", 1.0));
}

TEST_CASE("shares of one step's operators and communication add up to at most the whole",
          "[study][roofline]") {
  double sum = 0.0;
  for (const RooflinePoint& p : sample().points) {
    if (p.form == "absorbed" && p.batch == 64.0) sum += p.row.share;
  }
  CHECK(sum > 0.5);
  CHECK(sum <= 1.0 + 1e-12);
}

TEST_CASE("roofs are ordered and bend at peak over bandwidth", "[study][roofline]") {
  const hw::DeviceProfile& device = sample().scenario.cluster.device;
  REQUIRE(sample().roofs.size() == 2);  // H800: bf16, fp8
  CHECK(sample().roofs[0].peak < sample().roofs[1].peak);
  for (const Roof& roof : sample().roofs) {
    CHECK(roof.ridge == roof.peak / device.memory_bandwidth);
    CHECK(roof.achievable < roof.peak);
  }
}

TEST_CASE("a plan that cannot run the model is named", "[study][roofline]") {
  CHECK_THROWS_AS(operator_roofline(scenario("deepseek-v3", 48), {1.0}, "", "request#"),
                  InputError);
}

}  // namespace
}  // namespace fathom::study
