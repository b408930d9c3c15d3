// One run of an entry on tensors from a file.
#include "runtime/RunFile.h"

#include "runtime/Checkpoint.h"
#include "runtime/Convert.h"
#include "runtime/EdgeMemory.h"
#include "runtime/Error.h"
#include "runtime/Safetensors.h"
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>

namespace momrt {

template <typename T> static void widen(const StoredTensor &stored, std::vector<double> &data) {
  for (size_t i = 0; i < data.size(); ++i) {
    T value;
    std::memcpy(&value, stored.data + i * sizeof(T), sizeof(T)); // perhaps unaligned
    data[i] = double(value);
  }
}

static NamedTensor load(const StoredTensor &stored) {
  NamedTensor tensor{stored.name, stored.type, stored.shape,
                     std::vector<double>(size_t(stored.elements()))};
  switch (stored.type) {
  case MOMRT_I32:
    widen<int32_t>(stored, tensor.data);
    break;
  case MOMRT_I64:
    widen<int64_t>(stored, tensor.data);
    break;
  case MOMRT_U8:
    widen<uint8_t>(stored, tensor.data);
    break;
  case MOMRT_U16:
    widen<uint16_t>(stored, tensor.data);
    break;
  case MOMRT_F64:
    widen<double>(stored, tensor.data);
    break;
  default: {
    std::vector<float> floats(tensor.data.size());
    toFloats(stored, floats.data());
    tensor.data.assign(floats.begin(), floats.end());
  }
  }
  return tensor;
}

/// Which stream's state each document begins with, and in which it leaves its own.
static void readStates(const std::vector<NamedTensor> &tensors, const std::string &path,
                       BatchDescription &batch) {
  for (const NamedTensor &tensor : tensors) {
    if (tensor.name != "initial" && tensor.name != "final")
      continue;
    if (tensor.data.size() != batch.segments.size())
      fail(MOMRT_BAD_FILE, "{}: expected '{}' to have {} elements, one a document, but got {}",
           path, tensor.name, batch.segments.size(), tensor.data.size());
    for (size_t at = 0; at < batch.segments.size(); ++at) {
      int64_t row = int64_t(tensor.data[at]);
      (tensor.name == "initial" ? batch.segments[at].initial : batch.segments[at].final) = row;
      batch.streams = std::max(batch.streams, row + 1);
    }
  }
}

/// Documents partition the tokens. The interpreter takes whatever segments it is given.
static void checkOffsets(const std::vector<double> &offsets, int64_t tokens,
                         const std::string &path) {
  if (offsets.empty())
    fail(MOMRT_BAD_FILE, "{}: expected 'document' to hold offsets from 0 on, but it is empty",
         path);
  for (size_t at = 0; at < offsets.size(); ++at) {
    bool last = at + 1 == offsets.size();
    bool good = at ? offsets[at] >= offsets[at - 1] : offsets[at] == 0;
    if (!good || (last && offsets[at] != double(tokens)))
      fail(MOMRT_BAD_FILE,
           "{}: expected 'document' to hold offsets that ascend from 0 to {} tokens, but offset "
           "{} is {}",
           path, tokens, at, offsets[at]);
  }
}

/// Documents as segments, modalities as they are; `tokens` rows in all.
static BatchDescription describe(const std::vector<NamedTensor> &tensors, const std::string &path) {
  BatchDescription batch;
  const NamedTensor *document = nullptr, *modality = nullptr;
  int64_t tokens = -1;
  for (const NamedTensor &tensor : tensors) {
    if (tensor.name == "document")
      document = &tensor;
    else if (tensor.name == "modality")
      modality = &tensor;
    else if (tokens < 0 && !tensor.shape.empty() && tensor.name != "initial" &&
             tensor.name != "final")
      tokens = tensor.shape[0];
  }
  if (modality)
    tokens = int64_t(modality->data.size());
  else if (document && !document->data.empty())
    tokens = int64_t(document->data.back());
  if (tokens < 0 && !document)
    fail(MOMRT_BAD_FILE, "{}: expected inputs, but the file holds no tensor", path);
  std::vector<double> offsets = document ? document->data : std::vector<double>{0, double(tokens)};
  checkOffsets(offsets, tokens, path);
  batch.modality.assign(size_t(tokens), 0);
  if (modality)
    for (size_t i = 0; i < modality->data.size(); ++i)
      batch.modality[i] = int32_t(modality->data[i]);
  for (size_t i = 0; i + 1 < offsets.size(); ++i)
    if (offsets[i] != offsets[i + 1]) // an empty document has no segment
      batch.segments.push_back({int64_t(offsets[i]), int64_t(offsets[i + 1] - offsets[i]), -1, -1});
  batch.documents = int64_t(batch.segments.size());
  readStates(tensors, path, batch);
  return batch;
}

std::string readRequest(const std::string &path, Request &request) noexcept {
  return textOfError([&] {
    SafetensorsReader reader(path);
    for (const StoredTensor &stored : reader.tensors())
      request.tensors.push_back(load(stored));
    request.batch = describe(request.tensors, path);
  });
}

std::string writeTensors(const std::string &path,
                         const std::vector<NamedTensor> &tensors) noexcept {
  return textOfError([&] {
    SafetensorsWriter writer;
    std::vector<std::vector<float>> floats(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const NamedTensor &tensor = tensors[i];
      const void *data = tensor.data.data();
      if (tensor.type != MOMRT_F64) {
        floats[i].assign(tensor.data.begin(), tensor.data.end());
        data = floats[i].data();
      }
      writer.add(tensor.name, tensor.type == MOMRT_F64 ? MOMRT_F64 : MOMRT_F32, tensor.shape, data);
    }
    writer.write(path);
  });
}

static std::string checkpointAt(const std::string &path) {
  if (!std::filesystem::is_directory(path))
    return path;
  std::vector<std::string> notes;
  if (std::optional<std::string> latest = latestCheckpoint(path, notes))
    return *latest;
  fail(MOMRT_BAD_FILE, "{}: expected a checkpoint in the folder, but there is none", path);
}

std::string findCheckpoint(const std::string &path, std::string &found) noexcept {
  return textOfError([&] { found = checkpointAt(path); });
}

std::string readParameters(const momrt_table *table, const std::string &checkpoint, uint64_t seed,
                           std::vector<NamedTensor> &parameters) noexcept {
  return textOfError([&] {
    Table checked(table);
    Parameters layout(checked);
    std::optional<SafetensorsReader> reader;
    if (!checkpoint.empty())
      reader.emplace(checkpointAt(checkpoint));
    for (const Parameter &parameter : layout.all()) {
      NamedTensor tensor{parameter.name, MOMRT_F32, parameter.shape, {}};
      std::vector<float> values(size_t(parameter.size));
      if (reader) {
        const StoredTensor &stored = reader->get(parameter.name);
        if (stored.shape != parameter.shape)
          fail(MOMRT_BAD_FILE, "{}: expected {} of shape {}, but got {}", reader->path,
               parameter.name, shapeText(parameter.shape), shapeText(stored.shape));
        toFloats(stored, values.data());
      } else {
        initialise(parameter, seed, values.data());
      }
      tensor.data.assign(values.begin(), values.end());
      parameters.push_back(std::move(tensor));
    }
  });
}

std::string outputName(uint32_t kind, const std::string &name) {
  switch (kind) {
  case MOMRT_OUTPUT_LOSS:
    return "loss." + name;
  case MOMRT_OUTPUT_SUM:
    return "sum." + name;
  case MOMRT_OUTPUT_COUNT:
    return "count." + name;
  default:
    return name;
  }
}

/// Lent memory of a run; none if the session copies.
struct Loans {
  size_t alignment;
  std::vector<EdgeMemory> inputs, workspace;
  std::vector<std::pair<const momrt_output *, EdgeMemory>> outputs;
};

static void setInput(Session &session, const std::string &name, uint32_t type, int64_t rows,
                     int64_t channels, const void *data, Loans &loans) {
  if (!loans.alignment)
    return session.setInput(name, type, rows, channels, data);
  size_t bytes = size_t(rows * channels * typeBytes(type));
  loans.inputs.emplace_back(bytes, loans.alignment);
  if (bytes)
    std::memcpy(loans.inputs.back().data(), data, bytes);
  session.bindInput(name, type, rows, channels, loans.inputs.back().data());
}

static void lendOutputs(Session &session, const momrt_entry &entry, Loans &loans) {
  for (const momrt_output &output : session.table().outputsOf(entry)) {
    size_t bytes = size_t(session.outputElements(output) * typeBytes(output.type));
    loans.outputs.emplace_back(&output, EdgeMemory(bytes, loans.alignment));
    char *memory = loans.outputs.back().second.data();
    std::memset(memory, 0xff, bytes);
    session.bindOutput(output, memory);
  }
}

static void setInputs(Session &session, const momrt_entry &entry, const Request &request,
                      Loans &loans) {
  const Table &table = session.table();
  for (const momrt_input &input : table.inputsOf(entry)) {
    std::string name = table.string(input.name);
    auto found = std::find_if(request.tensors.begin(), request.tensors.end(),
                              [&](const NamedTensor &tensor) { return tensor.name == name; });
    if (found == request.tensors.end())
      fail(MOMRT_BAD_FILE, "expected an input '{}', but the file has none", name);
    // A parameter-like input is one row of all its elements.
    int64_t rows = input.count == MOMRT_COUNT_ONE ? 1 : found->shape.empty() ? 1 : found->shape[0];
    int64_t channels = rows ? int64_t(found->data.size()) / rows : input.channels;
    if (input.type == MOMRT_I32) {
      std::vector<int32_t> values(found->data.begin(), found->data.end());
      setInput(session, name, MOMRT_I32, rows, channels, values.data(), loans);
    } else {
      std::vector<float> values(found->data.begin(), found->data.end());
      std::vector<char> bytes(values.size() * size_t(typeBytes(input.type)));
      fromFloats(input.type, values.data(), int64_t(values.size()), bytes.data());
      setInput(session, name, input.type, rows, channels, bytes.data(), loans);
    }
  }
}

/// From where it was lent, or from the session.
static void readOutput(Session &session, const momrt_output &output, const Loans &loans,
                       void *to) {
  for (auto &[lent, memory] : loans.outputs)
    if (lent == &output)
      return void(std::memcpy(to, memory.data(),
                              size_t(session.outputElements(output) * typeBytes(output.type))));
  session.readOutput(output, to);
}

static void readOutputs(Session &session, const momrt_entry &entry, const Loans &loans,
                        std::vector<NamedTensor> &outputs) {
  const Table &table = session.table();
  for (const momrt_output &output : table.outputsOf(entry)) {
    NamedTensor tensor{outputName(output.kind, table.string(output.name)), output.type, {}, {}};
    int64_t elements = session.outputElements(output);
    if (output.kind == MOMRT_OUTPUT_ROWS)
      tensor.shape = {elements / output.channels, output.channels};
    else
      tensor.shape = {elements};
    tensor.data.resize(size_t(elements));
    if (output.type == MOMRT_I32) {
      std::vector<int32_t> values(size_t(elements), 0);
      readOutput(session, output, loans, values.data());
      tensor.data.assign(values.begin(), values.end());
    } else if (isFloatType(output.type)) {
      std::vector<char> bytes(size_t(elements * typeBytes(output.type)));
      readOutput(session, output, loans, bytes.data());
      std::vector<float> values(size_t(elements), 0);
      toFloats(output.type, bytes.data(), elements, values.data());
      tensor.data.assign(values.begin(), values.end());
    } else {
      fail(MOMRT_BAD_ARGUMENT, "output {} has type {}, which files do not hold", tensor.name,
           typeName(output.type));
    }
    outputs.push_back(std::move(tensor));
  }
}

std::string runEntry(const momrt_program *program, const SessionOptions &options,
                     const std::string &entryName, const Request &request,
                     const std::vector<NamedTensor> &parameters,
                     std::vector<NamedTensor> &outputs, size_t lend) noexcept {
  return textOfError([&] {
    Loans loans{lend, {}, {}, {}}; // outlives the session
    Session session(std::make_shared<Program>(program), options);
    for (const NamedTensor &parameter : parameters) {
      std::vector<float> values(parameter.data.begin(), parameter.data.end());
      session.write(MOMRT_SPACE_PARAMETERS, session.parameters().get(parameter.name),
                    values.data());
    }
    const Table &table = session.table();
    const momrt_entry &entry = table.entry(entryName);
    Batch batch(request.batch, table.groups());
    if (lend) {
      int64_t bytes = session.workspaceBytes(batch.counts());
      loans.workspace.emplace_back(size_t(bytes), MOMRT_ALIGNMENT);
      session.setWorkspace(loans.workspace.back().data(), bytes);
    }
    session.setBatch(batch);
    setInputs(session, entry, request, loans);
    if (lend)
      lendOutputs(session, entry, loans);
    session.runChecked(entryName);
    readOutputs(session, entry, loans, outputs);
    if (entryName != "gradient")
      return;
    for (const Parameter &parameter : session.parameters().all()) {
      std::vector<float> values(size_t(parameter.size));
      session.read(MOMRT_SPACE_GRADIENTS, parameter, values.data());
      outputs.push_back({"gradient." + parameter.name, MOMRT_F32, parameter.shape,
                         std::vector<double>(values.begin(), values.end())});
    }
  });
}

} // namespace momrt
