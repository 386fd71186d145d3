#include "train/pipeline_op.hpp"

#include <fmt/format.h>

namespace fathom::train {
namespace {

std::string joined(const std::vector<Transfer>& transfers, const char* separator,
                   std::string (*text)(const Transfer&)) {
  std::string out;
  for (const Transfer& t : transfers) out += (out.empty() ? "" : separator) + text(t);
  return out;
}

std::string peer_text(const Transfer& t) { return fmt::format("{}{}", t.send ? 's' : 'r', t.peer); }

std::string content_text(const Transfer& t) {
  return fmt::format("{}_{}", t.send ? "send" : "recv", t.gradient ? 'b' : 'f');
}

const char* prefix(OpKind kind) {
  switch (kind) {
    case OpKind::forward:
      return "F";
    case OpKind::backward:
      return "B";
    case OpKind::input_gradient:
      return "Bi";
    case OpKind::weight_gradient:
      return "W";
    case OpKind::overlapped:
      return "FB";
    case OpKind::exchange:
      return "X";
  }
  return "";
}

}  // namespace

std::string to_text(const PipelineOp& op) {
  if (op.kind == OpKind::exchange) return "X:" + joined(op.transfers, ",", peer_text);
  const std::string text = fmt::format("{}:{}:{}", prefix(op.kind), op.module, op.chunk);
  return op.kind == OpKind::overlapped
             ? fmt::format("{}:{}:{}", text, op.backward_module, op.backward_chunk)
             : text;
}

std::string to_single_module_text(const PipelineOp& op) {
  if (op.kind == OpKind::exchange) return joined(op.transfers, "+", content_text);
  return fmt::format("{}:{}", prefix(op.kind), op.chunk);
}

}  // namespace fathom::train
