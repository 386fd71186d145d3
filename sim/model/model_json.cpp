#include "model/model_json.hpp"

#include <nlohmann/json.hpp>

#include "model/kv_cache.hpp"
#include "model/params.hpp"
#include "model/tensors.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

constexpr std::int64_t kTrainingSequence = 4096;  // of the published per-token figures

json layers_json(const ArchSpec& arch) {
  json rows = json::array();
  for (std::size_t kind = 0; kind < arch.kinds.size(); ++kind) {
    const LayerSpec& layer = arch.kinds[kind];
    const bool dense = layer.dense.intermediate_size > 0;
    const bool routed = layer.moe.n_routed_experts > 0;
    rows.push_back({{"layers", layer_count(arch, static_cast<int>(kind))},
                    {"attention", kind_name(layer.attention)},
                    {"ffn", dense && routed ? "dense+moe"
                            : routed        ? "moe"
                                            : "dense"}});
  }
  return rows;
}

json attention_kinds(const ArchSpec& arch) {
  json kinds = json::object();
  for (const int kind : arch.layers) {
    const std::string name(kind_name(arch.kinds[static_cast<std::size_t>(kind)].attention));
    kinds[name] = kinds.value(name, 0) + 1;
  }
  return kinds;
}

json checkpoint_json(const ArchSpec& arch) {
  const CheckpointBytes bytes = checkpoint_bytes(arch);
  return {{"bytes_by_dtype", bytes.bytes_by_dtype},
          {"by_dtype", bytes.elements_by_dtype},
          {"tensor_bytes", bytes.tensor_bytes},
          {"tensor_elements", bytes.tensor_elements},
          {"format",
           {{"linear", name(arch.checkpoint.linear)},
            {"experts", name(arch.checkpoint.experts)},
            {"other", name(arch.checkpoint.other)}}}};
}

}  // namespace

json model_json(const Model& model, const std::vector<std::int64_t>& contexts) {
  const ArchSpec& arch = model.arch;
  json out{{"name", arch.name},
           {"model_type", arch.model_type},
           {"file_hash", model.hash},
           {"hidden_size", arch.hidden_size},
           {"vocab_size", arch.vocab_size},
           {"num_hidden_layers", arch.layers.size()},
           {"max_position_embeddings", arch.max_position_embeddings},
           {"layers", layers_json(arch)},
           {"attention", attention_kinds(arch)},
           {"kv_cache", kv_cache_json(arch)},
           {"unmodelled", arch.unmodelled},
           {"not_reproduced", model.not_reproduced},
           {"source", model.source},
           {"arch", to_json(arch)}};
  if (arch.kv_cache_only) return out;
  const ParamCount count = count_params(arch);
  out["params"] = params_json(arch);
  out["activated"] = {{"incl_embedding_and_head", count.activated_main_incl_embedding_and_head},
                      {"excl_embedding", count.activated_main_excl_embedding},
                      {"excl_embedding_and_head", count.activated_main_excl_embedding_and_head}};
  out["checkpoint"] = checkpoint_json(arch);
  out["decode_flops_per_token"] = decode_flops_json(arch, contexts);
  out["training_flops_per_token"] = {{"sequence", kTrainingSequence},
                                     {"flops", training_flops_per_token(arch, kTrainingSequence)}};
  return out;
}

}  // namespace fathom::model
