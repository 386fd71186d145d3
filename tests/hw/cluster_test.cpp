#include "hw/cluster.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.hpp"
#include "hw/documents.hpp"

namespace fathom::hw {
namespace {

using test::complaint;
using test::pointer;

std::string complaint_after(const std::string& where, const nlohmann::json& value) {
  auto document = test::system("h800");
  document[pointer(where)] = value;
  return complaint(parse_cluster, document);
}

TEST_CASE("a number without a source does not load", "[hw][cluster]") {
  const std::string expected = "no source; add one under \"sources\"";
  const std::string where = "/device/memory/bandwidth_gb_s";
  CHECK(complaint_after(where, 3350) == "x.json#" + where + ": " + expected);
  CHECK(complaint_after(where, {{"v", 3350}, {"basis", "assumed"}}) ==
        "x.json#" + where + ": " + expected);
  CHECK(complaint_after(where + "/src", nlohmann::json::array()) ==
        "x.json#" + where + ": " + expected);
}

TEST_CASE("a source must be listed, and the nearest one is named", "[hw][cluster]") {
  const auto text = complaint_after("/interconnect/0/latency_us/src", {"isca52"});
  CAPTURE(text);
  CHECK(text.find("x.json#/interconnect/0/latency_us/src: unknown source 'isca52'") == 0);
  CHECK(text.find("did you mean 'isca25'?") != std::string::npos);
}

TEST_CASE("bad input is named with its pointer", "[hw][cluster]") {
  struct Row {
    const char* where;
    nlohmann::json value;
    const char* said;
  };
  const nlohmann::json rack{{"v", 186000}, {"src", {"fathom"}}, {"basis", "assumed"}};
  const nlohmann::json odd{{"v", 3000}, {"src", {"fathom"}}, {"basis", "assumed"}};
  const nlohmann::json three{{"v", 20}, {"src", {"fathom"}}, {"basis", "assumed"}};
  const std::vector<Row> rows{
      {"/device/kind", "gpus", "did you mean 'gpu'?"},
      {"/device/tdp_watt", 700, "did you mean 'tdp_w'?"},
      {"/device/tdp_w/basis", "guessed", "/device/tdp_w/basis"},
      {"/device/memory/bandwidth_gb_s", rack, "expected at most 30.0 TB/s"},
      {"/device/memory/usable_gib", rack, "more than the exposed capacity"},
      {"/device/peak_dense_tflops/matrix/fp8", odd, "3.03 times the bf16 peak"},
      {"/interconnect/1/group", three, "20 devices around groups of 8"},
      {"/interconnect/0/topology", "mesh", "/interconnect/0/peer_bandwidth_gb_s: missing"},
      {"/interconnect", nlohmann::json::array(), "expected at least one"},
      {"/efficiency", "hoper", "x.json#/efficiency: 'hoper' is not in hwprofiles/efficiency/"},
      {"/schema", "hwprofile/2", "x.json#/schema"},
      {"/interconnect/0/group/v", 8.5, "expected a whole number"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.where);
    const auto text = complaint_after(row.where, row.value);
    CAPTURE(text);
    CHECK(text.find(row.said) != std::string::npos);
  }
}

TEST_CASE("an unusual peak passes with a note", "[hw][cluster]") {
  auto document = test::system("h800");
  auto& fp8 = document[pointer("/device/peak_dense_tflops/matrix/fp8")];
  fp8 = {{"v", 3000}, {"src", {"fathom"}}, {"basis", "assumed"}, {"note", "a test says so"}};
  CHECK(complaint(parse_cluster, document).empty());
}

TEST_CASE("assumed figures are listed as pointers", "[hw][cluster]") {
  auto document = test::system("h800");
  const auto before = parse_cluster(document, "x.json#").assumed;
  CHECK(std::find(before.begin(), before.end(), "/device/memory/usable_gib") != before.end());
  CHECK(std::find(before.begin(), before.end(), "/device/tdp_w") == before.end());
  document[pointer("/device/tdp_w/basis")] = "vendor_unopened";
  const auto after = parse_cluster(document, "x.json#").assumed;
  CHECK(after.size() == before.size() + 1);
}

TEST_CASE("a faster outer tier and an unknown price are findings, not errors", "[hw][cluster]") {
  auto document = test::system("h800");
  CHECK(check(parse_cluster(document, "x.json#")).empty());
  document[pointer("/interconnect/1/bandwidth_gb_s/v")] = 400;
  document[pointer("/price/usd_per_device_hour")] = nullptr;
  const auto findings = check(parse_cluster(document, "x.json#"));
  REQUIRE(findings.size() == 2);
  CHECK(findings[0].find("/interconnect/1/bandwidth_gb_s: ib_ndr_leaf is faster") == 0);
  CHECK(findings[1].find("/price/usd_per_device_hour: unknown") == 0);
}

TEST_CASE("an unknown figure prints as null, not as zero", "[hw][cluster]") {
  const auto out = to_json(load_cluster("ascend-cm384"));
  CHECK(out.at("device").at("tdp_w").is_null());
  CHECK(out.at("device").at("l2_mib").is_null());
  CHECK(out.at("price").at("usd_per_device_hour").is_null());
  CHECK(out.at("device").at("peak_dense_tflops").at("fp8").is_null());
  CHECK(out.at("device").at("memory_bandwidth_gb_s") == 3200.0);
}

TEST_CASE("whatever stands in a leaf, the profile loads or complains", "[hw][cluster][property]") {
  const auto good = test::system("h800");
  const auto leaves = good.flatten();
  const std::vector<nlohmann::json> strange{
      nullptr, -1, 1e300, "x", true, nlohmann::json::array(), nlohmann::json::object()};
  for (const auto& leaf : leaves.items()) {
    for (const auto& value : strange) {
      CAPTURE(leaf.key(), value.dump());
      auto document = good;
      document[pointer(leaf.key())] = value;
      CHECK_NOTHROW(complaint(parse_cluster, document));  // lets only an InputError be caught
    }
  }
}

TEST_CASE("the hash follows the profile and its efficiency file", "[hw][cluster]") {
  const auto h100 = load_cluster("h100-sxm");
  CHECK(h100.hash == load_cluster("h100-sxm").hash);
  CHECK(h100.hash != load_cluster("h200").hash);
  CHECK(h100.hash != content_hash(read_text(h100.path)));
}

TEST_CASE("a profile may carry its efficiencies inline", "[hw][cluster]") {
  auto document = test::system("limit-ib-50gb-s");
  const auto by_name = parse_cluster(document, "x.json#").efficiency;
  document["efficiency"] = test::efficiencies("ideal");
  CHECK(parse_cluster(document, "x.json#").efficiency.table == by_name.table);
}

}  // namespace
}  // namespace fathom::hw
