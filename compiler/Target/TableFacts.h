// The part of a launch table that is not code: parameters, settings, modalities
// and how the model is trained.
#pragma once

#include "compiler/Target/TableWriter.h"
#include "dialect/ParameterLayout.h"

#include "mlir/IR/BuiltinOps.h"

namespace mom {

/// Records of the model's parameters; `model` is null where there are none.
void writeParameters(const ParameterLayout &layout, mlir::func::FuncOp model, TableWriter &writer);

/// What the module's attributes say (`docs/Dialect.md` lists them).
void writeModuleFacts(mlir::ModuleOp module, TableWriter &writer);

/// momrt_type of an element.
uint32_t typeOf(mlir::Type element);

} // namespace mom
