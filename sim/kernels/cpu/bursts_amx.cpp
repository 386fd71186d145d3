#include "kernels/cpu/bursts.hpp"
#include "kernels/cpu/tiles.hpp"

namespace fathom::kernels::cpu::amx {
namespace {

using Tiles = HardwareTiles;
constexpr double kFlopsPerDot = 2.0 * 16 * 16 * 32;
constexpr std::int64_t kTileBytes = 1024;

void configure() {
  const TileShape full[8] = {};
  Tiles::configure(full);
}

void zero_sums() {
  Tiles::zero<0>();
  Tiles::zero<1>();
  Tiles::zero<2>();
  Tiles::zero<3>();
}

void dot_all() {
  Tiles::dot<0, 4, 6>();
  Tiles::dot<1, 4, 7>();
  Tiles::dot<2, 5, 6>();
  Tiles::dot<3, 5, 7>();
}

}  // namespace

double tile_burst(std::int64_t rounds) {
  configure();
  zero_sums();
  Tiles::zero<4>();
  Tiles::zero<5>();
  Tiles::zero<6>();
  Tiles::zero<7>();
  for (std::int64_t i = 0; i < rounds; ++i) {
    dot_all();
    dot_all();
  }
  Tiles::release();
  return 8.0 * kFlopsPerDot * static_cast<double>(rounds);
}

double tile_int8_burst(std::int64_t rounds) {
  constexpr double kOpsPerDot = 2.0 * 16 * 16 * 64;
  configure();
  zero_sums();
  Tiles::zero<4>();
  Tiles::zero<5>();
  Tiles::zero<6>();
  Tiles::zero<7>();
  for (std::int64_t i = 0; i < rounds; ++i) {
    Tiles::dot_int8<0, 4, 6>();
    Tiles::dot_int8<1, 4, 7>();
    Tiles::dot_int8<2, 5, 6>();
    Tiles::dot_int8<3, 5, 7>();
  }
  Tiles::release();
  return 4.0 * kOpsPerDot * static_cast<double>(rounds);
}

double tile_l2_burst(const void* b, std::int64_t b_bytes, void* scratch, std::int64_t rounds) {
  constexpr int kSteps = 8;  // k-steps between two visits of C
  constexpr std::int64_t kPanel = kSteps * 2 * kTileBytes;
  const auto* panels = static_cast<const char*>(b);
  auto* a = static_cast<char*>(scratch);
  char* c = a + kSteps * 2 * kTileBytes;
  configure();
  for (std::int64_t i = 0, at = 0; i < rounds; ++i, at = (at + kPanel) % b_bytes) {
    Tiles::load<0>(c, 64);
    Tiles::load<1>(c + kTileBytes, 64);
    Tiles::load<2>(c + 2 * kTileBytes, 64);
    Tiles::load<3>(c + 3 * kTileBytes, 64);
    for (int k = 0; k < kSteps; ++k) {
      const std::int64_t step = k * 2 * kTileBytes;
      Tiles::load<4>(a + step, 64);
      Tiles::load<6>(panels + at + step, 64);
      Tiles::dot<0, 4, 6>();
      Tiles::load<7>(panels + at + step + kTileBytes, 64);
      Tiles::dot<1, 4, 7>();
      Tiles::load<5>(a + step + kTileBytes, 64);
      Tiles::dot<2, 5, 6>();
      Tiles::dot<3, 5, 7>();
    }
    Tiles::store<0>(c, 64);
    Tiles::store<1>(c + kTileBytes, 64);
    Tiles::store<2>(c + 2 * kTileBytes, 64);
    Tiles::store<3>(c + 3 * kTileBytes, 64);
  }
  Tiles::release();
  return 4.0 * kSteps * kFlopsPerDot * static_cast<double>(rounds);
}

}  // namespace fathom::kernels::cpu::amx
