#pragma once

#include <string>
#include <vector>

#include "hw/cluster.hpp"
#include "model/hf_config.hpp"

namespace fathom::study {

/// What an answer rests on, for the end of its report: assumptions, citations, files.
struct Basis {
  struct Input {
    std::string name;
    std::string hash;
    bool operator==(const Input&) const = default;
  };
  std::vector<std::string> notes;    // assumptions
  std::vector<std::string> sources;  // citations
  std::vector<Input> inputs;
  bool operator==(const Basis&) const = default;
};

// Each adds what is not there yet.
void add_note(Basis& basis, const std::string& text);
void add_source(Basis& basis, const std::string& text);
void add_model(Basis& basis, const model::Model& model);
/// With the price, when the answer is about money.
void add_cluster(Basis& basis, const hw::Cluster& cluster, bool price = false);

}  // namespace fathom::study
