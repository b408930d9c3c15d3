#include "frontend/SourceLocation.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/MLIRContext.h"

using namespace mlir;

Location mom::frontend::locate(const llvm::SourceMgr &sources, llvm::SMLoc place,
                               MLIRContext *context) {
  unsigned buffer = place.isValid() ? sources.FindBufferContainingLoc(place) : 0;
  if (!buffer)
    return UnknownLoc::get(context);
  auto [line, column] = sources.getLineAndColumn(place, buffer);
  return FileLineColLoc::get(context, sources.getMemoryBuffer(buffer)->getBufferIdentifier(), line,
                             column);
}

Location mom::frontend::locate(const llvm::SourceMgr &sources, StringRef slice,
                               MLIRContext *context) {
  return locate(sources, llvm::SMLoc::getFromPointer(slice.data()), context);
}
