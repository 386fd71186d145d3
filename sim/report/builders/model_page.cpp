#include "report/builders/model_page.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "model/kv_cache.hpp"
#include "model/params.hpp"
#include "model/tensors.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using model::ArchSpec;
using model::Part;
using nlohmann::json;

constexpr std::int64_t kTrainingSequence = 4096;  // of the published per-token figures

// In reading order. MTP modules are counted apart: their embedding and head are copies.
constexpr std::array<std::pair<Part, std::string_view>, 12> kParts{{
    {Part::embedding, "embedding"},
    {Part::attention, "attention"},
    {Part::indexer, "indexer"},
    {Part::compressor, "compressor"},
    {Part::dense_ffn, "dense FFN"},
    {Part::router, "router"},
    {Part::shared_experts, "shared experts"},
    {Part::routed_experts, "routed experts"},
    {Part::norms, "norms"},
    {Part::mhc, "hyper-connections"},
    {Part::final_norm, "final norm"},
    {Part::lm_head, "output head"},
}};

double real(std::int64_t value) { return static_cast<double>(value); }

struct PartSum {
  double stored = 0.0;
  double visited = 0.0;  // by one token
};

// Of the main model; MTP modules are counted apart.
PartSum sum_of(const std::vector<model::Tensor>& tensors, const ArchSpec& arch, Part part) {
  PartSum sum;
  for (const model::Tensor& tensor : tensors) {
    if (tensor.in_mtp || !tensor.parameter || tensor.part != part) continue;
    const double layers = tensor.kind < 0 ? 1.0 : real(model::layer_count(arch, tensor.kind));
    const double elements = layers * real(tensor.elements());
    sum.stored += elements;
    double share = 1.0;
    if (part == Part::routed_experts) {
      const auto& moe = arch.kinds[static_cast<std::size_t>(tensor.kind)].moe;
      share = real(moe.num_experts_per_tok) / real(tensor.copies);
    }
    sum.visited += share * elements;
  }
  return sum;
}

Table parameter_table(const ArchSpec& arch, const model::ParamCount& count) {
  Table table{
      .title = "Parameters by component",
      .columns = {text_column("component"), number_column("parameters", "", NumberFormat::count),
                  number_column("share", "", NumberFormat::percent),
                  number_column("one token visits", "", NumberFormat::count)}};
  const std::vector<model::Tensor> tensors = model::all_tensors(arch);
  for (const auto& [part, label] : kParts) {
    const PartSum sum = sum_of(tensors, arch, part);
    if (sum.stored == 0.0) continue;
    table.rows.push_back(
        {label, sum.stored, share_cell(sum.stored / real(count.total_main)), sum.visited});
  }
  table.rows.push_back(
      {"main model", count.total_main, 1.0, count.activated_main_incl_embedding_and_head});
  if (count.mtp_unique > 0) {
    table.rows.push_back({say("MTP modules ({})", arch.num_nextn_predict_layers), count.mtp_unique,
                          share_cell(real(count.mtp_unique) / real(count.total_main)),
                          count.mtp_activated_unique});
  }
  return table;
}

Table activated_table(const model::ParamCount& count) {
  Table table{
      .title = "Activated parameters per token",
      .columns = {text_column("convention"), number_column("parameters", "", NumberFormat::count)}};
  table.rows = {{"with embedding and head", count.activated_main_incl_embedding_and_head},
                {"without the input embedding", count.activated_main_excl_embedding},
                {"without embedding and head", count.activated_main_excl_embedding_and_head}};
  return table;
}

Table checkpoint_table(const ArchSpec& arch) {
  const model::CheckpointBytes bytes = model::checkpoint_bytes(arch);
  Table table{.title = "Checkpoint as published (tensor bytes, scales included)",
              .columns = {text_column("dtype"), number_column("elements", "", NumberFormat::count),
                          number_column("bytes", "B", NumberFormat::count)}};
  for (const auto& [dtype, size] : bytes.bytes_by_dtype) {
    table.rows.push_back({dtype, bytes.elements_by_dtype.at(dtype), size});
  }
  table.rows.push_back({"all", bytes.tensor_elements, bytes.tensor_bytes});
  return table;
}

