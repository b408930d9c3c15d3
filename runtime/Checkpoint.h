// Checkpoints of a run: parameters under their names, moments under
// `moment1.NAME` and `moment2.NAME`, and where the run stands. A run that is
// resumed from one continues to the bit.
#pragma once

#include "runtime/Session.h"
#include <optional>

namespace momrt {

/// Where a reader of documents stands: tokens read of an epoch's order.
struct ReaderPosition {
  int64_t epoch = 0, offset = 0;
  bool operator==(const ReaderPosition &other) const {
    return epoch == other.epoch && offset == other.offset;
  }
};

/// Everything of a run but its tensors.
struct RunState {
  int64_t step = 0, tokens = 0;
  ReaderPosition data;
  uint64_t seed = 0;
  double seconds = 0;
  std::string digest; ///< of the program that wrote it
  // What the data's order depends on besides the seed: must stay the same.
  int64_t dataTokens = 0, dataDocuments = 0, streams = 0, length = 0;
};

/// Writes the parameters alone.
void saveParameters(Session &session, const std::string &path);
/// Reads parameters from a checkpoint, an export or a file made elsewhere;
/// throws with what differs if it is of other settings, names or shapes.
void loadParameters(Session &session, const std::string &path);

/// Writes FOLDER/checkpoint-STEP.safetensors, whole or not at all, removes all
/// but the last two and returns its path.
std::string saveRun(Session &session, const RunState &state, const std::string &folder);
/// Parameters, moments and state of a run.
RunState loadRun(Session &session, const std::string &path);

/// The whole checkpoint of the highest step; none if the folder has none.
/// Damaged ones are passed over, and `notes` says so.
std::optional<std::string> latestCheckpoint(const std::string &folder,
                                            std::vector<std::string> &notes);

} // namespace momrt
