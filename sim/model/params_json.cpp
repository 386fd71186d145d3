#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "model/params.hpp"
#include "model/tensors.hpp"

namespace fathom::model {
namespace {

using nlohmann::json;

/// Elements of one layer (or of what stands outside) by part and by tensor name.
struct Sums {
  std::map<Part, std::int64_t> parts;
  std::map<Part, std::map<std::string, std::int64_t>> names;

  std::int64_t part(Part p) const { return parts.contains(p) ? parts.at(p) : 0; }
  std::int64_t one(Part p, const std::string& name) const {
    if (!names.contains(p)) return 0;
    const auto& list = names.at(p);
    return list.contains(name) ? list.at(name) : 0;
  }
};

void add(Sums& sums, const Tensor& tensor) {
  sums.names[tensor.part][std::string(tensor.name)] += tensor.elements();
  if (tensor.parameter) sums.parts[tensor.part] += tensor.elements();
}

Sums sum_of(const std::vector<Tensor>& tensors) {
  Sums sums;
  for (const Tensor& tensor : tensors) add(sums, tensor);
  return sums;
}

std::string detail_key(std::string name, bool separate_biases) {
  if (name == "indexer.k_norm") return "indexer.k_norm(w+b)";
  if (name == "q_norm" || name == "k_norm") return "qk_norm";
  if (name == "o_proj.bias") return "bias_o";
  if (name.ends_with(".bias")) return separate_biases ? "bias_qkv" : "qkv_bias";
  // The four projections of grouped attention go by their letters, MLA's by their names.
  if (name.size() == 6 && name.ends_with("_proj")) return name.substr(0, 1);
  return name;
}

json attention_detail(const Sums& sums, const AttentionSpec& attention) {
  const auto* gqa = std::get_if<GqaSpec>(&attention);
  json detail = json::object();
  for (const Part part : {Part::attention, Part::indexer}) {
    if (!sums.names.contains(part)) continue;
    for (const auto& [name, elements] : sums.names.at(part)) {
      const std::string key = gqa != nullptr             ? detail_key(name, gqa->o_bias)
                              : name == "indexer.k_norm" ? "indexer.k_norm(w+b)"
                                                         : name;
      detail[key] = detail.value(key, std::int64_t{0}) + elements;
    }
  }
  return detail;
}

// One number where all layers agree, a table by kind where they do not.
void add_attention(const ArchSpec& arch, const std::vector<Sums>& kinds, json& out) {
  std::map<std::string, json> rows;
  std::map<std::string, std::int64_t> layers;
  bool uniform = true;
  json first;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const AttentionSpec& attention = arch.kinds[kind].attention;
    json row{{"attention_per_layer",
              kinds[kind].part(Part::attention) + kinds[kind].part(Part::indexer)},
             {"attention_per_layer_detail", attention_detail(kinds[kind], attention)}};
    std::string name(kind_name(attention));
    if (const auto* mla = std::get_if<MlaSpec>(&attention)) {
      if (mla->indexer.shared) name += " (shared indexer)";
    }
    if (first.is_null()) first = row;
    uniform = uniform && row == first;
    layers[name] += layer_count(arch, static_cast<int>(kind));
    row["layers"] = layers[name];
    rows[name] = row;
  }
  if (uniform) {
    out.update(first);
  } else {
    out["attention_by_kind"] = rows;
  }
}

// DeepSeek configurations count dense and MoE layers apart; where all layers are alike the keys say
// "per layer".
void add_ffn(const ArchSpec& arch, const std::vector<Sums>& kinds, bool deepseek_keys, json& out) {
  std::int64_t dense = 0, sparse = 0;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const std::int64_t count = layer_count(arch, static_cast<int>(kind));
    (arch.kinds[kind].moe.n_routed_experts > 0 ? sparse : dense) += count;
  }
  const bool apart = deepseek_keys || (dense > 0 && sparse > 0);
  const std::string per = apart ? "_per_moe_layer" : "_per_layer";
  if (apart) {
    out["dense_layers"] = dense;
    out["moe_layers"] = sparse;
  } else {
    out["layers"] = dense + sparse;
  }
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const Sums& sums = kinds[kind];
    const MoeSpec& moe = arch.kinds[kind].moe;
    if (sums.part(Part::dense_ffn) > 0) out["dense_ffn_per_layer"] = sums.part(Part::dense_ffn);
    if (moe.n_routed_experts == 0) continue;
    const std::int64_t weight = sums.one(Part::router, "gate");
    const std::int64_t bias = sums.part(Part::router) - weight;
    out["router_weight" + per] = weight;
    if (apart || bias > 0) out["router_bias" + per] = bias;
    if (apart || moe.shared_intermediate_size > 0) {
      out["shared_experts" + per] = sums.part(Part::shared_experts);
    }
    const std::int64_t biases = sums.one(Part::routed_experts, "experts.gate_up_proj.bias") +
                                sums.one(Part::routed_experts, "experts.down_proj.bias");
    const std::int64_t routed = sums.part(Part::routed_experts);
    if (biases > 0) {
      out["one_routed_expert_weights"] = (routed - biases) / moe.n_routed_experts;
      out["one_routed_expert_biases"] = biases / moe.n_routed_experts;
    } else {
      out["one_routed_expert"] = routed / moe.n_routed_experts;
    }
    out["routed_experts" + per] = routed;
  }
}

