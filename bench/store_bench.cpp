// How many rows a second a sweep's database takes in and gives out: 1,000,000 points of 10 inputs
// (2 texts, 6 whole numbers, 2 reals) and 14 results, random, so that nothing compresses by luck.
// Written to the current folder: run it where sweeps are kept.

#include <benchmark/benchmark.h>

#include <cstdio>
#include <ostream>
#include <streambuf>
#include <string>

#include "core/rng.hpp"
#include "sweep/database.hpp"
#include "sweep/export.hpp"
#include "sweep/merge.hpp"

namespace {

using namespace fathom;
using namespace fathom::sweep;

constexpr std::int64_t kPoints = 1'000'000;
constexpr const char* kPath = "store_bench.db";

Manifest example() {
  Manifest manifest{.range = {0, kPoints}, .whole = {0, kPoints}};
  for (int i = 0; i < 10; ++i) {
    Column column{.name = "/plan/field" + std::to_string(i)};
    if (i < 2) column = {column.name, ColumnKind::text, {"deepseek-v3", "deepseek-v3.2", "h800"}};
    if (i >= 2 && i < 8) column.kind = ColumnKind::integer;
    manifest.layout.inputs.push_back(column);
  }
  for (int i = 0; i < 14; ++i) {
    manifest.layout.results.push_back({"result_" + std::to_string(i), ColumnKind::real, {}});
  }
  manifest.provenance.entries = {{"version", "bench"}};
  return manifest;
}

Block full_block() {
  Rng rng(1);
  Block block;
  block.end = kBlockPoints;
  for (std::int64_t i = 0; i < kBlockPoints; ++i) {
    block.numbers.push_back(i);
    for (int column = 0; column < 10; ++column) {
      const auto pick = static_cast<double>(column < 2 ? rng.below(3) : 1U << rng.below(14));
      block.inputs.push_back(column < 8 ? pick : rng.uniform());
    }
    for (int column = 0; column < 14; ++column) block.results.push_back(rng.uniform());
    block.reason.push_back(-1);
  }
  return block;
}

// The same values at other numbers; the last block is shorter.
void move_to(Block& block, std::int64_t begin, std::int64_t end) {
  block.begin = begin;
  block.end = end;
  const auto rows = static_cast<std::size_t>(end - begin);
  block.numbers.resize(rows);
  block.inputs.resize(rows * 10);
  block.results.resize(rows * 14);
  block.reason.resize(rows);
  for (std::size_t i = 0; i < rows; ++i) block.numbers[i] = begin + static_cast<std::int64_t>(i);
}

void write_rows(const char* path, PointRange range) {
  Manifest manifest = example();
  manifest.range = range;
  Database database = Database::create(path, manifest, true);
  const Block full = full_block();
  Block block = full;
  while (database.next() < range.end) {
    const std::int64_t begin = database.next();
    const std::int64_t end = block_end(begin, range);
    if (static_cast<std::int64_t>(block.rows()) < end - begin) block = full;
    move_to(block, begin, end);
    database.append(block);
  }
  database.finish();
}

void count_rows(benchmark::State& state) {
  state.counters["rows_per_s"] = benchmark::Counter(
      static_cast<double>(state.iterations() * kPoints), benchmark::Counter::kIsRate);
}

void write(benchmark::State& state) {
  for (auto _ : state) write_rows(kPath, {0, kPoints});
  count_rows(state);
  std::remove(kPath);
}

void read(benchmark::State& state) {
  write_rows(kPath, {0, kPoints});
  for (auto _ : state) {
    std::size_t rows = 0;
    Reader::open(kPath).for_each([&](const Block& block) { rows += block.rows(); });
    benchmark::DoNotOptimize(rows);
  }
  count_rows(state);
  std::remove(kPath);
}

struct Nowhere : std::streambuf {
  std::streamsize xsputn(const char*, std::streamsize count) override { return count; }
  int overflow(int c) override { return c == EOF ? 0 : c; }
};

void export_all(benchmark::State& state, void (*write_export)(Reader&, std::ostream&)) {
  write_rows(kPath, {0, kPoints});
  Nowhere nowhere;
  std::ostream out(&nowhere);
  for (auto _ : state) {
    Reader reader = Reader::open(kPath);
    write_export(reader, out);
  }
  count_rows(state);
  std::remove(kPath);
}
void csv(benchmark::State& state) { export_all(state, export_csv); }
void jsonl(benchmark::State& state) { export_all(state, export_jsonl); }

void merge_two(benchmark::State& state) {
  const std::vector<std::string> shards = {"store_bench_0.db", "store_bench_1.db"};
  write_rows(shards[0].c_str(), {0, kPoints / 2});
  write_rows(shards[1].c_str(), {kPoints / 2, kPoints});
  for (auto _ : state) merge(shards, kPath, true);
  count_rows(state);
  for (const std::string& shard : shards) std::remove(shard.c_str());
  std::remove(kPath);
}

BENCHMARK(write)->Unit(benchmark::kMillisecond);
BENCHMARK(read)->Unit(benchmark::kMillisecond);
BENCHMARK(csv)->Unit(benchmark::kMillisecond);
BENCHMARK(jsonl)->Unit(benchmark::kMillisecond);
BENCHMARK(merge_two)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
