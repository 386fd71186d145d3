// The tables of ai-dynamo/aiconfigurator (systems/data, exported as CSV): DEVICE/FAMILY.csv,
// latencies in milliseconds, DeepEP's in microseconds.

#include "calib/aiconfigurator.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

#include "calib/moe_table.hpp"

namespace fathom::calib {
namespace {

constexpr std::string_view kTensorRt = "TensorRT-LLM";
constexpr std::string_view kSglang = "SGLang";
constexpr double kGpusPerNode = 8.0;

double latency(const CsvRow& row) { return row.positive("latency") * 1e-3; }

std::string kv_label(const CsvRow& row) { return "kv_" + dtype_of(row, "kv_cache_dtype"); }

// What of the kernel's name tells it from others of the same dtype; the usual one has none.
std::string kernel_label(const CsvRow& row) {
  if (!row.has("kernel_source")) return {};
  std::string_view name = row.text("kernel_source");
  for (const std::string_view prefix : {"moe_torch_flow_", "sglang_", "trtllm_"}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  const bool usual = name == "default" || name == "torch_flow" || name == "moe_torch_flow";
  return usual ? std::string{} : '/' + std::string{name};
}

void gemm(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const std::string dtype = dtype_of(row, "gemm_dtype");
  sheet.add(row, kTensorRt,
            {.family = "gemm",
             .group = dtype,
             .shape = {row.positive("m"), row.positive("n"), row.positive("k")},
             .latency_s = latency(row)});
}

// pre: [tokens, 128] x [128, 512] per head, post: [tokens, 512] x [512, 128].
void mla_bmm(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const bool pre = row.text("op_name") == "mla_gen_pre";
  sheet.add(row, kTensorRt,
            {.family = "mla_bmm",
             .group = dtype_of(row, "bmm_dtype"),
             .shape = {row.positive("num_heads"), row.positive("num_tokens"), pre ? 512.0 : 128.0,
                       pre ? 128.0 : 512.0},
             .latency_s = latency(row)});
}

void moe(const CsvRow& row, forms::ExpertLoads& loads, Sheet& sheet) {
  constexpr MoeColumns kColumns{"num_tokens",  "hidden_size", "inter_size",  "topk",
                                "num_experts", "moe_tp_size", "moe_ep_size", "distribution"};
  Draft draft = moe_draft(row, kColumns, loads);
  draft.transfer_group = dtype_of(row, "moe_dtype");
  draft.group = draft.transfer_group + kernel_label(row);
  draft.latency_s = latency(row);
  sheet.add(row, kTensorRt, std::move(draft));
}

void context_mla(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const double heads = row.positive("num_heads");
  sheet.add(row, kTensorRt,
            {.family = "context_mla",
             .group = kv_label(row),
             .shape = {row.positive("batch_size"), row.positive("isl"), row.count("step"), heads,
                       heads, 192.0, 128.0},
             .latency_s = latency(row)});
}

void generation_mla(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kTensorRt,
            {.family = "generation_mla",
             .group = kv_label(row),
             .shape = {row.positive("batch_size"), 1.0, row.count("step") + 1.0,
                       row.positive("num_heads"), 1.0, 576.0, 512.0},
             .latency_s = latency(row)});
}

// Sliding windows shorten the context; only full attention is modelled.
bool is_windowed(const CsvRow& row) { return row.count_or("window_size", 0.0) > 0.0; }

void context_attention(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const double dim = row.positive("head_dim");
  sheet.add(row, kTensorRt,
            {.family = "context_attention",
             .group = dtype_of(row, "attn_dtype") + '/' + kv_label(row),
             .shape = {row.positive("batch_size"), row.positive("isl"), row.count("step"),
                       row.positive("num_heads"), row.positive("num_key_value_heads"), dim, dim},
             .latency_s = latency(row),
             .flag = is_windowed(row) ? "sliding window" : ""});
}

// Grouped and plain multi-head decode are different kernels.
void generation_attention(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const double dim = row.positive("head_dim");
  const double heads = row.positive("num_heads");
  const double kv_heads = row.positive("num_key_value_heads");
  sheet.add(row, kTensorRt,
            {.family = "generation_attention",
             .group = kv_label(row) + (heads == kv_heads ? "/mha" : "/gqa"),
             .shape = {row.positive("batch_size"), 1.0, row.count("step") + 1.0, heads, kv_heads,
                       dim, dim},
             .latency_s = latency(row),
             .flag = is_windowed(row) ? "sliding window" : ""});
}

// DeepSeek-V3 and V3.2.
constexpr double kV3Hidden = 7168.0;
constexpr double kV3QueryRank = 1536.0;

void mla_context_module(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kTensorRt,
            {.family = "mla_context_module",
             .group = dtype_of(row, "gemm_type") + '/' + kv_label(row),
             .shape = {row.positive("batch_size"), row.positive("isl"), row.count("step"),
                       row.positive("num_heads"), kV3Hidden, kV3QueryRank},
             .latency_s = latency(row)});
}

// `step` is the whole context of these rows, the new token included.
void mla_generation_module(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kTensorRt,
            {.family = "mla_generation_module",
             .group = dtype_of(row, "gemm_type") + '/' + kv_label(row),
             .shape = {row.positive("batch_size"), 1.0, row.positive("step") - 1.0,
                       row.positive("num_heads"), kV3Hidden, kV3QueryRank},
             .latency_s = latency(row)});
}

