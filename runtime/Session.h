// A program with its state on a device: parameters, their gradients and
// moments, the arena, and the batch that entries see.
#pragma once

#include "runtime/Batch.h"
#include "runtime/Parameters.h"
#include "runtime/Walk.h"
#include <memory>

namespace momrt {

struct SessionOptions {
  int threads = 0;     ///< of the CPU; 0: all cores
  int gpu = 0;         ///< of a GPU program: which device
  bool poison = false; ///< fill the arena with NaN at each new batch
};

using Hypers = std::array<float, MOMRT_HYPERS>;

class Session {
public:
  explicit Session(std::shared_ptr<const Program> program, const SessionOptions &options = {});
  ~Session();

  const Table &table() const { return program->table; }
  const Parameters &parameters() const { return layout; }

  /// Initial values from a seed; moments and gradients become zero.
  void initialise(uint64_t seed);

  /// A whole flat space: PARAMETERS, GRADIENTS, MOMENT1 or MOMENT2.
  std::vector<float> readSpace(momrt_space space);
  void writeSpace(momrt_space space, const std::vector<float> &values);
  /// One parameter's part of such a space.
  void read(momrt_space space, const Parameter &parameter, float *values);
  void write(momrt_space space, const Parameter &parameter, const float *values);

  /// Makes this the batch of the entries that follow, its inputs with it.
  void setBatch(const Batch &batch);
  /// Rows of an input, for all entries that have it.
  void setInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                const void *data);
  void setHypers(const Hypers &hypers);

  /// Runs an entry. Work may still be under way when this returns.
  void run(const std::string &entry);
  /// Throws if a kernel met a bad value, saying where.
  void checkStatus();

  /// Elements of an output for the batch of now.
  int64_t outputElements(const momrt_output &output) const;
  /// Copies an output; `to` holds its elements in its own type.
  void readOutput(const momrt_output &output, void *to);
  /// The f32 elements of an output that may be absent, and then none.
  std::vector<float> readFloats(const std::string &entry, momrt_output_kind kind,
                                const std::string &name);

  const Counts &counts() const { return trueCounts; }
  int64_t arenaBytes() const { return arena.bytes(); }

private:
  Buffer &space(momrt_space space);
  void grow(Buffer &buffer, int64_t bytes);
  void place(momrt_space space, int64_t bytes);
  void planFor(const Counts &shape);
  void allocateFor(const momrt_entry &entry);
  int64_t sizeOf(const momrt_arg &arg) const;
  void checkEntry(const momrt_entry &entry, size_t index);

  std::shared_ptr<const Program> program;
  std::unique_ptr<Device> device; // outlives the buffers below
  const SessionOptions options;
  const Parameters layout;

  Counts trueCounts{1, 0, 0, 0, 0}, capacities{};
  Buffer spaces[MOMRT_SPACES];
  Buffer arena;
  std::vector<Buffer> inputs;     // [inputs of the table]
  std::vector<char> inputIsSet;   // [inputs of the table] since the batch was set
  std::vector<char> entryChecked; // [entries] in this shape class
  Addresses addresses;
};

} // namespace momrt
