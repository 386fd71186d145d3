#pragma once

#include <nlohmann/json_fwd.hpp>

#include "model/arch_spec.hpp"
#include "model/graph.hpp"
#include "model/precision.hpp"
#include "model/step_shape.hpp"

namespace fathom::model {

enum class MlaForm : std::uint8_t { automatic, naive, absorbed };

struct LowerOptions {
  Precision precision;
  MlaForm mla = MlaForm::automatic;
  bool fused_elementwise = false;  // casts and residual adds live inside their neighbours' kernels
  bool operator==(const LowerOptions&) const = default;
};

/// ArchSpec on a shape -> operators. The overload that fills `out` allocates nothing once `out` has
/// been filled before.
OpGraph lower(const ArchSpec& arch, const StepShape& step, const LowerOptions& options);
void lower(const ArchSpec& arch, const StepShape& step, const LowerOptions& options, OpGraph& out);

/// The form `automatic` takes for this shape: the one with fewer FLOPs. Naive expands every cached
/// latent once (2 d_c n_h (d_n + d_v) each) but pays 2 n_h (d_n + d_r + d_v) a pair; absorbed pays
/// 2 n_h (2 d_c + d_r) a pair. For a chunk of T tokens on a long prefix naive wins iff T > d_c (d_n
/// + d_v) / (2 d_c - d_n - d_v) = 170.7 for DeepSeek-V3.
MlaForm cheaper_form(const MlaSpec& mla, const StepShape& step);
double mla_crossover_tokens(const MlaSpec& mla);

nlohmann::json to_json(const OpGraph& graph);

}  // namespace fathom::model
