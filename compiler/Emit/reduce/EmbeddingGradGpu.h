// GPU form of mom.embedding_grad.
#pragma once

#include "compiler/Emit/Emitter.h"

namespace mom {

mlir::LogicalResult emitEmbeddingGradGpu(KernelOp kernel, KernelBuilder &k, EmbeddingGradOp op);

} // namespace mom