// Names and sums of one part without the prefix that the key already says.
json stripped(const Sums& sums, Part part, const std::string& prefix) {
  json detail = json::object();
  if (!sums.names.contains(part)) return detail;
  for (const auto& [name, elements] : sums.names.at(part)) {
    detail[name.starts_with(prefix) ? name.substr(prefix.size()) : name] = elements;
  }
  return detail;
}

void add_v4_attention(const ArchSpec& arch, const std::vector<Sums>& kinds, json& out) {
  out["attention_base_per_layer"] = kinds.front().part(Part::attention);
  out["attention_base_detail"] = stripped(kinds.front(), Part::attention, "");
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const auto& spec = std::get<CompressedSpec>(arch.kinds[kind].attention);
    if (spec.compress_ratio == 0) continue;
    const std::string key = "compressor_ratio" + std::to_string(spec.compress_ratio);
    out[key] = kinds[kind].part(Part::compressor);
    out[key + "_detail"] = stripped(kinds[kind], Part::compressor, "compressor.");
    if (spec.indexer.index_topk == 0) continue;
    out["indexer_per_csa_layer"] = kinds[kind].part(Part::indexer);
    out["indexer_detail"] = stripped(kinds[kind], Part::indexer, "indexer.");
  }
}

void add_v4_layers(const ArchSpec& arch, const std::vector<Sums>& kinds, json& out) {
  std::map<std::string_view, std::int64_t> count{{"csa", 0}, {"hca", 0}, {"window", 0}};
  std::int64_t hashed = 0, hash_entries = 0;
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const std::int64_t layers = layer_count(arch, static_cast<int>(kind));
    count[kind_name(arch.kinds[kind].attention)] += layers;
    const Sums& sums = kinds[kind];
    hash_entries += layers * sums.one(Part::router, "tid2eid");
    if (arch.kinds[kind].moe.hash_routed) hashed += layers;
    const std::int64_t bias = sums.one(Part::router, "e_score_correction_bias");
    out["router_weight_per_layer"] = sums.one(Part::router, "gate");
    if (bias > 0) out["router_bias_per_score_routed_layer"] = bias;
    out["mhc_per_layer"] = sums.part(Part::mhc);
    out["shared_expert_per_layer"] = sums.part(Part::shared_experts);
    out["routed_experts_per_layer"] = sums.part(Part::routed_experts);
    out["one_routed_expert"] =
        sums.part(Part::routed_experts) / arch.kinds[kind].moe.n_routed_experts;
  }
  out["hash_table_tid2eid_int_entries"] = hash_entries;
  out["layers"] = {{"csa_ratio4", count["csa"]},
                   {"hca_ratio128", count["hca"]},
                   {"window_only_ratio0", count["window"]},
                   {"hash_routed_first", hashed}};
}

