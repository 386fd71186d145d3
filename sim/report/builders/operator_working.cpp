#include "report/builders/operator_working.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/si_format.hpp"
#include "forms/form.hpp"
#include "lang/say.hpp"
#include "report/builders/cells.hpp"

namespace fathom::report {
namespace {

using lang::say;
using timing::Trace;

constexpr double kMaximum =
    32.0;  // from this exponent on a blend is the maximum: timing/roofline.cpp
constexpr double kSameTime = 1e-6;  // relative; below it two times are one, rounded

std::string time_text(Seconds time) { return format_seconds(time); }
std::string bytes_text(Bytes bytes) { return format_si(bytes.value, "B"); }
std::string rate_text(BytesPerSecond rate) { return format_si(rate.value, "B/s"); }
std::string number_text(double value) { return fmt::format("{:.5g}", value); }

class OperatorWorking {
 public:
  explicit OperatorWorking(const ExplainedCall& call)
      : row_(call.row), op_(call.op), trace_(call.trace), cluster_(call.cluster) {}

  std::vector<WorkingLine> lines() {
    whole();
    shape();
    work();
    if (trace_.inside_experts) {
      add("formula", "0: inside the fitted time of the routed experts beside it");
      return std::move(lines_);
    }
    if (trace_.fit) {
      fitted();
    } else if (trace_.blend) {
      blended();
    } else if (trace_.stream) {
      streamed();
    }
    if (trace_.wire) wired();
    bound();
    rests_on();
    return std::move(lines_);
  }

 private:
  void add(std::string term, std::string text) {
    lines_.push_back({std::move(term), std::move(text)});
  }

  Seconds total() const { return row_.node.time.total; }

  void whole() {
    add("time in the step",
        say("{:g} calls × {} = {}, {} of the operator time", row_.calls, time_text(total()),
            time_text(row_.calls * total()), share_text(row_.share)));
  }

  // The numbers of the call; what follows from them is in other lines.
  void shape() {
    std::string text;
    const nlohmann::json op = ops::to_json(op_);
    for (const auto& item : op.items()) {
      const std::string& key = item.key();
      if (key == "op" || key == "flops" || key == "bytes") continue;
      if (!text.empty()) text += ", ";
      const nlohmann::json& value = item.value();
      const std::string shown = value.is_number_float() ? fmt::format("{:g}", value.get<double>())
                                : value.is_string()
                                    ? std::string(lang::tr(value.get<std::string>()))
                                    : value.dump();
      text += fmt::format("{} {}", key, shown);
    }
    add("one call", fmt::format("`{}`: {}", row_.kind, text));
  }

  void work() {
    const ops::OpCost& cost = row_.cost;
    std::string text;
    const auto part = [&](std::string_view what, Bytes bytes) {
      if (bytes.value <= 0.0) return;
      const std::string one = fmt::format("{} {}", lang::tr(what), bytes_text(bytes));
      text = text.empty() ? one : say("{}, {}", text, one);
    };
    if (cost.flops.value > 0.0)
      text = say("{} in {}", format_si(cost.flops.value, "FLOP"), name(cost.math));
    part("weights", cost.weight_read);
    part("activations", cost.act_read + cost.act_write);
    part("KV", cost.kv_read + cost.kv_write);
    part("wire", row_.wire_bytes);
    if (text.empty()) text = "none of its own: part of the exchange beside it";
    add("work", text);
  }

  void fitted() {
    const timing::FitTrace& fit = *trace_.fit;
    const hw::FittedForm& form = *cluster_.efficiency.fitted(fit.use);
    const forms::Form& family = forms::all_forms()[form.form];
    add("formula", say("fitted form `{}` ({}): form(shape, device, parameters) × ratio − "
                       "launch gap",
                       family.family, form.group));
    std::string shape;
    for (std::size_t i = 0; i < fit.shape.size() && i < family.columns.size(); ++i)
      shape +=
          fmt::format("{}{} {}", i == 0 ? "" : ", ", family.columns[i], number_text(fit.shape[i]));
    add("shape", shape);
    std::string parameters;
    const auto ranges = family.ranges(form.group);
    for (std::size_t i = 0; i < ranges.size(); ++i)
      parameters +=
          fmt::format("{}{} {}", i == 0 ? "" : ", ", ranges[i].name, number_text(form.in_step[i]));
    add("parameters, in a step", parameters);
    std::string text = time_text(fit.form);
    if (fit.ratio != 1.0)
      text = say("{} × {} (measured around this shape)", text, number_text(fit.ratio));
    if (form.launch_gap.value > 0.0)
      text = say("{} − {} (launch, hidden in a CUDA graph)", text, time_text(form.launch_gap));
    add("numbers put in", fmt::format("{} = {}", text, time_text(fit.answer)));
    if (std::abs(total() / fit.answer - 1.0) > kSameTime) remainder(fit.answer);
  }

