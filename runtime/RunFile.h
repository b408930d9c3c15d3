// One run of an entry on tensors from a file: `momc run`, and what `momc
// interpret` reads and writes. Nothing here throws: an error is a text, empty
// if there was none.
#pragma once

#include "runtime/Session.h"

namespace momrt {

/// A tensor in the type that holds all others exactly.
struct NamedTensor {
  std::string name;
  uint32_t type; ///< momrt_type, of the file
  std::vector<int64_t> shape;
  std::vector<double> data;
};

struct Request {
  BatchDescription batch;
  std::vector<NamedTensor> tensors;
};

/// Reads a batch and its tensors from safetensors: `modality` [T] (absent: all
/// 0) and `document` [documents + 1] (absent: one) describe the batch, each
/// document a segment of the one stream; `initial` and `final` [documents] (absent: all
/// -1) say which row of the stream inputs a document begins with and which its last
/// states go to; the rest are inputs by name.
std::string readRequest(const std::string &path, Request &request) noexcept;

std::string writeTensors(const std::string &path, const std::vector<NamedTensor> &tensors) noexcept;

/// The parameters of a table: from a checkpoint, or initial ones of a seed
/// where `checkpoint` is empty. `checkpoint` may be a folder of a run.
std::string readParameters(const momrt_table *table, const std::string &checkpoint, uint64_t seed,
                           std::vector<NamedTensor> &parameters) noexcept;

/// Runs `entry` and fetches its outputs: `loss.NAME`, `sum.NAME`, `count.NAME`,
/// other outputs by name, and `gradient.NAME` of each parameter after the
/// entry "gradient". With `lend`, an alignment, inputs, outputs and the workspace lie in
/// EdgeMemory, lent to the session as a guest would.
std::string runEntry(const momrt_program *program, const SessionOptions &options,
                     const std::string &entry, const Request &request,
                     const std::vector<NamedTensor> &parameters,
                     std::vector<NamedTensor> &outputs, size_t lend = 0) noexcept;

/// A checkpoint file: `path` itself, or the last one of a run's folder.
std::string findCheckpoint(const std::string &path, std::string &found) noexcept;

/// Name of an output in files.
std::string outputName(uint32_t kind, const std::string &name);

} // namespace momrt
