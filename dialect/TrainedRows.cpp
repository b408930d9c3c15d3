// How large the batches are that a program is compiled for.
#include "dialect/TrainedRows.h"

#include "dialect/Mom.h"

using namespace mlir;
using namespace mom;

/// A size of the train block.
static std::optional<int64_t> trained(ModuleOp module, StringRef name) {
  auto train = module->getAttrOfType<DictionaryAttr>(attr::kTrain);
  auto size = train ? train.getAs<IntegerAttr>(name) : IntegerAttr();
  return size ? std::optional(size.getInt()) : std::nullopt;
}

std::optional<int64_t> mom::trainedStreams(ModuleOp module) { return trained(module, "streams"); }

std::optional<int64_t> mom::trainedRows(ModuleOp module) {
  std::optional<int64_t> streams = trainedStreams(module), length = trained(module, "length");
  return streams && length ? std::optional(*streams * *length) : std::nullopt;
}
