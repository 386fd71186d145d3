#include "kernels/cpu/product_tiles.hpp"

namespace fathom::kernels::cpu::amx {
namespace {

struct Tiles : HardwareTiles {};
struct Engine : blocks::TileEngine<Tiles> {};

}  // namespace

const ProductKernels kProduct = {.element_bytes = Engine::kElementBytes,
                                 .block_unit = 2 * Engine::kRows,
                                 .unit = Engine::unit,
                                 .pack = blocks::pack<Engine>,
                                 .product = blocks::run<Engine>};

}  // namespace fathom::kernels::cpu::amx
