// Time per output token of a scenario: tpot SCENARIO.json
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <variant>

#include "study/evaluate.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  setenv("FATHOM_DATA", DATA_DIR, 0);
  try {
    const fathom::study::Answer answer =
        fathom::study::evaluate(fathom::study::load_scenario(argv[1]));
    const auto* estimate = std::get_if<fathom::infer::InferEstimate>(&answer.outcome);
    if (estimate == nullptr) return 3;
    char digits[32] = {};  // the shortest that read back the same number, as JSON has them
    std::to_chars(digits, digits + sizeof digits - 1, estimate->latency.value);
    std::puts(digits);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
  return 0;
}
