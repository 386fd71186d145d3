#pragma once
// What our sources use and the libc++ 13 of Debian's emscripten lacks: algorithms over ranges,
// numbers from characters, bit_cast. Included before every source that is compiled to WebAssembly.

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <ranges>
#include <string>
#include <system_error>
#include <utility>

// The C library knows no caches; sysconf() of a name that it does not know is -1.
#define _SC_LEVEL1_DCACHE_SIZE (-1)
#define _SC_LEVEL2_CACHE_SIZE (-1)
#define _SC_LEVEL3_CACHE_SIZE (-1)

namespace std {

template <class To, class From>
constexpr To bit_cast(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, from);
}

// strtod() rounds to the nearest double as from_chars() does; callers have checked the syntax.
inline from_chars_result from_chars(const char* first, const char* last, double& value) {
  const string text(first, last);
  char* end = nullptr;
  errno = 0;
  const double parsed = strtod(text.c_str(), &end);
  if (end == text.c_str()) return {first, errc::invalid_argument};
  const char* stop = first + (end - text.c_str());
  if (errno == ERANGE && (abs(parsed) > 1.0 || parsed == 0.0))
    return {stop, errc::result_out_of_range};
  value = parsed;
  return {stop, {}};
}

namespace ranges {

// A predicate seen through a projection, and an order likewise.
template <class F, class P>
constexpr auto through(F& f, P& p) {
  return [&f, &p](auto&& x) -> bool { return std::invoke(f, std::invoke(p, x)); };
}
template <class C, class P>
constexpr auto ordered(C& c, P& p) {
  return [&c, &p](auto&& a, auto&& b) -> bool {
    return std::invoke(c, std::invoke(p, a), std::invoke(p, b));
  };
}

template <class R, class F, class P = identity>
constexpr bool any_of(R&& r, F f, P p = {}) {
  return std::any_of(begin(r), end(r), through(f, p));
}
template <class R, class F, class P = identity>
constexpr bool all_of(R&& r, F f, P p = {}) {
  return std::all_of(begin(r), end(r), through(f, p));
}
template <class R, class F, class P = identity>
constexpr bool none_of(R&& r, F f, P p = {}) {
  return std::none_of(begin(r), end(r), through(f, p));
}
template <class R, class F, class P = identity>
constexpr auto find_if(R&& r, F f, P p = {}) {
  return std::find_if(begin(r), end(r), through(f, p));
}
template <class R, class F, class P = identity>
constexpr auto count_if(R&& r, F f, P p = {}) {
  return std::count_if(begin(r), end(r), through(f, p));
}
template <class R, class T, class P = identity>
constexpr auto find(R&& r, const T& value, P p = {}) {
  return std::find_if(begin(r), end(r), [&](auto&& x) { return std::invoke(p, x) == value; });
}
template <class R, class T, class P = identity>
constexpr auto count(R&& r, const T& value, P p = {}) {
  return std::count_if(begin(r), end(r), [&](auto&& x) { return std::invoke(p, x) == value; });
}
template <class R, class C = less, class P = identity>
constexpr void sort(R&& r, C c = {}, P p = {}) {
  std::sort(begin(r), end(r), ordered(c, p));
}
template <class R, class C = less, class P = identity>
constexpr void stable_sort(R&& r, C c = {}, P p = {}) {
  std::stable_sort(begin(r), end(r), ordered(c, p));
}
template <class R, class C = less, class P = identity>
constexpr auto max_element(R&& r, C c = {}, P p = {}) {
  return std::max_element(begin(r), end(r), ordered(c, p));
}
template <class R, class C = equal_to, class P = identity>
constexpr auto unique(R&& r, C c = {}, P p = {}) {
  return subrange(std::unique(begin(r), end(r), ordered(c, p)), end(r));
}
template <class R, class T>
constexpr bool binary_search(R&& r, const T& value) {
  return std::binary_search(begin(r), end(r), value);
}
template <class R, class Out>
constexpr Out copy(R&& r, Out out) {
  return std::copy(begin(r), end(r), out);
}

}  // namespace ranges
}  // namespace std
