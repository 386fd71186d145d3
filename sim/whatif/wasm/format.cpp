// fmt's own definitions, once: Debian's library is for the machine that builds, not for
// WebAssembly. What is instantiated is what fmt/format.h declares and does not define.
#include <fmt/format-inl.h>

FMT_BEGIN_NAMESPACE
namespace detail {
template char decimal_point_impl<char>(locale_ref);
template thousands_sep_result<char> thousands_sep_impl<char>(locale_ref);
}  // namespace detail
FMT_END_NAMESPACE
