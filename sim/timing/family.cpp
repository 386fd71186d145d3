#include <array>

#include "timing/roofline.hpp"

namespace fathom::timing {

using hw::Family;

std::string_view name(Bound bound) {
  constexpr std::array<std::string_view, kBoundCount> names{"compute", "memory", "network",
                                                            "overhead"};
  return names[static_cast<std::size_t>(bound)];
}

Family family_of(const ops::Op& op) {
  struct Visitor {
    Family operator()(const ops::Gemm& o) const {
      return o.batch > 1 ? Family::batched_gemm : Family::gemm;
    }
    Family operator()(const ops::GroupedGemm& o) const {
      return o.masked ? Family::grouped_gemm_decode : Family::grouped_gemm;
    }
    Family operator()(const ops::Attention& o) const {
      if (o.naive_mla) return Family::mla_prefill;
      return o.prefill ? Family::attention_prefill : Family::attention_decode;
    }
    Family operator()(const ops::LatentAttention& o) const {
      if (!o.sparse) return Family::mla_decode;
      return o.prefill ? Family::sparse_prefill : Family::sparse_attention;
    }
    Family operator()(const ops::Indexer&) const { return Family::indexer; }
    Family operator()(const ops::LinearAttention&) const { return Family::linear_attention; }
    Family operator()(const ops::Elementwise& o) const {
      constexpr std::array<Family, 7> families{Family::norm,       Family::cast,    Family::copy,
                                               Family::activation, Family::permute, Family::misc,
                                               Family::embedding};
      return families[static_cast<std::size_t>(o.kind)];
    }
    Family operator()(const ops::Collective& o) const {
      constexpr std::array<Family, 5> families{Family::all_reduce, Family::all_gather,
                                               Family::reduce_scatter, Family::all_to_all,
                                               Family::send_recv};
      return families[static_cast<std::size_t>(o.kind)];
    }
    Family operator()(const ops::ExpertExchange& o) const {
      const bool out = o.direction == ops::Exchange::dispatch;
      if (o.low_latency) return out ? Family::dispatch_low_latency : Family::combine_low_latency;
      return out ? Family::dispatch : Family::combine;
    }
  };
  return std::visit(Visitor{}, op);
}

std::string_view name(Fidelity fidelity) {
  constexpr std::array<std::string_view, 3> names{"roofline", "fitted", "measured"};
  return names[static_cast<std::size_t>(fidelity)];
}

}  // namespace fathom::timing
