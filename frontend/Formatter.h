// Model text as it should look: the same tokens and comments, on the same lines, with the
// same indentation and spaces everywhere. `momc fmt` and the language server use it.
//
// What a line holds is the author's decision; how it is indented and spaced is not.
// Of a run of lines, `=` and comments at the end stay below one another where they were.
#pragma once

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/SourceMgr.h"

#include <optional>
#include <string>

namespace mom::frontend {

/// The main buffer of `sources`, formatted; nothing after messages about its tokens.
std::optional<std::string> format(llvm::SourceMgr &sources, mlir::MLIRContext *context);

} // namespace mom::frontend
