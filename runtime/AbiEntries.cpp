// The C interface: what entries there are, batches, inputs, runs and outputs.
#include "runtime/Abi.h"
#include "runtime/Convert.h"
#include "runtime/Rates.h"
#include <cstring>

using namespace momrt;

//===----------------------------------------------------------------------===//
// What a program has
//===----------------------------------------------------------------------===//

static const Table &tableOf(const momrt_model *model) {
  return checked(model, "a model").program->table;
}

static const momrt_entry &entryOf(const Table &table, const char *name) {
  return table.entry(text(name, "an entry's name"));
}

template <typename T> static const T &at(View<T> list, int64_t index, const char *what) {
  if (index < 0 || size_t(index) >= list.size())
    fail(MOMRT_BAD_ARGUMENT, "expected {} below {} but got {}", what, list.size(), index);
  return list[size_t(index)];
}

momrt_result momrt_model_describe(const momrt_model *model, momrt_model_info *info) {
  return guard([&] {
    const Table &table = tableOf(model);
    checked(info, "a place for the description") = {
        table.string(table.header().name), table.string(table.header().digest),
        int32_t(table.header().target),    0,
        int64_t(table.entries().size()),   int64_t(table.modalities().size()),
        int64_t(table.settings().size())};
  });
}

momrt_result momrt_modality_name(const momrt_model *model, int64_t index, const char **name) {
  return guard([&] {
    const Table &table = tableOf(model);
    View<uint64_t> names = {
        reinterpret_cast<const uint64_t *>(reinterpret_cast<const char *>(&table.header()) +
                                           table.header().modalities.offset),
        size_t(table.header().modalities.count)};
    checked(name, "a place for the name") = table.string(at(names, index, "a modality"));
  });
}

momrt_result momrt_setting_describe(const momrt_model *model, int64_t index, const char **name,
                                    double *value) {
  return guard([&] {
    const Table &table = tableOf(model);
    const momrt_setting &setting = at(table.settings(), index, "a setting");
    checked(name, "a place for the name") = table.string(setting.name);
    checked(value, "a place for the value") = setting.value;
  });
}

momrt_result momrt_entry_describe(const momrt_model *model, int64_t index, const char **name,
                                  int64_t *inputs, int64_t *outputs) {
  return guard([&] {
    const Table &table = tableOf(model);
    const momrt_entry &entry = at(table.entries(), index, "an entry");
    checked(name, "a place for the name") = table.string(entry.name);
    checked(inputs, "a place for the number of inputs") = int64_t(entry.inputs.count);
    checked(outputs, "a place for the number of outputs") = int64_t(entry.outputs.count);
  });
}

momrt_result momrt_input_describe(const momrt_model *model, const char *entry, int64_t index,
                                  momrt_value *value) {
  return guard([&] {
    const Table &table = tableOf(model);
    const momrt_input &input = at(table.inputsOf(entryOf(table, entry)), index, "an input");
    checked(value, "a place for the description") = {
        table.string(input.name), MOMRT_OUTPUT_ROWS, input.type,  input.count, 0,
        input.channels,           input.limit};
  });
}

momrt_result momrt_output_describe(const momrt_model *model, const char *entry, int64_t index,
                                   momrt_value *value) {
  return guard([&] {
    const Table &table = tableOf(model);
    const momrt_output &output = at(table.outputsOf(entryOf(table, entry)), index, "an output");
    checked(value, "a place for the description") = {
        table.string(output.name), output.kind, output.type, output.count, 0, output.channels, 0};
  });
}

//===----------------------------------------------------------------------===//
// Batches
//===----------------------------------------------------------------------===//

