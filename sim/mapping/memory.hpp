#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "core/units.hpp"
#include "hw/cluster.hpp"
#include "mapping/plan.hpp"
#include "model/arch_spec.hpp"
#include "model/precision.hpp"
#include "model/step_shape.hpp"

namespace fathom::mapping {

/// Ranks that hold the same kinds of tensors: one class per distinct pipeline stage. `layers`
/// counts each layer kind it runs.
struct RankClass {
  std::string name;
  std::int64_t ranks = 0;
  std::int64_t stages = 1;  // identical pipeline stages folded into this class
  std::vector<std::int64_t> layers;
  std::vector<int> sequence;  // layer kinds in order
  bool embedding = false;
  bool head = false;  // and MTP modules
  bool operator==(const RankClass&) const = default;
};

/// Layers are dealt evenly and in order; the first stages get one more when they do not divide.
std::vector<RankClass> rank_classes(const model::ArchSpec& arch, const Plan& plan);

/// What one rank of a class must hold.
struct MemoryFootprint {
  Bytes weights;
  Bytes kv_per_sequence;  // at the longest context asked for; whole on each rank for MLA, divided
                          // by TP for KV heads
  Bytes activations;      // peak of one step, estimated: see memory.cpp
  Bytes buffers;          // communication buffers and runtime reserve
  Bytes available;        // usable device memory
  double sequences =
      0.0;  // that must fit, per data-parallel replica (a CP rank holds its part of each)
  Bytes kv() const { return kv_per_sequence * sequences; }
  Bytes used() const { return weights + kv() + activations + buffers; }
  bool fits() const { return used() <= available; }
  /// Sequences that fit beside everything else; 0 when the weights alone do not.
  double max_sequences() const;
  bool operator==(const MemoryFootprint&) const = default;
};

struct MemoryQuery {
  double sequences = 0.0;       // per replica
  double context_tokens = 0.0;  // longest, including what will be generated
  double step_tokens = 0.0;     // new tokens per rank and step
  bool mtp = false;             // MTP modules are loaded
  Bytes weights;                // weight_bytes() of the class, computed once per plan
};

Bytes weight_bytes(const model::ArchSpec& arch, const Plan& plan, const model::Precision& precision,
                   const RankClass& rank_class, bool mtp);
Bytes kv_bytes_per_sequence(const model::ArchSpec& arch, const Plan& plan,
                            const model::Precision& precision, const RankClass& rank_class,
                            double context_tokens, bool mtp);
MemoryFootprint footprint(const model::ArchSpec& arch, const Plan& plan,
                          const model::Precision& precision, const hw::Cluster& cluster,
                          const RankClass& rank_class, const MemoryQuery& query);
nlohmann::json to_json(const MemoryFootprint& memory);

}  // namespace fathom::mapping
