#include "hw/efficiency.hpp"

#include <string>

#include "catch.hpp"
#include "hw/documents.hpp"

namespace fathom::hw {
namespace {

using test::complaint;
using test::pointer;

nlohmann::json transfer_from(const char* base, double latency_scale) {
  return {{"schema", "hweff-default/1"},
          {"name", "other"},
          {"sources", {{"us", {{"cite", "a test"}}}}},
          {"transfer",
           {{"from", base},
            {"communication_latency_scale", latency_scale},
            {"basis", "assumed"},
            {"src", {"us"}}}},
          {"entries", nlohmann::json::array()}};
}

TEST_CASE("a pair without an entry takes the entry for any arithmetic", "[hw][efficiency]") {
  const auto set = load_efficiency("hopper-h800");
  const auto& fp8 = set.lookup(Family::gemm, Math::fp8);
  CHECK(fp8.compute == 0.88);
  CHECK(fp8.evidence == Evidence::measured);
  CHECK(set.lookup(Family::gemm, Math::fp4) == set.lookup(Family::gemm, Math::bf16));
  CHECK(set.lookup(Family::gemm, Math::fp4) != fp8);
}

TEST_CASE("a family without an entry for any arithmetic does not load", "[hw][efficiency]") {
  auto document = test::efficiencies("ideal");
  auto& entries = document["entries"];
  REQUIRE(entries[0]["family"] == "grouped_gemm");
  entries[0]["math"] = "fp8";
  const auto text = complaint(parse_efficiency, document);
  CAPTURE(text);
  CHECK(text.find("x.json#/entries: no entry for family 'grouped_gemm'") == 0);
}

TEST_CASE("bad efficiency entries are named with their pointer", "[hw][efficiency]") {
  struct Row {
    const char* where;
    nlohmann::json value;
    const char* said;
  };
  const std::vector<Row> rows{
      {"/entries/0/family", "groupd_gemm", "did you mean 'grouped_gemm'?"},
      {"/entries/0/math", "fp7", "did you mean 'fp8'?"},
      {"/entries/0/compute", 1.2, "x.json#/entries/0/compute"},
      {"/entries/0/compute", 0, "x.json#/entries/0/compute"},
      {"/entries/0/compute", nullptr, "x.json#/entries/0/compute"},
      {"/entries/0/near", 0.5, "x.json#/entries/0"},  // not a communication family
      {"/entries/0/memroy", 0.5, "did you mean 'memory'?"},
      {"/entries/0/blend", 0.5, "x.json#/entries/0/blend"},
      {"/entries/0/src", nlohmann::json::array(), "no source"},
      {"/entries/1/family", "grouped_gemm", "second entry"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.where);
    auto document = test::efficiencies("ideal");
    document[pointer(row.where)] = row.value;
    const auto text = complaint(parse_efficiency, document);
    CAPTURE(text);
    CHECK(text.find(row.said) != std::string::npos);
  }
}

TEST_CASE("what is transferred counts as assumed", "[hw][efficiency]") {
  const auto base = load_efficiency("hopper-h800");
  const auto other = parse_efficiency(transfer_from("hopper-h800", 1.6), "x.json#");
  for (std::size_t f = 0; f < kFamilyCount; ++f) {
    const auto family = static_cast<Family>(f);
    CAPTURE(name(family));
    const auto& from = base.lookup(family, Math::bf16);
    const auto& to = other.lookup(family, Math::bf16);
    CHECK(to.evidence == Evidence::assumed);
    CHECK(to.transfer == Transfer::other_generation);
    CHECK(to.compute == from.compute);
    const double scale = is_communication(family) ? 1.6 : 1.0;
    CHECK(to.overhead.value == from.overhead.value * scale);
  }
}

TEST_CASE("forms come from a close relative only, and remember it", "[hw][efficiency]") {
  auto document = transfer_from("hopper", 1.0);
  CHECK(parse_efficiency(document, "x.json#").fitted(FormUse::gemm_bf16) == nullptr);
  document["transfer"]["with_forms"] = true;
  const auto set = parse_efficiency(document, "x.json#");
  REQUIRE(set.fitted(FormUse::gemm_bf16) != nullptr);
  CHECK(set.fitted(FormUse::gemm_bf16)->transfer == Transfer::same_generation);
  CHECK(set.lookup(Family::norm, Math::bf16).transfer == Transfer::same_generation);
  document["transfer"]["same_device"] = true;
  const auto own = parse_efficiency(document, "x.json#");
  CHECK(own.fitted(FormUse::gemm_bf16)->transfer == Transfer::none);
  CHECK(own.fitted(FormUse::gemm_bf16)->evidence == Evidence::measured);
}

TEST_CASE("a transferred set may refine single pairs", "[hw][efficiency]") {
  auto document = transfer_from("hopper-h800", 1.0);
  document["entries"].push_back({{"family", "gemm"},
                                 {"math", "fp8"},
                                 {"compute", 0.5},
                                 {"memory", 0.5},
                                 {"overhead_us", 1},
                                 {"basis", "measured"},
                                 {"src", {"us"}}});
  const auto set = parse_efficiency(document, "x.json#");
  CHECK(set.lookup(Family::gemm, Math::fp8).compute == 0.5);
  CHECK(set.lookup(Family::gemm, Math::fp8).evidence == Evidence::measured);
  CHECK(set.lookup(Family::gemm, Math::bf16).evidence == Evidence::assumed);
}

TEST_CASE("a file that transfers from itself is refused", "[hw][efficiency]") {
  const auto path = std::filesystem::temp_directory_path() / "fathom_hw_test_loop.json";
  write_file(path, dump_json(transfer_from(path.c_str(), 1.0)));
  std::string text;
  try {
    load_efficiency(path.string());
  } catch (const InputError& error) {
    text = error.what();
  }
  std::filesystem::remove(path);
  CAPTURE(text);
  CHECK(text.find("does it come back to itself?") != std::string::npos);
}

nlohmann::json with_form(const char* family, const char* group) {
  auto document = test::efficiencies("hopper");
  document["forms"] = {{family, {{group, test::efficiencies("hopper")["forms"]["gemm"]["bf16"]}}}};
  return document;
}

TEST_CASE("a fitted form is read with its parameters, errors and grounds", "[hw][forms]") {
  const auto document = with_form("gemm", "bf16");
  const auto set = parse_efficiency(document, "x.json#");
  const FittedForm* form = set.fitted(FormUse::gemm_bf16);
  REQUIRE(form != nullptr);
  const auto& written = document["forms"]["gemm"]["bf16"];
  CHECK(form->params.front() == written["params"]["launch_us"]);
  CHECK(form->median_error == written["median_error"]);
  CHECK(form->evidence == Evidence::measured);
  CHECK(to_json(set)["forms"]["gemm_bf16"]["params"] == written["params"]);
}

TEST_CASE("bad fitted forms are named with their pointer", "[hw][forms]") {
  struct Row {
    const char* where;
    nlohmann::json value;
    const char* said;
  };
  const std::string at = "/forms/gemm/bf16";
  const std::vector<Row> rows{
      {"/params/wave_us", nullptr, "x.json#/forms/gemm/bf16/params/wave_us"},
      {"/params/wave_uss", 1.0, "did you mean 'wave_us'?"},
      {"/params/launch_us", -1.0, "x.json#/forms/gemm/bf16/params/launch_us"},
      {"/median_error", "small", "x.json#/forms/gemm/bf16/median_error"},
      {"/samples", 0, "x.json#/forms/gemm/bf16/samples"},
      {"/src", nlohmann::json::array(), "no source"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.where);
    auto document = with_form("gemm", "bf16");
    document[pointer(at + row.where)] = row.value;
    const auto text = complaint(parse_efficiency, document);
    CAPTURE(text);
    CHECK(text.find(row.said) != std::string::npos);
  }
  const auto text = complaint(parse_efficiency, with_form("gem", "bf16"));
  CHECK(text.find("x.json#/forms/gem: unknown family of forms; did you mean 'gemm'?") == 0);
  const auto format = complaint(parse_efficiency, with_form("gemm", "fp7"));
  CHECK(format.find("x.json#/forms/gemm/fp7") == 0);
}

TEST_CASE("forms are inherited only when the file asks for them", "[hw][forms]") {
  auto document = transfer_from("hopper", 1.0);
  CHECK(parse_efficiency(document, "x.json#").fitted(FormUse::gemm_bf16) == nullptr);
  document["transfer"]["with_forms"] = true;
  const auto set = parse_efficiency(document, "x.json#");
  REQUIRE(set.fitted(FormUse::gemm_bf16) != nullptr);
  CHECK(set.fitted(FormUse::gemm_bf16)->evidence == Evidence::assumed);
  CHECK(set.fitted(FormUse::gemm_bf16)->params ==
        load_efficiency("hopper").fitted(FormUse::gemm_bf16)->params);
  document["transfer"]["same_device"] = true;
  CHECK(parse_efficiency(document, "x.json#").fitted(FormUse::gemm_bf16)->evidence ==
        Evidence::measured);
}

TEST_CASE("what a file says itself goes before a form that it inherits", "[hw][forms]") {
  auto document = transfer_from("hopper", 1.0);
  document["transfer"]["with_forms"] = true;
  document["entries"].push_back({{"family", "gemm"},
                                 {"math", "bf16"},
                                 {"compute", 0.5},
                                 {"memory", 0.5},
                                 {"overhead_us", 1},
                                 {"basis", "measured"},
                                 {"src", {"us"}}});
  const auto set = parse_efficiency(document, "x.json#");
  CHECK(set.fitted(FormUse::gemm_bf16) == nullptr);
  CHECK(set.fitted(FormUse::gemm_fp8) != nullptr);
}

TEST_CASE("a step's clock slows arithmetic and operand feed, not memory", "[hw][forms]") {
  const auto set = load_efficiency("hopper-h800");
  const FittedForm* form = set.fitted(FormUse::gemm_fp8);
  REQUIRE(form != nullptr);
  REQUIRE(form->sustained_clock < 1.0);
  const auto json = to_json(set)["forms"]["gemm_fp8"]["params"];
  std::size_t slowed = 0;
  for (std::size_t i = 0; i < form->params.size(); ++i) {
    if (form->in_step[i] == form->params[i]) continue;
    CHECK(form->in_step[i] == form->params[i] * form->sustained_clock);
    ++slowed;
  }
  CHECK(slowed == 2);
}

TEST_CASE("elementwise classes reach the bandwidth of the published trace", "[hw][efficiency]") {
  // Bytes per second of each class on 112 SMs of an H800, over its 3.35 TB/s.
  const auto set = load_efficiency("hopper-h800");
  CHECK(set.lookup(Family::norm, Math::bf16).memory == Approx(0.92 / 3.35).epsilon(1e-3));
  CHECK(set.lookup(Family::copy, Math::bf16).memory == Approx(2.5 / 3.35).epsilon(1e-3));
}

TEST_CASE("low-latency dispatch reproduces the published EP128 times on H800", "[hw][efficiency]") {
  // DeepEP documentation: 128 tokens, top 8, hidden 7168: 192 us dispatch, 369 us combine. A token
  // is 7168 B of FP8 with 56 fp32 scales and 16 B of header, or 7168 bf16.
  const auto set = load_efficiency("hopper-h800");
  const auto time = [&](Family family, double token_bytes) {
    const auto& e = set.lookup(family, Math::fp8);
    return e.overhead.value + 128 * 8 * token_bytes / (50e9 * e.memory);
  };
  CHECK(time(Family::dispatch_low_latency, 7168 + 56 * 4 + 16) == Approx(192e-6).epsilon(0.03));
  CHECK(time(Family::combine_low_latency, 2 * 7168) == Approx(369e-6).epsilon(0.03));
}

TEST_CASE("the resolved table lists a family once unless its arithmetics differ",
          "[hw][efficiency]") {
  const auto out = to_json(load_efficiency("hopper-h800"));
  std::size_t gemm = 0;
  std::size_t norm = 0;
  for (const auto& entry : out.at("entries")) {
    gemm += entry.at("family") == "gemm" ? 1U : 0U;
    norm += entry.at("family") == "norm" ? 1U : 0U;
  }
  CHECK(gemm == kMathCount);
  CHECK(norm == 1);
}

}  // namespace
}  // namespace fathom::hw
