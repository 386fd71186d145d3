#include "kernels/cpu/attention_tiles.hpp"

namespace fathom::kernels::cpu::amx {

AttentionKernel attention_kernel() {
  return {.attend = AttentionTiles<HardwareTiles>::attend,
          .index = AttentionTiles<HardwareTiles>::index,
          .terms_per_word = 2,
          .block_rows = 256,
          .spread_asks = true,
          .few_block_rows = 128};
}

}  // namespace fathom::kernels::cpu::amx
