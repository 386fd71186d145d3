#include "calib/local_profile.hpp"

#include <stdlib.h>

#include <nlohmann/json.hpp>

#include "calib/local_page.hpp"
#include "catch.hpp"
#include "core/input_error.hpp"
#include "core/processor.hpp"
#include "core/temp_dir.hpp"
#include "local_samples.hpp"

namespace fathom::calib {
namespace {

using nlohmann::json;

measure::Summary exactly(double value) {
  return {.median = value, .mad = 0.01 * value, .low = value, .high = value, .count = 20};
}

std::vector<measure::CaseResult> results() {
  hw::Cluster truth = synthetic::machine();
  const hw::Efficiency entry{.compute = 0.6, .memory = 0.7, .overhead = Seconds{5e-6}};
  for (const auto family : {hw::Family::gemm, hw::Family::norm})
    synthetic::set(truth, family, entry);
  std::vector<measure::CaseResult> out;
  const auto add = [&](const std::vector<ops::Op>& ops, hw::Family family) {
    for (const LocalSample& s : synthetic::measure(ops, family, truth, 0.02)) {
      measure::CaseResult r{.id = s.id, .family = family, .ops = s.ops};
      r.time_s = exactly(s.time.value);
      r.compute_ceiling = exactly(s.compute_ceiling.value);
      r.memory_ceiling = exactly(s.memory_ceiling.value);
      out.push_back(std::move(r));
    }
  };
  add(synthetic::products(), hw::Family::gemm);
  add(synthetic::norms(), hw::Family::norm);
  return out;
}

measure::Machine machine() {
  measure::Machine out = measure::this_machine();
  out.l2_bytes = INT64_C(2) << 20;
  out.load_average = 0.0;
  return out;
}

double seconds(const ops::Op& op, const hw::Cluster& cluster) {
  return time_of(std::span{&op, 1}, cluster).value;
}

// The profile as a file, after `edit` has changed it.
template <class Edit>
std::string profile_file(const test::TempDir& folder, Edit edit) {
  json profile = profile_json(calibrate_local(results(), machine()));
  edit(profile);
  return folder.file("profile.json", profile.dump()).string();
}

void move_elsewhere(json& profile) {
  profile["machine"]["fingerprint"] = "0123456789abcdef";
  profile["machine"]["model"] = "another processor";
}

bool all_assumed(const hw::Cluster& cluster) {
  for (const auto& row : cluster.efficiency.table)
    for (const hw::Efficiency& entry : row)
      if (entry.evidence != hw::Evidence::assumed) return false;
  return true;
}

}  // namespace

TEST_CASE("a profile that is read again predicts the same times", "[calib][local][profile]") {
  const LocalCalibration calibration = calibrate_local(results(), machine());
  const hw::Cluster read = hw::parse_cluster(profile_json(calibration), "profile#");
  auto all = synthetic::products();
  for (const ops::Op& op : synthetic::norms()) all.push_back(op);
  all.emplace_back(ops::GroupedGemm{.rows = 64.0,
                                    .experts = 8.0,
                                    .touched_experts = 8.0,
                                    .experts_per_token = 2.0,
                                    .n = 512,
                                    .k = 256});
  all.emplace_back(ops::LatentAttention{.heads = 16,
                                        .qk_dim = 576,
                                        .v_dim = 512,
                                        .query_tokens = 1.0,
                                        .kv_tokens = 4096.0,
                                        .pairs = 4096.0,
                                        .sequences = 1.0,
                                        .row_bytes = Bytes{1152.0}});
  for (const ops::Op& op : all) {
    CAPTURE(ops::to_json(op).dump());
    const double before = seconds(op, calibration.cluster);
    CHECK(std::abs(seconds(op, read) / before - 1.0) < 1e-12);
  }
  CHECK(read.efficiency.lookup(hw::Family::gemm, Math::bf16).evidence == hw::Evidence::measured);
  CHECK(read.efficiency.lookup(hw::Family::mla_decode, Math::bf16).evidence ==
        hw::Evidence::assumed);
  CHECK(read.fingerprint == processor_fingerprint());
}

TEST_CASE("a machine that hides its caches has a profile too", "[calib][local][profile]") {
  measure::Machine bare = machine();
  bare.l1d_bytes = bare.l2_bytes = bare.l3_bytes = 0;
  const LocalCalibration calibration = calibrate_local(results(), bare);
  const hw::Cluster read = hw::parse_cluster(profile_json(calibration), "profile#");
  for (const ops::Op& op : synthetic::norms())
    CHECK(std::abs(seconds(op, read) / seconds(op, calibration.cluster) - 1.0) < 1e-12);
}

TEST_CASE("the ceilings of a profile are the medians of all rounds", "[calib][local][profile]") {
  std::vector<double> compute;
  for (const auto& r : results()) compute.push_back(r.compute_ceiling.median);
  const LocalCalibration calibration = calibrate_local(results(), machine());
  CHECK(calibration.compute_ceiling.value == measure::summarize(compute).median);
  CHECK(calibration.cluster.device.peak_of(Math::bf16) == calibration.compute_ceiling);
}

TEST_CASE("cases without a quiet round are no samples", "[calib][local][profile]") {
  auto all = results();
  all[3].time_s = {};
  CHECK(samples_of(all).size() == all.size() - 1);
  all.resize(2);
  CHECK_THAT(test::message_of([&] { calibrate_local(all, machine()); }),
             contains("only 2 kernels"));
}

TEST_CASE("a changing pace and an interruption are said", "[calib][local][profile]") {
  auto all = results();
  for (measure::CaseResult& r : all) {
    r.compute_ceiling = exactly(1e12);
    r.memory_ceiling = exactly(40e9);
  }
  CHECK(warnings(calibrate_local(all, machine())).empty());
  for (std::size_t i = 0; i < all.size(); i += 4) all[i].compute_ceiling = exactly(3e11);
  LocalCalibration uneven = calibrate_local(all, machine());
  CHECK(uneven.slow_share > 0.2);
  uneven.complete = false;
  const auto said = warnings(uneven);
  REQUIRE(said.size() >= 2);
  CHECK_THAT(said[0], contains("interrupted"));
  CHECK_THAT(said[1], contains("pace"));
  CHECK_FALSE(local_page(uneven).blocks.empty());
}

TEST_CASE("a profile of this machine loads as measured", "[calib][local][profile]") {
  const test::TempDir folder;
  const hw::Cluster here = hw::load_cluster(profile_file(folder, [](json&) {}));
  CHECK_FALSE(all_assumed(here));
}

TEST_CASE("a profile of another machine is refused, or transferred as an assumption",
          "[calib][local][profile][bad]") {
  const test::TempDir folder;
  const std::string file = profile_file(folder, move_elsewhere);
  const std::string text = test::message_of([&] { hw::load_cluster(file); });
  CHECK_THAT(text, contains("another machine") && contains("another processor") &&
                       contains("transferred:"));
  const hw::Cluster moved = hw::load_cluster("transferred:" + file);
  CHECK(all_assumed(moved));
  CHECK_FALSE(moved.assumed.empty());
}

TEST_CASE("without a calibration `local` says how to make one", "[calib][local][bad]") {
  const test::TempDir folder;
  ::setenv("FATHOM_LOCAL", (folder / "none.json").c_str(), 1);
  const std::string text = test::message_of([] { hw::load_cluster("local"); });
  ::unsetenv("FATHOM_LOCAL");
  CHECK_THAT(text, contains("none.json") && contains("fathom calibrate"));
}

}  // namespace fathom::calib
