#include "measure/ceilings.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/error.hpp"
#include "kernels/cpu/bursts.hpp"
#include "measure/stopwatch.hpp"

namespace fathom::measure {
namespace {

using kernels::cpu::Buffer;
using kernels::cpu::Isa;
using kernels::cpu::ThreadPool;
namespace cpu = kernels::cpu;

constexpr std::int64_t kKib = 1024;
constexpr std::int64_t kMib = 1024 * kKib;
constexpr std::int64_t kWindow = 8 * kMib;  // of a DRAM burst and thread: about half a millisecond
constexpr std::int64_t kTileScratch = 20 * kKib;
constexpr std::int64_t kPanel = 16 * kKib;  // tile_l2_burst walks B in steps of this

constexpr std::array kStreamCounts{1, 2, 4, 8, 16};

using ReadBurst = double (*)(const void*, std::int64_t, int);

// Without AVX-512 the portable loop is all there is; which instructions it becomes is the build's
// business.
ReadBurst read_burst_of() {
#if defined(__x86_64__)
  if (supported(Isa::avx512)) return cpu::avx512::read_burst;
#endif
  return cpu::portable::read_burst;
}

// Work of all workers over the time it took.
template <class Burst>
double rate(ThreadPool& pool, Burst burst) {
  const Clock clock = clock_for(pool.size());
  std::vector<double> work(static_cast<std::size_t>(pool.size()));
  const double start = clock();
  pool.run([&](int worker) { work[static_cast<std::size_t>(worker)] = burst(worker); });
  const double time = clock() - start;
  double sum = 0.0;
  for (const double part : work) sum += part;
  return time > 0.0 ? sum / time : 0.0;
}

// Rounds of each burst for some 300 us on machines of the last ten years; the rate does not depend
// on it.
constexpr std::int64_t kFmaRounds = 60'000;
constexpr std::int64_t kTileRounds = 4'000;

double multiply_add_burst(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512_bf16) return cpu::avx512_bf16::dot_burst(kFmaRounds);
  if (isa != Isa::portable) return cpu::avx512::fma_burst(kFmaRounds);
#endif
  return cpu::portable::fma_burst(kFmaRounds / 4 + (isa == Isa::portable ? 0 : 1));
}

std::int64_t half_of_l2() {
  const std::int64_t l2 = cpu::cpu_features().l2_bytes;
  const std::int64_t per_core = l2 > 0 ? l2 : kMib;
  return std::max(kPanel, per_core / 2 / kPanel * kPanel);
}

}  // namespace

CeilingProbe::CeilingProbe(Isa isa, ThreadPool& pool, std::int64_t memory_bytes)
    : isa_(isa),
      pool_(pool),
      dram_(std::max<std::int64_t>(memory_bytes / pool.size() / kWindow, 2) * kWindow *
            pool.size()),
      l2_bytes_(half_of_l2()) {
  for (int i = 0; i < pool.size(); ++i) private_.emplace_back(l2_bytes_ + kTileScratch);
  streams_ = fastest_streams();
}

// A Sapphire Rapids guest reads half as much again with eight streams as with one (20 GB/s against
// 13), a Zen 4 guest a fourth less (21 against 28). A ceiling that kernels pass is none.
int CeilingProbe::fastest_streams() {
  constexpr double kClearly = 1.1;  // medians of seven differ by some percent in any case
  constexpr int kRounds = 7;
  constexpr std::size_t kUsual = 3;
  std::array<std::vector<double>, kStreamCounts.size()> rates;
  static_assert(kStreamCounts[kUsual] == 8);
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < kStreamCounts.size(); ++i)
      rates[i].push_back(read_burst(kStreamCounts[i]));
  std::array<double, kStreamCounts.size()> medians{};
  for (std::size_t i = 0; i < rates.size(); ++i) medians[i] = summarize(rates[i]).median;
  const auto best = std::max_element(medians.begin(), medians.end());
  const auto at = static_cast<std::size_t>(best - medians.begin());
  return kStreamCounts[*best > kClearly * medians[kUsual] ? at : kUsual];
}

double CeilingProbe::compute_burst() {
#if defined(__x86_64__)
  if (isa_ == Isa::amx) {
    return rate(pool_, [&](int worker) {
      Buffer<char>& mine = private_[static_cast<std::size_t>(worker)];
      return cpu::amx::tile_l2_burst(mine.data(), l2_bytes_, mine.data() + l2_bytes_, kTileRounds);
    });
  }
#endif
  return register_burst();
}

double CeilingProbe::register_burst() {
#if defined(__x86_64__)
  if (isa_ == Isa::amx)
    return rate(pool_, [](int) { return cpu::amx::tile_burst(4 * kTileRounds); });
#endif
  return rate(pool_, [isa = isa_](int) { return multiply_add_burst(isa); });
}

void CeilingProbe::warm_up() {
  const std::int64_t part = dram_.size() / pool_.size();
  rate(pool_, [&, read = read_burst_of()](int worker) {
    return read(dram_.data() + worker * part, part, 1);
  });
  touched_ = wall_seconds();
}

double CeilingProbe::memory_burst() {
  constexpr double kIdle = 0.5;  // seconds
  if (wall_seconds() - touched_ > kIdle) warm_up();
  return read_burst(streams_);
}

double CeilingProbe::read_burst(int streams) {
  const std::int64_t part = dram_.size() / pool_.size();
  const ReadBurst read = read_burst_of();
  window_ = (window_ + kWindow) % part;
  return rate(pool_, [&](int worker) {
    return read(dram_.data() + worker * part + window_, kWindow, streams);
  });
}

