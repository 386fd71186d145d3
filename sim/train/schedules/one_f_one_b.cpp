#include "train/schedules/one_f_one_b.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"

namespace fathom::train {
namespace {

/// The order of one rank as it is written.
class Rank {
 public:
  Rank(std::int64_t rank, std::int64_t ranks) : rank_(rank), ranks_(ranks) {}

  void forward() { order_.push_back({.kind = OpKind::forward, .chunk = forwards_++}); }
  void backward() { order_.push_back({.kind = OpKind::backward, .chunk = backwards_++}); }

  /// Exchange with the rank after this one, if there is one.
  void with_next(bool send_activation, bool receive_gradient) {
    if (rank_ + 1 < ranks_) exchange(rank_ + 1, {send_activation, false}, {receive_gradient, true});
  }
  /// Exchange with the rank before this one, if there is one.
  void with_previous(bool send_gradient, bool receive_activation) {
    if (rank_ > 0) exchange(rank_ - 1, {send_gradient, true}, {receive_activation, false});
  }

  std::vector<PipelineOp> take() { return std::move(order_); }

 private:
  struct Message {
    bool wanted;
    bool gradient;
  };
  void exchange(std::int64_t peer, Message sent, Message received) {
    PipelineOp op{.kind = OpKind::exchange};
    if (sent.wanted) op.transfers.push_back({true, sent.gradient, peer});
    if (received.wanted) op.transfers.push_back({false, received.gradient, peer});
    order_.push_back(op);
  }

  std::int64_t rank_;
  std::int64_t ranks_;
  std::int64_t forwards_ = 0;
  std::int64_t backwards_ = 0;
  std::vector<PipelineOp> order_;
};

std::vector<PipelineOp> order_of(std::int64_t rank, std::int64_t ranks, std::int64_t microbatches) {
  const std::int64_t warmup = std::min(microbatches, ranks - rank - 1);
  const std::int64_t steady = microbatches - warmup;
  Rank out{rank, ranks};
  for (std::int64_t i = 0; i < warmup; ++i) {
    out.with_previous(false, true);
    out.forward();
    out.with_next(true, false);
  }
  if (steady > 0) out.with_previous(false, true);
  for (std::int64_t i = 0; i < steady; ++i) {
    out.forward();
    out.with_next(true, true);
    out.backward();
    out.with_previous(true, i + 1 < steady);
  }
  for (std::int64_t i = 0; i < warmup; ++i) {
    out.with_next(false, true);
    out.backward();
    out.with_previous(true, false);
  }
  return out.take();
}

}  // namespace

PipelineSchedule one_f_one_b(std::int64_t ranks, std::int64_t microbatches) {
  FATHOM_EXPECT(ranks > 0 && microbatches > 0, "an empty pipeline");
  PipelineSchedule out{.num_stages = ranks};
  for (std::int64_t rank = 0; rank < ranks; ++rank) {
    out.orders.push_back(order_of(rank, ranks, microbatches));
    out.stages.push_back({{.path = 0, .stage = rank}});
  }
  return out;
}

}  // namespace fathom::train
