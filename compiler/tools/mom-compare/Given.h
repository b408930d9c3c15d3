// Arguments and results that a file tells, instead of random ones.
#pragma once

#include "dialect/reference/Interpreter.h"

#include <string>

namespace momrt {
struct Request;
}

namespace mom::compare {

/// What a file says about one function.
struct GivenCase {
  llvm::SmallVector<reference::Value> arguments, results;
};

/// Reads safetensors with, for a case F (a function's name), `F.argumentN` and `F.resultN` by
/// number (batches and routes have none) and, if it takes a batch,
/// `F.batch` = [tokens, streams, documents], `F.modality` [tokens] and
/// `F.segments` [segments, 4] as (start, length, initial, final).
class GivenFile {
public:
  static mlir::FailureOr<GivenFile> open(const std::string &path);
  mlir::FailureOr<GivenCase> read(mlir::func::FuncOp func, llvm::StringRef name) const;

private:
  std::string path;
  std::shared_ptr<const momrt::Request> content;
};

} // namespace mom::compare
