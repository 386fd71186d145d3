#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/cpu/buffer.hpp"
#include "kernels/cpu/isa.hpp"
#include "kernels/cpu/thread_pool.hpp"
#include "measure/summary.hpp"

namespace fathom::measure {

/// What the machine gives in the moment of a round. Every share of a peak in this project's
/// measurements is of these, because a shared machine is another machine a second later.
struct RoundCeilings {
  double compute = 0.0;    // FLOP/s that a matrix product can be fed with: AMX from L2, else the
                           // ISA's multiply-add rate
  double registers = 0.0;  // AMX without loads; elsewhere = compute
  double memory = 0.0;     // B/s of DRAM, interleaved sequential streams: CeilingProbe::streams()
  double l2 = 0.0;         // B/s of a buffer of half of L2
};

/// Buffers and bursts for the ceilings of one instruction set on one pool, made once.
class CeilingProbe {
 public:
  CeilingProbe(kernels::cpu::Isa isa, kernels::cpu::ThreadPool& pool, std::int64_t memory_bytes);
  /// Reads the whole DRAM buffer once. Hosts reclaim guest memory that lay idle for seconds (while
  /// a case was prepared, say): the first read after that is up to ten times slower.
  void warm_up();
  /// A few milliseconds: one burst of each kind, long enough to be read off the clock.
  RoundCeilings round();
  /// Only the arithmetic, some 300 us.
  double compute_burst();
  double register_burst();
  double memory_burst();
  double l2_burst();
  /// Read streams of a thread in memory_burst: eight, unless another number is clearly faster here.
  int streams() const { return streams_; }

 private:
  double read_burst(int streams);
  int fastest_streams();

  kernels::cpu::Isa isa_;
  kernels::cpu::ThreadPool& pool_;
  kernels::cpu::Buffer<char> dram_;                  // one part per worker
  std::vector<kernels::cpu::Buffer<char>> private_;  // per worker: half of L2, then 20 KiB
  std::int64_t l2_bytes_ = 0;
  int streams_ = 8;
  double touched_ = 0.0;     // when all of it was last read, on the wall clock
  std::int64_t window_ = 0;  // where the next DRAM burst starts, so that none is cached
};

/// One row of the table of ceilings that `fathom measure` prints.
struct CeilingRow {
  std::string name;  // "AVX-512 FMA fp32"
  std::string unit;  // FLOP/s or B/s
  int threads = 1;
  Summary rate;
};

/// Peaks by instruction set, bandwidth by level and number of streams, for one thread and for all.
std::vector<CeilingRow> measure_ceilings(kernels::cpu::ThreadPool& pool, std::int64_t dram_bytes);

nlohmann::json to_json(const CeilingRow& row);

}  // namespace fathom::measure
