#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fathom::train {

/// What a pipeline rank does next.
enum class OpKind {
  forward,
  backward,         ///< gradients of the input and of the weights
  input_gradient,   ///< of the input only; the weights' follows later (zero bubble, arXiv
                    ///< 2401.10241)
  weight_gradient,  ///< the deferred part
  overlapped,       ///< a forward and a backward whose communication hides behind each other
  exchange,         ///< posts transfers and waits for them
};

/// One point-to-point message of an exchange.
struct Transfer {
  bool send = false;      // else receive
  bool gradient = false;  // of an activation's gradient, else of an activation
  std::int64_t peer = 0;  // rank
  bool operator==(const Transfer&) const = default;
};

/// One entry of a rank's order. A module is one of the model parts a rank holds; chunks
/// (micro-batches) are counted per path through the pipeline.
struct PipelineOp {
  OpKind kind = OpKind::forward;
  std::int64_t module = 0;
  std::int64_t chunk = 0;
  std::int64_t backward_module = 0;  // overlapped only: module and chunk above go forward
  std::int64_t backward_chunk = 0;
  std::vector<Transfer> transfers;  // exchange only, in the order of posting
  bool operator==(const PipelineOp&) const = default;
};

/// Where a module sits: chunks of `path` visit stages 0, 1, … forward, and back for gradients.
struct Stage {
  std::int64_t path = 0;
  std::int64_t stage = 0;
  bool operator==(const Stage&) const = default;
};

/// What every rank executes, in order.
struct PipelineSchedule {
  std::vector<std::vector<PipelineOp>> orders;  // [rank]
  std::vector<std::vector<Stage>> stages;       // [rank][module]
  std::int64_t num_stages = 0;                  // of a path
};

/// "F:0:3", "B:1:2", "Bi:1:2", "W:1:2", "FB:0:3:1:1" (module:chunk, forward first) or
/// "X:s1,s1,r1" (an exchange with rank 1: two sends, a receive).
std::string to_text(const PipelineOp& op);

/// For pipelines of one module per rank: "F:3", "B:2", and exchanges by what they carry, as in
/// "send_f+recv_b" (f: activation, b: gradient).
std::string to_single_module_text(const PipelineOp& op);

}  // namespace fathom::train
