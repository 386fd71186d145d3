#include "sweep/evaluator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "core/error.hpp"
#include "mapping/plan.hpp"
#include "study/evaluate.hpp"
#include "study/scenario.hpp"
#include "sweep/field_table.hpp"
#include "sweep/results.hpp"

namespace fathom::sweep {
namespace {

using nlohmann::json;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

infer::InferOutcome answer(infer::StepModel& model, const study::Workload& workload) {
  if (const auto* d = std::get_if<infer::DecodeQuery>(&workload)) return infer::decode(model, *d);
  return infer::prefill(model, std::get<infer::PrefillQuery>(workload));
}

// Which base a point belongs to and which value of each axis it takes: the digits of its number.
class Odometer {
 public:
  explicit Odometer(const Sweep& sweep) : sweep_(sweep) {}

  // The values of a point's fields, before anything is derived. Steps to the next number are
  // cheap. True when a field of the setting may have changed.
  bool go(std::int64_t number, std::vector<double>& values) {
    if (base_ != nullptr && number == number_ + 1 && number < base_->end) return step(values);
    jump(number, values);
    return true;
  }
  const Base& base() const { return *base_; }

 private:
  void jump(std::int64_t number, std::vector<double>& values) {
    const auto at = std::ranges::upper_bound(sweep_.bases, number, {}, &Base::end);
    base_ = &*at;
    number_ = number;
    std::copy(base_->values.begin(), base_->values.end(), values.begin());
    digits_.assign(base_->axes.size(), 0);
    std::int64_t rest = number - base_->begin;
    for (std::size_t a = base_->axes.size(); a-- > 0;) {
      digits_[a] = rest % base_->axes[a].size;
      rest /= base_->axes[a].size;
      set(a, values);
    }
  }

  bool step(std::vector<double>& values) {
    ++number_;
    bool setting = false;
    for (std::size_t a = base_->axes.size(); a-- > 0;) {
      const Axis& axis = base_->axes[a];
      setting = setting || axis.setting;
      digits_[a] = digits_[a] + 1 == axis.size ? 0 : digits_[a] + 1;
      set(a, values);
      if (digits_[a] != 0) break;
    }
    return setting;
  }

  void set(std::size_t a, std::vector<double>& values) const {
    const Axis& axis = base_->axes[a];
    const double* row =
        axis.values.data() + static_cast<std::size_t>(digits_[a]) * axis.fields.size();
    for (const std::int32_t field : axis.fields) values[static_cast<std::size_t>(field)] = *row++;
  }

  const Sweep& sweep_;
  const Base* base_ = nullptr;
  std::int64_t number_ = -1;
  std::vector<std::int64_t> digits_;
};

// What all points of one setting share.
struct Setting {
  std::string refusal;  // why none of them can run; empty: they may
  std::optional<infer::StepModel> model;
  Usd price;
  std::int64_t devices = 1;
  std::optional<json> each;  // every point is a scenario of its own: its load follows from it
};

}  // namespace

struct Evaluator::State {
  const Sweep& sweep;
  study::Library& library;
  Odometer odometer;
  std::vector<double> slots;                 // fields, then results
  std::vector<std::int32_t> columns;         // fields with a column
  std::vector<std::int32_t> setting_fields;  // that points differ in
  std::vector<std::int32_t> workload_fields;
  std::vector<double> key;  // values of setting_fields in `setting`
  std::vector<double> wanted;
  const Base* base = nullptr;  // of the current point
  bool ready = false;          // `setting` is the one that `key` says
  json document;               // of the base
  study::WorkloadValues base_workload;
  Setting setting;

  State(const Sweep& s, study::Library& l) : sweep(s), library(l), odometer(s) {
    slots.assign(s.fields.size() + s.layout.results.size(), kNone);
    for (std::size_t i = 1; i < s.fields.size(); ++i) {
      const auto field = static_cast<std::int32_t>(i);
      if (!s.fields[i].column) continue;
      (s.fields[i].workload ? workload_fields : setting_fields).push_back(field);
    }
    for (std::size_t i = 0; i < s.fields.size(); ++i) {
      if (s.fields[i].column) columns.push_back(static_cast<std::int32_t>(i));
    }
  }

  double& slot(std::int32_t field) { return slots[static_cast<std::size_t>(field)]; }
  std::span<double> results() { return std::span<double>(slots).subspan(sweep.fields.size()); }

  // Puts the point's values into the slots; false when a constraint excludes it.
  bool admit(std::int64_t number) {
    odometer.go(number, slots);
    for (const Derived& d : sweep.derived) slot(d.field) = evaluate(d.value, slots);
    return std::ranges::all_of(sweep.constraints,
                               [&](const Expression& e) { return holds(e, slots); });
  }

  void enter_base() {
    if (base == &odometer.base()) return;
    base = &odometer.base();
    document = json::parse(base->document);
    base_workload = {};
    ready = false;
    const auto given = document.find("workload");
    if (given == document.end()) return;
    for (const auto& item : given->items()) {
      const auto field = study::workload_field(item.key());
      if (field && item.value().is_number()) base_workload[*field] = item.value().get<double>();
    }
  }

  // Makes `setting` that of the current point.
  void enter_setting() {
    enter_base();
    wanted.clear();
    for (const std::int32_t field : setting_fields) wanted.push_back(slot(field));
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    if (ready && std::equal(key.begin(), key.end(), wanted.begin(), same)) return;
    ready = true;
    std::swap(key, wanted);
    setting = make_setting();
  }

