#include "study/basis.hpp"
#include "lang/say.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace fathom::study {
namespace {

using lang::say;

template <class T>
void add_new(std::vector<T>& list, T item) {
  if (std::ranges::find(list, item) == list.end()) list.push_back(std::move(item));
}

}  // namespace

void add_note(Basis& basis, const std::string& text) { add_new(basis.notes, text); }

void add_source(Basis& basis, const std::string& text) { add_new(basis.sources, text); }

void add_model(Basis& basis, const model::Model& model) {
  add_new(basis.inputs, {model.path.filename().string(), model.hash});
  for (const std::string& source : model.source) add_source(basis, source);
  for (const std::string& part : model.arch.unmodelled) {
    add_note(basis, say("{}: not modelled: {}", model.arch.name, part));
  }
}

void add_cluster(Basis& basis, const hw::Cluster& cluster, bool price) {
  add_new(basis.inputs, {cluster.path.filename().string(), cluster.hash});
  for (const std::string& source : cluster.sources) add_source(basis, source);
  if (!price) return;
  const hw::Price& p = cluster.price;
  if (p.per_device_hour.value <= 0.0) {
    add_note(basis, say("{} has no price in its profile.", cluster.id));
  } else {
    add_note(basis, say("{}: {:g} USD per GPU and hour ({}, {}).", cluster.id,
                        p.per_device_hour.value, p.date, p.basis));
    add_source(basis, say("price of {}: {}", cluster.id, p.source));
  }
}

}  // namespace fathom::study
