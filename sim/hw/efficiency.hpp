#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.hpp"
#include "core/units.hpp"
#include "hw/fitted_form.hpp"
#include "hw/provenance.hpp"

namespace fathom {
class JsonReader;
}

namespace fathom::hw {

/// Operator families with their own efficiency. Elementwise kernels are classes of memory-bound
/// kernels.
enum class Family : std::uint8_t {
  gemm,                 // dense projections
  grouped_gemm,         // routed experts, contiguous layout (prefill)
  grouped_gemm_decode,  // routed experts, masked layout, few rows per expert
  batched_gemm,         // per-head products (MLA absorption)
  attention_prefill,    // causal MHA/GQA, flash style
  attention_decode,     // split-KV MHA/GQA
  mla_prefill,          // naive MLA core
  mla_decode,           // absorbed MLA core
  sparse_attention,     // DSA / CSA gathered core, decode: bound by the gather, widens an FP8 cache
  sparse_prefill,       // ... many queries per sequence: gathered rows stay in L2, dense arithmetic
  indexer,              // lightning indexer scores
  linear_attention,     // gated delta rule
  norm,
  cast,
  copy,
  activation,
  permute,
  misc,  // elementwise classes; misc: residual adds, top-k, softmax
  embedding,
  all_reduce,
  all_gather,
  reduce_scatter,
  all_to_all,
  send_recv,
  dispatch,
  combine,  // expert parallel, throughput ("normal") kernels
  dispatch_low_latency,
  combine_low_latency,  // expert parallel, latency kernels
  kv_transfer
};
inline constexpr std::size_t kFamilyCount = static_cast<std::size_t>(Family::kv_transfer) + 1;
std::string_view name(Family family);
/// Families whose time is moving bytes between devices.
bool is_communication(Family family);
/// Families whose time may be bound by arithmetic; for all others `compute` stays 1.
bool is_arithmetic(Family family);

/// t = overhead + (compute^p + memory^p)^(1/p), compute = FLOP / (peak x compute), memory = bytes /
/// (bandwidth x memory). For communication families `memory` is the share of the scale-out link and
/// `near` the share of the scale-up link.
struct Efficiency {
  double compute = 1.0;  // share of the dense peak a large shape reaches
  double memory = 1.0;   // share of the memory (or scale-out link) bandwidth
  double near = 1.0;     // communication: share of the scale-up link
  Seconds overhead;    // fixed cost of one call (launch, prologue; communication: latency on top of
                       // the links')
  Seconds floor;       // elementwise: no kernel is shorter
  double blend = 8.0;  // p: 1 sum, large: maximum
  double tile_m = 1.0;  // rows are padded to a multiple of this (1: no padding)
  double tile_n = 1.0;  // CTAs = ceil(m/tile_m) ceil(n/tile_n); waves are quantised when tile_n > 1
  BytesPerSecond feed;  // what one SM can stream: bandwidth <= CTAs x feed (0: no limit)
  // 1: a started wave of CTAs costs a whole one, 0: waves blend (persistent kernels)
  double wave = 0.0;
  // Pointwise families: operands up to `cache` bytes have just been written by the kernel before
  // and stream at `cache_rate`, the rest at the memory's. Arithmetic families: activations are put
  // in order and written out at `cache_rate`, before and after the arithmetic. 0: all at the
  // memory's.
  Bytes cache;
  BytesPerSecond cache_rate;
  // Standard deviation of ln(true time / estimated) of one call where the entry was fitted to
  // measurements (0: unknown).
  double log_sigma = 0.0;
  double sustained_clock =
      1.0;  // in a busy step, power lowers the clock of compute-bound calls: share that remains
  double overlapped = 0.0;  // rate beside communication kernels / alone (0: the share of SMs left)
  double sm_busy_fixed_s = 0.0;  // low-latency all-to-all: SM time of send plus receive, fixed part
  double sm_busy_per_token_s = 0.0;  // ... and per token sent
  double sm_reserved = 0.0;  // SMs a communication kernel holds while it runs beside compute
  Evidence evidence = Evidence::assumed;
  Transfer transfer = Transfer::none;
  bool operator==(const Efficiency&) const = default;
};

/// Dense table: family x arithmetic. A pair without an entry takes the family's entry for any
/// arithmetic; a family without one does not load.
struct EfficiencySet {
  std::string name;
  std::array<std::array<Efficiency, kMathCount>, kFamilyCount> table{};
  FormTable forms;                   // fitted forms: they go before the entry of their family
  std::vector<std::string> sources;  // "key: citation"
  std::string hash;                  // of the file's text; empty for a parsed document
  const Efficiency& lookup(Family family, Math math) const {
    return table[static_cast<std::size_t>(family)][static_cast<std::size_t>(math)];
  }
  const FittedForm* fitted(FormUse use) const {
    const auto& form = forms[static_cast<std::size_t>(use)];
    return form ? &*form : nullptr;
  }
  bool operator==(const EfficiencySet&) const = default;
};

/// hwprofiles/efficiency/<name>.json, or a file. A file may start from another one (`transfer`):
/// the latencies of communication are scaled and every inherited entry counts as assumed. It says
/// whether that one's device is of the same generation (by default if its forms are taken too).
/// InputError with file#/pointer.
EfficiencySet load_efficiency(std::string_view name_or_file);
/// The same for a name given by a key of another file, which every complaint about the name points
/// to.
EfficiencySet load_efficiency(JsonReader& parent, std::string_view key);
EfficiencySet parse_efficiency(const nlohmann::json& document, std::string_view where);
nlohmann::json to_json(const EfficiencySet& set);

}  // namespace fathom::hw
