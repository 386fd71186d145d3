#include "core/units.hpp"

#include <type_traits>

#include "catch.hpp"

namespace fathom {
namespace {

template <class A, class B>
constexpr bool kCanAdd = requires(A a, B b) {
  a + b;
};
template <class A, class B>
constexpr bool kCanCompare = requires(A a, B b) {
  a < b;
};

static_assert(std::is_same_v<decltype(Bytes{} / BytesPerSecond{}), Seconds>);
static_assert(std::is_same_v<decltype(Flops{} / FlopsPerSecond{}), Seconds>);
static_assert(std::is_same_v<decltype(Flops{} / Bytes{}), FlopsPerByte>);
static_assert(std::is_same_v<decltype(BytesPerSecond{} * Seconds{}), Bytes>);
static_assert(std::is_same_v<decltype(BytesPerToken{} * Tokens{}), Bytes>);
static_assert(std::is_same_v<decltype(UsdPerSecond{} / TokensPerSecond{}), UsdPerToken>);
static_assert(std::is_same_v<decltype(Bytes{} / Bytes{}), double>);
static_assert(kCanAdd<Bytes, Bytes> && !kCanAdd<Bytes, Flops> && !kCanAdd<Bytes, double>);
static_assert(kCanCompare<Bytes, Bytes> && !kCanCompare<Bytes, Seconds>);
static_assert(!std::is_convertible_v<double, Bytes> && !std::is_convertible_v<Bytes, double>);

TEST_CASE("bytes over a bandwidth are the time they take", "[core][units]") {
  // 3350 GB in base units over 3350 GB/s is one second.
  CHECK(Bytes{3350e9} / 3350_GB_s == Seconds{1.0});
}

TEST_CASE("a gibibyte is 2^30 bytes and a gigabyte per second 10^9", "[core][units]") {
  CHECK(1_GiB == 1048576.0 * 1_KiB);
  CHECK(1_GB_s * Seconds{1.0} == Bytes{1e9});
}

TEST_CASE("like quantities divide to a plain number", "[core][units]") {
  CHECK(2_GiB / 1_GiB == 2.0);
}

}  // namespace
}  // namespace fathom