// "sglang_dsa_dense_mha_fa3" is the multi-head path for short contexts, "sglang_dsa_indexer_fa3"
// the indexer with that sparse core.
Draft dsa_draft(const CsvRow& row, std::string_view family) {
  const std::string_view source = row.text("kernel_source");
  const bool dense = source.find("dense") != std::string_view::npos;
  const std::string_view marker = dense ? "dense_" : "indexer_";
  const auto at = source.find(marker);
  const std::string kernel{at == std::string_view::npos ? source
                                                        : source.substr(at + marker.size())};
  const std::string path = dtype_of(row, "gemm_type") + (dense ? "/dense" : "/sparse");
  const std::string kv = '/' + kv_label(row);
  return {.family = family,
          .group = path + '/' + kernel + kv,
          .transfer_group = path + kv,
          .shape = {row.positive("batch_size"), row.positive("isl"), row.count("step"),
                    row.positive("num_heads"), kV3Hidden, kV3QueryRank, 0.0},
          .latency_s = latency(row)};
}

void dsa_context_module(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kSglang, dsa_draft(row, "dsa_context_module"));
}

// SGLang captures decode graphs up to a batch that depends on the device's memory; larger batches
// run eagerly: 512 on Hopper, 1024 where the kernels are TensorRT-LLM's (Blackwell).
void dsa_generation_module(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  Draft draft = dsa_draft(row, "dsa_generation_module");
  const bool blackwell = draft.group.find("trtllm") != std::string::npos;
  draft.shape.back() = draft.shape.front() >= (blackwell ? 1024.0 : 512.0) ? 1.0 : 0.0;
  sheet.add(row, kSglang, std::move(draft));
}

// DeepSeek-V4: Flash 4096 wide, query rank 1024, top-512; Pro 7168, 1536, top-1024.
Draft v4_draft(const CsvRow& row, std::string_view family) {
  const bool pro = row.text("model").find("Pro") != std::string_view::npos;
  return {.family = family,
          .group = dtype_of(row, "gemm_type"),
          .labels = pro ? "pro" : "flash",
          .shape = {row.positive("batch_size"), row.positive("isl"), row.count("step"),
                    row.positive("num_heads"), pro ? 7168.0 : 4096.0, pro ? 1536.0 : 1024.0},
          .latency_s = latency(row)};
}

Draft csa_draft(const CsvRow& row, std::string_view family) {
  Draft draft = v4_draft(row, family);
  draft.shape.push_back(draft.labels == "pro" ? 1024.0 : 512.0);
  return draft;
}

void csa_context(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kSglang, csa_draft(row, "dsv4_csa_context"));
}
void csa_generation(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kSglang, csa_draft(row, "dsv4_csa_generation"));
}
void hca_context(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kSglang, v4_draft(row, "dsv4_hca_context"));
}
void hca_generation(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kSglang, v4_draft(row, "dsv4_hca_generation"));
}

void mhc(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  sheet.add(row, kSglang,
            {.family = "mhc",
             .group = std::string{row.text("op_name")},
             .shape = {row.positive("num_tokens"), row.positive("hidden_size"),
                       row.positive("num_sites"), row.count_or("hc_mult", 4.0)},
             .latency_s = latency(row)});
}

// message_size counts elements; message_bytes, where present, must agree with it.
double message_bytes(const CsvRow& row, double element_bytes) {
  const double bytes = row.positive("message_size") * element_bytes;
  if (row.has("message_bytes") && row.positive("message_bytes") != bytes) {
    row.fail("message_bytes", fmt::format("found {}; expected {}, message_size in elements of {} B",
                                          row.text("message_bytes"), bytes, element_bytes));
  }
  return bytes;
}

double element_bytes(std::string_view dtype) {
  if (dtype == "int8" || dtype.starts_with("fp8")) return 1.0;
  return dtype == "float" || dtype == "float32" || dtype == "int32" ? 4.0 : 2.0;
}

