#pragma once

#include <cstdint>

#include "kernels/cpu/attention_beside.hpp"
#include "kernels/cpu/attention_job.hpp"
#include "kernels/cpu/attention_softmax.hpp"
#include "kernels/cpu/index_vector.hpp"
#include "kernels/cpu/tiles.hpp"

// Attention on tiles. Scores are S^T = K Q^T: cache rows are A tiles as they lie in memory, packed
// queries are B tiles, and the softmax runs down the rows with 16 query rows per vector. It runs
// between the tile operations of the next two groups, on the vector units that these leave idle.
namespace fathom::kernels::cpu {
namespace {

template <class Tiles>
struct AttentionTiles {
  static constexpr std::ptrdiff_t kTileRow = 64;  // bytes
  static constexpr std::int64_t kTileWords = 256;

  /// Scores of groups g, g + 1 and 32 cache rows from chunk c on.
  static void score_pair(const AttentionJob& job, const KeyBlock& block, std::int64_t g,
                         std::int64_t c, Beside& beside) {
    const Word* panel = job.queries + g * job.qk_padded / 2 * kLanes;
    const Word* panel1 = panel + job.qk_padded / 2 * kLanes;
    const Chunk &a = block.keys[c], &b = block.keys[c + 1];
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
    for (std::int64_t k = 0; k < job.qk_padded / 32; ++k) {
      Tiles::template load<4>(a.rows + k * 32, 2 * a.stride);
      Tiles::template load<6>(panel + k * kTileWords, kTileRow);
      Tiles::template dot<0, 4, 6>();
      Tiles::template load<7>(panel1 + k * kTileWords, kTileRow);
      Tiles::template dot<1, 4, 7>();
      Tiles::template load<5>(b.rows + k * 32, 2 * b.stride);
      Tiles::template dot<2, 5, 6>();
      Tiles::template dot<3, 5, 7>();
      beside.step();
    }
    float* out = AttentionSteps<TilePairs>::scores_of(job, g) + c * kChunkRows * kLanes;
    float* out1 = out + job.block_rows * kLanes;
    Tiles::template store<0>(out, kTileRow);
    Tiles::template store<1>(out1, kTileRow);
    Tiles::template store<2>(out + kTileWords, kTileRow);
    Tiles::template store<3>(out1 + kTileWords, kTileRow);
  }

  /// Scores of group g and 32 or 64 cache rows: `chunks` A tiles meet one B tile.
  template <int chunks>
  static void score_one(const AttentionJob& job, const KeyBlock& block, std::int64_t g,
                        std::int64_t c, Beside& beside) {
    const Word* panel = job.queries + g * job.qk_padded / 2 * kLanes;
    const Chunk* a = block.keys + c;
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
    for (std::int64_t k = 0; k < job.qk_padded / 32; ++k) {
      Tiles::template load<6>(panel + k * kTileWords, kTileRow);
      Tiles::template load<4>(a[0].rows + k * 32, 2 * a[0].stride);
      Tiles::template dot<0, 4, 6>();
      Tiles::template load<5>(a[1].rows + k * 32, 2 * a[1].stride);
      Tiles::template dot<1, 5, 6>();
      if constexpr (chunks == 4) {
        Tiles::template load<4>(a[2].rows + k * 32, 2 * a[2].stride);
        Tiles::template dot<2, 4, 6>();
        Tiles::template load<5>(a[3].rows + k * 32, 2 * a[3].stride);
        Tiles::template dot<3, 5, 6>();
      }
      beside.step();
    }
    float* out = AttentionSteps<TilePairs>::scores_of(job, g) + c * kChunkRows * kLanes;
    Tiles::template store<0>(out, kTileRow);
    Tiles::template store<1>(out + kTileWords, kTileRow);
    if constexpr (chunks == 4) {
      Tiles::template store<2>(out + 2 * kTileWords, kTileRow);
      Tiles::template store<3>(out + 3 * kTileWords, kTileRow);
    }
  }

  /// Scores of groups g and, if there is one, g + 1 against `chunks` chunks of the block.
  static void score(const AttentionJob& job, const KeyBlock& block, std::int64_t g,
                    std::int64_t chunks, Beside& beside) {
    std::int64_t c = 0;
    if (g + 1 < job.groups) {
      for (; c < chunks; c += 2) score_pair(job, block, g, c, beside);
      return;
    }
    for (; c + 4 <= chunks; c += 4) score_one<4>(job, block, g, c, beside);
    if (c < chunks) score_one<2>(job, block, g, c, beside);
  }

  /// Tiles 0 to 3 to or from the output: `groups` x `panels`, in this order.
  template <int groups, int panels, bool store>
  static void move_out(float* out, std::int64_t group) {
    float* last = groups == 2 ? out + group : out + 2 * kTileWords;
    if constexpr (store) {
      Tiles::template store<0>(out, kTileRow);
      Tiles::template store<1>(out + kTileWords, kTileRow);
      if constexpr (groups * panels == 4) {
        Tiles::template store<2>(last, kTileRow);
        Tiles::template store<3>(last + kTileWords, kTileRow);
      }
    } else {
      Tiles::template load<0>(out, kTileRow);
      Tiles::template load<1>(out + kTileWords, kTileRow);
      if constexpr (groups * panels == 4) {
        Tiles::template load<2>(last, kTileRow);
        Tiles::template load<3>(last + kTileWords, kTileRow);
      }
    }
  }

