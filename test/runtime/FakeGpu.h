// The tests' own GPU: its driver's state, and the small model compiled for it.
#pragma once

#include "FakeCuda.h"
#include "TinyModel.h"
#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

inline FakeCuda &fake() {
  static auto *state = [] {
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    auto *find = library ? reinterpret_cast<FakeCuda *(*)()>(dlsym(library, "fakeCuda")) : nullptr;
    return find ? find() : nullptr;
  }();
  if (!state) {
    std::puts("the fake driver was not found");
    std::exit(1);
  }
  return *state;
}

/// The small model for the fake GPU, whose kernels are those of the CPU.
inline tiny::Model gpuModel() {
  tiny::Model model(tiny::kVocabulary, 90);
  momrt::Table table(model.program.table);
  for (const momrt_op &op : table.ops())
    if (op.kind == MOMRT_OP_LAUNCH)
      fake().kernels[table.string(table.kernels()[op.kernel].name)] = {
          size_t(op.arg_count),
          [function = model.program.kernels[op.kernel]](void *const *buffers, int64_t blocks) {
            char scratch[64];
            for (int64_t block = 0; block < blocks; ++block)
              function(buffers, block, scratch);
          }};
  return model;
}
