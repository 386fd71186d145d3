#include "calib/infersim.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

#include "calib/csv.hpp"
#include "core/error.hpp"

namespace fathom::calib {
namespace {

using forms::DeviceFigures;
using Layout = std::array<double, 3>;  // of the file's name: heads, and two dimensions

constexpr std::string_view kDeepGemm = "DeepGEMM";
constexpr std::string_view kFlashMla = "FlashMLA";
constexpr std::string_view kFlash = "FlashInfer, FlashAttention-3";

struct Table {
  const InfersimTable& where;
  const DeviceFigures& device;
  Layout layout{};
};

Layout layout_of(std::string_view stem, std::string_view shown) {
  Layout out{};
  const char* at = stem.data();
  const char* end = at + stem.size();
  for (double& number : out) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc{} || number <= 0.0) {
      throw InputError(fmt::format("{}: expected <heads>-<n>-<n>.csv as the name", shown));
    }
    at = parsed.ptr == end ? end : parsed.ptr + 1;
  }
  return out;
}

double latency(const CsvRow& row, std::string_view column = "latency_us") {
  return row.positive(column) * 1e-6;
}

// `mfu` is rounded to two or three decimals. Where it contradicts the latency one of them is wrong.
std::string contradiction(const CsvRow& row, double flops, double latency_s,
                          const DeviceFigures& device) {
  if (!row.has("mfu")) return {};
  const double recomputed = flops / (latency_s * device.peak_bf16);
  const double stated = row.text("mfu").empty()
                            ? recomputed
                            : std::strtod(std::string{row.text("mfu")}.c_str(), nullptr);
  if (std::abs(stated - recomputed) <= 0.01 + 0.25 * recomputed) return {};
  return fmt::format("latency means mfu {:.3f}, stated {:.3f}", recomputed, stated);
}

void gemm(const CsvRow& row, const Table& /*table*/, Sheet& sheet) {
  sheet.add(row, kDeepGemm,
            {.family = "infersim_gemm",
             .group = "fp8_block",
             .shape = {row.positive("m"), row.positive("n"), row.positive("k")},
             .latency_s = latency(row)});
}

// Rows of an expert: the decode benchmark draws floor(tokens x U(0.7, 1.3)), so that at one token
// per expert half of them are empty; prefill is even.
forms::RankLoad drawn_load(double experts, double tokens, bool decode) {
  constexpr int kQuantiles = 64;
  forms::RankLoad sum;
  for (int i = 0; i < kQuantiles; ++i) {
    const double u = 0.7 + 0.6 * (i + 0.5) / kQuantiles;
    const std::array<double, 1> rows{decode ? std::floor(tokens * u) : tokens};
    const forms::RankLoad one = forms::summarize(rows);
    sum.active_experts += one.active_experts;
    sum.rows += one.rows;
    sum.rows_64 += one.rows_64;
    sum.rows_128 += one.rows_128;
  }
  const double scale = experts / kQuantiles;
  return {.active_experts = scale * sum.active_experts,
          .rows = scale * sum.rows,
          .rows_64 = scale * sum.rows_64,
          .rows_128 = scale * sum.rows_128};
}

void grouped_gemm(const CsvRow& row, const Table& table, Sheet& sheet) {
  const double experts = row.positive("num_local_experts");
  const double tokens = row.positive("tokens_per_expert");
  const double hidden = row.positive("hidden_size");
  const double inter = row.positive("intermediate_size");
  const auto load = drawn_load(experts, tokens, table.where.phase == "decode");
  for (const bool up : {true, false}) {
    sheet.add(row, kDeepGemm,
              {.family = "infersim_grouped",
               .group = "fp8_block/" + table.where.phase,
               .labels = up ? "up" : "down",
               .shape = {up ? 2.0 * inter : hidden, up ? hidden : inter, load.active_experts,
                         load.rows, load.rows_64, load.rows_128},
               .latency_s = latency(row, up ? "up_proj_us" : "down_proj_us"),
               .slice = fmt::format("{}|{}", row.positive("num_gpus"), table.where.phase),
               .axes = {experts, tokens}});
  }
}

