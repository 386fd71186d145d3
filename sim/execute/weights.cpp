#include "execute/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/fnv.hpp"
#include "core/rng.hpp"
#include "model/tensor_list.hpp"

namespace fathom::execute {
namespace {

using kernels::Indices;
using kernels::Shape;
using kernels::Tensor;

struct Renamed {
  std::string_view leaf;  // model/tensors.hpp
  std::string_view name;  // below "layers.N." in inference/model.py; a second copy after '|'
};

// Hugging Face's leaf names -> those of DeepSeek's own code. What is not listed keeps its leaf
// name: inside attn. with ".weight" for V4's projections, bare for its plain parameters.
constexpr std::array kRenamed{
    Renamed{"q_proj", "attn.wq.weight"},
    Renamed{"q_a_proj", "attn.wq_a.weight"},
    Renamed{"q_a_layernorm", "attn.q_norm.weight"},
    Renamed{"q_b_proj", "attn.wq_b.weight"},
    Renamed{"kv_a_proj_with_mqa", "attn.wkv_a.weight"},
    Renamed{"kv_a_layernorm", "attn.kv_norm.weight"},
    Renamed{"kv_b_proj", "attn.wkv_b.weight"},
    Renamed{"o_proj", "attn.wo.weight"},
    Renamed{"indexer.k_norm", "attn.indexer.k_norm.weight|attn.indexer.k_norm.bias"},
    Renamed{"attn_sink", "attn.attn_sink"},
    Renamed{"compressor.ape", "attn.compressor.ape"},
    Renamed{"indexer.compressor.ape", "attn.indexer.compressor.ape"},
    Renamed{"layernorm", "attn_norm.weight|ffn_norm.weight"},
    Renamed{"gate_proj", "ffn.w1.weight"},
    Renamed{"up_proj", "ffn.w3.weight"},
    Renamed{"down_proj", "ffn.w2.weight"},
    Renamed{"gate", "ffn.gate.weight"},
    Renamed{"e_score_correction_bias", "ffn.gate.bias"},
    Renamed{"tid2eid", "ffn.gate.tid2eid"},
    Renamed{"shared_experts.gate_proj", "ffn.shared_experts.w1.weight"},
    Renamed{"shared_experts.up_proj", "ffn.shared_experts.w3.weight"},
    Renamed{"shared_experts.down_proj", "ffn.shared_experts.w2.weight"},
    Renamed{"experts.gate_proj", "ffn.experts.w1.weight.stacked"},
    Renamed{"experts.up_proj", "ffn.experts.w3.weight.stacked"},
    Renamed{"experts.down_proj", "ffn.experts.w2.weight.stacked"},
    Renamed{"embed_tokens", "embed.weight"},
    Renamed{"lm_head", "head.weight"},
    Renamed{"norm", "norm.weight"},
    Renamed{"shared_head.norm", "norm.weight"},
    Renamed{"enorm", "enorm.weight"},
    Renamed{"hnorm", "hnorm.weight"},
    Renamed{"eh_proj", "eh_proj.weight"},
    Renamed{"e_proj", "e_proj.weight"},
    Renamed{"h_proj", "h_proj.weight"},
};

std::string checkpoint_name(const model::Tensor& tensor) {
  const auto* const renamed = std::ranges::find(kRenamed, tensor.name, &Renamed::leaf);
  if (renamed != kRenamed.end()) return std::string{renamed->name};
  if (tensor.name.starts_with("hc_")) return std::string{tensor.name};
  return fmt::format("attn.{}.weight", tensor.name);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Random numbers belong to a name, so that one more layer changes no other layer.
Rng stream_of(std::uint64_t seed, std::string_view name) { return Rng{seed ^ fnv1a(name)}; }

// Uniform with mean 0 and variance 1.
double unit(Rng& rng) { return std::sqrt(12.0) * (rng.uniform() - 0.5); }

struct Init {
  double mean = 0.0;
  double deviation = 1.0;
  bool identity = false;  // added on the leading square
};

Init init_of(std::string_view name, double input_width) {
  const double row = 1.0 / std::sqrt(input_width);
  if (contains(name, "norm.bias")) return {.deviation = 0.1};
  if (contains(name, "norm")) return {.mean = 1.0, .deviation = 0.1};
  if (name.ends_with("gate.bias")) return {.deviation = 0.05};
  if (contains(name, "_scale")) return {.mean = 0.5, .deviation = 0.1};
  if (contains(name, "_base") || contains(name, "ape") || contains(name, "sink")) {
    return {.deviation = 0.3};
  }
  if (contains(name, "embed")) return {.deviation = 1.0};
  if (contains(name, "eh_proj")) return {.deviation = 0.1 * row, .identity = true};
  if (contains(name, "e_proj")) return {.deviation = 0.1 * row, .identity = true};
  if (contains(name, "h_proj")) return {.deviation = 0.1 * row};
  const bool branch = name.ends_with("attn.wo.weight") || name.ends_with("attn.wo_b.weight") ||
                      contains(name, ".w2.weight");
  return {.deviation = branch ? kBranchScale * row : row};
}

Tensor<float> random_tensor(const std::string& name, Shape shape, std::uint64_t seed) {
  Tensor<float> out{std::move(shape)};
  const Init init = init_of(name, static_cast<double>(out.dim(-1)));
  Rng rng = stream_of(seed, name);
  for (float& v : out.data) v = static_cast<float>(init.mean + init.deviation * unit(rng));
  if (init.identity) {
    const std::int64_t columns = out.dim(-1);
    for (std::int64_t i = 0; i < std::min(out.dim(0), columns); ++i) out[i * columns + i] += 1.0F;
  }
  return out;
}

// Every row: distinct experts, in the order drawn.
Indices random_experts(const std::string& name, const model::Tensor& table, std::int64_t experts,
                       std::uint64_t seed) {
  Indices out{{table.rows, table.cols}};
  Rng rng = stream_of(seed, name);
  std::vector<std::int64_t> ids(static_cast<std::size_t>(experts));
  std::iota(ids.begin(), ids.end(), 0);
  for (std::int64_t r = 0; r < table.rows; ++r) {
    rng.choose<std::int64_t>(ids, static_cast<std::size_t>(table.cols));
    std::copy_n(ids.begin(), table.cols, out.row(r).begin());
  }
  return out;
}

struct Filler {
  Checkpoint& checkpoint;
  std::uint64_t seed;

  void add(const std::string& prefix, const model::Tensor& tensor, std::int64_t experts) {
    const std::string names = checkpoint_name(tensor);
    if (!tensor.parameter) {
      const std::string name = prefix + names;
      checkpoint.tables[name] = random_experts(name, tensor, experts, seed);
      return;
    }
    const std::size_t second = names.find('|');
    const bool stacked = names.ends_with(".stacked");
    FATHOM_EXPECT(stacked || tensor.copies == (second == std::string::npos ? 1 : 2),
                  "a tensor with copies needs a name for each");
    const bool vector = tensor.rows == 1 && !tensor.matmul && !contains(names, "ape");
    Shape shape = vector ? Shape{tensor.cols} : Shape{tensor.rows, tensor.cols};
    if (stacked) shape.insert(shape.begin(), tensor.copies);
    put(prefix + names.substr(0, second), shape);
    if (second != std::string::npos) put(prefix + names.substr(second + 1), shape);
  }
  void put(const std::string& name, Shape shape) {
    const bool fresh =
        checkpoint.weights.emplace(name, random_tensor(name, std::move(shape), seed)).second;
    FATHOM_EXPECT(fresh, "two tensors of one name");
  }
};

void add_mtp(Filler& fill, const model::ArchSpec& arch) {
  for (std::int64_t depth = 0; depth < arch.num_nextn_predict_layers; ++depth) {
    for (const model::Tensor& tensor : model::mtp_tensors(arch)) {
      if (tensor.part == model::Part::mtp_copies) continue;  // shared with the main model
      fill.add(fmt::format("mtp.{}.", depth), tensor, arch.mtp_layer.moe.n_routed_experts);
    }
  }
}

}  // namespace

Checkpoint random_checkpoint(const model::ArchSpec& arch, std::uint64_t seed) {
  Checkpoint checkpoint;
  Filler fill{checkpoint, seed};
  model::TensorList outer{arch};
  model::add_outer(outer);
  for (const model::Tensor& tensor : outer.tensors) fill.add("", tensor, 0);
  for (std::size_t i = 0; i < arch.layers.size(); ++i) {
    const model::LayerSpec& layer = arch.kinds[static_cast<std::size_t>(arch.layers[i])];
    for (const model::Tensor& tensor : model::layer_tensors(arch, layer)) {
      fill.add(fmt::format("layers.{}.", i), tensor, layer.moe.n_routed_experts);
    }
  }
  if (arch.mtp_kind != model::MtpKind::none) add_mtp(fill, arch);
  return checkpoint;
}

std::int64_t parameter_count(const Checkpoint& checkpoint) {
  std::int64_t count = 0;
  for (const auto& [name, tensor] : checkpoint.weights) count += tensor.size();
  return count;
}

}  // namespace fathom::execute
