#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "validate/ledger.hpp"

namespace fathom::validate {

/// A row that predicts the BF16 cache of DeepSeek-V3 per token: (512 + 64) x 61 layers x 2 B.
inline nlohmann::json cache_row(const std::string& id, double published) {
  return {{"id", id},
          {"category", "exact"},
          {"claim", "KV cache per token"},
          {"source", "arXiv 2505.09343, Table 1"},
          {"setup", {{"model", "deepseek-v3"}}},
          {"quantity", "/kv_cache/bf16_bytes_per_token"},
          {"published", published},
          {"unit", "B"},
          {"tolerance", 1e-9},
          {"unknown", "nothing"},
          {"blind", false}};
}

/// A row with a time behind it.
inline nlohmann::json kernel_row(const std::string& id, double published_us) {
  nlohmann::json row = cache_row(id, published_us);
  row["category"] = "kernel";
  row["setup"] = {{"hardware", "h800"},
                  {"operators", {{{"op", "gemm"}, {"m", 4096}, {"n", 7168}, {"k", 16384}}}}};
  row["quantity"] = "time_s";
  row["scale"] = 1e6;
  row["unit"] = "us";
  row["tolerance"] = 0.5;
  return row;
}

inline nlohmann::json gap_entry(const std::string& id) {
  return {{"id", id},
          {"category", "inference"},
          {"claim", "a throughput"},
          {"source", "a page"},
          {"reason", "batch is not given"}};
}

inline Ledger ledger_of(const std::vector<nlohmann::json>& rows,
                        const std::vector<nlohmann::json>& gaps = {}) {
  Ledger ledger;
  read_ledger_file({{"title", "test"}, {"rows", rows}, {"not_expressible", gaps}}, "test.json#",
                   ledger);
  return ledger;
}

}  // namespace fathom::validate
