#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/arch_spec.hpp"

namespace fathom::model {

/// InputError naming what is missing when a file describes nothing but a KV cache.
void expect_parameters(const ArchSpec& arch);

/// Exact parameter counts; conventions as in the JSON keys.
struct ParamCount {
  std::int64_t total_main =
      0;  // without MTP, scales and integer tables; with both embedding and head
  std::int64_t activated_main_incl_embedding_and_head = 0;
  std::int64_t activated_main_excl_embedding = 0;
  std::int64_t activated_main_excl_embedding_and_head = 0;
  std::int64_t mtp_unique = 0;  // all MTP modules, without the shared embedding and head
  std::int64_t mtp_activated_unique = 0;
  bool operator==(const ParamCount&) const = default;
};
ParamCount count_params(const ArchSpec& arch);

/// Tensor bytes of the checkpoint as published, by storage dtype name ("F8_E4M3", "BF16", "F32",
/// "I8", "F8_E8M0", "I64").
struct CheckpointBytes {
  std::map<std::string, std::int64_t> bytes_by_dtype;
  std::map<std::string, std::int64_t> elements_by_dtype;
  std::int64_t tensor_bytes = 0;
  std::int64_t tensor_elements = 0;  // scales included
};
CheckpointBytes checkpoint_bytes(const ArchSpec& arch);

/// The `params` object of `fathom model --format json`.
nlohmann::json params_json(const ArchSpec& arch);

/// Training FLOPs per token, ISCA'25 (arXiv 2505.09343) Table 2 convention: 6 x (activated without
/// input embedding) + 3 x causal attention at `sequence` tokens.
double training_flops_per_token(const ArchSpec& arch, std::int64_t sequence);

}  // namespace fathom::model
