// Where the parameters of a model lie in their flat buffer.
#include "dialect/ParameterLayout.h"

#include "dialect/Mom.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace mom;

static constexpr int64_t kAlignment = 16; // elements: 64 bytes, one cache line

ParameterLayout::ParameterLayout(func::FuncOp model) {
  llvm::MapVector<int64_t, SmallVector<unsigned>> classes; // bits of decay -> parameters
  for (BlockArgument argument : model.getArguments()) {
    unsigned index = argument.getArgNumber();
    auto name = model.getArgAttrOfType<StringAttr>(index, attr::kParam);
    if (!name)
      continue;
    auto decay = model.getArgAttrOfType<FloatAttr>(index, attr::kDecay);
    auto stack = dyn_cast<StackType>(argument.getType());
    auto type = cast<RankedTensorType>(stack ? stack.getElement() : argument.getType());
    Parameter parameter{name.str(), index, type, 0, type.getNumElements(),
                        stack ? stack.getCount() : 1, name.getValue().contains("{}"),
                        decay ? decay.getValueAsDouble() : 0.0};
    classes[llvm::bit_cast<int64_t>(parameter.decay)].push_back(parameters.size());
    parameters.push_back(parameter);
  }
  for (auto &[bits, members] : classes) {
    ParameterRange range{elements, 0, llvm::bit_cast<double>(bits)};
    for (unsigned member : members) {
      parameters[member].offset = elements;
      elements += llvm::alignTo(parameters[member].size * parameters[member].repeat, kAlignment);
    }
    range.size = elements - range.offset;
    ranges.push_back(range);
  }
}
