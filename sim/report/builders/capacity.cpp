#include "report/builders/capacity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/si_format.hpp"
#include "lang/say.hpp"
#include "report/builders/capacity_studies.hpp"
#include "report/builders/capacity_workings.hpp"
#include "report/builders/cells.hpp"
#include "report/builders/decode_instance.hpp"
#include "report/builders/estimate_figures.hpp"

namespace fathom::report {
namespace {

using lang::say;
using study::ClusterPlan;
using study::PlanRequest;
using study::PlanResult;
using study::Serving;

std::string count_text(double value) {
  return value == static_cast<double>(static_cast<std::int64_t>(value))
             ? format_count(static_cast<std::int64_t>(value))
             : format_significant(value);
}

std::string demand_text(const PlanRequest& r) {
  const study::Traffic& t = r.traffic;
  std::string rate = t.concurrency > 0.0 ? say("{} concurrent requests", count_text(t.concurrency))
                                         : say("{} requests/s", count_text(t.requests_per_s));
  if (t.peak_factor != 1.0) {
    rate = say("{} (peak {})", rate, count_text(t.requests_per_s * t.peak_factor));
  }
  const std::string input = count_text(t.input_tokens);
  const std::string output = count_text(t.output_tokens);
  return t.mix ? say("{} of on average {} + {} tokens", rate, input, output)
               : say("{} of {} + {} tokens", rate, input, output);
}

std::string whole_text(std::size_t count) { return format_count(static_cast<std::int64_t>(count)); }

std::string hardware_id(const PlanResult& result, const ClusterPlan& p) {
  return study::hardware_name(result.request, p);
}

std::string nodes_text(std::int64_t nodes) {
  return nodes == 1 ? say("{} node", nodes) : say("{} nodes", nodes);
}

std::string cluster_text(const PlanResult& result, const ClusterPlan& p) {
  const std::string hardware = hardware_id(result, p);
  const std::string nodes = nodes_text(p.nodes);
  const std::string machines = p.spare_nodes > 0 ? say("{} {} ({}, {} of them spare)", p.devices,
                                                       hardware, nodes, p.spare_nodes)
                                                 : say("{} {} ({})", p.devices, hardware, nodes);
  if (p.serving == Serving::aggregated) {
    return say("{}, aggregated as {}", machines, instances_text(p.size.decode_instances, p.decode));
  }
  return say("{}, disaggregated as {} for prefill and {} for decode", machines,
             instances_text(p.size.prefill_instances, p.prefill),
             instances_text(p.size.decode_instances, p.decode));
}

std::string machines_text(std::size_t count) {
  return count == 1 ? say("{} machine", count) : say("{} machines", count);
}

std::string money_text(double usd) { return say("{} USD", format_significant(usd)); }

// The machine that comes closest: the reason of the first one that runs at all, lowest TPOT first.
std::string closest_text(const PlanResult& result) {
  const study::ServingResult* best = nullptr;
  std::string machine;
  for (const study::HardwareResult& h : result.hardware) {
    for (const study::ServingResult& s : h.serving) {
      const bool better = best == nullptr || (s.best_tpot && !best->best_tpot) ||
                          (s.best_tpot && *s.best_tpot < *best->best_tpot);
      if (!better) continue;
      best = &s;
      machine = result.request.hardware[h.hardware].id;
    }
  }
  return best == nullptr ? "" : say("On {}, {}.", machine, best->unreachable);
}

KeyFigures key_figures(const PlanResult& result, const ClusterPlan& p) {
  const PlanRequest& r = result.request;
  const auto of = [](const std::optional<Seconds>& target) {
    return target ? say("target {}", format_seconds(*target)) : std::string("no target");
  };
  const auto whole = [](std::int64_t n) {
    Cell cell{n};
    cell.shown = format_count(n);
    return cell;
  };
  KeyFigures out;
  out.figures = {{"smallest cluster", whole(p.devices), hardware_id(result, p),
                  say("{}, {}, supports {} requests/s", nodes_text(p.nodes), study::name(p.serving),
                      format_significant(p.size.requests_per_s_supported)),
                  anchor(ClusterFigure::devices)},
                 {"TTFT", Cell{p.size.ttft.value * 1e3}, "ms", of(r.targets.ttft),
                  anchor(ClusterFigure::ttft)},
                 {"TPOT", Cell{p.size.tpot.value * 1e3}, "ms", of(study::tpot_limit(r.targets)),
                  anchor(ClusterFigure::tpot)},
                 {"output", Cell{p.output_tokens_per_s_per_device}, "tokens/s/GPU",
                  say("{} tokens/s for a user", format_significant(p.tokens_per_s_per_user)),
                  anchor(ClusterFigure::output)}};
  for (const study::LatencyPercentile& l : p.size.percentiles) {
    const auto target = std::ranges::find_if(r.targets.percentiles, [&](const auto& t) {
      return t.of == l.of && t.percent == l.percent;
    });
    out.figures.push_back({study::name(l), Cell{l.time.value * 1e3}, "ms", of(target->time)});
  }
  if (const ClusterPlan* cheap = study::cheapest_cluster(result)) {
    out.figures.push_back({"cheapest cluster", Cell{cheap->cost->usd_per_million_blended},
                           "USD/M tokens",
                           say("{} {}, {}, {}/h", cheap->devices, hardware_id(result, *cheap),
                               study::name(cheap->serving), money_text(cheap->cost->usd_per_hour)),
                           anchor(ClusterFigure::cost)});
  }
  if (const ClusterPlan* fast = study::fastest_cluster(result)) {
    out.figures.push_back({"fastest cluster", Cell{fast->tokens_per_s_per_user}, "tokens/s/user",
                           say("{} {}, {}, TPOT {}", fast->devices, hardware_id(result, *fast),
                               study::name(fast->serving), format_seconds(fast->size.tpot)),
                           anchor(ClusterFigure::speed)});
  }
  return out;
}

std::string front_title(const PlanResult& result) {
  const auto tpot = study::tpot_limit(result.request.targets);
  std::string best;
  double most = 0.0;
  for (const study::HardwareResult& h : result.hardware) {
    for (const study::PhasePoint& p : h.front) {
      if (tpot && p.estimate.latency > *tpot) continue;
      if (p.estimate.per_device.value <= most) continue;
      most = p.estimate.per_device.value;
      best = result.request.hardware[h.hardware].id;
    }
  }
  if (best.empty()) return "No decode plan reaches the TPOT target";
  return say("{}, one {} decodes at most {} tokens/s",
             tpot ? "Within the TPOT target" : "At any speed", best, format_significant(most));
}

std::vector<std::string> model_assumptions(const PlanRequest& r) {
  const study::Traffic& t = r.traffic;
  constexpr std::string_view kMeanValues =
      "Mean values in a steady state: every request has the same lengths, and queues in front of "
      "prefill are left out beyond the step under way; a percentile target or `\"queueing\": true` "
      "in traffic counts them.";
  constexpr std::string_view kMixedValues =
      "Mean values in a steady state; queues in front of prefill are left out beyond the step "
      "under "
      "way.";
  std::vector<std::string> out{
      std::string(t.queueing ? study::queueing_basis()
                  : t.mix    ? kMixedValues
                             : kMeanValues),
      say("Instances are busy at most {} of the time, so that queues stay short.",
          format_percent(r.utilisation)),
      say("Decode sees a context of {} tokens (prompt and half the output) and reserves "
          "cache for {}; its batch is full, so TPOT is that of the busiest moment.",
          count_text(study::mean_context_tokens(t)), count_text(study::longest_context_tokens(t))),
      "Disaggregated: TTFT = half a prefill step under way + prefill + transfer of the prompt's KV "
      "over one device's scale-out link, after the prompt is done.",
      "Aggregated: prompts go first and take the share f of the time; TPOT = decode TPOT / (1 - "
      "f), "
      "TTFT = the decode step under way + prefill / (1 - f).",
      "Cost follows device time: prefill instances pay for input and decode instances for output; "
      "aggregated instances by the time each phase takes. Input counts cached tokens too.",
      "Devices are paid for one by one, also in a node that is not filled.",
      "One instance runs on one kind of device; instance sizes are those of the search "
      "(powers of two unless listed)."};
  if (std::string text = traffic_text(t); !text.empty()) out.push_back(std::move(text));
  if (t.queueing) {
    out.push_back(
        "The wait for a decode slot is not part of TTFT: it delays the second token. Replicas of "
        "one instance step together, at the pace of the mean prompt.");
  }
  if (r.search.pair_hardware) {
    out.push_back(
        "With a machine for each phase, the KV cache crosses the slower of the two outermost "
        "links, "
        "both sides run in the same number formats, and each pays its own price.");
  }
  if (t.prefix_hit > 0.0) {
    out.push_back(
        say("{} of each prompt comes from a prefix cache whose own memory is not "
            "counted.",
            format_percent(t.prefix_hit)));
  }
  if (r.load_source) {
    const bool noise = r.load_source->tokens.has_value();
    out.push_back(say("Every plan's expert load is sampled for its own ranks from {}, {}, seed {}.",
                      study::describe(*r.load_source),
                      noise ? say("{} tokens a step whatever the batch", *r.load_source->tokens)
                            : "without the noise of a finite batch",
                      r.load_source->seed));
  } else if (r.expert_load == 1.0) {
    out.push_back(
        "Experts are perfectly balanced (expert_load 1); real routing makes the slowest "
        "rank wait.");
  }
  return out;
}

void add_notes(std::vector<Block>& blocks, const PlanResult& result) {
  const PlanRequest& r = result.request;
  std::vector<std::string> notes = model_assumptions(r);
  std::set<std::string> seen;
  for (const study::HardwareResult& h : result.hardware) {
    for (const std::string& note : h.notes) {
      if (seen.insert(note).second) notes.push_back(note);
    }
    const hw::Cluster& cluster = r.hardware[h.hardware];
    const auto price = study::device_price(r, cluster);
    if (!price) {
      notes.push_back(
          say("No price is known for {}: give price_usd_per_gpu_hour; until "
              "then its costs are left out.",
              cluster.id));
    } else if (r.price_override.contains(cluster.id)) {
      notes.push_back(
          say("{} costs {} per device and hour, as given.", cluster.id, money_text(*price)));
    } else {
      notes.push_back(say("{} costs {} per device and hour ({}, {}, {}).", cluster.id,
                          money_text(*price), cluster.price.date, cluster.price.basis,
                          cluster.price.source));
    }
  }
  for (const std::string& note : notes) blocks.push_back(Note{NoteKind::assumption, note});
  for (const std::string& part : r.model.arch.unmodelled) {
    blocks.push_back(Note{NoteKind::warning, say("not modelled: {}", part)});
  }
}

Block sources(const PlanRequest& r) {
  SourceRows rows;
  rows.add(r.model.arch.name, r.model.source);
  for (const hw::Cluster& cluster : r.hardware) {
    rows.add(cluster.id, cluster.sources);
    rows.add(say("efficiencies {}", cluster.efficiency.name), cluster.efficiency.sources);
  }
  return sources_block(std::move(rows));
}

void add_front(std::vector<Block>& blocks, const PlanResult& result, int level) {
  const bool any = std::ranges::any_of(
      result.hardware, [](const study::HardwareResult& h) { return !h.front.empty(); });
  if (!any) return;
  blocks.push_back(Heading{level, "Speed against throughput", "front"});
  Plot plot = front_plot(result);
  plot.title = front_title(result);
  blocks.push_back(std::move(plot));
}

void add_winners(std::vector<Block>& blocks, const PlanResult& result,
                 const std::optional<DecodeInstance>& instance, const study::PlanStudies& studies,
                 int level) {
  const std::vector<NamedPlan> plans = best_plans(result);
  blocks.push_back(key_figures(result, *study::smallest_cluster(result)));
  blocks.push_back(Heading{level, "The clusters", "clusters"});
  blocks.push_back(shape_table(plans));
  blocks.push_back(delivery_table(plans));
  blocks.push_back(load_table(plans));
  if (result.request.traffic.queueing) blocks.push_back(queue_table(result.request, plans));
  blocks.push_back(cost_table(plans));
  if (Table missing = unreachable_table(result); !missing.rows.empty()) {
    blocks.push_back(std::move(missing));
  }
  blocks.push_back(Heading{level, "Why not smaller", "limits"});
  blocks.push_back(limits_table(plans));
  add_studies(blocks, result, studies, level);
  add_front(blocks, result, level);
  blocks.push_back(Heading{level, "Memory", "memory"});
  blocks.push_back(memory_plot(plans));
  blocks.push_back(memory_table(plans));
  blocks.push_back(Heading{level, "Where the time goes", "time"});
  if (instance) {
    blocks.push_back(Paragraph{"One decoding instance of the smallest cluster:"});
    blocks.push_back(step_timeline(instance->answer));
    const std::vector<study::OperatorRow> rows = study::operator_rows(instance->answer);
    blocks.push_back(time_flame(rows, decode_anchors(rows)));
  }
  blocks.push_back(time_table(plans));
  blocks.push_back(evidence_table(plans));
}

}  // namespace

std::string capacity_finding(const PlanResult& result) {
  const PlanRequest& r = result.request;
  const ClusterPlan* small = study::smallest_cluster(result);
  if (small == nullptr) {
    return say("No cluster serves {} {}. {}", demand_text(r), targets_text(r.targets),
               closest_text(result));
  }
  std::string out = say("{} takes {} to serve {} {}: TTFT {}, TPOT {}", r.model.arch.name,
                        cluster_text(result, *small), demand_text(r), targets_text(r.targets),
                        format_seconds(small->size.ttft), format_seconds(small->size.tpot));
  const ClusterPlan* cheap = study::cheapest_cluster(result);
  for (const study::LatencyPercentile& p : small->size.percentiles) {
    out = say("{}, {} {}", out, study::name(p), format_seconds(p.time));
  }
  if (cheap == nullptr) return say("{}. No price is known.", out);
  const std::string cost =
      say("{} per million tokens", money_text(cheap->cost->usd_per_million_blended));
  if (cheap == small) return say("{}, and is also the cheapest at {}.", out, cost);
  return say("{}. Cheapest: {} {}, {}, at {}.", out, cheap->devices, hardware_id(result, *cheap),
             study::name(cheap->serving), cost);
}

std::vector<Block> capacity_blocks(const PlanResult& result, int level,
                                   const study::PlanStudies& studies) {
  std::vector<Block> blocks;
  const bool found = study::smallest_cluster(result) != nullptr;
  const auto instance = decode_instance(result);
  if (found) {
    add_winners(blocks, result, instance, studies, level);
  } else {
    blocks.push_back(unreachable_table(result));
    add_front(blocks, result, level);
  }
  blocks.push_back(Heading{level, "Everything that was tried", "tried"});
  const study::SearchCounts tried = study::total_counts(result);
  blocks.push_back(Paragraph{
      say("{} plans on {}; {} candidates fit in memory (a plan with its overlap, kernels, "
          "drafts or chunks, and a batch of one phase): {} evaluated, {} ruled out by bounds that "
          "cannot change the answer.",
          whole_text(tried.plans), machines_text(result.hardware.size()),
          whole_text(tried.decode_points + tried.prefill_points), whole_text(tried.evaluated),
          whole_text(tried.pruned))});
  Table candidates = candidates_table(result);
  if (!candidates.rows.empty()) {
    blocks.push_back(Details{"Candidates", {std::move(candidates)}});
  }
  Table refusals = refusals_table(result);
  if (!refusals.rows.empty()) blocks.push_back(Details{"Refused plans", {std::move(refusals)}});
  blocks.push_back(Heading{level, "Assumptions and sources", "assumptions"});
  if (found) blocks.push_back(capacity_workings(result, instance));
  add_notes(blocks, result);
  blocks.push_back(sources(result.request));
  return blocks;
}

Document capacity_document(const PlanResult& result, const study::PlanStudies& studies) {
  const PlanRequest& r = result.request;
  Document document;
  document.title = say("Capacity plan: {}", r.name.empty() ? r.model.arch.name : r.name);
  document.finding = capacity_finding(result);
  document.metadata.inputs.push_back({r.model.path.filename().string(), r.model.hash});
  for (const hw::Cluster& cluster : r.hardware) {
    document.metadata.inputs.push_back({cluster.path.filename().string(), cluster.hash});
  }
  document.blocks = capacity_blocks(result, 2, studies);
  return document;
}

}  // namespace fathom::report
