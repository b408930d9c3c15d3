// The C interface: models, sessions, parameters and training.
#include "runtime/Abi.h"
#include "runtime/Gpus.h"
#include "runtime/Library.h"
#include "runtime/Train.h"
#include "runtime/Variants.h"
#include <cstring>

using namespace momrt;

static thread_local char lastError[2048] = "";

momrt_result momrt::keepError() noexcept {
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

static std::string textOr(const char *pointer) { return pointer ? pointer : ""; }

static int64_t checkShape(const momrt_tensor &tensor, const std::string &name, uint32_t type) {
  if (tensor.rank < 0 || tensor.rank > 4)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' to have rank 0 to 4 but got {}", name,
         tensor.rank);
  if (tensor.type != type)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' to be {} but got {}", name, typeName(type),
         typeName(tensor.type));
  int64_t elements = 1;
  for (int64_t axis = 0; axis < tensor.rank; ++axis)
    if (tensor.shape[axis] < 0 || __builtin_mul_overflow(elements, tensor.shape[axis], &elements))
      fail(MOMRT_BAD_ARGUMENT, "tensor '{}' has size {} on axis {}", name, tensor.shape[axis],
           axis);
  if (elements) // else it may have no memory
    checked(static_cast<const char *>(tensor.data), "a tensor's data");
  return elements;
}

int64_t momrt::checkTensor(const momrt_tensor &tensor, const std::string &name, uint32_t type,
                           const Session &session) {
  uint32_t own = session.device().number();
  if (tensor.device != MOMRT_HOST && tensor.device != own)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' in host memory (device 0){} but got device {}",
         name, own ? fmt::format(" or on the session's GPU (device {})", own) : "", tensor.device);
  return checkShape(tensor, name, type);
}

int64_t momrt::checkHostTensor(const momrt_tensor &tensor, const std::string &name,
                               uint32_t type) {
  if (tensor.device != MOMRT_HOST)
    fail(MOMRT_BAD_ARGUMENT, "expected tensor '{}' in host memory (device 0) but got device {}",
         name, tensor.device);
  return checkShape(tensor, name, type);
}

static const Parameter &parameterFor(momrt_session *session, const char *name,
                                     const momrt_tensor *tensor) {
  const Parameter &parameter =
      checked(session, "a session").session.parameters().get(text(name, "a name"));
  const momrt_tensor &given = checked(tensor, "a tensor");
  checkHostTensor(given, parameter.name, MOMRT_F32);
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

uint32_t momrt_abi_version(void) { return MOMRT_ABI_VERSION; }

static void checkAbi(uint32_t version) {
  if (version != MOMRT_ABI_VERSION)
    fail(MOMRT_BAD_ARGUMENT,
         "the host was compiled for version {} of momrt's C interface, but this libmomrt has "
         "version {}; compile the host with the momrt.h that belongs to it",
         version, MOMRT_ABI_VERSION);
}

momrt_result momrt_open_version(uint32_t version, const momrt_program *program,
                                momrt_model **model) {
  return guard([&] {
    checked(model, "a place for the model") = nullptr;
    checkAbi(version);
    *model = new momrt_model{std::make_shared<Program>(programHere(program))};
  });
}

momrt_result momrt_open_on_version(uint32_t version, const momrt_program *program, uint32_t device,
                                   momrt_model **model) {
  return guard([&] {
    checked(model, "a place for the model") = nullptr;
    checkAbi(version);
    *model = new momrt_model{std::make_shared<Program>(programFor(program, device))};
  });
}

namespace {
struct LoadedProgram {
  LoadedProgram(const char *path, const uint32_t *device)
      : library(path),
        program(device ? programFor(library.program(), *device) : programHere(library.program())) {}
  const Library library; // stays loaded as long as its program
  const Program program;
};
} // namespace

static momrt_result openFile(uint32_t version, const char *path, const uint32_t *device,
                             momrt_model **model) {
  return guard([&] {
    checked(model, "a place for the model") = nullptr;
    checkAbi(version);
    auto loaded = std::make_shared<const LoadedProgram>(text(path, "a path"), device);
    *model = new momrt_model{{loaded, &loaded->program}};
  });
}

momrt_result momrt_open_file_version(uint32_t version, const char *path, momrt_model **model) {
  return openFile(version, path, nullptr, model);
}

momrt_result momrt_open_file_on_version(uint32_t version, const char *path, uint32_t device,
                                        momrt_model **model) {
  return openFile(version, path, &device, model);
}

void momrt_close(momrt_model *model) { delete model; }

momrt_result momrt_session_create(const momrt_model *model, const momrt_session_options *options,
                                  momrt_session **session) {
  return guard([&] {
    checked(session, "a place for the session") = nullptr;
    const std::shared_ptr<const Program> &program = checked(model, "a model").program;
    SessionOptions chosen;
    if (options) {
      chosen = {options->threads, options->device, options->poison != 0, options->no_graphs == 0,
                std::nullopt};
      if (options->guest)
        chosen.guest = Guest{options->context, options->stream};
    }
    if (program->onGpu())
      Driver::get(); // so that the thread's context is known, and restored
    ContextKeeper keeper;
    *session = new momrt_session{Session(program, chosen)};
  });
}

void momrt_session_destroy(momrt_session *session) {
  ContextKeeper keeper;
  delete session;
}

momrt_result momrt_initialise(momrt_session *session, uint64_t seed) {
  return onSession(session, [&](Session &target) { target.initialise(seed); });
}

momrt_result momrt_load(momrt_session *session, const char *path) {
  return onSession(session,
                   [&](Session &target) { loadParameters(target, text(path, "a path")); });
}

momrt_result momrt_save(momrt_session *session, const char *path) {
  return onSession(session,
                   [&](Session &source) { saveParameters(source, text(path, "a path")); });
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
    if (!session->session.has(MOMRT_SPACE_GRADIENTS))
      fail(MOMRT_BAD_ARGUMENT, "expected an entry that makes gradients to have run, but none has");
    session->session.read(MOMRT_SPACE_GRADIENTS, parameter, static_cast<float *>(tensor->data));
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
      bool any = false; // the total of several, else the only one
      for (const Measure &measure : report.measures)
        if (measure.loss && (!any || measure.name == "total")) {
          loss = measure.value;
          any = true;
        }
      momrt_progress progress{
          report.step, report.steps,        report.tokens,          loss,
          report.rate, report.gradientNorm, report.tokensPerSecond, report.seconds};
      return given.progress(given.context, &progress) == 0;
    };
  return options;
}

momrt_result momrt_train(momrt_session *session, const momrt_train_options *options) {
  return onSession(session, [&](Session &target) {
    train(target, optionsOf(checked(options, "options")));
  });
}

momrt_result momrt_evaluate(momrt_session *session, const char *path,
                            void (*report)(void *, const char *, int64_t, double, double),
                            void *context) {
  return onSession(session, [&](Session &source) {
    const momrt_table &header = source.table().header();
    checked(report, "a function to report to");
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
