// A program with its state on a device: parameters, their gradients and
// moments, the arena, and the batch that entries see.
#pragma once

#include "runtime/BatchLayout.h"
#include "runtime/Memory.h"
#include "runtime/Parameters.h"
#include "runtime/Rates.h"
#include "runtime/Walk.h"
#include <memory>
#include <optional>

namespace momrt {

struct SessionOptions {
  int threads = 0;     ///< of the CPU; 0: all cores
  int gpu = 0;         ///< of a GPU program: which device
  bool poison = false; ///< fill the arena with NaN at each new batch
  bool graphs = true;  ///< of a GPU program; false: each launch is waited for
  std::optional<Guest> guest; ///< of a GPU program: work goes to the caller's stream
};

class Session {
public:
  explicit Session(std::shared_ptr<const Program> program, const SessionOptions &options = {});
  /// On a device that the caller made for the program.
  Session(std::shared_ptr<const Program> program, std::unique_ptr<Device> device,
          const SessionOptions &options = {});
  ~Session();

  const Table &table() const { return program->table; }
  const Parameters &parameters() const { return layout; }
  Device &device() const { return *where; }

  /// Initial values from a seed; moments and gradients become zero.
  void initialise(uint64_t seed);

  /// A whole flat space: PARAMETERS, GRADIENTS, MOMENT1, MOMENT2 or COPIES, as
  /// f32 whatever its type. Written parameters are copied before the next entry.
  std::vector<float> readSpace(momrt_space space);
  void writeSpace(momrt_space space, const std::vector<float> &values);
  /// One parameter's part of such a space.
  void read(momrt_space space, const Parameter &parameter, float *values);
  void write(momrt_space space, const Parameter &parameter, const float *values);

  /// Makes this the batch of the entries that follow, its inputs with it.
  void setBatch(const Batch &batch);
  /// Rows of an input, for all entries that have it. Rows of f32 are rounded where the
  /// input is narrower.
  void setInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                const void *data);
  /// The scalars of a step, by hand.
  void setHypers(const Hypers &hypers);
  /// Those of a step of a run of `steps`, as the model's train block says. Where a step has
  /// several batches, "accumulate" begins its sums with the first after an "update", and
  /// "update" wants all of them.
  void setStep(int64_t step, int64_t steps);

  // What a guest lends the session (Guest.cpp). The memory is the device's, and is used
  // until the next batch; a null pointer ends a loan before that.

  /// Rows of an input, read where they lie.
  void bindInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                 void *data);
  /// Copies rows of an input from memory of the device.
  void copyInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                 const void *data);
  /// Other modalities for the tokens of this batch, i32[tokens], which are copied and
  /// sorted anew, on the device where the program has a plan. Inputs stay as they are.
  void setModality(const int32_t *modality, bool onDevice);
  /// Where an output is written: by its kernel if its rows lie alone in the arena, else
  /// by a copy after each run of its entry.
  void bindOutput(const momrt_output &output, void *to);
  /// The arena for batches of such counts, in bytes.
  int64_t workspaceBytes(const Counts &counts) const;
  /// The arena lies here from now on; null: in memory of the session's own.
  void setWorkspace(void *memory, int64_t bytes);

  /// Makes room for the spaces that an entry uses, besides the arena.
  void reserve(const std::string &entry);
  /// Runs an entry. Work may still be under way when this returns.
  void run(const std::string &entry);
  /// Runs entries one after the other; on a GPU they are one graph. States turn once.
  void runTogether(const std::vector<std::string> &entries);
  /// Throws if a kernel met a bad value, saying where. Waits for all work.
  void checkStatus();
  /// Runs an entry and waits for it. If a kernel met a bad value, streams go on from where
  /// they were before.
  void runChecked(const std::string &entry);
  /// Forgets what kernels reported.
  void clearStatus();

  /// Elements of an output for the batch of now.
  int64_t outputElements(const momrt_output &output) const;
  /// Copies an output; `to` holds its elements in its own type.
  void readOutput(const momrt_output &output, void *to);
  /// The same of floats of any type, as f32.
  void readOutputFloats(const momrt_output &output, float *to);
  /// The f32 elements of an output that may be absent, and then none.
  std::vector<float> readFloats(const std::string &entry, momrt_output_kind kind,
                                const std::string &name);
  /// Where an output and the status records, [ops], lie on the device.
  const char *addressOf(const momrt_output &output) const;
  /// Whether the entry has run with this batch.
  bool hasOutputs(const std::string &entry) const { return hasRun[numberOf(table().entry(entry))]; }
  /// Whether the space has memory: none has gradients before an entry that makes them.
  bool has(momrt_space space) const { return spaces[space].data(); }
  const char *statusAddress() const { return spaces[MOMRT_SPACE_STATUS].data(); }

  /// Milliseconds of a whole entry. A GPU may run it twice, the first time.
  double time(const std::string &entry);
  /// The median milliseconds of each op of an entry, in the table's order: of
  /// all rounds of a repeated launch together, 0 for what launches nothing. The
  /// entry runs `repeats` times, on a GPU twice as often.
  std::vector<double> profile(const std::string &entry, int repeats);

  const Counts &counts() const { return trueCounts; }
  int64_t arenaBytes() const;
  /// What the session holds on the device now.
  std::vector<MemoryPart> memory() const;

  /// Copies rows [first, first + count) of an output, which are by position, on the device.
  void copyRows(const momrt_output &output, int64_t first, int64_t count, void *to);
  /// Where an input lies on the device: what an entry replaces in place is read there.
  const char *addressOf(const momrt_input &input) const;

