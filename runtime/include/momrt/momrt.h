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
 * A guest that has its own memory lends it: momrt_input_bind, momrt_output_bind and
 * momrt_workspace_set instead of copies, and on a GPU a session in the guest's context
 * on the guest's stream, where momrt_enqueue only launches kernels: nothing waits, and
 * the guest may capture it all in a CUDA graph.
 *
 * Every function returns MOMRT_OK or a code, and then momrt_last_error() has
 * the text. None changes the calling thread's CUDA context. Rows, of inputs and
 * outputs alike, are by position.
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

/* Of this interface: functions, structs and what they mean. The launch table has a
 * version of its own, MOMRT_TABLE_VERSION; momrt_open refuses others of either kind
 * with both versions in the text. */
#define MOMRT_ABI_VERSION 1u
/* The version of the library that is running. */
MOMRT_API uint32_t momrt_abi_version(void);

typedef struct momrt_model momrt_model;
typedef struct momrt_session momrt_session;

/* The text of this thread's last error; never null. */
MOMRT_API const char *momrt_last_error(void);

/* A GPU that the CUDA driver offers. */
typedef struct {
  char name[256];
  int32_t architecture; /* 90: of the target sm_90a */
  int32_t reserved;
  int64_t memory;       /* bytes in all */
} momrt_gpu;

/* Describes at most `capacity` GPUs, by the number that a session's `device`
 * means, and says how many there are. MOMRT_DEVICE without a driver or a GPU. */
MOMRT_API momrt_result momrt_gpus(momrt_gpu *gpus, int64_t capacity, int64_t *count);

/* A device: where a program runs, or a tensor lies. */
#define MOMRT_HOST 0u
#define MOMRT_GPU(n) (1u + (uint32_t)(n)) /* GPU n */

/* Checks a program, for a host compiled with version `abi` of this header. Its table
 * and kernels must outlive the model. */
MOMRT_API momrt_result momrt_open_version(uint32_t abi, const momrt_program *program,
                                          momrt_model **model);
static inline momrt_result momrt_open(const momrt_program *program, momrt_model **model) {
  return momrt_open_version(MOMRT_ABI_VERSION, program, model);
}
/* A program for several targets (`momc compile --target sm_90a,cpu`) is opened for the first
 * of them that this machine has a device for, or, here, for a device: MOMRT_HOST or
 * MOMRT_GPU(n). MOMRT_DEVICE, with what it is compiled for, if there is none for it. */
MOMRT_API momrt_result momrt_open_on_version(uint32_t abi, const momrt_program *program,
                                             uint32_t device, momrt_model **model);
static inline momrt_result momrt_open_on(const momrt_program *program, uint32_t device,
                                         momrt_model **model) {
  return momrt_open_on_version(MOMRT_ABI_VERSION, program, device, model);
}
/* The same of the program in a shared library that `momc compile --shared` made; the
 * library stays loaded as long as the model and its sessions. */
MOMRT_API momrt_result momrt_open_file_version(uint32_t abi, const char *path,
                                               momrt_model **model);
static inline momrt_result momrt_open_file(const char *path, momrt_model **model) {
  return momrt_open_file_version(MOMRT_ABI_VERSION, path, model);
}
MOMRT_API momrt_result momrt_open_file_on_version(uint32_t abi, const char *path, uint32_t device,
                                                  momrt_model **model);
static inline momrt_result momrt_open_file_on(const char *path, uint32_t device,
                                              momrt_model **model) {
  return momrt_open_file_on_version(MOMRT_ABI_VERSION, path, device, model);
}
/* Sessions keep what they need of a model: it may be closed before them. */
MOMRT_API void momrt_close(momrt_model *model);

typedef struct {
  const char *name, *digest; /* of the model; hash of its text and settings */
  int32_t target;            /* 0 CPU, else 10 * major + minor of the GPU's sm */
  int32_t reserved;
  int64_t entries, modalities, settings; /* how many */
} momrt_model_info;

/* What a model is and has; texts live as long as the model or a session of it. */
MOMRT_API momrt_result momrt_model_describe(const momrt_model *model, momrt_model_info *info);
/* The modality that number `index` of a batch means. */
MOMRT_API momrt_result momrt_modality_name(const momrt_model *model, int64_t index,
                                           const char **name);
MOMRT_API momrt_result momrt_setting_describe(const momrt_model *model, int64_t index,
                                              const char **name, double *value);
/* Name of an entry, and how many inputs and outputs it has. */
MOMRT_API momrt_result momrt_entry_describe(const momrt_model *model, int64_t index,
                                            const char **name, int64_t *inputs,
                                            int64_t *outputs);

