#include "calib/family_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "forms/form.hpp"

namespace fathom::calib {
namespace {

/// Which columns of the form do what, separated by spaces; "group" stands for the sub-fit's name.
struct FamilyKeys {
  std::string_view family;
  std::string_view slice;   // rows that share these are left out together
  std::string_view labels;  // neighbours must share these
  std::string_view exact;   // a table would match these
  std::string_view axes;    // ... and interpolate these
};

// Slices are those that the publishers of the tables leave out together: whole shapes, every size
// of them. Dtypes of one shape stay in one slice.
constexpr std::array<FamilyKeys, 26> kKeys{{
    {"gemm", "n k", "", "m", "n k"},
    {"infersim_gemm", "n k", "", "m", "n k"},
    {"mla_bmm", "m k", "k", "batch", "m"},
    {"moe", "hidden inter local_experts", "", "hidden tokens", "inter local_experts"},
    {"infersim_grouped", "active_experts", "n k", "", "active_experts rows"},
    {"context_mla", "batch heads", "", "new_tokens", "heads batch"},
    {"context_attention", "heads kv_heads qk_dim", "", "new_tokens batch qk_dim", "heads kv_heads"},
    {"infersim_prefill", "new_tokens", "heads kv_heads qk_dim", "", "new_tokens"},
    {"generation_mla", "batch heads", "", "context_tokens", "heads batch"},
    {"generation_attention", "heads kv_heads qk_dim", "", "context_tokens batch qk_dim",
     "heads kv_heads"},
    {"infersim_mla_decode", "batch", "", "context_tokens", "batch"},
    {"infersim_mha_decode", "heads kv_heads qk_dim", "", "batch context_tokens", "heads kv_heads"},
    {"mla_context_module", "batch heads", "hidden", "new_tokens past_tokens", "heads batch"},
    {"mla_generation_module", "batch heads", "hidden", "past_tokens", "heads batch"},
    {"dsa_context_module", "batch heads", "hidden", "new_tokens past_tokens", "heads batch"},
    {"dsa_generation_module", "batch heads", "hidden", "past_tokens", "heads batch"},
    {"dsv4_csa_context", "batch heads", "hidden", "new_tokens past_tokens", "heads batch"},
    {"dsv4_csa_generation", "batch heads", "hidden", "past_tokens", "heads batch"},
    {"dsv4_hca_context", "batch heads", "hidden", "new_tokens past_tokens", "heads batch"},
    {"dsv4_hca_generation", "batch heads", "hidden", "past_tokens", "heads batch"},
    {"mhc", "tokens", "sites streams", "hidden", "tokens"},
    {"nccl", "group bytes", "", "ranks", "bytes"},
    {"custom_allreduce", "bytes", "", "ranks", "bytes"},
    {"deepep_ll", "hidden topk experts", "", "tokens", "hidden topk experts"},
    {"deepep_normal", "hidden topk experts", "", "tokens sms", "hidden topk experts"},
    {"deepep_multinode", "nodes tokens", "hidden", "nodes sms", "tokens"},
}};

const FamilyKeys& keys_of(std::string_view family) {
  std::string_view name = family;
  if (family.find("_multinode_") != std::string_view::npos) {
    name = "deepep_multinode";
  } else if (family.starts_with("deepep_ll_")) {
    name = "deepep_ll";
  } else if (family.starts_with("deepep_normal_")) {
    name = "deepep_normal";
  }
  return *std::find_if(kKeys.begin(), kKeys.end(),
                       [&](const FamilyKeys& keys) { return keys.family == name; });
}

// Values of the named columns, those that the form has.
std::vector<double> values(std::string_view names, const forms::Form& form,
                           std::span<const double> shape) {
  std::vector<double> out;
  while (!names.empty()) {
    const auto space = names.find(' ');
    const auto column = std::find(form.columns.begin(), form.columns.end(), names.substr(0, space));
    if (column != form.columns.end()) {
      out.push_back(shape[static_cast<std::size_t>(column - form.columns.begin())]);
    }
    names.remove_prefix(space == std::string_view::npos ? names.size() : space + 1);
  }
  return out;
}

std::string joined(std::span<const double> numbers) {
  return fmt::format("{:g}", fmt::join(numbers.begin(), numbers.end(), "|"));
}

}  // namespace

void derive_keys(std::string_view family, Measurement& row) {
  const forms::Form& form = forms::form_of(family);
  const FamilyKeys& keys = keys_of(family);
  if (row.slice.empty()) {
    row.slice = joined(values(keys.slice, form, row.shape));
    if (keys.slice.starts_with("group")) row.slice = row.group + '|' + row.slice;
  }
  const auto labels = values(keys.labels, form, row.shape);
  if (!labels.empty()) row.labels += '|' + joined(labels);
  row.labels = row.group + '|' + row.labels;
  if (row.exact.empty()) row.exact = values(keys.exact, form, row.shape);
  if (row.axes.empty()) row.axes = values(keys.axes, form, row.shape);
}

}  // namespace fathom::calib
