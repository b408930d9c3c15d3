/* The launch table: a compiled Mixture-of-Mamba program as plain data.
 *
 * The compiler writes it (compiler/Target/LaunchTable.cpp), the runtime walks
 * it, and nothing else passes between them. A table is one block of bytes:
 * this header, then arrays of the structs below at the offsets it gives; every
 * struct is a multiple of 8 bytes and holds no pointer. Strings are offsets
 * into a block of zero-terminated text. Change MOMRT_TABLE_VERSION with any
 * change of layout or meaning.
 *
 * How a program reads:
 *  - An *entry* (loss, gradient, update, a layer's forward or vjp) is a range
 *    of *ops*: launches, and repetitions round them.
 *  - A launch names a *kernel*, a number of blocks and a range of *args*, one
 *    pointer recipe each.
 *  - A recipe is base(space) + offset + stride * ((round + phase) mod modulus),
 *    where `round` counts the innermost repetition.
 *  - Activations lie in *slots* of one arena. A slot's size depends on the
 *    capacities of the batch only, so the arena is planned once a shape class.
 */
#ifndef MOMRT_TABLE_H
#define MOMRT_TABLE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MOMRT_TABLE_MAGIC 0x6c62746d6f6dull /* "momtbl" */
#define MOMRT_TABLE_VERSION 7u
#define MOMRT_ALIGNMENT 64 /* bytes: of the arena's slots and of parameters */

/* Extensions of x86 that CPU code may use, by the names that LLVM and compilers'
 * __builtin_cpu_supports share: bit i of momrt_table.extensions is the i-th of these. */
/* clang-format off */
#define MOMRT_X86_EXTENSIONS(X)                                                          \
  X("sse3") X("ssse3") X("sse4.1") X("sse4.2") X("popcnt") X("avx") X("avx2") X("fma")   \
  X("f16c") X("bmi") X("bmi2") X("lzcnt") X("movbe") X("tbm") X("fma4") X("xop")         \
  X("avxvnni") X("gfni") X("vpclmulqdq") X("avx512f") X("avx512cd") X("avx512bw")        \
  X("avx512dq") X("avx512vl") X("avx512ifma") X("avx512vbmi") X("avx512vbmi2")           \
  X("avx512vnni") X("avx512bitalg") X("avx512vpopcntdq") X("avx512bf16") X("avx512fp16")
/* clang-format on */

/* An array: `count` structs from `offset` bytes into the table. */
typedef struct {
  uint64_t offset, count;
} momrt_range;

/* What sizes and grids may depend on: capacities of the shape class. */
enum momrt_count {
  MOMRT_COUNT_ONE = 0,   /* always 1 */
  MOMRT_COUNT_TOKEN,     /* tokens */
  MOMRT_COUNT_STREAM,    /* streams */
  MOMRT_COUNT_DOCUMENT,  /* documents */
  MOMRT_COUNT_SEGMENT,   /* segments */
  MOMRT_COUNT_WINDOW,    /* tokens of a window: those of the table's `windows` shares */
  MOMRT_COUNTS           /* number of the above */
};
/* The true counts lie in device memory as int64[MOMRT_COUNTS], in this order. Where
 * the table has windows, such a record for each of them follows, with the window's
 * own tokens. [MOMRT_COUNT_WINDOW] of a record is how many tokens lie before its. */

/* Where a buffer lives. */
enum momrt_space {
  MOMRT_SPACE_ARENA = 0,    /* index: slot */
  MOMRT_SPACE_PARAMETERS,   /* parameters, one after the other, of parameter_type */
  MOMRT_SPACE_GRADIENTS,    /* their gradients, same layout in elements, of gradient_type */
  MOMRT_SPACE_MOMENT1,      /* AdamW's first moments, same layout, of moment_type */
  MOMRT_SPACE_MOMENT2,      /* and second */
  MOMRT_SPACE_COPIES,       /* the parameters rounded to copy_type, same layout: written by the
                               entry "copies" after the host wrote parameters, and by "update" */
  MOMRT_SPACE_SUMS,         /* f32: gradients added up over the batches of a step, same layout:
                               written by "accumulate", read by "update"; where there is one only */
  MOMRT_SPACE_HYPER,        /* f32[MOMRT_HYPERS]: the step's scalars */
  MOMRT_SPACE_COUNTS,       /* i64[MOMRT_COUNTS]: true counts, and those of windows */
  MOMRT_SPACE_SEGMENTS,     /* momrt_segment_record[segments] */
  MOMRT_SPACE_MODALITY,     /* i32[tokens], by position */
  MOMRT_SPACE_ROUTE_OFFSETS,/* i64[groups + 1] of the modality route */
  MOMRT_SPACE_ROUTE_ROW,    /* i32[tokens]: row of a position */
  MOMRT_SPACE_ROUTE_POSITION,/* i32[tokens]: position of a row */
  MOMRT_SPACE_INPUT,        /* index: input; caller's data, by position */
  MOMRT_SPACE_STATUS,       /* momrt_status[ops]: each launch is given its own */
  MOMRT_SPACE_STATES,       /* index: state; what streams carry, as the run before left it */
  MOMRT_SPACE_NEXT_STATES,  /* index: state; as this run leaves it: STATES of the next one */
  MOMRT_SPACES
};

