#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::kernels::cpu {

/// One tile register: up to 16 rows of 64 bytes.
struct TileShape {
  int rows = 16;
  int row_bytes = 64;
};

/// AMX as the tile kernels see it. They are templates over this interface, so the same blocking
/// also runs on tiles emulated in software, which is how machines without AMX test it.
/// The instructions are written out because g++ 12 takes tile numbers as tokens only (a template
/// parameter is none), and its _tile_loadconfig drops the stores into the configuration.
struct HardwareTiles {
  [[gnu::always_inline]] static inline void configure(const TileShape (&shapes)[8]) {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {};
      std::uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; ++i) {
      config.rows[i] = static_cast<std::uint8_t>(shapes[i].rows);
      config.row_bytes[i] = static_cast<std::uint16_t>(shapes[i].row_bytes);
    }
    __asm__ volatile("ldtilecfg %0" : : "m"(config));
  }
  [[gnu::always_inline]] static inline void release() { __asm__ volatile("tilerelease"); }

  template <int tile>
  [[gnu::always_inline]] static inline void zero() {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(tile));
  }
  template <int tile>
  [[gnu::always_inline]] static inline void load(const void* rows, std::ptrdiff_t stride_bytes) {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2"
                     :
                     : "r"(rows), "r"(stride_bytes), "i"(tile)
                     : "memory");
  }
  template <int tile>
  [[gnu::always_inline]] static inline void store(void* rows, std::ptrdiff_t stride_bytes) {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)"
                     :
                     : "r"(rows), "r"(stride_bytes), "i"(tile)
                     : "memory");
  }
  /// sum[m][n] += a[m][2k] b[k][2n] + a[m][2k+1] b[k][2n+1] over the row pairs k: fp32 += bf16
  /// bf16.
  template <int sum, int a, int b>
  [[gnu::always_inline]] static inline void dot() {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
  }
  /// The same with four int8 products an element: int32 += int8 int8.
  template <int sum, int a, int b>
  [[gnu::always_inline]] static inline void dot_int8() {
    __asm__ volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(sum), "i"(a), "i"(b));
  }
};

}  // namespace fathom::kernels::cpu
