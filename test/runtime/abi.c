/* The C interface, used as a guest does: from C, through libmomrt.so. */
#include "momrt/momrt.h"
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const momrt_program *tinyProgram(void);

static int failures;
#define CHECK(condition)                                                                           \
  do                                                                                               \
    if (!(condition)) {                                                                            \
      ++failures;                                                                                  \
      printf("%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #condition, momrt_last_error());      \
    }                                                                                              \
  while (0)

static momrt_tensor tensor(void *data, uint32_t type, int64_t rows) {
  momrt_tensor result = {data, type, 0, 1, {rows}};
  return result;
}

static void runEntries(momrt_session *session) {
  int32_t modality[] = {0, 1, 1, 0, 1}, id[] = {4, 5, 7, 8, 9};
  momrt_segment segments[] = {{0, 2, -1, -1}, {2, 3, -1, -1}};
  momrt_batch batch = {1, 5, 2, 5, modality, 2, segments};
  CHECK(momrt_batch_set(session, &batch) == MOMRT_OK);
  CHECK(momrt_run(session, "loss") == MOMRT_BAD_ARGUMENT);
  CHECK(strstr(momrt_last_error(), "reads input 'id', which is not set"));
  momrt_tensor ids = tensor(id, MOMRT_I32, 5);
  CHECK(momrt_input_set(session, "id", &ids) == MOMRT_OK);
  CHECK(momrt_run(session, "gradient") == MOMRT_OK);

  float loss = 0, prediction[5], mean = 0, gradient[2], shift[2];
  momrt_tensor out = tensor(&loss, MOMRT_F32, 1), rows = tensor(prediction, MOMRT_F32, 5);
  CHECK(momrt_output_get(session, "gradient", MOMRT_OUTPUT_LOSS, "square", &out) == MOMRT_OK);
  CHECK(momrt_output_get(session, "gradient", MOMRT_OUTPUT_ROWS, "prediction", &rows) == MOMRT_OK);
  for (int at = 0; at < 5; ++at)
    mean += (prediction[at] - id[at] % 4) * (prediction[at] - id[at] % 4) / 5;
  CHECK(fabsf(mean - loss) < 1e-5f);
  CHECK(momrt_output_get(session, "gradient", MOMRT_OUTPUT_ROWS, "prediction", &out) ==
        MOMRT_BAD_ARGUMENT);
  CHECK(momrt_output_get(session, "gradient", MOMRT_OUTPUT_ROWS, "logits", &rows) ==
        MOMRT_BAD_ARGUMENT);

  /* d loss / d shift against a finite difference */
  momrt_tensor slope = tensor(gradient, MOMRT_F32, 2), weights = tensor(shift, MOMRT_F32, 2);
  CHECK(momrt_gradient_get(session, "layers.1.shift", &slope) == MOMRT_OK);
  CHECK(momrt_parameter_get(session, "layers.1.shift", &weights) == MOMRT_OK);
  shift[1] += 1e-2f;
  CHECK(momrt_parameter_set(session, "layers.1.shift", &weights) == MOMRT_OK);
  float before = loss;
  CHECK(momrt_run(session, "loss") == MOMRT_OK);
  CHECK(momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "square", &out) == MOMRT_OK);
  CHECK(fabsf((loss - before) / 1e-2f - gradient[1]) < 2e-2f);

  id[2] = -1;
  CHECK(momrt_input_set(session, "id", &ids) == MOMRT_OK);
  CHECK(momrt_run(session, "loss") == MOMRT_BAD_VALUE);
  CHECK(strstr(momrt_last_error(), "index -1 is out of range in row"));
  batch.segment_count = 1;
  CHECK(momrt_batch_set(session, &batch) == MOMRT_BAD_ARGUMENT);
  CHECK(strstr(momrt_last_error(), "segments end at position 2, but the batch has 5 tokens"));
}

static void parameters(momrt_session *session) {
  const char *name = NULL;
  momrt_tensor shape;
  CHECK(momrt_parameter_count(session) == 4);
  CHECK(momrt_parameter_describe(session, 3, &name, &shape) == MOMRT_OK);
  CHECK(!strcmp(name, "layers.2.shift") && shape.rank == 1 && shape.shape[0] == 2);
  CHECK(momrt_parameter_describe(session, 4, &name, &shape) == MOMRT_BAD_ARGUMENT);
  float values[24];
  momrt_tensor all = tensor(values, MOMRT_F32, 24);
  CHECK(momrt_parameter_get(session, "embed.weight", &all) == MOMRT_OK);
  all.shape[0] = 23;
  CHECK(momrt_parameter_get(session, "embed.weight", &all) == MOMRT_BAD_ARGUMENT);
  CHECK(strstr(momrt_last_error(), "with shape [24] but got [23]"));
  all.type = MOMRT_F16;
  CHECK(momrt_parameter_get(session, "embed.weight", &all) == MOMRT_BAD_ARGUMENT);
  CHECK(momrt_parameter_get(session, NULL, &all) == MOMRT_BAD_ARGUMENT);
  CHECK(momrt_load(session, "/nowhere/at/all") == MOMRT_SYSTEM);
}

/* Of a session that has not run. */
static void tooEarly(momrt_session *session) {
  float shift[2];
  momrt_tensor slope = tensor(shift, MOMRT_F32, 2);
  CHECK(momrt_gradient_get(session, "layers.1.shift", &slope) == MOMRT_BAD_ARGUMENT);
  CHECK(momrt_run(session, "update") == MOMRT_BAD_ARGUMENT);
  CHECK(strstr(momrt_last_error(), "'update' reads the scalars of a step, which are not set"));
}

/* What a batch without memory, and one that has not run, refuse. */
static void unfinished(momrt_session *session) {
  static int32_t id[90000];
  static _Alignas(64) char workspace[1 << 16];
  float loss = 0;
  momrt_segment segment = {0, 100, -1, -1};
  momrt_batch batch = {1, 0, 1, 100, NULL, 1, &segment};
  momrt_tensor ids = tensor(id, MOMRT_I32, 100), out = tensor(&loss, MOMRT_F32, 1);
  int64_t bytes = 0;
  CHECK(momrt_workspace_size(session, &batch, &bytes) == MOMRT_OK &&
        bytes <= (int64_t)sizeof workspace);
  CHECK(momrt_workspace_set(session, workspace, bytes) == MOMRT_OK);
  CHECK(momrt_batch_set(session, &batch) == MOMRT_OK);
  CHECK(momrt_input_set(session, "id", &ids) == MOMRT_OK);
  CHECK(momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "square", &out) == MOMRT_BAD_ARGUMENT);
  CHECK(strstr(momrt_last_error(), "entry 'loss' has not run with this batch"));
  CHECK(momrt_run(session, "loss") == MOMRT_OK);
  CHECK(momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "square", &out) == MOMRT_OK);
  CHECK(momrt_batch_set(session, &batch) == MOMRT_OK);
  CHECK(momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "square", &out) == MOMRT_BAD_ARGUMENT);

  segment.length = batch.tokens = ids.shape[0] = 90000;
  CHECK(momrt_batch_set(session, &batch) == MOMRT_OUT_OF_MEMORY);
  CHECK(momrt_input_set(session, "id", &ids) == MOMRT_BAD_ARGUMENT);
  CHECK(strstr(momrt_last_error(), "input 'id' has no batch: the last one did not fit"));
  CHECK(momrt_input_bind(session, "id", &ids) == MOMRT_BAD_ARGUMENT);
  CHECK(momrt_modality_set(session, &ids) == MOMRT_BAD_ARGUMENT);
  CHECK(momrt_output_bind(session, "loss", MOMRT_OUTPUT_LOSS, "square", &out) ==
        MOMRT_BAD_ARGUMENT);
  CHECK(momrt_run(session, "loss") == MOMRT_BAD_ARGUMENT);
  CHECK(momrt_workspace_set(session, NULL, 0) == MOMRT_OK);
  CHECK(momrt_batch_set(session, &batch) == MOMRT_OK);
  batch.length = INT64_MAX;
  CHECK(momrt_batch_set(session, &batch) == MOMRT_OK);
}