  /// Output of `groups` groups from g on, `panels` panels of values that lie packed.
  template <int groups, int panels>
  static void add_values(const AttentionJob& job, std::int64_t g, std::int64_t v,
                         const Word* values, std::int64_t rows) {
    const std::int64_t stride = job.block_rows / 2 * kLanes;  // words of a panel, of a group
    const Word* probs = job.probs + g * stride;
    float* out = job.out + (g * job.v_padded + v) * kLanes;
    move_out<groups, panels, false>(out, job.v_padded * kLanes);
    for (std::int64_t at = 0; at < rows / 2 * kLanes; at += kTileWords) {
      Tiles::template load<4>(probs + at, kTileRow);
      Tiles::template load<6>(values + at, kTileRow);
      Tiles::template dot<0, 4, 6>();
      Tiles::template load<7>(values + stride + at, kTileRow);
      Tiles::template dot<1, 4, 7>();
      if constexpr (groups == 2) {
        Tiles::template load<5>(probs + stride + at, kTileRow);
        Tiles::template dot<2, 5, 6>();
        Tiles::template dot<3, 5, 7>();
      } else if constexpr (panels == 4) {
        Tiles::template load<6>(values + 2 * stride + at, kTileRow);
        Tiles::template dot<2, 4, 6>();
        Tiles::template load<7>(values + 3 * stride + at, kTileRow);
        Tiles::template dot<3, 4, 7>();
      }
    }
    move_out<groups, panels, true>(out, job.v_padded * kLanes);
  }

  /// Output += P V in strips of up to 64 values, each packed into L1 once for all groups.
  static void accumulate(const AttentionJob& job, const KeyBlock& block,
                         const std::int64_t* reach) {
    const std::int64_t stride = job.block_rows / 2 * kLanes;
    for (std::int64_t v = 0; v < job.v_padded; v += 64) {
      const bool wide = v + 64 <= job.v_padded;
      pair_value_panels(job, block, v, job.value_words);
      if (wide) pair_value_panels(job, block, v + 32, job.value_words + 2 * stride);
      for (std::int64_t g = 0; g < job.groups; g += 2) {
        const std::int64_t rows = reach[g / 2];
        if (rows == 0) continue;
        if (g + 1 == job.groups) {
          wide ? add_values<1, 4>(job, g, v, job.value_words, rows)
               : add_values<1, 2>(job, g, v, job.value_words, rows);
          continue;
        }
        add_values<2, 2>(job, g, v, job.value_words, rows);
        if (wide) add_values<2, 2>(job, g, v + 32, job.value_words + 2 * stride, rows);
      }
    }
  }

  /// Scores of all groups; the softmax of two groups runs beside the scores of the next two.
  /// `reach`: rows that each two took part in.
  static void weigh(const AttentionJob& job, const KeyBlock& block, std::int64_t first,
                    std::int64_t* reach) {
    using Steps = AttentionSteps<TilePairs>;
    const std::int64_t rows = block.chunks * kChunkRows;
    // Packing values asks for their lines; the rest of the next keys is asked for here.
    Beside beside{
        .lines = {block.next_keys, block.chunks, job.shared ? job.ask_from : 0, job.qk_padded}};
    const std::int64_t turns = job.qk_padded / 32 * (block.chunks / 2) * ((job.groups + 1) / 2);
    beside.lines_per_step = (beside.lines.lines() + turns - 1) / turns;
    for (std::int64_t g = 0; g < job.groups; g += 2) {
      const int groups = g + 1 < job.groups ? 2 : 1;
      std::int64_t reached = 0;
      for (std::int64_t i = g; i < g + groups; ++i) {
        const std::int64_t own = Steps::reach(job, i, first, rows);
        if (own > reached) reached = own;
      }
      reach[g / 2] = reached;
      if (reached == 0) continue;
      const std::int64_t passes = job.qk_padded / 32 * (reached / 32);
      beside.softmax_per_step = (beside.softmax.steps() + passes - 1) / passes;
      score(job, block, g, reached / kChunkRows, beside);
      beside.softmax.finish();
      beside.softmax = SoftmaxSteps{job, g, groups, first, reached};
    }
    beside.softmax.finish();
  }

  static void attend(const AttentionJob& job) {
    const TileShape full[8] = {};
    Tiles::configure(full);
    KeyBlock block;
    std::int64_t reach[kMaxGroups / 2];
    for (std::int64_t first = job.first; first < job.last; first += job.block_rows) {
      const std::int64_t left = job.last - first;
      load_block(job, first, left < job.block_rows ? left : job.block_rows, block);
      weigh(job, block, first, reach);
      accumulate(job, block, reach);
    }
    Tiles::release();
  }

  static void index(const IndexJob& index) {
    const TileShape full[8] = {};
    Tiles::configure(full);
    IndexSteps<TilePairs>::run(index, [&index](const KeyBlock& block) {
      const AttentionJob& job = index.job;
      Beside beside{.lines = {block.next_keys, block.chunks, 0, job.qk_padded}};
      const std::int64_t turns = job.qk_padded / 32 * (block.chunks / 2) * ((job.groups + 1) / 2);
      beside.lines_per_step = (beside.lines.lines() + turns - 1) / turns;
      for (std::int64_t g = 0; g < job.groups; g += 2) score(job, block, g, block.chunks, beside);
    });
    Tiles::release();
  }
};

}  // namespace
}  // namespace fathom::kernels::cpu