/* An input or output of an entry. */
typedef struct {
  const char *name;
  uint32_t kind;     /* of an output: momrt_output_kind */
  uint32_t type;     /* momrt_type */
  uint32_t rows;     /* momrt_count that says how many rows; MOMRT_COUNT_ONE: one, as weights */
  uint32_t reserved;
  int64_t channels;  /* elements a row */
  int64_t limit;     /* of an input of indices: they are below it; else 0 */
} momrt_value;

MOMRT_API momrt_result momrt_input_describe(const momrt_model *model, const char *entry,
                                            int64_t index, momrt_value *value);
MOMRT_API momrt_result momrt_output_describe(const momrt_model *model, const char *entry,
                                             int64_t index, momrt_value *value);

typedef struct {
  int32_t threads; /* of the CPU, 0: all cores */
  int32_t device;  /* of a GPU program: which GPU */
  int32_t poison;  /* for tests: fill the arena with NaN at each new batch */
  int32_t no_graphs; /* of a GPU program: wait for each launch, so that a fault names its kernel */
  /* Of a GPU program: work goes to the caller's stream, in the caller's context (a
   * CUcontext of GPU `device`; null: its primary context, which is PyTorch's and the CUDA
   * runtime's). A null stream is that context's default stream. The session is destroyed
   * before them. */
  int32_t guest, reserved;
  void *context, *stream;
} momrt_session_options;

/* `options` may be null. A session serves one thread at a time. */
MOMRT_API momrt_result momrt_session_create(const momrt_model *model,
                                            const momrt_session_options *options,
                                            momrt_session **session);
/* Waits for its work. */
MOMRT_API void momrt_session_destroy(momrt_session *session);
/* Of a guest's session: work goes to another stream from now on. Work under way on the
 * one before is the caller's to order, by an event or by waiting. */
MOMRT_API momrt_result momrt_stream_set(momrt_session *session, void *stream);

/* Initial values: the same on every device for the same seed. */
MOMRT_API momrt_result momrt_initialise(momrt_session *session, uint64_t seed);
/* Parameters from a checkpoint or an export; a file of other shapes or settings is refused
 * with what differs. Moments stay as they are: momrt_initialise makes them zero. */
MOMRT_API momrt_result momrt_load(momrt_session *session, const char *path);
/* Writes the parameters alone, as safetensors, under a temporary name first. */
MOMRT_API momrt_result momrt_save(momrt_session *session, const char *path);

/* A caller's dense, row-major tensor: on the host, or on the GPU of the session. Inputs are
 * read only. */
typedef struct {
  void *data;
  uint32_t type, device; /* momrt_type; MOMRT_HOST or MOMRT_GPU(n) */
  int64_t rank, shape[4];
} momrt_tensor;

/* Parameters by their checkpoint name, as f32 on the host. */
MOMRT_API int64_t momrt_parameter_count(const momrt_session *session);
/* Name and shape of a parameter; the name lives as long as the session. */
MOMRT_API momrt_result momrt_parameter_describe(const momrt_session *session, int64_t index,
                                                const char **name, momrt_tensor *shape);
MOMRT_API momrt_result momrt_parameter_get(momrt_session *session, const char *name,
                                           momrt_tensor *tensor);
MOMRT_API momrt_result momrt_parameter_set(momrt_session *session, const char *name,
                                           const momrt_tensor *tensor);
/* The gradient that the last entry which makes gradients left; refused before there was one. */
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

/* Makes this the batch of the entries that follow. Inputs are to be set again, and
 * what was lent (below) is the caller's again once work under way is done. */
MOMRT_API momrt_result momrt_batch_set(momrt_session *session, const momrt_batch *batch);
/* Other modalities for the tokens of the batch, i32[tokens]; inputs and loans stay. From
 * GPU memory they are sorted there, and the host waits for nothing. */
MOMRT_API momrt_result momrt_modality_set(momrt_session *session, const momrt_tensor *tensor);

/* Copies an input, after momrt_batch_set: [rows, ...] with the input's channels in all
 * axes but the first, or a layer's weights in whatever shape of as many elements. From the
 * host f32 is rounded where the input is bf16 or f16. */
MOMRT_API momrt_result momrt_input_set(momrt_session *session, const char *name,
                                       const momrt_tensor *tensor);
/* Lends an input: kernels read it where it lies, on the session's device (on a GPU at a
 * multiple of 16 bytes), until the next batch or until the input is set or lent again. */