  // What a form timed may be more than this call, or the call more than what was measured.
  void remainder(Seconds answer) {
    const double factor = total() / answer;
    std::string_view why = "its part of what the form times";
    if (std::holds_alternative<ops::GroupedGemm>(op_))
      why = "this product's share of the pair, by FLOP";
    if (std::holds_alternative<ops::LatentAttention>(op_))
      why = "no faster than its arithmetic at the share of the peak that the kernel reaches";
    if (const auto* exchange = std::get_if<ops::ExpertExchange>(&op_)) {
      why = "the busiest rank's load over the mean one's";
      if (exchange->part != ops::ExchangePart::whole)
        why = "this part of the exchange: SM time of one end, or what is left for the wire";
    }
    add("of that",
        say("{} × {} = {}: {}", time_text(answer), number_text(factor), time_text(total()), why));
  }

  void blended() {
    const timing::BlendTrace& b = *trace_.blend;
    const hw::Efficiency& e = trace_.efficiency;
    const hw::DeviceProfile& device = cluster_.device;
    const bool tiled = b.stream.value > 0.0;
    const bool maximum = e.blend >= kMaximum;
    std::string symbols = maximum ? "max(compute, memory{})" : "(compute^p + memory^p{})^(1/p)";
    const std::string_view more = !tiled ? "" : maximum ? ", stream" : " + stream^p";
    symbols.replace(symbols.find("{}"), 2, more);
    if (b.passing.value > 0.0) symbols += " + passing";
    add("formula", symbols + " + overhead");
    const std::string p = fmt::format("^{:g}", e.blend);
    const auto term = [&](Seconds time) { return time_text(time) + (maximum ? "" : p); };
    std::string numbers = maximum ? fmt::format("max({}, {}", term(b.compute), term(b.memory))
                                  : fmt::format("({} + {}", term(b.compute), term(b.memory));
    if (tiled) numbers += (maximum ? ", " : " + ") + term(b.stream);
    numbers += maximum ? ")" : fmt::format(")^(1/{:g})", e.blend);
    if (b.passing.value > 0.0) numbers += " + " + time_text(b.passing);
    add("numbers put in",
        fmt::format("{} + {} = {}", numbers, time_text(e.overhead), time_text(total())));
    if (b.rate.value > 0.0) compute(b, tiled);
    add("memory", fmt::format("{} / ({} × {:g}) = {}", bytes_text(b.from_memory),
                              rate_text(device.memory_bandwidth), e.memory, time_text(b.memory)));
    if (tiled)
      add("stream", say("panels of the tiles into the SMs at {} each: {}", rate_text(e.feed),
                        time_text(b.stream)));
    if (b.passing.value > 0.0)
      add("passing", say("activations {} / {} = {}", bytes_text(b.through_cache),
                         rate_text(e.cache_rate), time_text(b.passing)));
  }

  void compute(const timing::BlendTrace& b, bool tiled) {
    const hw::Efficiency& e = trace_.efficiency;
    const FlopsPerSecond peak = cluster_.device.peak_of(row_.node.time.cost.math);
    std::string shares = fmt::format("{} × {:g}", format_si(peak.value, "FLOP/s"), e.compute);
    if (e.sustained_clock != 1.0) shares = say("{} × {:g} (clock)", shares, e.sustained_clock);
    if (b.rate_left != 1.0)
      shares = say("{} × {} (beside communication)", shares, number_text(b.rate_left));
    const std::string flops = format_si(row_.cost.flops.value, "FLOP");
    add("compute",
        tiled ? say("{} at {}, in whole waves of tiles: {}", flops, shares, time_text(b.compute))
              : fmt::format("{} / ({}) = {}", flops, shares, time_text(b.compute)));
  }