void nccl(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const std::string_view dtype = row.text("nccl_dtype");
  const std::string_view op = row.text("op_name");
  const bool added_as_integers = op == "all_reduce" && dtype.starts_with("int");
  sheet.add(row, "NCCL",
            {.family = "nccl",
             .group = std::string{added_as_integers ? "integer/all_reduce" : op},
             .labels = std::string{dtype},
             .shape = {row.positive("num_gpus"), message_bytes(row, element_bytes(dtype))},
             .latency_s = latency(row)});
}

void custom_allreduce(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  const double bytes = message_bytes(row, element_bytes(row.text("allreduce_dtype")));
  sheet.add(row, kTensorRt,
            {.family = "custom_allreduce",
             .group = "all_reduce",
             .labels = row.has("implementation") ? std::string{row.text("implementation")} : "",
             .shape = {row.positive("num_gpus"), bytes},
             .latency_s = latency(row)});
}

std::vector<double> exchange_shape(const CsvRow& row) {
  const double nodes = row.positive("node_num");
  return {row.positive("num_token"),   row.positive("hidden_size"), row.positive("num_topk"),
          row.positive("num_experts"), kGpusPerNode * nodes,        nodes};
}

// DeepEP sends FP8 rows with scales and returns BF16 ones.
void low_latency(const CsvRow& row, Sheet& sheet, std::string_view dispatch,
                 std::string_view combine) {
  sheet.add(row, "DeepEP",
            {.family = dispatch,
             .group = "fp8",
             .shape = exchange_shape(row),
             .latency_s = row.positive("dispatch_avg_t_us") * 1e-6});
  sheet.add(row, "DeepEP",
            {.family = combine,
             .group = "bf16",
             .shape = exchange_shape(row),
             .latency_s = row.positive("combine_avg_t_us") * 1e-6});
}

// Waiting moves between transmit and notify; their sum does not.
Draft normal_draft(const CsvRow& row, std::string_view family, const std::string& way) {
  Draft draft{
      .family = family,
      .group = way == "dispatch" ? "fp8" : "bf16",
      .shape = exchange_shape(row),
      .latency_s =
          (row.positive(way + "_transmit_us") + row.non_negative(way + "_notify_us")) * 1e-6};
  draft.shape.push_back(row.positive(way + "_sms"));
  return draft;
}

void normal(const CsvRow& row, Sheet& sheet, std::string_view dispatch, std::string_view combine) {
  sheet.add(row, "DeepEP", normal_draft(row, dispatch, "dispatch"));
  sheet.add(row, "DeepEP", normal_draft(row, combine, "combine"));
}

void deepep_ll(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  low_latency(row, sheet, "deepep_ll_dispatch", "deepep_ll_combine");
}
void deepep_ll_multinode(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  low_latency(row, sheet, "deepep_ll_multinode_dispatch", "deepep_ll_multinode_combine");
}
void deepep_normal(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  normal(row, sheet, "deepep_normal_dispatch", "deepep_normal_combine");
}
void deepep_normal_multinode(const CsvRow& row, forms::ExpertLoads& /*loads*/, Sheet& sheet) {
  normal(row, sheet, "deepep_normal_multinode_dispatch", "deepep_normal_multinode_combine");
}

struct Table {
  std::string_view stem;
  TableReader read;
};

constexpr std::array<Table, 22> kTables{{{"gemm", gemm},
                                         {"mla_bmm", mla_bmm},
                                         {"moe", moe},
                                         {"context_mla", context_mla},
                                         {"generation_mla", generation_mla},
                                         {"context_attention", context_attention},
                                         {"generation_attention", generation_attention},
                                         {"mla_context_module", mla_context_module},
                                         {"mla_generation_module", mla_generation_module},
                                         {"dsa_context_module", dsa_context_module},
                                         {"dsa_generation_module", dsa_generation_module},
                                         {"dsv4_csa_context_module", csa_context},
                                         {"dsv4_csa_generation_module", csa_generation},
                                         {"dsv4_hca_context_module", hca_context},
                                         {"dsv4_hca_generation_module", hca_generation},
                                         {"mhc_module", mhc},
                                         {"nccl", nccl},
                                         {"custom_allreduce", custom_allreduce},
                                         {"deepep_ll", deepep_ll},
                                         {"deepep_ll_multinode", deepep_ll_multinode},
                                         {"deepep_normal", deepep_normal},
                                         {"deepep_normal_multinode", deepep_normal_multinode}}};

}  // namespace

TableReader aiconfigurator_table(std::string_view stem) {
  for (const Table& table : kTables) {
    if (table.stem == stem) return table.read;
  }
  return nullptr;
}

}  // namespace fathom::calib
