#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace fathom::kernels::cpu {

/// Zeroed memory, 64-byte aligned; from 2 MiB up aligned to huge pages and asking for them.
/// Every page is touched, so a timed kernel meets no page fault. std::bad_alloc when it does not
/// fit.
void* allocate_aligned(std::size_t bytes);
void free_aligned(void* memory) noexcept;

/// Owning array of plain values for the fast kernels.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::int64_t count)
      : data_(static_cast<T*>(allocate_aligned(static_cast<std::size_t>(count) * sizeof(T)))),
        size_(static_cast<std::size_t>(count)) {}

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::int64_t size() const { return static_cast<std::int64_t>(size_); }
  std::size_t bytes() const { return size_ * sizeof(T); }
  bool empty() const { return size_ == 0; }
  std::span<T> span() { return {data_.get(), size_}; }
  std::span<const T> span() const { return {data_.get(), size_}; }
  T& operator[](std::int64_t i) { return data_.get()[i]; }
  const T& operator[](std::int64_t i) const { return data_.get()[i]; }

 private:
  struct Free {
    void operator()(T* memory) const noexcept { free_aligned(memory); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace fathom::kernels::cpu