static BatchDescription describe(const momrt_batch &given) {
  if (given.tokens < 0 || given.segment_count < 0)
    fail(MOMRT_BAD_ARGUMENT, "a batch has {} tokens in {} segments", given.tokens,
         given.segment_count);
  BatchDescription description{given.streams, given.length, given.documents, {}, {}};
  if (given.segment_count)
    description.segments.assign(&checked(given.segments, "segments"),
                                given.segments + given.segment_count);
  if (given.modality)
    description.modality.assign(given.modality, given.modality + given.tokens);
  else
    description.modality.assign(size_t(given.tokens), 0);
  return description;
}

momrt_result momrt_batch_set(momrt_session *session, const momrt_batch *batch) {
  return onSession(session, [&](Session &target) {
    target.setBatch(Batch(describe(checked(batch, "a batch")), target.table().groups()));
  });
}

momrt_result momrt_modality_set(momrt_session *session, const momrt_tensor *tensor) {
  return onSession(session, [&](Session &target) {
    const momrt_tensor &given = checked(tensor, "a tensor");
    int64_t tokens = target.counts()[MOMRT_COUNT_TOKEN];
    if (int64_t elements = checkTensor(given, "modality", MOMRT_I32, target); elements != tokens)
      fail(MOMRT_BAD_ARGUMENT, "expected modalities of {} tokens but got {}", tokens, elements);
    target.setModality(static_cast<const int32_t *>(given.data), given.device != MOMRT_HOST);
  });
}

momrt_result momrt_workspace_size(const momrt_session *session, const momrt_batch *batch,
                                  int64_t *bytes) {
  return guard([&] {
    const Session &source = checked(session, "a session").session;
    Batch counted(describe(checked(batch, "a batch")), source.table().groups());
    checked(bytes, "a place for the size") = source.workspaceBytes(counted.counts());
  });
}

momrt_result momrt_workspace_set(momrt_session *session, void *memory, int64_t bytes) {
  return onSession(session, [&](Session &target) { target.setWorkspace(memory, bytes); });
}

momrt_result momrt_stream_set(momrt_session *session, void *stream) {
  return onSession(session, [&](Session &target) { target.device().followStream(stream); });
}

//===----------------------------------------------------------------------===//
// Inputs
//===----------------------------------------------------------------------===//

/// An input as rows and channels. Weights have one row, in whatever shape.
static std::pair<int64_t, int64_t> rowsOf(const Session &session, const std::string &name,
                                          const momrt_tensor &tensor) {
  int64_t elements = checkTensor(tensor, name, tensor.type, session);
  if (!typeBytes(tensor.type))
    fail(MOMRT_BAD_ARGUMENT, "expected a type below {} for input '{}' but got {}", MOMRT_F64 + 1,
         name, tensor.type);
  for (const momrt_input &input : session.table().inputs())
    if (name == session.table().string(input.name) && input.count == MOMRT_COUNT_ONE)
      return {1, elements};
  if (tensor.rank < 1)
    fail(MOMRT_BAD_ARGUMENT, "expected input '{}' as [rows] or [rows, channels] but got {} {}",
         name, typeName(tensor.type), shapeText(shapeOf(tensor)));
  int64_t channels = 1;
  for (int64_t axis = 1; axis < tensor.rank; ++axis)
    channels *= tensor.shape[axis];
  return {tensor.shape[0], channels};
}

momrt_result momrt_input_set(momrt_session *session, const char *name, const momrt_tensor *tensor) {
  return onSession(session, [&](Session &target) {
    const momrt_tensor &given = checked(tensor, "a tensor");
    std::string input = text(name, "a name");
    auto [rows, channels] = rowsOf(target, input, given);
    if (given.device == MOMRT_HOST)
      target.setInput(input, given.type, rows, channels, given.data);
    else
      target.copyInput(input, given.type, rows, channels, given.data);
  });
}

/// Lent memory must be where kernels run.
static void checkPlace(const Session &session, const momrt_tensor &tensor,
                       const std::string &name) {
  if (tensor.device != session.device().number())
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' on device {}, where the session runs, but got "
                             "device {}",
         name, session.device().number(), tensor.device);
}

