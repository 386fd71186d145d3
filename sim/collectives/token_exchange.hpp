#pragma once

#include <cstdint>
#include <vector>

#include "collectives/communicator.hpp"
#include "kernels/cpu/buffer.hpp"

namespace fathom::collectives {

/// Tokens of one rank and the experts that the whole group holds, dealt out to ranks in order.
struct TokenShape {
  std::int64_t tokens = 1;
  std::int64_t hidden = 7168;  // DeepSeek-V3 (arXiv 2412.19437, 4.2): top-8 of 256
  std::int64_t experts = 256;
  std::int64_t choices = 8;
};

/// Which rows a rank sends: one copy of a token to each rank that holds one of its experts, grouped
/// by that rank, tokens ascending.
struct Routing {
  std::vector<std::int32_t> token;    // of each row
  std::vector<std::int32_t> experts;  // how many of the token's experts the row's rank holds
  std::vector<int> rows;              // per rank
};
/// Free routing, every choice of experts equally likely; any rank can redo any other's draw.
Routing draw_routing(const TokenShape& shape, int ranks, int rank, std::uint64_t seed);

/// The rows that reach `rank`, in the order in which they must lie: by source, tokens ascending.
struct Arrival {
  int source = 0;
  std::int32_t token = 0;
  std::int32_t experts = 0;
};
std::vector<Arrival> arrivals(const TokenShape& shape, int ranks, int rank, std::uint64_t seed);

/// Expert parallelism as the throughput kernels of DeepEP do it, on real rows of bf16: dispatch
/// gathers the rows, exchanges counts and then the rows; combine returns each rank's partial result
/// and adds them up in fp32.
class TokenExchange {
 public:
  TokenExchange(const TokenShape& shape, Communicator& ranks, std::uint64_t seed);

  void dispatch();
  /// In place of the experts: each row times the number of its experts on this rank.
  void run_experts();
  void combine();

  /// Poisons what the next dispatch or combine writes.
  void poison();
  /// Elements that are not those of the token that belongs there; after dispatch().
  std::int64_t wrong_rows() const;
  /// Elements that are not `choices` times the token's own; after combine().
  std::int64_t wrong_sums() const;

 private:
  TokenShape shape_;
  Communicator& ranks_;
  Routing routing_;
  std::vector<Arrival> arrivals_;
  std::vector<int> received_rows_;
  kernels::cpu::Buffer<kernels::cpu::Bf16> tokens_, sent_, received_, partial_, returned_, out_;
  std::vector<float> sums_;
};

}  // namespace fathom::collectives