private:
  Buffer &space(momrt_space space);
  Buffer &grow(Buffer &buffer, int64_t bytes, const std::string &what);
  void place(momrt_space space, int64_t bytes, const std::string &what);
  std::string advice() const;
  void readRange(momrt_space space, int64_t first, int64_t count, float *values);
  void writeRange(momrt_space space, int64_t first, int64_t count, const float *values);
  void planFor(const Counts &shape);
  char *arenaOf(int64_t bytes);
  void placeState(size_t at);
  void clearStates();
  void placeStates();
  bool writesStates(const momrt_entry &entry) const;
  void planSlots(const Counts &shape);
  void placeSlots();
  void addSlotsOf(const momrt_entry &entry);
  void forgetLoans();
  void copyBoundOutputs(const momrt_entry &entry);
  uint32_t storedAs(const std::string &name, uint32_t type) const;
  void forInput(const std::string &name, uint32_t type, int64_t rows, int64_t channels,
                const std::function<void(size_t, int64_t)> &place);
  void returnInput(size_t at);
  void moveInput(size_t at, char *to);
  void routeOnHost(const int32_t *modality);
  bool liesAlone(const momrt_output &output) const;
  void placeBatch(const Counts &shape);
  void allocateFor(const momrt_entry &entry);
  int64_t sizeOf(const momrt_arg &arg) const;
  void checkEntry(const momrt_entry &entry);
  const momrt_entry &prepare(const std::string &entry);
  void requireBatch(const std::string &what) const;
  void requireHypers(const momrt_entry &entry) const;
  void countBatches(const std::string &entry);
  void putHypers();
  void turnStates();
  size_t numberOf(const momrt_entry &entry) const {
    return size_t(&entry - table().entries().begin());
  }
  WalkKey keyOf(const momrt_entry &entry) const;
  void execute(const momrt_entry &entry);
  void walkEntry(const momrt_entry &entry);
  void refreshCopies();

  std::shared_ptr<const Program> program;
  std::unique_ptr<Device> where; // outlives the buffers below
  const SessionOptions options;
  const Parameters layout;

  Counts trueCounts{1, 0, 0, 0, 0, 0}, capacities{};
  Buffer spaces[MOMRT_SPACES]; // those that are no part of a batch
  Buffer arena, batchArrays;
  struct State {
    Buffer places[2]; // one is read and the other written, in turn
  };
  std::vector<State> states; // [states of the table] allocated with the first entry to use them
  int64_t stateStreams = 0;  // capacity that they are laid out for
  unsigned turn = 0;         // which of the places is read
  BatchLayout batchLayout;        // of `batchArrays`
  SlotSet usedSlots;              // by the entries that ran or are to run; a guest's, all
  ArenaPlan plan;                 // of the arena, with the slots that were used when it was planned
  std::vector<Buffer> annexes;    // memory of those that entries were the first to use since,
  std::vector<char *> places;     // [slots] and where they lie in it
  char *workspace = nullptr;      // a guest's, in the arena's place
  int64_t workspaceSize = 0;
  std::vector<void *> boundOutputs; // [outputs of the table]
  bool hasLoans = false;
  std::vector<char> inputIsSet;   // [inputs of the table] since the batch was set
  std::vector<char> entryChecked; // [entries] in this shape class
  std::vector<char> hasRun;       // [entries] since the batch was set: its outputs are there
  std::vector<char> readsHypers;  // [entries]
  Hypers hypers{};
  bool hypersAreSet = false, countsBatches = false; // the latter: by setStep
  int64_t batchesAdded = 0; // to the sums of gradients since the last update
  bool copiesAreStale = true;
  Addresses addresses;
};

} // namespace momrt
