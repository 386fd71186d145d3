#pragma once

#include <string_view>
#include <vector>

#include "model/step_shape.hpp"
#include "model/tensors.hpp"
#include "ops/op.hpp"

namespace fathom::model {

/// Where in a layer an operator stands: the places where a scheduler may cut a layer and let
/// another micro-batch in. DeepSeek's two-batch decode splits attention before the core (step order
/// in timing/schedule.hpp).
enum class Stage : std::uint8_t {
  embed,
  attention_1,  // norm, projections up to the queries
  attention_2,  // core, output projection, router
  dispatch,     // tokens on the way to their experts (communication, inserted by map())
  shared,       // shared experts: need only the router's input, so they may run beside the dispatch
  experts,      // permute, routed experts, weighted sum
  combine,      // and back
  receive,      // SM time of the combine's receiving side: belongs before the next layer
  dense,        // dense FFN
  head
};
inline constexpr std::size_t kStageCount = 10;
std::string_view name(Stage stage);

struct OpNode {
  std::string_view name;  // static storage
  ops::Op op;
  Shard shard = Shard::replicated;
  Stage stage = Stage::attention_1;
  bool operator==(const OpNode&) const = default;
};

inline constexpr int kOuterBlock = -1;  // embedding, head
inline constexpr int kMtpBlock = -2;

/// nodes[begin, end) make one block, executed `repeat` times per step.
struct Block {
  std::string_view name;
  int kind = kOuterBlock;  // layer kind, or one of the two above
  int repeat = 1;
  int begin = 0;
  int end = 0;
  bool operator==(const Block&) const = default;
};

/// The whole model on one shape, in order: embedding, one block per layer kind, head, MTP. Flat so
/// that refilling reuses storage.
struct OpGraph {
  std::vector<OpNode> nodes;
  std::vector<Block> blocks;
  bool operator==(const OpGraph&) const = default;
};

}  // namespace fathom::model
