// Compiled for AVX-512, hence no test framework in here.
#include "emulated_tiles.hpp"
#include "kernels/cpu/product_tiles.hpp"

namespace fathom::kernels::cpu {
namespace {

struct Tiles : EmulatedTiles {};
struct Engine : blocks::TileEngine<Tiles> {};

}  // namespace

extern const ProductKernels kEmulatedProduct;
const ProductKernels kEmulatedProduct = {.element_bytes = Engine::kElementBytes,
                                         .block_unit = 2 * Engine::kRows,
                                         .unit = Engine::unit,
                                         .pack = blocks::pack<Engine>,
                                         .product = blocks::run<Engine>};

}  // namespace fathom::kernels::cpu