double CeilingProbe::l2_burst() {
  const ReadBurst read = read_burst_of();
  return rate(pool_, [&](int worker) {
    double work = 0.0;
    for (int i = 0; i < 16; ++i)
      work += read(private_[static_cast<std::size_t>(worker)].data(), l2_bytes_, 4);
    return work;
  });
}

RoundCeilings CeilingProbe::round() {
  return {.compute = compute_burst(),
          .registers = register_burst(),
          .memory = memory_burst(),
          .l2 = l2_burst()};
}

namespace {

constexpr int kReadings = 30;  // short bursts, so that some dodge the other users of the machine

template <class Reading>
Summary readings(Reading reading) {
  std::vector<double> all;
  all.reserve(kReadings);
  for (int i = 0; i < kReadings; ++i) all.push_back(reading());
  return summarize(std::move(all));
}

void add_peaks(ThreadPool& pool, std::vector<CeilingRow>& rows) {
  const auto add = [&](const char* name, const std::function<double(int)>& burst) {
    rows.push_back({name, "FLOP/s", pool.size(), readings([&] { return rate(pool, burst); })});
  };
  add("multiply-add fp32, portable", [](int) { return cpu::portable::fma_burst(kFmaRounds / 4); });
#if defined(__x86_64__)
  if (supported(Isa::avx512))
    add("AVX-512 FMA fp32", [](int) { return cpu::avx512::fma_burst(kFmaRounds); });
  if (supported(Isa::avx512_bf16))
    add("AVX-512 vdpbf16ps", [](int) { return cpu::avx512_bf16::dot_burst(kFmaRounds); });
  const cpu::CpuFeatures& f = cpu::cpu_features();
  if (f.avx512_fp16)
    add("AVX-512 FMA fp16", [](int) { return cpu::avx512::fp16_burst(kFmaRounds); });
  if (f.avx512_vnni)
    add("AVX-512 VNNI int8", [](int) { return cpu::avx512::int8_burst(kFmaRounds); });
  if (f.amx_int8)
    add("AMX int8, registers", [](int) { return cpu::amx::tile_int8_burst(8 * kTileRounds); });
  if (supported(Isa::amx)) {
    add("AMX bf16, registers", [](int) { return cpu::amx::tile_burst(4 * kTileRounds); });
    CeilingProbe probe{Isa::amx, pool, 0};
    rows.push_back({"AMX bf16, B from L2, C visited", "FLOP/s", pool.size(),
                    readings([&] { return probe.compute_burst(); })});
  }
#endif
}

// The same buffer is read again and again, so its size says which level answers.
void add_bandwidths(ThreadPool& pool, std::int64_t dram_bytes, std::vector<CeilingRow>& rows) {
  const cpu::CpuFeatures& f = cpu::cpu_features();
  const ReadBurst read = read_burst_of();
  const auto add = [&](std::string name, std::int64_t bytes, int streams, std::int64_t at_least) {
    if (bytes < 4 * kKib) return;
    std::vector<Buffer<char>> parts;
    parts.reserve(static_cast<std::size_t>(pool.size()));
    for (int i = 0; i < pool.size(); ++i) parts.emplace_back(bytes);
    const std::int64_t passes = std::max<std::int64_t>(1, at_least / bytes);
    const auto burst = [&](int worker) {
      double work = 0.0;
      for (std::int64_t i = 0; i < passes; ++i)
        work += read(parts[static_cast<std::size_t>(worker)].data(), bytes, streams);
      return work;
    };
    rate(pool, burst);  // brings it in
    rows.push_back(
        {std::move(name), "B/s", pool.size(), readings([&] { return rate(pool, burst); })});
  };
  add("read L1", f.l1d_bytes / 2, 1, 16 * kMib);
  add("read L2", f.l2_bytes / 2, 1, 16 * kMib);
  if (f.l3_bytes > f.l2_bytes)
    add("read L3", std::max(f.l3_bytes / 4 / pool.size(), 2 * f.l2_bytes), 1, 8 * kMib);
  const std::int64_t part = dram_bytes / pool.size();
  for (const int streams : kStreamCounts)
    add("read DRAM, streams: " + std::to_string(streams), part, streams, 0);
}

void add_copy([[maybe_unused]] ThreadPool& pool, [[maybe_unused]] std::int64_t dram_bytes,
              [[maybe_unused]] std::vector<CeilingRow>& rows) {
#if defined(__x86_64__)
  if (!supported(Isa::avx512)) return;
  const std::int64_t part = dram_bytes / pool.size() / 2;
  Buffer<char> data{2 * part * pool.size()};
  rows.push_back({"copy DRAM, non-temporal (read + written)", "B/s", pool.size(), readings([&] {
                    return rate(pool, [&](int worker) {
                      char* mine = data.data() + 2 * part * worker;
                      return cpu::avx512::copy_burst(mine, mine + part, part);
                    });
                  })});
#endif
}

}  // namespace

std::vector<CeilingRow> measure_ceilings(ThreadPool& pool, std::int64_t dram_bytes) {
  std::vector<CeilingRow> rows;
  add_peaks(pool, rows);
  add_bandwidths(pool, dram_bytes, rows);
  add_copy(pool, dram_bytes, rows);
  return rows;
}

nlohmann::json to_json(const CeilingRow& row) {
  return {{"name", row.name},
          {"unit", row.unit},
          {"threads", row.threads},
          {"rate", to_json(row.rate)}};
}

}  // namespace fathom::measure
