// The next token from a model's logits.
#pragma once

#include <cstdint>
#include <vector>

namespace momrt {

struct Sampling {
  double temperature = 1; ///< 0: always the likeliest
  int64_t topK = 0;       ///< of so many likeliest ids only; 0: of all
  double topP = 1;        ///< of the likeliest ids that have this share together
  uint64_t seed = 1;
};

/// Draws ids by the softmax of logits / temperature. Serves one thread at a time.
class Sampler {
public:
  /// `allowed` says which ids may be drawn; empty: all. It outlives the sampler.
  Sampler(const Sampling &how, const std::vector<char> &allowed);

  /// An id for token `index` of sequence `sequence`: of these, the seed and the logits
  /// [count] a function. Throws where none of them is a finite number.
  int32_t draw(const float *logits, int64_t count, int64_t sequence, int64_t index);

private:
  struct Candidate {
    float logit;
    int32_t id;
    /// From the likeliest; of equals the first.
    bool operator<(const Candidate &other) const {
      return logit != other.logit ? logit > other.logit : id < other.id;
    }
  };
  void collect(const float *logits, int64_t count);

  const Sampling how;
  const std::vector<char> &allowed;
  std::vector<Candidate> candidates; // one row's
  std::vector<float> weights;
};

} // namespace momrt
