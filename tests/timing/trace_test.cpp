#include "timing/trace.hpp"

#include <cmath>

#include "catch.hpp"
#include "hw/cluster.hpp"

using namespace fathom;
using namespace fathom::timing;

namespace {

ops::Op call(int which) {
  switch (which) {
    case 0:
      return ops::Gemm{.m = 64, .n = 4096, .k = 7168};
    case 1:
      return ops::Elementwise{
          .kind = ops::ElementwiseKind::norm, .rows = 64, .read_bytes = 2e4, .write_bytes = 2e4};
    case 2:
      return ops::Collective{
          .kind = ops::CollectiveKind::all_reduce, .group = {16, 1}, .payload = Bytes{1e6}};
    default:
      return ops::ExpertExchange{
          .group = {64, 1}, .tokens = 128, .copies = 8, .experts = 256, .copy_bytes = Bytes{7392}};
  }
}

}  // namespace

TEST_CASE("a trace has the time of the call that it explains", "[timing][trace]") {
  const hw::Cluster cluster = hw::load_cluster("h800");
  const auto which = GENERATE(0, 1, 2, 3);
  const auto share = GENERATE(1.0, 0.8);
  CAPTURE(which, share);
  const InSitu in_situ{.sm_share = share};
  const Trace trace = trace_of(call(which), cluster, in_situ);
  CHECK(trace.time == time_of(call(which), cluster, in_situ));
  CHECK(trace.fit.has_value() == (trace.time.fidelity != Fidelity::roofline));
}

TEST_CASE("without a fitted form the terms of a trace make its time", "[timing][trace]") {
  hw::Cluster cluster = hw::load_cluster("h800");
  cluster.efficiency.forms = {};
  const Trace product = trace_of(call(0), cluster, {});
  REQUIRE(product.blend);
  const hw::Efficiency& e = product.efficiency;
  double sum = 0.0;
  for (const Seconds term : {product.blend->compute, product.blend->memory, product.blend->stream})
    sum += std::pow(term.value, e.blend);
  CHECK(product.time.total.value ==
        Approx(std::pow(sum, 1.0 / e.blend) + product.blend->passing.value + e.overhead.value)
            .epsilon(1e-6));
  const Trace exchange = trace_of(call(2), cluster, {});
  REQUIRE(exchange.wire);
  CHECK(exchange.time.total.value ==
        Approx(exchange.wire->alpha.value + exchange.wire->serialisation.value).epsilon(1e-12));
}