std::string kv_group(const CsvRow& row) { return "kv_" + dtype_of(row, "kv_dtype"); }

// 128-512-64: heads, latent, rotary part.
void mla_decode(const CsvRow& row, const Table& table, Sheet& sheet) {
  const auto [heads, latent, rope] = table.layout;
  const double batch = row.positive("batch_size");
  const double context = row.positive("kv_len");
  const double time = latency(row);
  const double flops = 2.0 * heads * (2.0 * latent + rope) * context * batch;
  sheet.add(row, kFlashMla,
            {.family = "infersim_mla_decode",
             .group = kv_group(row),
             .shape = {batch, 1.0, context, heads, 1.0, latent + rope, latent},
             .latency_s = time,
             .flag = contradiction(row, flops, time, table.device)});
}

// 64-8-128: heads, key heads, dimension.
void mha_decode(const CsvRow& row, const Table& table, Sheet& sheet) {
  const auto [heads, kv_heads, dim] = table.layout;
  const double batch = row.positive("batch_size");
  const double context = row.positive("kv_len");
  const double time = latency(row);
  sheet.add(row, kFlash,
            {.family = "infersim_mha_decode",
             .group = kv_group(row),
             .shape = {batch, 1.0, context, heads, kv_heads, dim, dim},
             .latency_s = time,
             .flag = contradiction(row, 4.0 * heads * dim * context * batch, time, table.device)});
}

// 128-128-64 for MLA: heads, value dimension, rotary part; 64-8-128 for the rest.
void prefill(const CsvRow& row, const Table& table, Sheet& sheet) {
  const bool mla = table.where.kind == "mla";
  const auto [heads, second, third] = table.layout;
  const double qk = mla ? second + third : third;
  const double v = mla ? second : third;
  const double tokens = row.positive("seq_len");
  const double time = latency(row);
  const double flops = heads * (qk + v) * tokens * tokens;
  sheet.add(row, kFlash,
            {.family = "infersim_prefill",
             .group = dtype_of(row, "dtype"),
             .shape = {1.0, tokens, 0.0, heads, mla ? heads : second, qk, v},
             .latency_s = time,
             .flag = contradiction(row, flops, time, table.device)});
}

using RowReader = void (*)(const CsvRow&, const Table&, Sheet&);

RowReader reader_of(const InfersimTable& table) {
  if (table.kind == "gemm") return gemm;
  if (table.kind == "grouped_gemm") return grouped_gemm;
  if (table.phase == "prefill") return prefill;
  return table.kind == "mla" ? mla_decode : mha_decode;
}

}  // namespace

bool parse_infersim_path(const std::filesystem::path& below, InfersimTable& table) {
  std::vector<std::string> parts;
  for (const auto& part : below) parts.push_back(part.string());
  const bool plain = parts.size() == 3 && parts[0] == "gemm";
  const bool phased = parts.size() == 4 && (parts[1] == "decode" || parts[1] == "prefill") &&
                      (parts[0] == "grouped_gemm" || parts[0] == "mha" || parts[0] == "mla");
  if (!plain && !phased) return false;
  table = {.kind = parts[0],
           .phase = phased ? parts[1] : "",
           .device = parts[parts.size() - 2],
           .stem = below.stem().string()};
  return true;
}

void read_infersim(const std::filesystem::path& path, std::string_view shown,
                   const InfersimTable& where, const DeviceFigures& device, Sheet& sheet) {
  Table table{where, device};
  std::vector<std::string> header;  // one published table lacks its first line
  if (where.kind == "mha" || where.kind == "mla") {
    table.layout = layout_of(where.stem, shown);
    if (where.phase == "decode") {
      header = {"dtype", "kv_dtype", "batch_size", "kv_len", "latency_us", "mfu"};
    }
  }
  const RowReader read = reader_of(where);
  for_each_row(
      path, shown, [&](const CsvRow& row) { read(row, table, sheet); }, header);
}

}  // namespace fathom::calib
