#include "runtime/Sample.h"
#include "runtime/Error.h"
#include "runtime/Philox.h"
#include <algorithm>
#include <cmath>

namespace momrt {

Sampler::Sampler(const Sampling &how, const std::vector<char> &allowed)
    : how(how), allowed(allowed) {
  if (!(how.temperature >= 0) || std::isinf(how.temperature))
    fail(MOMRT_BAD_ARGUMENT, "expected a temperature of at least 0 but got {}", how.temperature);
  if (how.topK < 0)
    fail(MOMRT_BAD_ARGUMENT, "expected a top-k of at least 0 but got {}", how.topK);
  if (!(how.topP > 0 && how.topP <= 1))
    fail(MOMRT_BAD_ARGUMENT, "expected a top-p above 0 and at most 1 but got {}", how.topP);
}

void Sampler::collect(const float *logits, int64_t count) {
  candidates.clear();
  for (int64_t id = 0; id < count; ++id) {
    if (!allowed.empty() && !allowed[size_t(id)])
      continue;
    if (std::isnan(logits[id]) || logits[id] == INFINITY)
      fail(MOMRT_BAD_VALUE, "the logit of id {} is {}", id, logits[id]);
    if (logits[id] != -INFINITY)
      candidates.push_back({logits[id], int32_t(id)});
  }
  if (candidates.empty())
    fail(MOMRT_BAD_VALUE, "none of {} ids may be drawn: their logits are -inf, or they are not "
                          "allowed",
         count);
}

int32_t Sampler::draw(const float *logits, int64_t count, int64_t sequence, int64_t index) {
  collect(logits, count);
  auto likeliest = std::min_element(candidates.begin(), candidates.end());
  if (how.temperature == 0)
    return likeliest->id;
  float most = likeliest->logit;
  if (how.topK && size_t(how.topK) < candidates.size()) {
    std::nth_element(candidates.begin(), candidates.begin() + how.topK, candidates.end());
    candidates.resize(size_t(how.topK));
  }
  if (how.topP < 1 || how.topK)
    std::sort(candidates.begin(), candidates.end());
  weights.clear();
  double total = 0;
  for (const Candidate &candidate : candidates) {
    weights.push_back(std::exp(float(double(candidate.logit - most) / how.temperature)));
    total += double(weights.back());
  }
  if (how.topP < 1) {
    double share = how.topP * total;
    total = 0;
    size_t kept = 0;
    while (kept < weights.size() && total < share)
      total += double(weights[kept++]);
    weights.resize(kept);
  }
  Philox random(how.seed, "sample/" + std::to_string(sequence));
  double left = random.uniform(uint64_t(index)) * total;
  size_t at = 0;
  while (at + 1 < weights.size() && (left -= double(weights[at])) > 0)
    ++at;
  return candidates[at].id;
}

} // namespace momrt
