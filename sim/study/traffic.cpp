#include "study/traffic.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "core/json_reader.hpp"

namespace fathom::study {
namespace {

using nlohmann::json;

constexpr double kMaxTokens = 1e8;

std::vector<LengthShare> read_histogram(JsonReader& in) {
  std::vector<LengthShare> out;
  for (JsonReader& row : in.objects("lengths")) {
    out.push_back({row.number("input_tokens", 1.0, kMaxTokens),
                   row.number("output_tokens", 1.0, kMaxTokens),
                   row.number_or("weight", 1.0, 1e-12, 1e12)});
    row.finish();
  }
  if (out.empty()) in.fail("lengths", "an empty list; expected at least one length");
  return out;
}

// Traces may lie beside the request that names them.
std::string found_file(const std::string& file, const std::string& folder) {
  const std::filesystem::path beside = std::filesystem::path(folder) / file;
  return !std::filesystem::exists(file) && std::filesystem::exists(beside) ? beside.string() : file;
}

void read_trace(JsonReader& in, Traffic& t, const std::string& folder) {
  t.trace = in.string("trace");
  const RequestTrace trace = read_request_trace(found_file(t.trace, folder));
  t.mix = mix_of(trace.requests);
  t.trace_hash = trace.hash;
  t.trace_requests = static_cast<std::int64_t>(trace.requests.size());
  t.trace_skipped = trace.skipped;
  t.arrivals = trace.arrivals;
}

void read_lengths(JsonReader& in, Traffic& t, const std::string& folder) {
  const bool histogram = in.has("lengths");
  const bool trace = in.has("trace");
  if (histogram && trace) in.fail("trace", "contradicts 'lengths'; give one of them");
  if (!histogram && !trace) {
    t.input_tokens = in.number("input_tokens", 1.0, kMaxTokens);
    t.output_tokens = in.number("output_tokens", 1.0, kMaxTokens);
    return;
  }
  for (const char* key : {"input_tokens", "output_tokens"}) {
    if (in.has(key)) {
      in.fail(key, fmt::format("contradicts '{}'; give one of them", trace ? "trace" : "lengths"));
    }
    in.ignore(key);
  }
  if (trace) {
    read_trace(in, t, folder);
  } else {
    t.histogram = read_histogram(in);
    t.mix = mix_of(t.histogram);
  }
  t.input_tokens = t.mix->input_tokens;
  t.output_tokens = t.mix->output_tokens;
}

void read_rate(JsonReader& in, Traffic& t) {
  const bool rate = in.has("requests_per_s");
  const bool concurrency = in.has("concurrency");
  if (rate && concurrency) in.fail("concurrency", "contradicts 'requests_per_s'; give one of them");
  if (!rate && !concurrency && !t.arrivals) {
    in.fail("requests_per_s", "missing; expected 'requests_per_s' or 'concurrency'");
  }
  if (rate) t.requests_per_s = in.number("requests_per_s", 1e-6, 1e9);
  if (concurrency) t.concurrency = in.number("concurrency", 1e-3, 1e9);
  if (!rate && !concurrency) t.requests_per_s = t.arrivals->requests_per_s;
}

void read_peak(JsonReader& in, Traffic& t) {
  constexpr std::string_view kKey = "peak_factor";
  if (!in.has(kKey)) return;
  if (t.concurrency > 0.0)
    in.fail(kKey, "needs 'requests_per_s'; a concurrency is the peak itself");
  if (!in.raw(kKey).is_string()) {
    t.peak_factor = in.number(kKey, 1.0, 1e4);
    return;
  }
  const std::string word = in.string(kKey);
  if (word != "trace") {
    in.fail(kKey,
            fmt::format("found '{}', expected a number or 'trace'; did you mean 'trace'?", word));
  }
  if (!t.arrivals) in.fail(kKey, "'trace' needs a trace with arrival times");
  t.peak_factor = t.arrivals->busiest;
}

void read_arrivals(JsonReader& in, Traffic& t) {
  const bool given = in.has("arrival_scv");
  if (t.arrivals) t.arrival_scv = t.arrivals->scv;
  t.arrival_scv = in.number_or("arrival_scv", t.arrival_scv, 0.0, 1e4);
  const bool open = t.concurrency <= 0.0;
  t.queueing = in.boolean_or("queueing", open && (given || t.mix));
  if (open) return;
  for (const char* key : {"arrival_scv", "queueing"}) {
    if (!(key == std::string_view("queueing") ? t.queueing : given)) continue;
    in.fail(key,
            "needs 'requests_per_s'; with a concurrency the next request waits for an answer, "
            "which this queue does not model");
  }
}

}  // namespace

double cached_tokens(const Traffic& t) {
  return std::min(t.prefix_hit * t.input_tokens, t.input_tokens - 1.0);
}

double mean_context_tokens(const Traffic& t) {
  if (!t.mix) return t.input_tokens + t.output_tokens / 2.0;
  return t.input_tokens * t.mix->resident_input + t.output_tokens * t.mix->resident_output / 2.0;
}

double longest_context_tokens(const Traffic& t) {
  if (!t.mix) return t.input_tokens + t.output_tokens;
  return t.input_tokens * t.mix->resident_input + t.output_tokens * t.mix->resident_output;
}

Traffic read_traffic(JsonReader in, const model::ArchSpec& arch, const std::string& folder) {
  Traffic t;
  read_lengths(in, t, folder);
  t.prefix_hit = in.number_or("prefix_hit", 0.0, 0.0, 1.0);
  read_rate(in, t);
  read_peak(in, t);
  read_arrivals(in, t);
  in.finish();
  const auto limit = static_cast<double>(arch.max_position_embeddings);
  const double longest = t.mix ? t.mix->longest_tokens : longest_context_tokens(t);
  if (limit > 0.0 && longest > limit) {
    const char* key = !t.trace.empty() ? "trace" : t.mix ? "lengths" : "input_tokens";
    in.fail(key,
            fmt::format("{:.0f} input + output tokens exceed max_position_embeddings = {} of {}",
                        longest, arch.max_position_embeddings, arch.name));
  }
  return t;
}

json to_json(const Traffic& t) {
  json out{{"prefix_hit", t.prefix_hit}};
  if (!t.trace.empty()) {
    out["trace"] = t.trace;
  } else if (t.mix) {
    json lengths = json::array();
    for (const LengthShare& l : t.histogram) {
      lengths.push_back({{"input_tokens", l.input_tokens},
                         {"output_tokens", l.output_tokens},
                         {"weight", l.weight}});
    }
    out["lengths"] = std::move(lengths);
  } else {
    out["input_tokens"] = t.input_tokens;
    out["output_tokens"] = t.output_tokens;
  }
  if (t.concurrency > 0.0) {
    out["concurrency"] = t.concurrency;
    return out;
  }
  out["requests_per_s"] = t.requests_per_s;
  if (t.peak_factor != 1.0) out["peak_factor"] = t.peak_factor;
  if (t.queueing) out["arrival_scv"] = t.arrival_scv;
  if (t.queueing || t.mix) out["queueing"] = t.queueing;
  return out;
}

}  // namespace fathom::study
