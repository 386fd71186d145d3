#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/si_format.hpp"
#include "execute/run_model.hpp"
#include "lang/say.hpp"

namespace fathom::execute {
namespace {

using lang::say;
using nlohmann::json;
using namespace report;

std::string verdict(bool same) { return same ? "equal" : "DIFFERENT"; }

std::string drafts_a_step(const RunResult& r) {
  const std::int64_t drafts = r.request.draft_tokens;
  return drafts > 1 ? say("{} drafts a step", drafts) : say("{} draft a step", drafts);
}

std::string finding(const RunResult& r) {
  if (!agrees(r)) {
    return "What was executed differs from the analytic model: see the tables";
  }
  const std::string text =
      say("{} tokens generated; parameters, cache bytes and FLOPs of every operator equal the "
          "analytic figures",
          r.greedy.tokens.size());
  if (r.request.draft_tokens == 0) return text;
  return say("{}; {} tokens a decode step with {}, the same tokens as without", text,
             format_significant(acceptance_length(r.speculative)), drafts_a_step(r));
}

Table totals(const RunResult& r) {
  Table table{
      .title = "Executed against analytic",
      .columns = {text_column("quantity"), number_column("executed", "", NumberFormat::exact),
                  number_column("analytic", "", NumberFormat::exact), text_column("verdict")}};
  const auto add = [&table](const std::string& name, double executed, double analytic) {
    table.rows.push_back({name, executed, analytic, verdict(executed == analytic)});
  };
  add("parameters", static_cast<double>(r.parameters), static_cast<double>(r.analytic_parameters));
  add("KV cache, main model (B, fp32)", r.kv_main.held.value, r.kv_main.analytic.value);
  if (r.request.draft_tokens > 0) {
    add("KV cache, MTP module (B, fp32)", r.kv_mtp.held.value, r.kv_mtp.analytic.value);
  }
  const auto flops = [&add](const std::string& name, const std::vector<OperatorWork>& work) {
    double executed = 0.0;
    double analytic = 0.0;
    for (const OperatorWork& w : work) executed += w.executed_flops, analytic += w.analytic_flops;
    add(name, executed, analytic);
  };
  flops("FLOPs, greedy run", r.work);
  if (!r.speculative_work.empty()) flops("FLOPs, speculative run", r.speculative_work);
  return table;
}

Table operators(const std::string& title, const std::vector<OperatorWork>& work) {
  Table table{
      .title = title,
      .columns = {text_column(std::string(lang::meant("pass (of a model)"))),
                  text_column("operator"), number_column("executed", "FLOP", NumberFormat::exact),
                  number_column("analytic", "FLOP", NumberFormat::exact),
                  number_column("other arithmetic", "op", NumberFormat::exact),
                  text_column("verdict")}};
  for (const OperatorWork& w : work) {
    table.rows.push_back({name(w.pass), w.op, w.executed_flops, w.analytic_flops, w.pointwise,
                          verdict(w.executed_flops == w.analytic_flops)});
  }
  return table;
}

json to_json(const Generation& g) {
  return {{"tokens", g.tokens},
          {"logits_hash", fmt::format("{:016x}", g.logits_hash)},
          {"decode_steps", g.step_tokens.size()},
          {"tokens_per_step", g.step_tokens},
          {"acceptance_length", acceptance_length(g)},
          {"positions_cached", g.positions}};
}

json to_json(const CacheBytes& bytes) {
  return {{"held_bytes", bytes.held.value}, {"analytic_bytes", bytes.analytic.value}};
}

json to_json(const std::vector<OperatorWork>& work) {
  json rows = json::array();
  for (const OperatorWork& w : work) {
    rows.push_back({{"pass", name(w.pass)},
                    {"operator", w.op},
                    {"executed_flops", w.executed_flops},
                    {"analytic_flops", w.analytic_flops},
                    {"pointwise_operations", w.pointwise}});
  }
  return rows;
}

}  // namespace

Document page(const RunResult& r) {
  Document document{.title = say("{} executed", r.arch.name), .finding = finding(r)};
  const bool drafts = r.request.draft_tokens > 0;
  document.blocks.emplace_back(
      KeyFigures{{{"logits hash", fmt::format("{:016x}", r.greedy.logits_hash), "", "greedy run"},
                  {"acceptance length", acceptance_length(r.speculative), "tokens/step",
                   drafts ? drafts_a_step(r) : "no drafts"},
                  {"decode steps", std::to_string(r.speculative.step_tokens.size()), "",
                   say("{} without drafts", r.greedy.step_tokens.size())}}});
  document.blocks.emplace_back(
      Paragraph{say("Prompt {}; generated {}.", fmt::join(r.request.prompt, " "),
                    fmt::join(r.greedy.tokens, " "))});
  if (drafts) {
    document.blocks.emplace_back(Paragraph{
        r.speculative_equals_greedy()
            ? say("Speculative output equals plain greedy output, token for token and logit for "
                  "logit; tokens of each step: {}.",
                  fmt::join(r.speculative.step_tokens, " "))
            : say("Speculative output DIFFERS FROM plain greedy output, token for token and logit "
                  "for logit; tokens of each step: {}.",
                  fmt::join(r.speculative.step_tokens, " "))});
  }
  document.blocks.emplace_back(totals(r));
  document.blocks.emplace_back(operators("Operators of the greedy run", r.work));
  if (drafts) {
    document.blocks.emplace_back(operators("Operators of the speculative run", r.speculative_work));
  }
  document.blocks.emplace_back(Note{
      NoteKind::info,
      "Random weights, computed in float32 with sums in double. FLOPs are the multiply-adds of "
      "contractions, two each, counted by the scalar that computes; other arithmetic is counted "
      "beside them. The hash is over the bits of the logits and may differ between machines whose "
      "exponential differs in the last bit."});
  return document;
}

json to_json(const RunResult& r) {
  json out{{"model", r.arch.name},
           {"seed", r.request.seed},
           {"prompt", r.request.prompt},
           {"draft_tokens", r.request.draft_tokens},
           {"parameters", {{"executed", r.parameters}, {"analytic", r.analytic_parameters}}},
           {"kv_cache", {{"main", to_json(r.kv_main)}}},
           {"greedy", to_json(r.greedy)},
           {"operators", to_json(r.work)},
           {"agrees", agrees(r)}};
  if (r.request.draft_tokens > 0) {
    out["kv_cache"]["mtp"] = to_json(r.kv_mtp);
    out["speculative"] = to_json(r.speculative);
    out["speculative"]["equals_greedy"] = r.speculative_equals_greedy();
    out["speculative_operators"] = to_json(r.speculative_work);
  }
  return out;
}

}  // namespace fathom::execute
