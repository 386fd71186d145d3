#include <array>

#include "verify/replay.hpp"

namespace fathom::verify {

// Each stands at the end of the replay_*.cpp that implements it.
extern const Family kAuxLosses;
extern const Family kDsa;
extern const Family kDualPipe;
extern const Family kEplb;
extern const Family kFp8;
extern const Family kGateTies;
extern const Family kGateV2;
extern const Family kGateV3;
extern const Family kMhc;
extern const Family kMla;
extern const Family kMoeV3;
extern const Family kMoeV4;
extern const Family kMtpV3;
extern const Family kNorm;
extern const Family kOneFOneB;
extern const Family kRl;
extern const Family kRopeApply;
extern const Family kRopeDeepseek;
extern const Family kRopeScaling;
extern const Family kSpeculative;
extern const Family kTpa;
extern const Family kTransformerV3;
extern const Family kV4Attention;
extern const Family kV4Transformer;

std::span<const Family> families() {
  static const std::array all{kAuxLosses, kDsa,           kDualPipe,    kEplb,
                              kFp8,       kGateTies,      kGateV2,      kGateV3,
                              kMhc,       kMla,           kMoeV3,       kMoeV4,
                              kMtpV3,     kNorm,          kOneFOneB,    kRl,
                              kRopeApply, kRopeDeepseek,  kRopeScaling, kSpeculative,
                              kTpa,       kTransformerV3, kV4Attention, kV4Transformer};
  return all;
}

}  // namespace fathom::verify
