// The arrays of a batch in one block of memory, so that one copy brings it to
// the device: counts (of windows too), segments, modalities, the route, then the inputs.
#pragma once

#include "runtime/Batch.h"
#include "runtime/Table.h"

namespace momrt {

struct BatchLayout {
  struct Part {
    int64_t offset = 0, bytes = 0;
  };
  BatchLayout() = default;
  /// Of a shape class: each array has the capacity's size.
  BatchLayout(const Table &table, const Counts &capacities);

  Part spaces[MOMRT_SPACES];
  std::vector<Part> inputs; // [inputs of the table]
  int64_t bytes = 0;
  int64_t window = 0; // tokens of one

  /// Writes a batch, and zeros after the last element of each array: what a
  /// kernel loads beyond it, as a part of a whole vector, is a valid index.
  /// Inputs are those of the batch by name, checked before and marked in `set`;
  /// the rest is left out. Returns the bytes up to the last one written.
  int64_t pack(const Table &table, const Batch &batch, char *to, std::vector<char> &set) const;
};

/// Throws for an input of the batch that the table has not, or has otherwise.
void checkInputs(const Table &table, const Batch &batch);

/// Throws unless so many rows of this type and width are what an input takes.
void checkInput(const Table &table, const momrt_input &input, const Counts &counts, uint32_t type,
                int64_t rows, int64_t channels);

} // namespace momrt
