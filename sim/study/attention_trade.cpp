#include "study/attention_trade.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.hpp"
#include "core/parallel.hpp"
#include "lang/say.hpp"
#include "study/standard_plan.hpp"
#include "study/trade_row.hpp"

namespace fathom::study {
namespace {

using lang::say;

constexpr std::int64_t kLongestContext = std::int64_t{1} << 32;

void check(const TradeRequest& request, std::string_view where) {
  const auto fail = [where](std::string_view key, const std::string& text) {
    throw InputError(fmt::format("{}/{}: {}", where, key, text));
  };
  if (request.models.empty() && request.base.empty()) fail("models", "empty; expected a model");
  if (!request.base.empty() && request.attentions.empty()) {
    fail("attention", fmt::format("empty; expected the kinds to give to {}", request.base));
  }
  if (request.contexts.empty()) fail("contexts", "empty; expected token counts");
  for (std::size_t i = 0; i < request.contexts.size(); ++i) {
    const std::int64_t tokens = request.contexts[i];
    if (tokens < 1 || tokens > kLongestContext) {
      fail("contexts", fmt::format("found {}, expected 1 to {} tokens", tokens, kLongestContext));
    }
    if (i > 0 && tokens <= request.contexts[i - 1]) {
      fail("contexts", fmt::format("{} after {}; expected ascending token counts", tokens,
                                   request.contexts[i - 1]));
    }
  }
  if (!(request.sequences_per_device >= 0.0)) {
    fail("sequences_per_gpu", fmt::format("found {}, expected at least 0 (0: as many as fit)",
                                          request.sequences_per_device));
  }
}

std::vector<TradeSubject> load_subjects(const TradeRequest& request) {
  std::vector<TradeSubject> subjects;
  for (const std::string& kind : request.attentions) {
    if (request.base.empty()) break;
    model::Model model = model::load_model(request.base, {.attention = kind});
    subjects.push_back(
        {fmt::format("{} with {}", model.path.stem().string(), kind), kind, std::move(model)});
  }
  for (const std::string& name : request.models) {
    model::Model model = model::load_model(name);
    subjects.push_back({model.arch.name, "", std::move(model)});
  }
  return subjects;
}

// Exchanged kinds share one plan, or their differences would be the plans': the smallest in which
// every kind holds a sequence, else the smallest in which most do.
std::optional<mapping::Plan> common_plan(const std::vector<TradeSubject>& subjects,
                                         const TradeSetting& s) {
  std::vector<const model::ArchSpec*> swapped;
  for (const TradeSubject& subject : subjects) {
    if (!subject.exchanged.empty()) swapped.push_back(&subject.model.arch);
  }
  if (swapped.empty()) return std::nullopt;
  std::optional<mapping::Plan> best;
  std::size_t most = 0;
  for (const mapping::Plan& plan : standard_plans(*swapped.front(), s.cluster)) {
    std::size_t held = 0;
    for (const model::ArchSpec* arch : swapped) {
      if (mapping::infeasible(*arch, plan, s.cluster)) continue;
      const double fit = sequences_that_fit(*arch, s.cluster, plan, options_for(*arch, s.layout),
                                            context_to_hold(*arch, s.request));
      held += fit >= 1.0 ? 1 : 0;
    }
    if (held > most) {
      best = plan;
      most = held;
    }
    if (held == swapped.size()) break;
  }
  return best;
}

void confess(const TradeRequest& request, AttentionTrade& trade) {
  const auto note = [&trade](std::string text) { trade.notes.push_back(std::move(text)); };
  note("Decode steps of sequences of equal length, one token each, without speculation.");
  note(
      say("Prefill: one prompt per replica, in pieces of at most {:.0f} tokens, estimated, "
          "without queueing or cache hits.",
          kTradeChunk));
  note(
      "Roofline: the larger of FLOP over peak and bytes over bandwidth of the whole step; kernels "
      "overlap perfectly and the network is free. The estimate has measured shares of both, fixed "
      "costs and communication.");
  if (!request.plan) {
    note(
        "Standard plans, smallest first. Mixture of experts: DP n with EP n. Dense: TP inside a "
        "node, then pipeline stages of whole nodes. Taken: the first in which a replica holds a "
        "sequence of the longest context within the model's limit; a larger plan leaves more of "
        "each GPU to the cache. Kinds of attention given to one model share the plan that suits "
        "most of them.");
  }
  if (request.base.empty()) return;
  note(
      say("Exchanged attention keeps width, depth, heads and head size of {}; nobody "
          "trained these models, so nothing is said about their quality.",
          request.base));
  if (std::ranges::find(request.attentions, "csa+hca") != request.attentions.end()) {
    note(
        "csa+hca has the proportions of DeepSeek-V4-Pro (its config.json): one shared vector of 4 "
        "head sizes, a window of 128, layers that alternate between blocks of 128 and of 4 with an "
        "indexer of top 1024.");
  }
  if (std::ranges::find(request.attentions, "tpa") != request.attentions.end()) {
    note(
        "tpa caches factors; queries meet them directly, at the efficiency of absorbed MLA (no "
        "measured kernel).");
  }
}

void collect(const std::vector<TradeSubject>& subjects, const std::vector<RowAndNotes>& rows,
             AttentionTrade& trade) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    trade.rows.push_back(rows[i].row);
    for (const std::string& note : rows[i].notes) {
      if (seen.insert(note).second) trade.notes.push_back(note);
    }
    const model::Model& model = subjects[i].model;
    const std::string file = model.path.filename().string();
    if (!seen.insert("file " + file).second) continue;
    trade.inputs.push_back({file, model.hash});
    for (const std::string& source : model.source) trade.sources.push_back(source);
  }
  const hw::Cluster& cluster = trade.cluster;
  trade.inputs.push_back({cluster.path.filename().string(), cluster.hash});
  trade.sources.insert(trade.sources.end(), cluster.sources.begin(), cluster.sources.end());
}

}  // namespace

