/* The runtime of compiled Mixture-of-Mamba models: its C interface.
 *
 * A compiled model exports one momrt_program (table.h). `momrt_open` checks it
 * and gives a model, which is immutable and may be shared by threads; each
 * thread that runs it makes a session, which owns parameters and buffers.
 *
 *   momrt_open(&chameleon, &model);
 *   momrt_session_create(model, NULL, &session);
 *   momrt_load(session, "run/checkpoint-00000500.safetensors");
 *   momrt_batch_set(session, &batch);
 *   momrt_input_set(session, "id", &id);
 *   momrt_run(session, "loss");
 *   momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "lm", &loss);
 *
 * Every function returns MOMRT_OK or a code, and then momrt_last_error() has
 * the text. Rows, of inputs and outputs alike, are by position.
 */
#ifndef MOMRT_MOMRT_H
#define MOMRT_MOMRT_H

#include "momrt/table.h"

#if defined(__GNUC__)
#define MOMRT_API __attribute__((visibility("default")))
#else
#define MOMRT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum momrt_result {
  MOMRT_OK = 0,
  MOMRT_BAD_ARGUMENT,  /* the caller handed in something that does not fit */
  MOMRT_BAD_TABLE,     /* the program is damaged or of another version */
  MOMRT_BAD_FILE,      /* a file is damaged, or belongs to another model */
  MOMRT_SYSTEM,        /* the operating system refused: file, lock, thread */
  MOMRT_OUT_OF_MEMORY,
  MOMRT_DEVICE,        /* the GPU or its driver is absent or refused */
  MOMRT_BAD_VALUE,     /* a kernel met an index out of range or a non-finite value */
  MOMRT_INTERNAL       /* a mistake of the runtime */
} momrt_result;

typedef struct momrt_model momrt_model;
typedef struct momrt_session momrt_session;

/* The text of this thread's last error; never null. */
MOMRT_API const char *momrt_last_error(void);

/* A GPU that the CUDA driver offers. */
typedef struct {
  char name[256];
  int32_t architecture; /* 90 is sm_90 */
  int32_t reserved;
  int64_t memory;       /* bytes in all */
} momrt_gpu;

/* Describes at most `capacity` GPUs, by the number that a session's `device`
 * means, and says how many there are. MOMRT_DEVICE without a driver or a GPU. */
MOMRT_API momrt_result momrt_gpus(momrt_gpu *gpus, int64_t capacity, int64_t *count);

/* Checks a program. Its table and kernels must outlive the model. */
MOMRT_API momrt_result momrt_open(const momrt_program *program, momrt_model **model);
/* Sessions keep what they need of a model: it may be closed before them. */
MOMRT_API void momrt_close(momrt_model *model);

typedef struct {
  int32_t threads; /* of the CPU, 0: all cores */
  int32_t device;  /* of a GPU program: which GPU */
  int32_t poison;  /* for tests: fill the arena with NaN at each new batch */
  int32_t no_graphs; /* of a GPU program: wait for each launch, so that a fault names its kernel */
} momrt_session_options;

/* `options` may be null. A session serves one thread at a time. */
MOMRT_API momrt_result momrt_session_create(const momrt_model *model,
                                            const momrt_session_options *options,
                                            momrt_session **session);
MOMRT_API void momrt_session_destroy(momrt_session *session);

/* Initial values: the same on every device for the same seed. */
MOMRT_API momrt_result momrt_initialise(momrt_session *session, uint64_t seed);
/* Parameters from a checkpoint or an export; a file of other shapes or
 * settings is refused with what differs. */
MOMRT_API momrt_result momrt_load(momrt_session *session, const char *path);
/* Writes the parameters alone, as safetensors. */
MOMRT_API momrt_result momrt_save(momrt_session *session, const char *path);

/* A caller's dense, row-major tensor in host memory. */
typedef struct {
  void *data;
  uint32_t type, device; /* momrt_type; device: 0 host, no other yet */
  int64_t rank, shape[4];
} momrt_tensor;

/* Parameters by their checkpoint name, as f32. */
MOMRT_API int64_t momrt_parameter_count(const momrt_session *session);
/* Name and shape of a parameter; the name lives as long as the session. */
MOMRT_API momrt_result momrt_parameter_describe(const momrt_session *session, int64_t index,
                                                const char **name, momrt_tensor *shape);
MOMRT_API momrt_result momrt_parameter_get(momrt_session *session, const char *name,
                                           momrt_tensor *tensor);
MOMRT_API momrt_result momrt_parameter_set(momrt_session *session, const char *name,
                                           const momrt_tensor *tensor);
/* The gradient that the last entry which makes gradients left. */
MOMRT_API momrt_result momrt_gradient_get(momrt_session *session, const char *name,
                                          momrt_tensor *tensor);

/* A batch: what all entries share. The arrays are copied. */
typedef struct {
  int64_t streams, length;  /* length: positions of a stream (the last may be
                               shorter), 0: streams of differing lengths */
  int64_t documents;        /* rows of document inputs: one a segment; 0 says the same */
  int64_t tokens;
  const int32_t *modality;  /* [tokens]; null: all of the first modality */
  int64_t segment_count;
  const momrt_segment *segments; /* partition of the positions, ascending */
} momrt_batch;

MOMRT_API momrt_result momrt_batch_set(momrt_session *session, const momrt_batch *batch);
/* Rows of an input, after momrt_batch_set: [rows, channels] or [rows]. */
MOMRT_API momrt_result momrt_input_set(momrt_session *session, const char *name,
                                       const momrt_tensor *tensor);
/* The step's scalars, MOMRT_HYPERS of them, for the entry "update". */
MOMRT_API momrt_result momrt_hypers_set(momrt_session *session, const float *hypers);
MOMRT_API momrt_result momrt_run(momrt_session *session, const char *entry);
/* Copies an output of the entry that ran last: [channels] or [rows, channels]. */
MOMRT_API momrt_result momrt_output_get(momrt_session *session, const char *entry, uint32_t kind,
                                        const char *name, momrt_tensor *tensor);

typedef struct {
  int64_t step, steps, tokens; /* of the run so far */
  double loss, rate, gradient_norm, tokens_per_second, seconds;
} momrt_progress;

typedef struct {
  const char *data;        /* token file */
  const char *validation;  /* held-out token file, or null */
  const char *folder;      /* checkpoints and log.jsonl */
  const char *start;       /* file of initial parameters, or null */
  int64_t steps;           /* of the whole run */
  int64_t save_every;      /* 0: at the end only */
  int64_t evaluate_every;  /* 0: never */
  int64_t streams, length; /* 0: as the model says */
  uint64_t seed;
  int32_t resume;          /* continue from the last checkpoint, if there is one */
  int32_t bar;             /* -1: if stderr is a terminal, else whether to show it */
  /* Called after each step; a result other than 0 ends the run as a signal does. */
  int (*progress)(void *context, const momrt_progress *progress);
  void *context;
} momrt_train_options;

MOMRT_API momrt_result momrt_train(momrt_session *session, const momrt_train_options *options);

/* Evaluates the entry "loss" over a token file. `report` gets each loss
 * (group -1) and each metric by group, with how many rows were counted. */
MOMRT_API momrt_result momrt_evaluate(momrt_session *session, const char *data,
                                      void (*report)(void *context, const char *name,
                                                     int64_t group, double value, double count),
                                      void *context);

#ifdef __cplusplus
}
#endif
#endif
