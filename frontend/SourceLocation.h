// From places in model text to MLIR locations: the only file that does it.
#pragma once

#include "mlir/IR/Location.h"
#include "llvm/Support/SourceMgr.h"

namespace mom::frontend {

/// Line and column of a place in one of the buffers of `sources`. MLIR 22's
/// SourceMgrDiagnosticHandler draws carets at single places only, so this is
/// never a range.
mlir::Location locate(const llvm::SourceMgr &sources, llvm::SMLoc place,
                      mlir::MLIRContext *context);

/// Every name and number of the tree is a slice of its buffer: it knows where
/// it stands.
mlir::Location locate(const llvm::SourceMgr &sources, llvm::StringRef slice,
                      mlir::MLIRContext *context);

} // namespace mom::frontend
