#include "verify/compare.hpp"
#include "lang/say.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace fathom::verify {
namespace {

using lang::say;
using nlohmann::json;

// A case that warns of flipped rounding cells passes while few cells differ and the rest is equal:
// one step of FP8 or FP4 in a cached value moves whatever reads it.
constexpr double kFlippedShare = 0.05;
constexpr double kFlippedMean = 1e-3;  // mean error, relative to the largest value

struct Reals {
  kernels::Shape shape;
  std::vector<double> values;
};

Reals reals(const Array& array) {
  return std::visit(
      [](const auto& a) {
        return Reals{a.shape, {a.data.begin(), a.data.end()}};
      },
      array);
}

template <class T>
std::optional<Reals> produced_values(const Produced<T>& produced, const std::string& name) {
  if (const auto real = produced.real.find(name); real != produced.real.end()) {
    return Reals{real->second.shape, {real->second.data.begin(), real->second.data.end()}};
  }
  if (const auto whole = produced.whole.find(name); whole != produced.whole.end()) {
    return Reals{whole->second.shape, {whole->second.data.begin(), whole->second.data.end()}};
  }
  return {};
}

double largest(const std::vector<double>& values) {
  double top = 0.0;
  for (const double v : values) {
    if (std::isfinite(v)) top = std::max(top, std::abs(v));
  }
  return top;
}

double tolerance(const Expectation& e, const std::vector<double>& expected, bool f64) {
  if (e.exact || e.dtype == "int64") return 0.0;
  if (f64) return kTolerance64;
  return e.atol >= 0.0 ? e.atol : kRelative32 * largest(expected);
}

// Masked scores are -infinity on both sides; a NaN never equals anything.
double error_of(double got, double want) {
  if (got == want) return 0.0;
  if (std::isfinite(got) && std::isfinite(want)) return std::abs(got - want);
  return std::numeric_limits<double>::infinity();
}

void judge(Comparison& c, const Expectation& e, const Reals& got, const Reals& want) {
  const double relative = c.f64 ? 0.0 : e.rtol;
  double sum = 0.0;
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    const double error = error_of(got.values[i], want.values[i]);
    c.max_error = std::max(c.max_error, error);
    sum += error;
    const double allowed = relative > 0.0 ? relative * std::abs(want.values[i]) : 0.0;
    if (!(error <= c.tolerance + allowed)) ++c.outside;
  }
  c.pass = c.outside == 0;
  if (c.pass || !e.may_flip) return;
  const auto count = static_cast<double>(want.values.size());
  c.pass = static_cast<double>(c.outside) <= kFlippedShare * count &&
           sum / count <= kFlippedMean * std::max(largest(want.values), 1.0);
  c.note = say("{} of {} cells flipped", c.outside, want.values.size());
}

template <class T>
Comparison compare_tensor(const GoldenCase& golden, const Expectation& e,
                          const Produced<T>& produced) {
  constexpr bool f64 = std::is_same_v<T, double>;
  Comparison c{.tensor = e.name, .f64 = f64};
  const Reals want = reals(golden.expected_array(e, f64));
  c.elements = static_cast<std::int64_t>(want.values.size());
  c.tolerance = tolerance(e, want.values, f64);
  const std::optional<Reals> got = produced_values(produced, e.name);
  if (!got) {
    c.outside = c.elements;
    c.note = "no kernel produces it";
  } else if (got->shape != want.shape) {
    c.outside = c.elements;
    c.note =
        say("shape ({}), expected ({})", fmt::join(got->shape, ", "), fmt::join(want.shape, ", "));
  } else {
    judge(c, e, *got, want);
  }
  return c;
}

bool same_json(const json& got, const json& want) {
  if (got.is_number() && want.is_number()) {
    const double g = got.get<double>();
    const double w = want.get<double>();
    return std::abs(g - w) <= 1e-9 * std::max(1.0, std::abs(w));
  }
  if (got.type() != want.type() || got.size() != want.size()) return false;
  if (!want.is_structured()) return got == want;
  if (want.is_array()) return std::equal(got.begin(), got.end(), want.begin(), same_json);
  return std::ranges::all_of(want.items(), [&](const auto& member) {
    const auto found = got.find(member.key());
    return found != got.end() && same_json(*found, member.value());
  });
}

// One comparison per entry of each list of the document: a schedule per pipeline size.
template <class T>
std::vector<Comparison> compare_document(const GoldenCase& golden, const Expectation& e,
                                         const Produced<T>& produced) {
  std::vector<Comparison> out;
  const auto text = produced.documents.find(e.name);
  const json got = text == produced.documents.end() ? json() : json::parse(text->second);
  const json want = golden.expected_json(e);
  for (const auto& list : want.items()) {
    const json found = got.is_object() ? got.value(list.key(), json()) : json();
    const json& entries = list.value();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Comparison c{.tensor = fmt::format("{}/{}/{}", e.name, list.key(), i), .elements = 1};
      c.pass = found.is_array() && i < found.size() && same_json(found[i], entries[i]);
      c.outside = c.pass ? 0 : 1;
      if (!c.pass) c.note = found.is_null() ? "nothing produces it" : "differs";
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

template <class T>
std::vector<Comparison> compare(const GoldenCase& golden, const Produced<T>& produced) {
  std::vector<Comparison> out;
  for (const Expectation& e : golden.expected()) {
    if (std::is_same_v<T, double> && e.file_f64.empty()) continue;
    if (e.dtype.empty()) {
      for (Comparison& c : compare_document(golden, e, produced)) out.push_back(std::move(c));
    } else {
      out.push_back(compare_tensor(golden, e, produced));
    }
  }
  return out;
}

template std::vector<Comparison> compare(const GoldenCase&, const Produced<float>&);
template std::vector<Comparison> compare(const GoldenCase&, const Produced<double>&);

}  // namespace fathom::verify