MOMRT_API momrt_result momrt_input_bind(momrt_session *session, const char *name,
                                        const momrt_tensor *tensor);

/* Lends memory for an output of an entry: each run writes it there, without a copy where
 * the output is memory of its own (rows and gradients of a layer are), until the next
 * batch or, with a null tensor, until now. */
MOMRT_API momrt_result momrt_output_bind(momrt_session *session, const char *entry, uint32_t kind,
                                         const char *name, const momrt_tensor *tensor);

/* Bytes that activations of a batch take; its arrays need not be there but for segments. */
MOMRT_API momrt_result momrt_workspace_size(const momrt_session *session,
                                            const momrt_batch *batch, int64_t *bytes);
/* Lends memory of the session's device for activations: none is allocated for them from now on.
 * It begins at a multiple of 64 bytes; on a GPU, multiples of 512 are faster. A batch that needs
 * more is refused, that of now dropped. Outputs that are not lent lie in it, and are gone with the
 * next batch or workspace. Null: memory of the session's own. */
MOMRT_API momrt_result momrt_workspace_set(momrt_session *session, void *memory, int64_t bytes);

/* The scalars of a step, counted from 1, of a run of `steps`, as the model's train block
 * says: its rate, moments and clipping, for the entry "update". Where the block says
 * `accumulate n`, a step is n batches, each run through "gradient" and "accumulate", and then
 * "update". */
MOMRT_API momrt_result momrt_step_set(momrt_session *session, int64_t step, int64_t steps);
/* The same scalars by hand, MOMRT_HYPERS of them; KEEP, too, and how many batches there are. */
MOMRT_API momrt_result momrt_hypers_set(momrt_session *session, const float *hypers);

/* Runs an entry, waits for it, and reports a value that a kernel had to refuse. */
MOMRT_API momrt_result momrt_run(momrt_session *session, const char *entry);
/* Queues an entry's work; on a GPU it returns before the work is done. */
MOMRT_API momrt_result momrt_enqueue(momrt_session *session, const char *entry);
/* Waits for the session's work and reports MOMRT_BAD_VALUE with the first value that a
 * kernel had to refuse since the last such report. */
MOMRT_API momrt_result momrt_status_check(momrt_session *session);

/* Copies an output of an entry that has run with this batch: [channels] or [rows, channels], in any
 * shape of as many elements. To the host it waits for the work, to the GPU it does not;
 * bf16 and f16 may be had as f32 there. */
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
  /* Called after each step; a result other than 0 ends the run, which is saved and may be
   * resumed. As all callbacks it must not throw, nor jump out. */
  int (*progress)(void *context, const momrt_progress *progress);
  void *context;
} momrt_train_options;

/* Trains from a file. MOMRT_OK, too, where `progress` ended the run. Signals are the host's. */
MOMRT_API momrt_result momrt_train(momrt_session *session, const momrt_train_options *options);

typedef struct {
  /* Prompts: their tokens one after the other; modality null: all of the first. */
  int64_t prompts;
  const int64_t *lengths;  /* [prompts] at least 1 each */
  const int32_t *id, *modality;
  /* How a token is drawn from the logits. */
  double temperature;      /* 0: always the likeliest */
  int64_t top_k;           /* of so many likeliest ids only; 0: of all */
  double top_p;            /* of the likeliest ids that have this share together; 1: of all */
  uint64_t seed;
  int64_t tokens;          /* new ones a prompt, at most */
  const int32_t *stops;    /* [stop_count] ids after which a sequence ends */
  int64_t stop_count;
  const int32_t *modality_of; /* [ids] what a drawn id has, -1: it is never drawn; null: all
                                 have the first */
  int64_t ids;             /* of the model's logits */
  /* Called for each new token; a result other than 0 ends the run. */
  int (*token)(void *context, int64_t prompt, int32_t id);
  void *context;
} momrt_generate_options;

/* Continues prompts side by side, for a program with the entry "next". What a sequence
 * becomes depends on its number, its prompt, the options and the parameters. `drawn`
 * [prompts, tokens] and `counts` [prompts] get the new ids and how many; both may be null.
 *
 * The entry "next" gives the logits of each token's next id, and what streams carry is the
 * session's: a segment with an initial row begins with the state that a run left in that row
 * as its final one. So a guest that draws by itself runs it on a prompt (initial -1) and
 * then on one token after the other. A run keeps the states of its own segments only; they
 * stay as long as batches have as many streams. */
MOMRT_API momrt_result momrt_generate(momrt_session *session,
                                      const momrt_generate_options *options, int32_t *drawn,
                                      int64_t *counts);

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