json mtp_json(const ArchSpec& arch, const ParamCount& count) {
  std::vector<Tensor> module;
  for (const Tensor& tensor : all_tensors(arch)) {
    if (tensor.in_mtp) module.push_back(tensor);
  }
  const Sums sums = sum_of(module);
  const std::int64_t modules = arch.num_nextn_predict_layers;
  const std::int64_t copies = modules * sums.part(Part::mtp_copies);
  const Sums block = sum_of(layer_tensors(arch, arch.mtp_layer));
  std::int64_t block_elements = 0;
  for (const auto& [part, elements] : block.parts) block_elements += elements;
  json out{{"modules", modules},
           {"block", block_elements},
           {"unique", count.mtp_unique},
           {"activated_unique", count.mtp_activated_unique}};
  const auto leaf = [&sums](const char* name) { return sums.one(Part::mtp, name); };
  if (arch.mtp_kind == MtpKind::v4) {
    out["e_proj"] = leaf("e_proj");
    out["h_proj"] = leaf("h_proj");
    out["norms"] = leaf("enorm") + leaf("hnorm") + leaf("shared_head.norm");
    out["hc_head"] = leaf("hc_head_fn") + leaf("hc_head_base") + leaf("hc_head_scale");
    return out;
  }
  out["eh_proj"] = leaf("eh_proj");
  out["enorm"] = leaf("enorm");
  out["hnorm"] = leaf("hnorm");
  out["shared_head_norm"] = leaf("shared_head.norm");
  const std::int64_t shared = 2 * arch.vocab_size * arch.hidden_size;
  out["stored_copies_of_embed_and_head"] = copies;
  out["stored_total"] = count.mtp_unique + copies;
  out["activated_incl_shared_embed_and_head"] = count.mtp_activated_unique + shared;
  return out;
}

void add_totals(const ArchSpec& arch, json& out) {
  const ParamCount count = count_params(arch);
  out["total_main"] = count.total_main;
  out["activated_main_incl_embedding_and_head"] = count.activated_main_incl_embedding_and_head;
  out["activated_main_excl_embedding"] = count.activated_main_excl_embedding;
  out["activated_main_excl_embedding_and_head"] = count.activated_main_excl_embedding_and_head;
  if (arch.mtp_kind == MtpKind::none) return;
  out["mtp"] = mtp_json(arch, count);
  out["total_main_plus_mtp_unique"] = count.total_main + count.mtp_unique;
  if (arch.mtp_kind == MtpKind::v3) {
    out["total_checkpoint_elements_excl_scales"] =
        count.total_main + out["mtp"]["stored_total"].get<std::int64_t>();
  }
}

}  // namespace

json params_json(const ArchSpec& arch) {
  expect_parameters(arch);
  std::vector<Tensor> outside;
  for (const Tensor& tensor : all_tensors(arch)) {
    if (tensor.kind < 0 && !tensor.in_mtp) outside.push_back(tensor);
  }
  std::vector<Sums> kinds;
  for (const LayerSpec& layer : arch.kinds) kinds.push_back(sum_of(layer_tensors(arch, layer)));
  const Sums outer = sum_of(outside);
  json out{{"embedding", outer.one(Part::embedding, "embed_tokens")},
           {"lm_head", outer.part(Part::lm_head)},
           {"final_norm", outer.part(Part::final_norm)},
           {"norms_per_layer", kinds.front().part(Part::norms)}};
  if (arch.tie_word_embeddings) out["tied_embeddings"] = true;
  if (arch.learned_positions > 0) {
    out["position_embedding"] = outer.one(Part::embedding, "embed_positions");
  }
  if (arch.hc_mult > 1) out["hc_head"] = outer.part(Part::mhc);
  const bool v4 = std::ranges::all_of(arch.kinds, [](const LayerSpec& layer) {
    return std::holds_alternative<CompressedSpec>(layer.attention);
  });
  if (v4) {
    add_v4_attention(arch, kinds, out);
    add_v4_layers(arch, kinds, out);
  } else {
    const bool mla = std::ranges::any_of(arch.kinds, [](const LayerSpec& layer) {
      return std::holds_alternative<MlaSpec>(layer.attention);
    });
    add_attention(arch, kinds, out);
    add_ffn(arch, kinds, mla, out);
  }
  add_totals(arch, out);
  return out;
}

}  // namespace fathom::model
