#include "kernels/cpu/buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace fathom::kernels::cpu {
namespace {

constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t rounded_up(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

void* allocate_aligned(std::size_t bytes) {
  const bool huge = bytes >= kHugePage;
  const std::size_t alignment = huge ? kHugePage : kCacheLine;
  // Aligned-tile reads may run over the end of a row, never over the padding of the last line.
  const std::size_t size = rounded_up(bytes + kCacheLine, alignment);
  void* memory = std::aligned_alloc(alignment, size);
  if (memory == nullptr) throw std::bad_alloc{};
  if (huge) madvise(memory, size, MADV_HUGEPAGE);  // a wish: without huge pages it is slower
  std::memset(memory, 0, size);
  return memory;
}

void free_aligned(void* memory) noexcept { std::free(memory); }

}  // namespace fathom::kernels::cpu
