// What a model text need not say: the one table of defaults.
#pragma once

#include "frontend/Ast.h"

#include <cmath>

namespace mom::frontend::defaults {

inline constexpr double kNormEps = 1e-5;
inline constexpr int64_t kConvWidth = 4;

/// Of a sum over `fanIn` products: linear and convolution.
inline ast::Init product(int64_t fanIn) {
  double bound = 1 / std::sqrt(static_cast<double>(fanIn));
  return {ast::Init::Uniform, -bound, bound};
}
inline constexpr ast::Init kEmbedding{ast::Init::Normal, 0, 0.02};
inline constexpr ast::Init kScale{ast::Init::Constant, 1, 0};
inline constexpr double kDtLow = 1e-3, kDtHigh = 1e-1;

// Training.
inline constexpr double kBeta1 = 0.9, kBeta2 = 0.95, kAdamEps = 1e-8, kDecay = 0;
inline constexpr double kClip = 0; ///< no clipping
inline constexpr llvm::StringLiteral kPrecision = "bf16";

} // namespace mom::frontend::defaults
