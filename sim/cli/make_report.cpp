#include "cli/make_report.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "calib/calibrate.hpp"
#include "calib/corpus.hpp"
#include "calib/page.hpp"
#include "cli/command.hpp"
#include "report/builders/calibration.hpp"
#include "report/builders/capacity.hpp"
#include "report/builders/claims.hpp"
#include "report/builders/compare.hpp"
#include "report/builders/compare_hardware.hpp"
#include "report/builders/kv_cache.hpp"
#include "report/builders/moe.hpp"
#include "report/builders/mtp.hpp"
#include "report/builders/roofline.hpp"
#include "report/builders/what_if.hpp"
#include "study/operator_roofline.hpp"
#include "study/plan_search.hpp"
#include "validate/run.hpp"
#include "validate/validate_page.hpp"

namespace fathom::cli {
namespace {

// The name of the folder, not where it lies: results must not depend on that.
std::string shown_folder(const std::string& directory) {
  const std::filesystem::path path = std::filesystem::path(directory).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

struct Make {
  const std::string where;
  const std::function<void(double)>& progress;

  MadeReport operator()(const study::PlanRequest& request) const {
    const study::PlanResult result = study::search_plans(request, {.progress = progress});
    return {report::capacity_document(result),
            study::smallest_cluster(result) != nullptr ? kOk : kInfeasible,
            report::what_if_blocks(result)};
  }
  MadeReport operator()(const study::TradeRequest& request) const {
    return {report::compare_document(study::trade_attention(request, where))};
  }
  MadeReport operator()(const study::HardwareTradeRequest& request) const {
    return {report::compare_hardware_document(study::trade_hardware(request, where))};
  }
  MadeReport operator()(const study::CacheTradeRequest& request) const {
    return {report::kv_cache_document(study::trade_cache(request, where))};
  }
  MadeReport operator()(const study::ExpertTradeRequest& request) const {
    return {report::moe_document(study::trade_experts(request, where))};
  }
  MadeReport operator()(const study::DraftTradeRequest& request) const {
    return {report::mtp_document(study::trade_drafts(request, where))};
  }
  MadeReport operator()(const study::RooflineSpec& spec) const {
    report::Document document = report::roofline_document(study::operator_roofline(
        spec.scenario, spec.batches, spec.other_attention, where + "/scenario"));
    study::Basis files;
    study::add_model(files, spec.scenario.model);
    study::add_cluster(files, spec.scenario.cluster);
    for (const auto& file : files.inputs)
      document.metadata.inputs.push_back({file.name, file.hash});
    return {std::move(document)};
  }
  MadeReport operator()(const study::ValidationSpec& spec) const {
    const validate::LedgerReport report = validate::run_ledger({.categories = spec.categories});
    return {validate::page(report), validate::outside_tolerance(report) ? kOutsideTolerance : kOk};
  }
  MadeReport operator()(const study::CalibrationSpec& spec) const {
    if (!spec.measured.empty()) return fitted(spec);
    std::vector<hw::Cluster> clusters;
    for (const std::string& name : spec.hardware) clusters.push_back(hw::load_cluster(name));
    return {report::calibration_document(clusters)};
  }
  MadeReport operator()(const std::vector<study::Claim>& claims) const {
    return {report::claims_document(study::check_claims(claims, where + "/claims"))};
  }

  MadeReport fitted(const study::CalibrationSpec& spec) const {
    calib::CorpusFilter filter;
    filter.device = spec.device;
    filter.family = spec.family;
    const calib::Corpus corpus = calib::load_corpus(spec.measured, filter);
    const calib::CalibrationReport report{
        .source = shown_folder(spec.measured),
        .calibrations = calib::calibrate(corpus, {.progress = progress}),
        .skipped = corpus.skipped};
    return {calib::page(report)};
  }
};

}  // namespace

MadeReport make_report(const study::ReportSpec& spec, std::string_view where,
                       const std::function<void(double)>& progress) {
  MadeReport made = std::visit(Make{std::string(where), progress}, spec.body);
  if (!spec.title.empty()) made.document.title = spec.title;
  return made;
}

}  // namespace fathom::cli
