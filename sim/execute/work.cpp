#include "execute/work.hpp"

#include <algorithm>
#include <array>

namespace fathom::execute {
namespace {

using Totals = std::map<WorkLedger::Key, OperatorWork>;

OperatorWork& entry(Totals& totals, Pass pass, std::string_view op) {
  OperatorWork& work = totals[{pass, std::string{op}}];
  work.pass = pass;
  work.op = op;
  return work;
}

// An MTP pass over n tokens is the module's block of a step that drafts once.
void add_analytic(const model::ArchSpec& arch, const ExecutedPass& pass, Totals& totals) {
  const bool mtp = pass.pass == Pass::mtp;
  const model::StepShape step{
      .phase = pass.pass == Pass::prefill ? model::Phase::prefill : model::Phase::decode,
      .groups = {{1.0, static_cast<double>(pass.new_tokens),
                  static_cast<double>(pass.context_tokens)}},
      .draft_tokens = mtp ? 1 : 0};
  const auto graph = model::lower(arch, step, {.mla = mla_form(arch, pass)});
  for (const model::Block& block : graph.blocks) {
    if ((block.kind == model::kMtpBlock) != mtp) continue;
    for (int i = block.begin; i < block.end; ++i) {
      const model::OpNode& node = graph.nodes[static_cast<std::size_t>(i)];
      const double flops = ops::cost(node.op).flops.value * block.repeat;
      if (flops > 0.0) entry(totals, pass.pass, node.name).analytic_flops += flops;
    }
  }
}

}  // namespace

std::string_view name(Pass pass) {
  constexpr std::array<std::string_view, 3> names{"prefill", "decode", "mtp"};
  return names.at(static_cast<std::size_t>(pass));
}

WorkLedger::WorkLedger() : outer_(kernels::ref::listener) { kernels::ref::listener = this; }
WorkLedger::~WorkLedger() { kernels::ref::listener = outer_; }

void WorkLedger::begin(const ExecutedPass& pass) { passes_.push_back(pass); }

void WorkLedger::operator_ran(std::string_view op, const kernels::Tally& work) {
  FATHOM_EXPECT(!passes_.empty(), "an operator ran outside of every pass");
  kernels::Tally& sum = work_[{passes_.back().pass, std::string{op}}];
  sum.multiply_adds += work.multiply_adds;
  sum.state_updates += work.state_updates;
  sum.pointwise += work.pointwise;
}

model::MlaForm mla_form(const model::ArchSpec& arch, const ExecutedPass& pass) {
  const auto* mla = std::get_if<model::MlaSpec>(&arch.kinds.front().attention);
  const bool sparse = mla != nullptr && mla->indexer.index_topk > 0;
  const bool prompt = pass.pass == Pass::prefill;
  return prompt && !sparse ? model::MlaForm::naive : model::MlaForm::absorbed;
}

std::vector<OperatorWork> compare_work(const model::ArchSpec& arch, const WorkLedger& ledger) {
  Totals totals;
  for (const auto& [key, tally] : ledger.by_operator()) {
    OperatorWork& work = entry(totals, key.first, key.second);
    work.executed_flops = kernels::flops(tally);
    work.pointwise = static_cast<double>(tally.pointwise);
  }
  for (const ExecutedPass& pass : ledger.passes()) add_analytic(arch, pass, totals);
  std::vector<OperatorWork> out;
  for (const auto& [key, work] : totals) {
    if (work.executed_flops > 0.0 || work.analytic_flops > 0.0) out.push_back(work);
  }
  return out;
}

}  // namespace fathom::execute
