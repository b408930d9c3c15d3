// The C interface: checks what callers hand in, and lets no exception out.
#include "runtime/Error.h"
#include "runtime/Gpus.h"
#include "runtime/Train.h"
#include <cstring>

using namespace momrt;

struct momrt_model {
  std::shared_ptr<const Program> program;
};
struct momrt_session {
  Session session;
};

static thread_local char lastError[2048] = "";

template <typename Body> static momrt_result guard(Body body) noexcept {
  try {
    body();
    return MOMRT_OK;
  } catch (...) {
    momrt_result code = MOMRT_OUT_OF_MEMORY;
    const char *text = "out of memory";
    std::pair<momrt_result, std::string> error;
    try {
      error = currentError();
      code = error.first;
      text = error.second.c_str();
    } catch (...) { // no memory for the text either
    }
    std::strncpy(lastError, text, sizeof lastError - 1);
    return code;
  }
}

template <typename T> static T &checked(T *pointer, const char *what) {
  if (!pointer)
    fail(MOMRT_BAD_ARGUMENT, "expected {} but got a null pointer", what);
  return *pointer;
}
static const char *text(const char *pointer, const char *what) { return &checked(pointer, what); }
static std::string textOr(const char *pointer) { return pointer ? pointer : ""; }

/// A caller's dense tensor, with its elements counted.
static int64_t checkTensor(const momrt_tensor &tensor, const std::string &name, uint32_t type) {
  bool empty = false; // and then it may have no memory
  for (int64_t i = 0; i < tensor.rank && i < 4; ++i)
    empty |= tensor.shape[i] == 0;
  if (!empty)
    checked(static_cast<const char *>(tensor.data), "a tensor's data");
  if (tensor.device != 0)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' in host memory (device 0) but got device {}",
         name, tensor.device);
  if (tensor.type != type)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' to be {} but got {}", name, typeName(type),
         typeName(tensor.type));
  if (tensor.rank < 0 || tensor.rank > 4)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' to have rank 0 to 4 but got {}", name,
         tensor.rank);
  int64_t elements = 1;
  for (int64_t axis = 0; axis < tensor.rank; ++axis)
    if (tensor.shape[axis] < 0 || __builtin_mul_overflow(elements, tensor.shape[axis], &elements))
      fail(MOMRT_BAD_ARGUMENT, "tensor '{}' has size {} on axis {}", name, tensor.shape[axis],
           axis);
  return elements;
}

static std::vector<int64_t> shapeOf(const momrt_tensor &tensor) {
  return {tensor.shape, tensor.shape + tensor.rank};
}

static const Parameter &parameterFor(momrt_session *session, const char *name,
                                     const momrt_tensor *tensor) {
  const Parameter &parameter =
      checked(session, "a session").session.parameters().get(text(name, "a name"));
  const momrt_tensor &given = checked(tensor, "a tensor");
  checkTensor(given, parameter.name, MOMRT_F32);
  if (shapeOf(given) != parameter.shape)
    fail(MOMRT_BAD_ARGUMENT, "expected parameter '{}' with shape {} but got {}", parameter.name,
         shapeText(parameter.shape), shapeText(shapeOf(given)));
  return parameter;
}

const char *momrt_last_error(void) { return lastError; }

momrt_result momrt_gpus(momrt_gpu *gpus, int64_t capacity, int64_t *count) {
  return guard([&] {
    checked(count, "a place for the count") = 0;
    std::vector<Gpu> found = findGpus();
    for (size_t at = 0; at < found.size() && int64_t(at) < capacity; ++at) {
      momrt_gpu &gpu = (&checked(gpus, "a place for the GPUs"))[at];
      gpu = {{}, found[at].architecture, 0, found[at].memory};
      std::strncpy(gpu.name, found[at].name.c_str(), sizeof gpu.name - 1);
    }
    *count = int64_t(found.size());
  });
}

momrt_result momrt_open(const momrt_program *program, momrt_model **model) {
  return guard([&] {
    checked(model, "a place for the model") = nullptr;
    *model = new momrt_model{std::make_shared<Program>(program)};
  });
}

void momrt_close(momrt_model *model) { delete model; }

momrt_result momrt_session_create(const momrt_model *model, const momrt_session_options *options,
                                  momrt_session **session) {
  return guard([&] {
    checked(session, "a place for the session") = nullptr;
    SessionOptions chosen;
    if (options)
      chosen = {options->threads, options->device, options->poison != 0, options->no_graphs == 0};
    *session = new momrt_session{Session(checked(model, "a model").program, chosen)};
  });
}

void momrt_session_destroy(momrt_session *session) { delete session; }

momrt_result momrt_initialise(momrt_session *session, uint64_t seed) {
  return guard([&] { checked(session, "a session").session.initialise(seed); });
}

momrt_result momrt_load(momrt_session *session, const char *path) {
  return guard(
      [&] { loadParameters(checked(session, "a session").session, text(path, "a path")); });
}

momrt_result momrt_save(momrt_session *session, const char *path) {
  return guard(
      [&] { saveParameters(checked(session, "a session").session, text(path, "a path")); });
}

int64_t momrt_parameter_count(const momrt_session *session) {
  return session ? int64_t(session->session.parameters().all().size()) : 0;
}

momrt_result momrt_parameter_describe(const momrt_session *session, int64_t index,
                                      const char **name, momrt_tensor *shape) {
  return guard([&] {
    auto &all = checked(session, "a session").session.parameters().all();
    if (index < 0 || index >= int64_t(all.size()))
      fail(MOMRT_BAD_ARGUMENT, "expected a parameter below {} but got {}", all.size(), index);
    checked(name, "a place for the name") = all[index].name.c_str();
    momrt_tensor &out = checked(shape, "a place for the shape");
    out = {nullptr, MOMRT_F32, 0, int64_t(all[index].shape.size()), {}};
    for (size_t axis = 0; axis < all[index].shape.size(); ++axis)
      out.shape[axis] = all[index].shape[axis];
  });
}

