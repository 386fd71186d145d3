#include "stored_sweep.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>

#include "core/error.hpp"

namespace fathom::sweep {
namespace {

// As good as tests of storage need, and cheap to begin anew for every row.
class RowDice {
 public:
  explicit RowDice(std::uint64_t seed)
      : engine_(static_cast<std::uint32_t>(seed % 2147483646) + 1) {
    engine_.discard(3);  // neighbouring seeds begin alike
  }
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  double uniform() {
    const std::uint64_t high = engine_();
    return static_cast<double>(high << 31U | engine_()) * 0x1p-62;
  }

 private:
  std::minstd_rand engine_;
};

double random_value(RowDice& rng, const Column& column) {
  switch (rng.below(8)) {
    case 0:
      return std::numeric_limits<double>::quiet_NaN();
    case 1:
      if (column.kind == ColumnKind::real) return std::numeric_limits<double>::infinity();
      break;
    case 2:
      if (column.kind != ColumnKind::text) return -static_cast<double>(rng.below(1U << 30U)) - 1.0;
      break;
    default:
      break;
  }
  if (column.kind == ColumnKind::text) {
    return static_cast<double>(rng.below(column.texts.size()));
  }
  if (column.kind == ColumnKind::integer) return static_cast<double>(rng.below(1U << 20U));
  return rng.uniform();
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "fathom-sweep-XXXXXX").string();
  path_ = ::mkdtemp(name.data());
}

ScratchFolder::~ScratchFolder() { std::filesystem::remove_all(path_); }

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Manifest random_manifest(Rng& rng, PointRange whole) {
  Manifest manifest{.range = whole, .whole = whole};
  const auto add = [&](std::vector<Column>& columns, const std::string& name) {
    Column column{.name = name, .kind = static_cast<ColumnKind>(rng.below(3))};
    if (column.kind == ColumnKind::text)
      column.texts = {"", "deepseek-v3", "it's \"so\"", "h800\n"};
    columns.push_back(column);
  };
  const std::uint64_t inputs = rng.below(12);
  for (std::uint64_t i = 0; i < inputs; ++i)
    add(manifest.layout.inputs, "/in/" + std::to_string(i));
  const std::uint64_t results = rng.below(16);
  for (std::uint64_t i = 0; i < results; ++i) {
    add(manifest.layout.results, "result_" + std::to_string(i));
  }
  manifest.provenance.entries = {{"version", "0.1.0"}, {"sweep.json", "0123456789abcdef"}};
  return manifest;
}

Block random_block(const Layout& layout, PointRange range, std::uint64_t seed,
                   std::uint64_t sparsity) {
  Block block{.begin = range.begin, .end = range.end};
  for (std::int64_t number = range.begin; number < range.end; ++number) {
    RowDice rng(seed * 1000003U + static_cast<std::uint64_t>(number) * 7919U);
    if (rng.below(sparsity) != 0) continue;
    block.numbers.push_back(number);
    for (const Column& column : layout.inputs) block.inputs.push_back(random_value(rng, column));
    const bool feasible = rng.below(5) != 0;
    for (const Column& column : layout.results) {
      block.results.push_back(feasible ? random_value(rng, column)
                                       : std::numeric_limits<double>::quiet_NaN());
    }
    block.reason.push_back(feasible ? -1 : static_cast<std::int32_t>(rng.below(2)));
  }
  block.reasons = {"needs 81.2 GB, has 80 GB", "=tp \"6\", heads 128"};
  return block;
}

void append_rows(Database& database, const Manifest& manifest, std::uint64_t seed,
                 std::int64_t until, std::uint64_t sparsity) {
  while (database.next() < manifest.range.end && database.next() < until) {
    const PointRange range = {database.next(), block_end(database.next(), manifest.range)};
    database.append(random_block(manifest.layout, range, seed, sparsity));
  }
}

std::string write_sweep(const std::string& path, const Manifest& manifest, std::uint64_t seed,
                        std::uint64_t sparsity) {
  Database database = Database::create(path, manifest, false);
  append_rows(database, manifest, seed, std::numeric_limits<std::int64_t>::max(), sparsity);
  database.finish();
  return path;
}

std::string complaint(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

pid_t start(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int status = 99;
  try {
    status = work();
  } catch (...) {
  }
  ::_exit(status);
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace fathom::sweep