/* A token's segment: positions start .. start + length. */
typedef struct {
  int64_t start, length;
  int64_t initial, final; /* rows of its initial and final state, or -1 */
} momrt_segment;

/* What kernels read of it. Record n also has the number of the n-th longest segment (of
 * equals, the first), with which blocks that walk segments begin, and its length. There is
 * memory for one record where a batch has no segment. */
typedef struct {
  momrt_segment segment;
  int64_t longest, longest_length;
} momrt_segment_record;

/* The first error that a launch met. `code` goes from 0 to a momrt_error by
 * compare-and-swap, and its winner writes the rest. */
typedef struct {
  int32_t code, reserved;
  int64_t row;
  int64_t value;
} momrt_status;
enum momrt_error { MOMRT_ERROR_NONE = 0, MOMRT_ERROR_INDEX = 1, MOMRT_ERROR_NOT_FINITE = 2 };

/* The step's scalars, f32, written by the training loop. */
enum momrt_hyper {
  MOMRT_HYPER_RATE = 0, /* learning rate of this step */
  MOMRT_HYPER_BETA1,
  MOMRT_HYPER_BETA2,
  MOMRT_HYPER_EPS,
  MOMRT_HYPER_BIAS1, /* 1 / (1 - beta1^step) */
  MOMRT_HYPER_BIAS2, /* 1 / (1 - beta2^step) */
  MOMRT_HYPER_CLIP,  /* largest global norm of the gradient */
  MOMRT_HYPER_KEEP,  /* what "accumulate" multiplies the sums by: 0 in a step's first batch */
  MOMRT_HYPERS
};

enum momrt_type {
  MOMRT_F32 = 0, MOMRT_BF16, MOMRT_F16, MOMRT_I32, MOMRT_I64, MOMRT_U8, MOMRT_U16, MOMRT_F64
};

/* Bytes that depend on capacities: sum over c of bytes[c] * capacity[c]. */
typedef struct {
  int64_t bytes[MOMRT_COUNTS];
} momrt_slot;

/* Initial values: see mom.init in the dialect. */
enum momrt_init { MOMRT_INIT_CONSTANT = 0, MOMRT_INIT_UNIFORM, MOMRT_INIT_NORMAL,
                  MOMRT_INIT_LOG_IOTA, MOMRT_INIT_DT };

/* A parameter. A repeated one has `repeat` copies one after the other, each of
 * `size` elements, `{}` in its name standing for the round. Shapes are those
 * of a checkpoint: no group axis where the weights are shared. */
typedef struct {
  uint64_t name;
  int64_t offset;          /* elements from the start of its space */
  int64_t size, repeat;    /* elements of one copy; copies (at least 1) */
  int64_t rank, shape[4];
  uint32_t init, indexed;  /* momrt_init; whether the name has `{}` */
  double a, b;             /* arguments of init */
  double decay;            /* of AdamW */
} momrt_parameter;

/* A pointer recipe. */
typedef struct {
  uint32_t space, index;   /* momrt_space; slot or input */
  int64_t offset;          /* bytes */
  momrt_slot stride;       /* bytes a round, from capacities */
  int64_t phase, modulus;  /* modulus 0: no dependence on the round */
} momrt_arg;

enum momrt_op_kind { MOMRT_OP_LAUNCH = 0, MOMRT_OP_REPEAT, MOMRT_OP_END };

typedef struct {
  uint32_t kind;           /* momrt_op_kind */
  uint32_t kernel;         /* LAUNCH: which kernel */
  uint64_t args, arg_count;/* LAUNCH: range of args */
  uint32_t grid_count;     /* LAUNCH: a momrt_count */
  uint32_t reverse;        /* REPEAT: rounds run from the last to the first */
  /* (ceil(count / tile) + segments * count of segments + extra) * factor blocks; none where
   * the tokens are no more than `grid_above`. */
  int64_t grid_tile, grid_segments, grid_extra, grid_factor, grid_above;
  int64_t rounds;          /* REPEAT */
  uint64_t source;         /* string: file:line:column of the model's text */
} momrt_op;