static void *save(void *session) {
  for (int at = 0; at < 100; ++at)
    CHECK(momrt_save(session, "same.safetensors") == MOMRT_OK);
  return NULL;
}

/* Threads save to one file; a pipe is written into. */
static void files(momrt_session *session) {
  momrt_model *model = NULL;
  momrt_session *other = NULL;
  CHECK(momrt_open(tinyProgram(), &model) == MOMRT_OK);
  CHECK(momrt_session_create(model, NULL, &other) == MOMRT_OK);
  pthread_t thread;
  CHECK(!pthread_create(&thread, NULL, save, other));
  save(session);
  pthread_join(thread, NULL);
  CHECK(momrt_load(session, "same.safetensors") == MOMRT_OK);
  momrt_session_destroy(other);
  momrt_close(model);

  struct stat info;
  char bytes[8];
  CHECK(!mkfifo("pipe", 0600));
  int pipe = open("pipe", O_RDWR);
  CHECK(momrt_save(session, "pipe") == MOMRT_OK);
  CHECK(read(pipe, bytes, sizeof bytes) == sizeof bytes);
  CHECK(!stat("pipe", &info) && S_ISFIFO(info.st_mode));
  close(pipe);
}

/* A fork has no threads: to destroy what it inherits must not wait for them. */
static void inherited(momrt_session *session) {
  int status = -1;
  pid_t child = fork();
  if (!child) {
    alarm(20);
    momrt_session_destroy(session);
    _exit(0);
  }
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
}

int main(void) {
  momrt_model *model = NULL;
  momrt_session *session = NULL;
  momrt_session_options options = {2, 0, 1, 0, 0, 0, NULL, NULL};
  CHECK(momrt_open(NULL, &model) == MOMRT_BAD_ARGUMENT && !model);
  CHECK(momrt_open(tinyProgram(), &model) == MOMRT_OK);
  CHECK(momrt_session_create(NULL, NULL, &session) == MOMRT_BAD_ARGUMENT && !session);
  CHECK(momrt_session_create(model, &options, &session) == MOMRT_OK);
  momrt_close(model);
  CHECK(momrt_initialise(session, 9) == MOMRT_OK);
  tooEarly(session);
  parameters(session);
  runEntries(session);
  unfinished(session);
  files(session);
  inherited(session);
  momrt_session_destroy(session);
  momrt_session_destroy(NULL);
  printf(failures ? "%d checks failed\n" : "ok\n", failures);
  return failures != 0;
}
