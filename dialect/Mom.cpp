// Mixture-of-Mamba dialect: registration, types and attributes.
#include "dialect/Mom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mom;

#include "dialect/MomDialect.cpp.inc"
#include "dialect/MomEnums.cpp.inc"
#include "dialect/MomInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/MomAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/MomTypes.cpp.inc"

void MomDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/MomAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/MomTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/MomOps.cpp.inc"
      >();
}

LogicalResult RowsAttr::verify(function_ref<InFlightDiagnostic()> emitError, RowSpace space,
                               int64_t chunk, StringAttr route) {
  if ((space == RowSpace::chunk || space == RowSpace::copy) != (chunk > 0))
    return emitError() << "expected a number with, and only with, the spaces 'chunk' and 'copy'";
  if (space == RowSpace::copy && !route)
    return emitError() << "expected the route that copies are sent by";
  if (route && space != RowSpace::token && space != RowSpace::copy)
    return emitError() << "rows of space '" << stringifyRowSpace(space)
                       << "' have no order by a route";
  return success();
}

RowsAttr mom::rowsOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? dyn_cast_or_null<RowsAttr>(tensor.getEncoding()) : RowsAttr();
}

bool mom::isRows(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return rowsOf(type) && tensor.getRank() == 2 && tensor.isDynamicDim(0) && !tensor.isDynamicDim(1);
}

bool mom::isStatic(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && !tensor.getEncoding() && tensor.hasStaticShape() && tensor.getRank() > 0;
}

RankedTensorType mom::withRows(Type type, RowsAttr rows) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(), tensor.getElementType(), rows);
}

RankedTensorType mom::withChannels(Type type, int64_t channels) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get({tensor.getDimSize(0), channels}, tensor.getElementType(),
                               tensor.getEncoding());
}

int64_t mom::channelsOf(Type type) { return cast<RankedTensorType>(type).getShape().back(); }

void mom::registerDialects(DialectRegistry &registry) {
  registry.insert<MomDialect, arith::ArithDialect, func::FuncDialect, math::MathDialect,
                  scf::SCFDialect, vector::VectorDialect, LLVM::LLVMDialect>();
  registerDerivatives(registry);
}