typedef struct {
  uint64_t name;           /* symbol and what it computes, for people */
  int64_t scratch;         /* CPU: bytes each worker lends it */
  int64_t threads, shared_bytes; /* GPU: block size and dynamic shared memory */
  momrt_range cubin, ptx;  /* GPU: bytes in the table, count 0 if absent */
} momrt_kernel;

/* Data that the caller hands in for an entry: rows of a space, by position. */
typedef struct {
  uint64_t name;
  uint32_t type, count;    /* momrt_type; momrt_count that says how many rows */
  int64_t channels;
  int64_t limit;           /* indices are below it; 0: not an index */
  uint32_t draw;           /* momrt_draw: who makes the values in training */
  uint32_t only;           /* rows of other modalities than only - 1 are 0; 0: all have values */
} momrt_input;
enum momrt_draw { MOMRT_DRAW_NONE = 0, MOMRT_DRAW_NORMAL, MOMRT_DRAW_UNIFORM };

enum momrt_output_kind { MOMRT_OUTPUT_LOSS = 0, MOMRT_OUTPUT_SUM, MOMRT_OUTPUT_COUNT,
                         MOMRT_OUTPUT_ROWS, MOMRT_OUTPUT_TENSOR };

/* What an entry leaves for the caller. A metric is a SUM and a COUNT of one
 * name, each with one channel a group. */
typedef struct {
  uint64_t name;
  uint32_t kind, type;
  uint32_t count, reserved;/* ROWS: momrt_count of the rows, else MOMRT_COUNT_ONE */
  int64_t channels;        /* elements a row, or of the whole tensor */
  momrt_arg where;
} momrt_output;

typedef struct {
  uint64_t name;           /* "loss", "gradient", "update", "LAYER", "LAYER.vjp" */
  momrt_range ops;         /* offset: index of the first op, not bytes */
  momrt_range inputs;      /* likewise, of inputs */
  momrt_range outputs;     /* likewise, of outputs */
} momrt_entry;

/* A piece of the learning rate's course; pieces follow one another. */
enum momrt_rate_kind { MOMRT_RATE_WARMUP = 0, MOMRT_RATE_COSINE, MOMRT_RATE_CONSTANT };
typedef struct {
  uint32_t kind, reserved;
  int64_t steps;           /* 0: the rest of the run (last piece only) */
  double from, to;         /* WARMUP: 0 -> the next piece's `from`; fields unused */
} momrt_rate;

typedef struct {
  uint64_t name;
  double value;            /* integer or boolean values are exact */
} momrt_setting;

typedef struct {
  uint64_t magic;
  uint32_t version, target;/* target: 0 CPU, else 10 * major + minor of sm */
  uint64_t bytes;          /* of the whole table */
  uint64_t extensions;     /* of x86 that a CPU's code uses; 0 for a GPU and other CPUs */
  uint64_t name;           /* string: the model */
  uint64_t digest;         /* string: hash of the program's text and settings */
  momrt_range strings;     /* count: bytes */
  momrt_range settings;    /* momrt_setting */
  momrt_range modalities;  /* uint64: string offsets */
  momrt_range parameters;  /* momrt_parameter */
  momrt_range slots;       /* momrt_slot */
  momrt_range states;      /* momrt_slot: f32, of streams only; a repetition's rounds one after
                              the other */
  momrt_range kernels;     /* momrt_kernel */
  momrt_range args;        /* momrt_arg */
  momrt_range ops;         /* momrt_op */
  momrt_range inputs;      /* momrt_input */
  momrt_range outputs;     /* momrt_output */
  momrt_range entries;     /* momrt_entry */
  momrt_range rates;       /* momrt_rate */
  int64_t parameter_elements; /* of PARAMETERS, with padding */
  int64_t windows;         /* shares that repetitions split the tokens into; 0: none do */
  int64_t batch_streams, batch_length; /* of training */
  int64_t accumulate;      /* batches of a step, at least 1 */
  double beta1, beta2, eps, clip;
  uint32_t parameter_type, gradient_type, moment_type, copy_type; /* f32, bf16 or f16 */
} momrt_table;

/* A CPU kernel runs block `block` of its grid. `buffers` follow the launch's
 * args; `scratch` is the worker's own. It must not depend on which worker
 * runs it or in which order blocks run. */
typedef void (*momrt_cpu_kernel)(void *const *buffers, int64_t block, void *scratch);

/* The one symbol that a compiled program exports. A program for several targets is a chain
 * of them, one each, of the same parameters: a session takes the one that suits its device. */
typedef struct momrt_program momrt_program;
struct momrt_program {
  const momrt_table *table;
  const momrt_cpu_kernel *kernels; /* one a table kernel; null for a GPU program */
  const momrt_program *other;      /* the same for another target, or null */
};

#ifdef __cplusplus
}
#endif
#endif
