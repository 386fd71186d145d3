#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "model/arch_spec.hpp"

namespace fathom::model {

struct ReadOptions {
  bool text_only = false;  // leave vision and audio towers out instead of refusing
  std::vector<std::string>
      sets;  // "kv_lora_rank=256": applied to the configuration before it is read
  // swap: "mha", "mqa", "gqa-8", "mla", "mla+dsa", "csa+hca", "tpa"; empty: as published
  std::string attention;
};

/// A genuine config.json as published (or DeepSeek's own inference/config.json schema) -> ArchSpec.
/// Strict: a field that changes cost and that we do not model is an error naming the field and the
/// model part. `where`: "file.json#".
ArchSpec parse_hf_config(const nlohmann::json& config, std::string_view where,
                         const ReadOptions& options = {});

/// NAME|FILE: one of our models/*.json ({"source", "published", "config"}) or any config.json. Runs
/// the file's `published` self-checks and throws InputError when one fails (skipped when `options`
/// change the model).
struct Model {
  ArchSpec arch;
  std::filesystem::path path;
  std::string hash;  // of the file's bytes
  std::vector<std::string> source;
  std::vector<std::string> not_reproduced;  // published figures that the dimensions do not give
};
Model load_model(std::string_view name_or_file, const ReadOptions& options = {});

/// The same model with its attention replaced, width and depth kept (issue: "this model with GQA-8
/// instead").
ArchSpec with_attention(const ArchSpec& arch, std::string_view attention);

}  // namespace fathom::model