Table kv_table(const ArchSpec& arch, std::span<const std::int64_t> contexts) {
  Table table{
      .title = "KV cache of one sequence",
      .columns = {text_column("format"), number_column("per token", "B", NumberFormat::count),
                  number_column("fixed", "B", NumberFormat::count)}};
  for (const std::int64_t context : contexts) {
    table.columns.push_back(number_column(say("at {}", context), "B", NumberFormat::bytes_binary));
  }
  const json cache = model::kv_cache_json(arch);
  for (const auto& item : cache.at("formats").items()) {
    const model::KvLayout layout = model::parse_kv_layout(item.key(), "kv format");
    std::vector<Cell> row{item.key(), item.value().at("growth_bytes_per_token").get<double>(),
                          item.value().at("constant_bytes_per_sequence").get<double>()};
    for (const std::int64_t context : contexts) {
      row.emplace_back(model::kv_bytes_per_sequence(arch, layout, context).value);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table flops_table(const ArchSpec& arch, std::span<const std::int64_t> contexts) {
  Table table{.title = "Decode FLOPs per token (a multiply-add counts 2)",
              .columns = {number_column("context", "tokens", NumberFormat::exact),
                          number_column("BF16", "GFLOP"), number_column("FP8", "GFLOP"),
                          number_column("FP4", "GFLOP"), number_column("all", "GFLOP"),
                          number_column("FP8 equivalent", "GFLOP")}};
  const json rows = model::decode_flops_json(arch, {contexts.begin(), contexts.end()});
  for (const std::int64_t context : contexts) {
    const json& row = rows.at(std::to_string(context));
    const auto giga = [&](const char* key) { return row.value(key, 0.0) / 1e9; };
    table.rows.push_back(
        {context, giga("bf16"), giga("fp8"), giga("fp4"), giga("raw"), giga("fp8_equiv")});
  }
  return table;
}

// "58 x mla + moe, 3 x mla + dense"
std::string layers_text(const ArchSpec& arch) {
  std::string text;
  for (std::size_t kind = 0; kind < arch.kinds.size(); ++kind) {
    const model::LayerSpec& layer = arch.kinds[kind];
    const bool dense = layer.dense.intermediate_size > 0;
    const bool routed = layer.moe.n_routed_experts > 0;
    const std::string layers = say("{} × {} + {}", model::layer_count(arch, static_cast<int>(kind)),
                                   model::kind_name(layer.attention),
                                   dense && routed ? "dense and MoE"
                                   : routed        ? "MoE"
                                                   : "dense FFN");
    text = text.empty() ? layers : say("{}, {}", text, layers);
  }
  return text;
}

std::string attention_text(const ArchSpec& arch) {
  std::string text;
  for (const model::LayerSpec& layer : arch.kinds) {
    const std::string name(model::kind_name(layer.attention));
    if (text.find(name) == std::string::npos) text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

double growth(const ArchSpec& arch) { return model::kv_growth_per_token(arch, {}).value; }

void add_figures(Document& page, const ArchSpec& arch) {
  const model::ParamCount count = model::count_params(arch);
  const double total = real(count.total_main) / 1e9;
  const double active = real(count.activated_main_incl_embedding_and_head) / 1e9;
  Cell cache = growth(arch);
  cache.shown = format_count(static_cast<std::int64_t>(growth(arch)));
  page.finding =
      say("{} B parameters, {} B activated per token, KV cache grows by {} a token in BF16",
          format_significant(total), format_significant(active), format_si(growth(arch), "B"));
  page.blocks.emplace_back(KeyFigures{{
      {"parameters", total, "B", "main model"},
      {"activated", active, "B", "with embedding and head"},
      {"KV cache", cache, "B/token", "BF16, growth beyond every window"},
      {"training", model::training_flops_per_token(arch, kTrainingSequence) / 1e9, "GFLOP/token",
       say("causal, sequences of {} tokens", kTrainingSequence)},
  }});
}

void add_notes(Document& page, const model::Model& model, std::span<const std::int64_t> contexts) {
  const std::int64_t limit = model.arch.max_position_embeddings;
  for (const std::int64_t context : contexts) {
    if (limit == 0 || context <= limit) continue;
    page.blocks.emplace_back(
        Note{NoteKind::warning,
             say("{} tokens exceed max_position_embeddings = {}: shown for comparison only",
                 context, limit)});
  }
  for (const std::string& part : model.arch.unmodelled) {
    page.blocks.emplace_back(Note{NoteKind::warning, say("not modelled: {}", part)});
  }
  for (const std::string& figure : model.not_reproduced) {
    page.blocks.emplace_back(Note{NoteKind::info, say("published but not reproduced: {}", figure)});
  }
  for (const std::string& source : model.source) {
    page.blocks.emplace_back(Note{NoteKind::source, source});
  }
}

}  // namespace

Document model_page(const model::Model& model, std::span<const std::int64_t> contexts) {
  const ArchSpec& arch = model.arch;
  Document page{.title = arch.name};
  page.metadata.inputs.push_back({model.path.filename().string(), model.hash});
  if (arch.kv_cache_only) {
    page.finding = "this file describes the KV cache and nothing else";
  } else {
    add_figures(page, arch);
  }
  page.blocks.emplace_back(
      Paragraph{say("{} layers: {}. hidden_size {}, vocab_size {}, max_position_embeddings {}.",
                    arch.layers.size(), layers_text(arch), arch.hidden_size, arch.vocab_size,
                    arch.max_position_embeddings)});
  if (!arch.kv_cache_only) {
    const model::ParamCount count = model::count_params(arch);
    page.blocks.emplace_back(parameter_table(arch, count));
    page.blocks.emplace_back(activated_table(count));
    page.blocks.emplace_back(checkpoint_table(arch));
  }
  page.blocks.emplace_back(kv_table(arch, contexts));
  if (!arch.kv_cache_only) page.blocks.emplace_back(flops_table(arch, contexts));
  add_notes(page, model, contexts);
  return page;
}

Document model_list(std::span<const model::Model> models) {
  Document page{.title = "Models", .finding = say("{} models", models.size())};
  Table table{.columns = {text_column("model"), number_column("parameters", "B"),
                          number_column("activated", "B"),
                          number_column("layers", "", NumberFormat::exact),
                          text_column("attention"),
                          number_column("KV growth BF16", "B/token", NumberFormat::count),
                          number_column("context", "tokens", NumberFormat::exact)}};
  for (const model::Model& model : models) {
    const ArchSpec& arch = model.arch;
    Cell total = "-";
    Cell active = "-";
    if (!arch.kv_cache_only) {
      const model::ParamCount count = model::count_params(arch);
      total = real(count.total_main) / 1e9;
      active = real(count.activated_main_incl_embedding_and_head) / 1e9;
    }
    table.rows.push_back({arch.name, total, active, arch.layers.size(), attention_text(arch),
                          growth(arch), arch.max_position_embeddings});
  }
  page.blocks.emplace_back(std::move(table));
  return page;
}

}  // namespace fathom::report