TradeRequest default_trade_request() {
  TradeRequest request{
      .models = {"deepseek-v3", "deepseek-v3.2", "deepseek-v4-pro", "deepseek-v4-flash",
                 "llama-3.1-405b", "qwen2.5-72b", "gpt-3-175b"},
      .base = "deepseek-v3",
      .attentions = {"mha", "gqa-8", "mqa", "mla", "mla+dsa", "csa+hca", "tpa"}};
  for (std::int64_t tokens = 4096; tokens <= 1048576; tokens *= 2) {
    request.contexts.push_back(tokens);
  }
  return request;
}

AttentionTrade trade_attention(const TradeRequest& request, std::string_view where) {
  check(request, where);
  AttentionTrade trade{.request = request, .cluster = hw::load_cluster(request.hardware)};
  const TradeSetting setting{request, trade.cluster,
                             model::parse_kv_layout(request.kv, fmt::format("{}/kv", where))};
  trade.ridge = hw::ridge(trade.cluster.device, Math::bf16);
  const std::vector<TradeSubject> subjects = load_subjects(request);
  const auto common = request.plan ? request.plan : common_plan(subjects, setting);
  confess(request, trade);
  const auto rows =
      parallel_map(static_cast<std::int64_t>(subjects.size()), 0, [&](std::int64_t i) {
        const TradeSubject& subject = subjects[static_cast<std::size_t>(i)];
        return make_row(subject, setting, !subject.exchanged.empty() ? common : request.plan);
      });
  collect(subjects, rows, trade);
  return trade;
}

const TradeRow* find_row(const AttentionTrade& trade, std::string_view label) {
  const auto found = std::ranges::find(trade.rows, label, &TradeRow::label);
  return found == trade.rows.end() ? nullptr : &*found;
}

}  // namespace fathom::study
