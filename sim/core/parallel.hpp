#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

namespace fathom {

/// Cores this process may use, at least 1.
int hardware_threads();

/// Calls body(i) once for every i in [0, count) on up to `threads` threads (0 or less: all cores).
/// If calls throw, the exception of the lowest index is rethrown, whatever the thread count.
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body);

/// {body(0), body(1), …} in index order, whatever the thread count.
template <class Body>
auto parallel_map(std::int64_t count, int threads, const Body& body) {
  using Result = std::invoke_result_t<const Body&, std::int64_t>;
  static_assert(!std::is_same_v<Result, bool>, "elements of vector<bool> share bytes: data race");
  std::vector<Result> results(static_cast<std::size_t>(count < 0 ? 0 : count));
  parallel_for(count, threads,
               [&](std::int64_t i) { results[static_cast<std::size_t>(i)] = body(i); });
  return results;
}

}  // namespace fathom