momrt_result momrt_parameter_get(momrt_session *session, const char *name, momrt_tensor *tensor) {
  return guard([&] {
    const Parameter &parameter = parameterFor(session, name, tensor);
    session->session.read(MOMRT_SPACE_PARAMETERS, parameter, static_cast<float *>(tensor->data));
  });
}

momrt_result momrt_parameter_set(momrt_session *session, const char *name,
                                 const momrt_tensor *tensor) {
  return guard([&] {
    const Parameter &parameter = parameterFor(session, name, tensor);
    session->session.write(MOMRT_SPACE_PARAMETERS, parameter, static_cast<float *>(tensor->data));
  });
}

momrt_result momrt_gradient_get(momrt_session *session, const char *name, momrt_tensor *tensor) {
  return guard([&] {
    const Parameter &parameter = parameterFor(session, name, tensor);
    session->session.read(MOMRT_SPACE_GRADIENTS, parameter, static_cast<float *>(tensor->data));
  });
}

momrt_result momrt_batch_set(momrt_session *session, const momrt_batch *batch) {
  return guard([&] {
    Session &target = checked(session, "a session").session;
    const momrt_batch &given = checked(batch, "a batch");
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
    target.setBatch(Batch(std::move(description), target.table().groups()));
  });
}

momrt_result momrt_input_set(momrt_session *session, const char *name, const momrt_tensor *tensor) {
  return guard([&] {
    Session &target = checked(session, "a session").session;
    const momrt_tensor &given = checked(tensor, "a tensor");
    std::string input = text(name, "a name");
    checkTensor(given, input, given.type);
    if (!typeBytes(given.type) || given.rank < 1 || given.rank > 2)
      fail(MOMRT_BAD_ARGUMENT, "expected input '{}' as [rows] or [rows, channels] but got {} {}",
           input, typeName(given.type), shapeText(shapeOf(given)));
    target.setInput(input, given.type, given.shape[0], given.rank == 2 ? given.shape[1] : 1,
                    given.data);
  });
}

momrt_result momrt_hypers_set(momrt_session *session, const float *hypers) {
  return guard([&] {
    Hypers values;
    std::memcpy(values.data(), &checked(hypers, "hypers"), sizeof values);
    checked(session, "a session").session.setHypers(values);
  });
}

momrt_result momrt_run(momrt_session *session, const char *entry) {
  return guard([&] {
    Session &target = checked(session, "a session").session;
    target.run(text(entry, "an entry's name"));
    target.checkStatus();
  });
}

momrt_result momrt_output_get(momrt_session *session, const char *entry, uint32_t kind,
                              const char *name, momrt_tensor *tensor) {
  return guard([&] {
    Session &source = checked(session, "a session").session;
    const momrt_entry &found = source.table().entry(text(entry, "an entry's name"));
    const momrt_output *output = source.table().findOutput(found, kind, text(name, "a name"));
    if (!output)
      fail(MOMRT_BAD_ARGUMENT, "entry '{}' has no output '{}' of kind {}", entry, name, kind);
    momrt_tensor &target = checked(tensor, "a tensor");
    int64_t elements = checkTensor(target, name, output->type);
    if (elements != source.outputElements(*output))
      fail(MOMRT_BAD_ARGUMENT, "expected a tensor of {} elements for output '{}' but got {}",
           source.outputElements(*output), name, elements);
    source.readOutput(*output, target.data);
  });
}

static TrainOptions optionsOf(const momrt_train_options &given) {
  TrainOptions options;
  options.data = text(given.data, "a data file");
  options.validation = textOr(given.validation);
  options.folder = text(given.folder, "a folder");
  options.start = textOr(given.start);
  options.steps = given.steps;
  options.saveEvery = given.save_every;
  options.evaluateEvery = given.evaluate_every;
  options.streams = given.streams;
  options.length = given.length;
  options.seed = given.seed;
  options.resume = given.resume != 0;
  options.progress = given.bar < 0    ? ProgressMode::Automatic
                     : given.bar == 0 ? ProgressMode::Silent
                                      : ProgressMode::Bar;
  if (given.progress)
    options.onStep = [given](const StepReport &report) {
      double loss = 0.0 / 0.0;
      for (const Measure &measure : report.measures)
        if (measure.loss) {
          loss = measure.value;
          break;
        }
      momrt_progress progress{
          report.step, report.steps,        report.tokens,          loss,
          report.rate, report.gradientNorm, report.tokensPerSecond, report.seconds};
      return given.progress(given.context, &progress) == 0;
    };
  return options;
}

momrt_result momrt_train(momrt_session *session, const momrt_train_options *options) {
  return guard([&] {
    train(checked(session, "a session").session, optionsOf(checked(options, "options")));
  });
}

momrt_result momrt_evaluate(momrt_session *session, const char *path,
                            void (*report)(void *, const char *, int64_t, double, double),
                            void *context) {
  return guard([&] {
    Session &source = checked(session, "a session").session;
    const momrt_table &header = source.table().header();
    DataFile data(text(path, "a data file"), source.table(), source.table().entry("loss"));
    for (const Measure &measure :
         evaluate(source, data, header.batch_streams, header.batch_length)) {
      double count = 0;
      for (double part : measure.counts)
        count += part;
      if (measure.loss)
        report(context, measure.name.c_str(), -1, measure.value, count);
      else
        for (size_t group = 0; group < measure.sums.size(); ++group)
          report(context, measure.name.c_str(), int64_t(group), measure.mean(group),
                 measure.counts[group]);
    }
  });
}
