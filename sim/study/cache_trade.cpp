#include "study/cache_trade.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "lang/say.hpp"
#include "model/kv_cache.hpp"
#include "study/hardware_trade.hpp"

namespace fathom::study {
namespace {

using lang::say;

// The cache does not shrink as a context grows, so bisection finds the last one that fits.
double longest_in(const model::ArchSpec& arch, const model::KvLayout& layout, Bytes memory) {
  constexpr std::int64_t kMostTokens = std::int64_t{1} << 40;
  std::int64_t fits = 0;
  std::int64_t beyond = kMostTokens;
  if (model::kv_bytes_per_sequence(arch, layout, beyond) <= memory) return 0.0;  // no growth
  while (beyond - fits > 1) {
    const std::int64_t middle = fits + (beyond - fits) / 2;
    const bool small = model::kv_bytes_per_sequence(arch, layout, middle) <= memory;
    (small ? fits : beyond) = middle;
  }
  return static_cast<double>(fits);
}

CacheCurve curve_of(const model::ArchSpec& arch, const std::string& kv, const CacheTrade& trade,
                    std::string_view where) {
  const model::KvLayout layout = model::parse_kv_layout(kv, where);
  CacheCurve curve{.kv = kv, .growth_per_token = model::kv_growth_per_token(arch, layout)};
  for (const std::int64_t context : trade.request.contexts) {
    curve.bytes.push_back(model::kv_bytes_per_sequence(arch, layout, context));
  }
  for (const CacheDevice& device : trade.devices) {
    curve.longest_tokens.push_back(longest_in(arch, layout, device.memory));
  }
  return curve;
}

void add_row(const model::Model& model, std::string label, std::string exchanged,
             std::string_view where, CacheTrade& trade) {
  CacheRow row{.label = std::move(label),
               .exchanged = std::move(exchanged),
               .max_position_embeddings = model.arch.max_position_embeddings};
  for (std::size_t i = 0; i < trade.request.kv.size(); ++i) {
    row.curves.push_back(
        curve_of(model.arch, trade.request.kv[i], trade, fmt::format("{}/kv/{}", where, i)));
  }
  add_model(trade.basis, model);
  trade.rows.push_back(std::move(row));
}

void check(const CacheTradeRequest& request, std::string_view where) {
  if (request.models.empty() && request.base.empty()) {
    throw InputError(fmt::format("{}/models: empty; expected a model, or a 'base'", where));
  }
  if (request.base.empty() != request.attentions.empty()) {
    throw InputError(fmt::format("{}/{}: missing; 'base' and 'attention' belong together", where,
                                 request.base.empty() ? "base" : "attention"));
  }
  if (request.kv.empty()) {
    throw InputError(fmt::format("{}/kv: empty; expected a layout, such as 'bf16'", where));
  }
  check_ascending(request.contexts, "contexts", where);
}

}  // namespace

CacheTrade trade_cache(const CacheTradeRequest& request, std::string_view where) {
  check(request, where);
  CacheTrade trade{.request = request};
  for (const std::string& name : request.hardware) {
    const hw::Cluster cluster = hw::load_cluster(name);
    trade.devices.push_back({cluster.id, cluster.device.memory_usable, cluster.devices_per_node});
    add_cluster(trade.basis, cluster);
  }
  for (const std::string& kind : request.attentions) {
    const model::Model model = model::load_model(request.base, {.attention = kind});
    add_row(model, say("{} with {}", model.path.stem().string(), kind), kind, where, trade);
  }
  for (const std::string& name : request.models) {
    const model::Model model = model::load_model(name);
    add_row(model, model.arch.name, "", where, trade);
  }
  add_note(trade.basis,
           "Bytes of the whole model's cache for one sequence, MTP modules left out, without "
           "paging. A plan with tensor parallelism divides the cache of KV heads over its ranks; "
           "a latent (MLA, CSA, HCA) is kept whole on each of them.");
  add_note(trade.basis,
           "Device memory is what software sees, all of it: weights, activations and buffers take "
           "their share first (`fathom plan` says how much).");
  return trade;
}

}  // namespace fathom::study
