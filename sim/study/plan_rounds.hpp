#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "study/plan_instance.hpp"

namespace fathom::study {

using Indices = std::vector<std::size_t>;

/// Instances to look at together: the most promising of every machine, precision and size first,
/// then twice as many, and so on. What a round finds rules out candidates of later ones. Fixed
/// before the search starts, so that neither answers nor counts depend on threads. `requests` are
/// the same question in each precision.
std::vector<Indices> rounds(const std::vector<PlanRequest>& requests,
                            const std::vector<Instance>& instances);

/// Step models by machine and precision, lent to one thread at a time. Which one a thread gets does
/// not matter: assume() replaces whatever depends on the plan.
class ModelPool {
 public:
  explicit ModelPool(const std::vector<PlanRequest>& requests) : requests_(requests) {}

  template <class Work>
  auto with(const Instance& in, const Work& work) {
    auto model = take(in);
    auto out = work(*model);
    const std::lock_guard lock(mutex_);
    free_[{in.hardware, in.precision}].push_back(std::move(model));
    return out;
  }

 private:
  std::unique_ptr<infer::StepModel> take(const Instance& in);

  const std::vector<PlanRequest>& requests_;
  std::mutex mutex_;
  std::map<std::pair<std::size_t, std::size_t>, std::vector<std::unique_ptr<infer::StepModel>>>
      free_;
};

}  // namespace fathom::study