  void streamed() {
    const timing::StreamTrace& s = *trace_.stream;
    const hw::Efficiency& e = trace_.efficiency;
    add("formula",
        "cached / cache rate + rest / (bandwidth × share) + kernels × overhead, at least "
        "kernels × floor");
    std::string text;
    if (s.cached.value > 0.0)
      text = fmt::format("{} / {} + ", bytes_text(s.cached), rate_text(e.cache_rate));
    text += fmt::format("{} / ({} × {:g}) + {:g} × {}", bytes_text(s.from_memory),
                        rate_text(cluster_.device.memory_bandwidth), e.memory, s.kernels,
                        time_text(e.overhead));
    if (e.floor.value > 0.0)
      text = say("{}, at least {:g} × {}", text, s.kernels, time_text(e.floor));
    add("numbers put in", fmt::format("{} = {}", text, time_text(total())));
  }

  // Of a call with a fitted form: what binds it. SM time is both ends' together.
  void wired() {
    const timing::WireTrace& w = *trace_.wire;
    const std::string alpha_beta = say("{} (latencies and fixed cost) + {} (bytes over the links)",
                                       time_text(w.alpha), time_text(w.serialisation));
    if (trace_.fit) {
      add("without the form", alpha_beta);
    } else {
      add("formula", "α per level of the network + bytes / (link × share) on the slower path");
      add("numbers put in", w.sm_time.value > 0.0
                                ? alpha_beta
                                : fmt::format("{} = {}", alpha_beta, time_text(total())));
    }
    if (w.sm_time.value > 0.0)
      add("SM time", say("{} of it keep SMs busy, half at each end: sent and received apart; "
                         "this part takes {}",
                         time_text(w.sm_time), time_text(total())));
    const hw::Efficiency& e = trace_.efficiency;
    std::string links;
    if (w.near_bytes.value > 0.0)
      links = say("{}: {} at {:g} of {}", cluster_.tiers.front().name, bytes_text(w.near_bytes),
                  e.near, rate_text(cluster_.tiers.front().bandwidth));
    if (w.far_bytes.value > 0.0) {
      const std::string far =
          say("between nodes: {} at {:g} of the link", bytes_text(w.far_bytes), e.memory);
      links = links.empty() ? far : say("{}; {}", links, far);
    }
    if (!links.empty()) add("links", links);
  }

  void bound() {
    const timing::OpTime& time = row_.node.time;
    std::string text = say("bound by {}", timing::name(time.bound));
    if (time.ideal.value > 0.0 && total().value > 0.0)
      text = say("{}; {} at full peaks without fixed costs, {} of the estimate", text,
                 time_text(time.ideal), share_text(time.ideal / total()));
    add("bound", text);
  }

  void rests_on() {
    const timing::OpTime& time = row_.node.time;
    if (trace_.fit) {
      const hw::FittedForm& form = *cluster_.efficiency.fitted(trace_.fit->use);
      const bool ratio = trace_.fit->ratio != 1.0;
      const double median = ratio ? form.ratios.median_error : form.median_error;
      const double p90 = ratio ? form.ratios.p90_error : form.p90_error;
      add("evidence",
          say("{}: fitted to {} shapes; on shapes left out median error {}, "
              "p90 {}",
              hw::name(form.evidence), form.samples, format_percent(median), format_percent(p90)));
      add("source", form.source);
      return;
    }
    std::string text = say("{}: entry `{}` of efficiencies `{}`", hw::name(time.evidence),
                           hw::name(time.family), cluster_.efficiency.name);
    if (trace_.efficiency.transfer != hw::Transfer::none)
      text = say("{}, taken from another device", text);
    if (trace_.efficiency.log_sigma > 0.0)
      text = say("{}; σ of ln time {:g}", text, trace_.efficiency.log_sigma);
    add("evidence", text);
    add("source", "listed under Sources at the end: efficiencies, and the profile for peaks");
  }

  const study::OperatorRow& row_;
  const ops::Op& op_;
  const Trace& trace_;
  const hw::Cluster& cluster_;
  std::vector<WorkingLine> lines_;
};

}  // namespace

std::vector<WorkingLine> operator_working(const ExplainedCall& call) {
  return OperatorWorking{call}.lines();
}

}  // namespace fathom::report
