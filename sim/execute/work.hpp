#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/ref/trace.hpp"
#include "model/arch_spec.hpp"
#include "model/lower.hpp"
#include "model/step_shape.hpp"

namespace fathom::execute {

/// Which of a run's passes an operator belongs to.
enum class Pass : std::uint8_t { prefill, decode, mtp };
std::string_view name(Pass pass);

/// One pass over some tokens of one sequence, as it was executed.
struct ExecutedPass {
  Pass pass = Pass::prefill;
  std::int64_t new_tokens = 0;
  std::int64_t context_tokens = 0;
  bool operator==(const ExecutedPass&) const = default;
};

/// Collects what labelled stretches of kernels did, by pass and operator, while it lives.
class WorkLedger final : public kernels::ref::OpListener {
 public:
  WorkLedger();
  ~WorkLedger();
  WorkLedger(const WorkLedger&) = delete;
  WorkLedger& operator=(const WorkLedger&) = delete;

  void begin(const ExecutedPass& pass);
  void operator_ran(std::string_view op, const kernels::Tally& work) override;

  using Key = std::pair<Pass, std::string>;
  const std::map<Key, kernels::Tally>& by_operator() const { return work_; }
  const std::vector<ExecutedPass>& passes() const { return passes_; }

 private:
  std::map<Key, kernels::Tally> work_;
  std::vector<ExecutedPass> passes_;
  kernels::ref::OpListener* outer_;
};

/// FLOPs of one operator in one kind of pass, counted and according to the analytic model.
struct OperatorWork {
  Pass pass = Pass::prefill;
  std::string op;
  double executed_flops = 0.0;
  double analytic_flops = 0.0;
  double pointwise = 0.0;  // further arithmetic, which the field does not count as FLOPs
  bool operator==(const OperatorWork&) const = default;
};

/// Holds the ledger against model::lower on the shapes that were executed: every operator that
/// either side gives FLOPs to, by pass.
std::vector<OperatorWork> compare_work(const model::ArchSpec& arch, const WorkLedger& ledger);

/// The form of MLA that runs executes: expanded for a dense prompt, absorbed with a cache or an
/// indexer.
model::MlaForm mla_form(const model::ArchSpec& arch, const ExecutedPass& pass);

}  // namespace fathom::execute
