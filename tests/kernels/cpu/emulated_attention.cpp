#include "emulated_attention.hpp"

#include "emulated_tiles.hpp"
#include "kernels/cpu/attention_tiles.hpp"

namespace fathom::kernels::cpu {

AttentionKernel emulated_attention_kernel() {
  return {.attend = AttentionTiles<EmulatedTiles>::attend,
          .index = AttentionTiles<EmulatedTiles>::index,
          .terms_per_word = 2,
          .block_rows = 256,
          .spread_asks = true,
          .few_block_rows = 128};
}

}  // namespace fathom::kernels::cpu
