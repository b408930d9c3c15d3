// A program for several targets: a chain of programs, of which a device runs one.
#pragma once

#include "momrt/table.h"

namespace momrt {

/// The program of a chain for the CPU (MOMRT_HOST) or a GPU (MOMRT_GPU(n)): of several, the
/// one for the latest architecture. Throws if there is none.
const momrt_program *programFor(const momrt_program *first, uint32_t device);

/// The first of a chain that a device of this machine runs; of a single program that one,
/// wherever it runs.
const momrt_program *programHere(const momrt_program *first);

} // namespace momrt
