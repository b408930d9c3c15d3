// A batch as entries see it: counts, segments and each token's modality. The plan made
// from them, which sorts tokens by modality, is the device's where it can.
#pragma once

#include "runtime/Capacities.h"
#include <cstdint>
#include <string>
#include <vector>

namespace momrt {

/// Rows of an input in the type that the table wants.
struct BatchInput {
  std::string name;
  uint32_t type;
  int64_t rows, channels;
  std::vector<uint8_t> bytes; // [rows, channels]
};

/// What a caller says about a batch.
struct BatchDescription {
  int64_t streams = 1;
  int64_t length = 0; ///< positions of a stream, the last may be shorter; 0: streams differ
  int64_t documents = 0; ///< as many as segments; 0 says the same
  std::vector<momrt_segment> segments; ///< partition of the positions, ascending
  std::vector<int32_t> modality;       ///< [tokens]
};

/// The counting sort by modality, stable by position.
struct Route {
  std::vector<int64_t> offsets;  // [groups + 1] first row of each group
  std::vector<int32_t> row;      // [tokens] row of a position
  std::vector<int32_t> position; // [tokens] position of a row
};

/// Throws unless each modality is one of `groups`.
void checkModalities(const std::vector<int32_t> &modality, int64_t groups);

/// Sorts by modality, each in [0, groups).
Route routeByModality(const std::vector<int32_t> &modality, int64_t groups);

/// What kernels read of segments.
std::vector<momrt_segment_record> segmentRecords(const std::vector<momrt_segment> &segments);

struct Batch {
  Batch() = default;
  /// Throws unless the description is one of a batch with `groups` modalities.
  Batch(BatchDescription description, int64_t groups);

  int64_t tokens() const { return int64_t(description.modality.size()); }
  Counts counts() const;

  BatchDescription description;
  std::vector<BatchInput> inputs;
};

} // namespace momrt