  json patched(const std::vector<std::int32_t>& fields) {
    json out = document;
    for (const std::int32_t field : fields)
      patch(out, sweep, sweep.fields[static_cast<std::size_t>(field)], slot(field));
    return out;
  }

  Setting make_setting() {
    Setting out;
    try {
      json doc = patched(setting_fields);
      const auto scenario = study::parse_setting(doc, base->where, library);
      if (!scenario) {
        out.each = std::move(doc);
        return out;
      }
      if (auto reason =
              mapping::infeasible(scenario->model.arch, scenario->plan, scenario->cluster)) {
        out.refusal = *std::move(reason);
        return out;
      }
      out.price = scenario->cluster.price.per_device_hour;
      out.devices = mapping::devices(scenario->plan);
      out.model = infer::make_step_model(scenario->model.arch, scenario->cluster, scenario->plan,
                                         scenario->options);
      out.model->host = scenario->host;
    } catch (const InputError& error) {
      out.refusal = error.what();
    }
    return out;
  }

  // Results of the current point, or why there are none.
  std::optional<std::string> answer_point() {
    enter_setting();
    if (!setting.refusal.empty()) return setting.refusal;
    if (setting.each) return answer_each();
    study::WorkloadValues values = base_workload;
    for (const std::int32_t field : workload_fields) {
      const double v = slot(field);
      const auto which = *sweep.fields[static_cast<std::size_t>(field)].workload;
      if (!std::isnan(v)) values[which] = v;
    }
    const auto workload =
        study::make_workload(values, base->phase, setting.devices, setting.model->arch);
    if (const auto* error = std::get_if<study::WorkloadError>(&workload))
      return std::string(study::name(error->field)) + ": " + error->text;
    return keep(answer(*setting.model, std::get<study::Workload>(workload)), setting.price);
  }

  std::optional<std::string> answer_each() {
    json doc = *setting.each;
    for (const std::int32_t field : workload_fields)
      patch(doc, sweep, sweep.fields[static_cast<std::size_t>(field)], slot(field));
    try {
      const study::Scenario scenario = study::parse_scenario(doc, base->where, library);
      return keep(study::evaluate(scenario).outcome, scenario.cluster.price.per_device_hour);
    } catch (const InputError& error) {
      return error.what();
    }
  }

  std::optional<std::string> keep(const infer::InferOutcome& outcome, Usd price) {
    if (const auto* no = std::get_if<infer::Infeasible>(&outcome)) return no->reason;
    fill_results(std::get<infer::InferEstimate>(outcome), price, results().first(kResults));
    for (std::size_t i = 0; i < sweep.own_results.size(); ++i)
      results()[kResults + i] = evaluate(sweep.own_results[i].value, slots);
    if (sweep.filters.empty()) return std::nullopt;
    results().back() =
        std::ranges::all_of(sweep.filters, [&](const Expression& e) { return holds(e, slots); });
    return std::nullopt;
  }
};

Evaluator::Evaluator(const Sweep& sweep, study::Library& library)
    : state_(std::make_unique<State>(sweep, library)) {}
Evaluator::Evaluator(Evaluator&&) noexcept = default;
Evaluator::~Evaluator() = default;

void Evaluator::run(std::int64_t begin, std::int64_t end, Block& out) {
  out.clear();
  out.begin = begin;
  out.end = end;
  State& s = *state_;
  for (std::int64_t number = begin; number < end; ++number) {
    if (!s.admit(number)) continue;
    std::ranges::fill(s.results(), kNone);
    auto reason = s.answer_point();
    out.numbers.push_back(number);
    for (const std::int32_t field : s.columns) out.inputs.push_back(s.slot(field));
    const auto results = s.results();
    out.results.insert(out.results.end(), results.begin(), results.end());
    out.reason.push_back(-1);
    if (!reason) continue;
    // A refused setting refuses its points in a row.
    if (out.reasons.empty() || out.reasons.back() != *reason)
      out.reasons.push_back(*std::move(reason));
    out.reason.back() = static_cast<std::int32_t>(out.reasons.size()) - 1;
  }
}

std::int64_t Evaluator::count(std::int64_t begin, std::int64_t end) {
  std::int64_t rows = 0;
  for (std::int64_t number = begin; number < end; ++number) rows += state_->admit(number) ? 1 : 0;
  return rows;
}

std::optional<json> scenario_of(const Sweep& sweep, std::int64_t number) {
  std::vector<double> slots(sweep.fields.size() + sweep.layout.results.size(), kNone);
  Odometer odometer(sweep);
  odometer.go(number, slots);
  for (const Derived& d : sweep.derived)
    slots[static_cast<std::size_t>(d.field)] = evaluate(d.value, slots);
  for (const Expression& constraint : sweep.constraints) {
    if (!holds(constraint, slots)) return std::nullopt;
  }
  json document = json::parse(odometer.base().document);
  for (std::size_t i = 1; i < sweep.fields.size(); ++i) {
    const Field& field = sweep.fields[i];
    if (!field.column || std::isnan(slots[i])) continue;
    if (field.workload && !study::belongs_to(*field.workload, odometer.base().phase)) continue;
    patch(document, sweep, field, slots[i]);
  }
  return document;
}

}  // namespace fathom::sweep
