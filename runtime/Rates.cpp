#include "runtime/Rates.h"
#include <algorithm>
#include <cfloat>
#include <cmath>

namespace momrt {

double rateAt(View<momrt_rate> pieces, int64_t step, int64_t steps) {
  double rate = 0;
  int64_t before = 0;
  for (size_t at = 0; at < pieces.size(); ++at) {
    const momrt_rate &piece = pieces[at];
    int64_t length = piece.steps ? piece.steps : std::max<int64_t>(steps - before, 1);
    double passed = std::min(1.0, double(step - before) / double(length));
    switch (piece.kind) {
    case MOMRT_RATE_WARMUP:
      rate = pieces[at + 1].from * passed;
      break;
    case MOMRT_RATE_COSINE:
      rate = piece.to +
             (piece.from - piece.to) * 0.5 * (1 + std::cos(3.14159265358979323846 * passed));
      break;
    case MOMRT_RATE_CONSTANT:
      rate = piece.from;
      break;
    }
    if (step <= before + length)
      break;
    before += length;
  }
  return rate;
}

/// In double: beta2^step is close to 1 for long.
Hypers hypersOf(const momrt_table &header, int64_t step, double rate) {
  Hypers hypers{};
  hypers[MOMRT_HYPER_RATE] = float(rate);
  hypers[MOMRT_HYPER_BETA1] = float(header.beta1);
  hypers[MOMRT_HYPER_BETA2] = float(header.beta2);
  hypers[MOMRT_HYPER_EPS] = float(header.eps);
  hypers[MOMRT_HYPER_BIAS1] = float(1 / (1 - std::pow(header.beta1, double(step))));
  hypers[MOMRT_HYPER_BIAS2] = float(1 / (1 - std::pow(header.beta2, double(step))));
  hypers[MOMRT_HYPER_CLIP] = header.clip > 0 ? float(header.clip) : FLT_MAX;
  return hypers;
}

} // namespace momrt
