/* The compiler of Mixture-of-Mamba models as a library: model text becomes a program that
 * the runtime (momrt/momrt.h) opens, just in time. Link libmomc and libmomrt.
 *
 *   momc_compile_file("model.mom", NULL, &compiled);
 *   momrt_open(momc_program_of(compiled), &model);
 *
 * Functions may be called from several threads at a time. A result other than 0 means
 * that momc_last_error() has the text: of a model, each mistake with its line.
 * momc/momc.hpp wraps this interface for C++.
 */
#ifndef MOMC_MOMC_H
#define MOMC_MOMC_H

#include "momrt/table.h"

#if defined(__GNUC__)
#define MOMC_API __attribute__((visibility("default")))
#else
#define MOMC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Of this interface. A host that was compiled for another version is refused with both
 * versions in the text. */
#define MOMC_ABI_VERSION 1u

/* A compiled program, loaded into this process. */
typedef struct momc_compiled momc_compiled;

/* How to compile; all zero is a program for this machine's CPU, without a cache. */
typedef struct {
  const char *target;          /* "cpu", or a GPU such as "sm_90a"; null: cpu */
  const char *storage;         /* of rows between kernels: "f32", "bf16", "f16"; null: f32 on
                                  a CPU, what the model's precision line says on a GPU */
  const char *cpu;             /* "native" or as clang's -march; null: native */
  const char *const *settings; /* "D=64": values for the model's settings */
  int64_t setting_count;
  const char *const *entries;  /* of all that there are, the loss and these; none: all */
  int64_t entry_count;
  const char *cache;           /* folder of compiled programs, by the content that they are
                                  made from; processes may share it; null: none */
} momc_options;

/* The text of this thread's last error; never null. */
MOMC_API const char *momc_last_error(void);

/* Compiles model text, or IR if `name` ends in ".mlir". `name` stands in messages;
 * `options` may be null. */
MOMC_API int momc_compile_text_version(uint32_t abi, const char *text, const char *name,
                                       const momc_options *options, momc_compiled **compiled);
static inline int momc_compile_text(const char *text, const char *name,
                                    const momc_options *options, momc_compiled **compiled) {
  return momc_compile_text_version(MOMC_ABI_VERSION, text, name, options, compiled);
}
/* The same of a file. */
MOMC_API int momc_compile_file_version(uint32_t abi, const char *path,
                                       const momc_options *options, momc_compiled **compiled);
static inline int momc_compile_file(const char *path, const momc_options *options,
                                    momc_compiled **compiled) {
  return momc_compile_file_version(MOMC_ABI_VERSION, path, options, compiled);
}

/* For momrt_open; lives as long as `compiled`, which must outlive models and sessions. */
MOMC_API const momrt_program *momc_program_of(const momc_compiled *compiled);
/* Warnings of the compilation, each with its line; empty if there were none. */
MOMC_API const char *momc_warnings(const momc_compiled *compiled);
/* Whether the cache had it. */
MOMC_API int momc_from_cache(const momc_compiled *compiled);
/* Frees a program; null is none. */
MOMC_API void momc_release(momc_compiled *compiled);

#ifdef __cplusplus
}
#endif
#endif