momrt_result momrt_input_bind(momrt_session *session, const char *name,
                              const momrt_tensor *tensor) {
  return onSession(session, [&](Session &target) {
    const momrt_tensor &given = checked(tensor, "a tensor");
    std::string input = text(name, "a name");
    checkPlace(target, given, input);
    auto [rows, channels] = rowsOf(target, input, given);
    target.bindInput(input, given.type, rows, channels, given.data);
  });
}

momrt_result momrt_step_set(momrt_session *session, int64_t step, int64_t steps) {
  return onSession(session, [&](Session &target) {
    if (step < 1 || steps < step)
      fail(MOMRT_BAD_ARGUMENT, "expected a step from 1 to {} but got {}", steps, step);
    target.setStep(step, steps);
  });
}

momrt_result momrt_hypers_set(momrt_session *session, const float *hypers) {
  return onSession(session, [&](Session &target) {
    Hypers values;
    std::memcpy(values.data(), &checked(hypers, "hypers"), sizeof values);
    target.setHypers(values);
  });
}

//===----------------------------------------------------------------------===//
// Runs and outputs
//===----------------------------------------------------------------------===//

momrt_result momrt_enqueue(momrt_session *session, const char *entry) {
  return onSession(session, [&](Session &target) { target.run(text(entry, "an entry's name")); });
}

momrt_result momrt_status_check(momrt_session *session) {
  return onSession(session, [&](Session &target) { target.checkStatus(); });
}

momrt_result momrt_run(momrt_session *session, const char *entry) {
  return onSession(session,
                   [&](Session &target) { target.runChecked(text(entry, "an entry's name")); });
}

static const momrt_output &outputOf(const Session &session, const char *entry, uint32_t kind,
                                    const char *name) {
  const momrt_entry &found = entryOf(session.table(), entry);
  if (const momrt_output *output =
          session.table().findOutput(found, kind, text(name, "an output's name")))
    return *output;
  fail(MOMRT_BAD_ARGUMENT, "entry '{}' has no output '{}' of kind {}", entry, name, kind);
}

/// A host may have narrow outputs as f32.
static bool readsAsFloats(const momrt_output &output, const momrt_tensor &tensor) {
  return tensor.device == MOMRT_HOST && tensor.type == MOMRT_F32 && isNarrow(output.type);
}

static void checkElements(const Session &session, const momrt_output &output, const char *name,
                          const momrt_tensor &tensor) {
  int64_t elements = checkTensor(
      tensor, name, readsAsFloats(output, tensor) ? uint32_t(MOMRT_F32) : output.type, session);
  if (elements != session.outputElements(output))
    fail(MOMRT_BAD_ARGUMENT, "expected a tensor of {} elements for output '{}' but got {}",
         session.outputElements(output), name, elements);
}

momrt_result momrt_output_get(momrt_session *session, const char *entry, uint32_t kind,
                              const char *name, momrt_tensor *tensor) {
  return onSession(session, [&](Session &source) {
    const momrt_output &output = outputOf(source, entry, kind, name);
    momrt_tensor &target = checked(tensor, "a tensor");
    checkElements(source, output, name, target);
    if (readsAsFloats(output, target))
      source.readOutputFloats(output, static_cast<float *>(target.data));
    else if (target.device == MOMRT_HOST)
      source.readOutput(output, target.data);
    else
      source.device().copyWithin(target.data, source.addressOf(output),
                                 source.outputElements(output) * typeBytes(output.type));
  });
}

momrt_result momrt_output_bind(momrt_session *session, const char *entry, uint32_t kind,
                               const char *name, const momrt_tensor *tensor) {
  return onSession(session, [&](Session &target) {
    const momrt_output &output = outputOf(target, entry, kind, name);
    if (!tensor)
      return target.bindOutput(output, nullptr);
    checkPlace(target, *tensor, name);
    checkElements(target, output, name, *tensor);
    target.bindOutput(output, tensor->data);
  });
}
