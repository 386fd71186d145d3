#include "study/plan_rounds.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace fathom::study {
namespace {

using Promise = std::array<double, 4>;

// In turn the best of each kind of promise.
Indices by_promise(const Indices& members, const std::vector<Promise>& promises) {
  std::array<Indices, std::tuple_size_v<Promise>> sorted;
  sorted.fill(members);
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    std::ranges::stable_sort(sorted[k], {}, [&](std::size_t i) { return promises[i][k]; });
  }
  std::set<std::size_t> taken;
  Indices order;
  for (std::size_t place = 0; place < members.size(); ++place) {
    for (const Indices& one : sorted) {
      if (taken.insert(one[place]).second) order.push_back(one[place]);
    }
  }
  return order;
}

void deal(const Indices& order, std::vector<Indices>& out) {
  std::size_t begin = 0;
  for (std::size_t round = 0, size = 1; begin < order.size(); ++round, size *= 2) {
    if (out.size() <= round) out.emplace_back();
    const std::size_t end = std::min(order.size(), begin + size);
    out[round].insert(out[round].end(), order.begin() + static_cast<std::ptrdiff_t>(begin),
                      order.begin() + static_cast<std::ptrdiff_t>(end));
    begin = end;
  }
}

}  // namespace

std::vector<Indices> rounds(const std::vector<PlanRequest>& requests,
                            const std::vector<Instance>& instances) {
  std::map<std::array<std::int64_t, 3>, Indices> classes;
  std::vector<Promise> promises;
  for (std::size_t i = 0; i < instances.size(); ++i) {
    const Instance& in = instances[i];
    promises.push_back(promise(requests[in.precision], in));
    classes[{static_cast<std::int64_t>(in.hardware), static_cast<std::int64_t>(in.precision),
             mapping::devices(in.plan)}]
        .push_back(i);
  }
  std::vector<Indices> out;
  for (const auto& [key, members] : classes) deal(by_promise(members, promises), out);
  return out;
}

std::unique_ptr<infer::StepModel> ModelPool::take(const Instance& in) {
  {
    const std::lock_guard lock(mutex_);
    auto& free = free_[{in.hardware, in.precision}];
    if (!free.empty()) {
      auto model = std::move(free.back());
      free.pop_back();
      return model;
    }
  }
  const PlanRequest& request = requests_[in.precision];
  return std::make_unique<infer::StepModel>(
      step_model(request, request.hardware[in.hardware], in.plan));
}

}  // namespace fathom::study
