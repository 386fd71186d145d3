#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/cpu/bf16.hpp"

namespace fathom::collectives {

/// The ranks that mpirun started, through the MPI module beside the program. One at a time: MPI
/// starts once in a process.
class Communicator {
 public:
  /// InputError telling how to start more ranks, or what to build, when there is nobody to talk to.
  Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }
  const std::string& version() const { return version_; }

  void barrier();
  double max(double value);
  bool any(bool value) { return max(value ? 1.0 : 0.0) > 0.0; }
  void all_reduce(std::span<const float> in, std::span<float> out);
  /// `in` of every rank, in the order of ranks.
  void all_gather(std::span<const float> in, std::span<float> out);
  /// Equal parts, one for every rank.
  void all_to_all(std::span<const float> in, std::span<float> out);
  /// One number for every rank.
  std::vector<int> exchange_counts(const std::vector<int>& counts);
  /// Rows of `width` elements, back to back in the order of ranks.
  struct Rows {
    const kernels::cpu::Bf16* sent = nullptr;
    const std::vector<int>& sent_rows;
    kernels::cpu::Bf16* received = nullptr;
    const std::vector<int>& received_rows;
  };
  void exchange_rows(const Rows& rows, std::int64_t width);

 private:
  struct Module;
  const Module* module_ = nullptr;
  int rank_ = 0;
  int ranks_ = 1;
  std::string version_;
};

}  // namespace fathom::collectives
