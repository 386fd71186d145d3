#include "train/schedules/bidirectional.hpp"

#include <array>
#include <deque>
#include <utility>

#include "core/error.hpp"

namespace fathom::train {
namespace {

/// Whether a step's messages are posted with it or by the caller at another time.
struct Post {
  bool receive = true;
  bool send = true;
};

/// Writes the order of one rank. Transfers are posted as they come up and committed, as one
/// exchange, before the next computation. Phases become modules here.
class Program {
 public:
  explicit Program(const BidirectionalRank& rank) : rank_(rank) {}

  void forward(int phase, Post post = {}) {
    if (post.receive) receive_activation(phase);
    compute({.kind = OpKind::forward, .module = module(phase), .chunk = next_forward(phase)});
    if (post.send) send_activation(phase);
  }
  void backward(int phase, Post post = {}) {
    if (post.receive) receive_gradient(phase);
    compute({.kind = OpKind::backward, .module = module(phase), .chunk = next_backward(phase)});
    if (post.send) send_gradient(phase);
  }
  /// A backward whose weight gradient waits for a call of weight().
  void input_gradient(int phase) {
    receive_gradient(phase);
    const PipelineOp op{OpKind::input_gradient, module(phase), next_backward(phase)};
    compute(op);
    deferred_.push_back({OpKind::weight_gradient, op.module, op.chunk});
    send_gradient(phase);
  }
  void weight() {
    FATHOM_EXPECT(!deferred_.empty(), "no weight gradient is waiting");
    compute(deferred_.front());
    deferred_.pop_front();
  }
  void overlapped(int forward_phase, int backward_phase, bool receive_forward = true) {
    if (receive_forward) receive_activation(forward_phase);
    receive_gradient(backward_phase);
    compute({.kind = OpKind::overlapped,
             .module = module(forward_phase),
             .chunk = next_forward(forward_phase),
             .backward_module = module(backward_phase),
             .backward_chunk = next_backward(backward_phase)});
    send_activation(forward_phase);
    send_gradient(backward_phase);
  }

  void receive_activation(int phase) { post({false, false, upstream(phase)}); }
  void send_activation(int phase) { post({true, false, downstream(phase)}); }
  void receive_gradient(int phase) { post({false, true, downstream(phase)}); }
  void send_gradient(int phase) { post({true, true, upstream(phase)}); }

  std::vector<PipelineOp> finish() {
    commit();
    return std::move(order_);
  }

 private:
  std::int64_t module(int phase) const { return rank_.swapped ? 1 - phase : phase; }
  std::int64_t next_forward(int phase) { return forwards_.at(index(module(phase)))++; }
  std::int64_t next_backward(int phase) { return backwards_.at(index(module(phase)))++; }
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

  // Module 0 is passed towards higher ranks, module 1 towards lower ones. Beyond the ends there is
  // nobody; DualPipeV's last rank hands over to itself, without a message.
  std::int64_t upstream(int phase) const {
    return module(phase) == 0 ? rank_.rank - 1 : rank_.rank + 1;
  }
  std::int64_t downstream(int phase) const {
    return module(phase) == 0 ? rank_.rank + 1 : rank_.rank - 1;
  }
  void post(Transfer transfer) {
    if (transfer.peer >= 0 && transfer.peer < rank_.ranks) pending_.push_back(transfer);
  }
  void commit() {
    if (pending_.empty()) return;
    order_.push_back({.kind = OpKind::exchange, .transfers = std::exchange(pending_, {})});
  }
  void compute(PipelineOp op) {
    commit();
    order_.push_back(std::move(op));
  }

  BidirectionalRank rank_;
  std::array<std::int64_t, 2> forwards_{};   // next chunk, by module
  std::array<std::int64_t, 2> backwards_{};  // next chunk, by module
  std::deque<PipelineOp> deferred_;
  std::vector<Transfer> pending_;
  std::vector<PipelineOp> order_;
};

/// Steps 1 and 2: nF0, nF0F1. Leaves with the receive of the next F0 posted.
void fill(Program& p, const BidirectionalRank& r) {
  const bool middle = r.position == r.depth - 1;
  for (std::int64_t i = 0; i < 2 * (r.depth - r.position - 1); ++i) p.forward(0);
  p.receive_activation(0);
  for (std::int64_t i = 0; i <= r.position; ++i) {
    const bool last = i == r.position;
    // Off the middle, F0 is sent together with F1: the neighbour needs it no earlier.
    p.forward(0, {.receive = false, .send = middle});
    p.receive_activation(0);
    p.forward(1, {.send = !middle || !last});
    if (!middle) p.send_activation(0);
  }
}

/// Step 4, the body: nF0B1F1B0.
void overlap(Program& p, const BidirectionalRank& r) {
  const std::int64_t rounds = r.chunks - 2 * r.depth + r.position + 1;
  for (std::int64_t i = 0; i < rounds; ++i) {
    if (i > 0) {
      p.overlapped(0, 1);
    } else if (r.position < r.depth - 1) {
      p.overlapped(0, 1, /*receive_forward=*/false);
    } else {
      // The middle turns chunks around: its first pair runs apart, which shortens the bubble.
      p.forward(0, {.receive = false, .send = false});
      p.send_activation(1);
      p.backward(1, {.send = false});
      p.send_activation(0);
      p.send_gradient(1);
    }
    p.overlapped(1, 0);
  }
}

/// Steps 6 to 8: nB1B0, nWB0, nW. The later half of the drain defers weight gradients.
void drain(Program& p, const BidirectionalRank& r) {
  const auto backward = [&p](int phase, bool defer) {
    defer ? p.input_gradient(phase) : p.backward(phase);
  };
  const std::int64_t pairs = r.position + 1;
  for (std::int64_t i = 0; i < pairs; ++i) {
    // The switch falls at half of the 2 * pairs backwards, between the two of a pair if odd.
    backward(1, 2 * i >= pairs);
    backward(0, 2 * i + 1 >= pairs);
  }
  for (std::int64_t i = 0; i < r.depth - r.position - 1; ++i) {
    p.weight();
    p.input_gradient(0);
  }
  for (std::int64_t i = 0; i < pairs; ++i) p.weight();
}

}  // namespace

std::vector<PipelineOp> bidirectional_order(const BidirectionalRank& r) {
  FATHOM_EXPECT(r.chunks >= 2 * r.depth, "too few chunks to fill a bidirectional pipeline");
  Program p{r};
  const std::int64_t before_middle = r.depth - r.position - 1;
  fill(p, r);
  for (std::int64_t i = 0; i < before_middle; ++i) {  // step 3: nB1W1F1
    p.input_gradient(1);
    p.receive_activation(1);
    p.weight();
    p.forward(1, {.receive = false});
  }
  overlap(p, r);
  for (std::int64_t i = 0; i < before_middle; ++i) {  // step 5: nB1F1B0
    p.backward(1);
    p.overlapped(1, 0);
  }
  drain(p, r);
  return p.finish();
}

}  // namespace fathom::train
