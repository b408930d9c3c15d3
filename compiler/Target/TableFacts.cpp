// The part of a launch table that is not code.
#include "compiler/Target/TableFacts.h"

#include "dialect/Mom.h"

using namespace mlir;
using namespace mom;

void mom::writeParameters(const ParameterLayout &layout, func::FuncOp model, TableWriter &writer) {
  writer.header.parameter_elements = layout.elements;
  for (const Parameter &parameter : layout.parameters) {
    momrt_parameter record = {};
    record.name = writer.text(parameter.name);
    record.offset = parameter.offset;
    record.size = parameter.size;
    record.repeat = parameter.repeat;
    record.indexed = parameter.indexed;
    record.decay = parameter.decay;
    record.rank = parameter.type.getRank();
    llvm::copy(parameter.type.getShape(), record.shape);
    if (auto init = model.getArgAttrOfType<InitAttr>(parameter.argument, attr::kInit)) {
      record.init = static_cast<uint32_t>(init.getKind());
      record.a = init.getA().getValueAsDouble();
      record.b = init.getB().getValueAsDouble();
    }
    writer.parameters.push_back(record);
  }
}

// The dialect's enum goes into the table as it is.
static_assert(static_cast<int>(InitKind::constant) == MOMRT_INIT_CONSTANT &&
              static_cast<int>(InitKind::uniform) == MOMRT_INIT_UNIFORM &&
              static_cast<int>(InitKind::normal) == MOMRT_INIT_NORMAL &&
              static_cast<int>(InitKind::log_iota) == MOMRT_INIT_LOG_IOTA &&
              static_cast<int>(InitKind::dt) == MOMRT_INIT_DT);

static double number(Attribute value) {
  if (auto boolean = dyn_cast<BoolAttr>(value))
    return boolean.getValue();
  if (auto integer = dyn_cast<IntegerAttr>(value))
    return integer.getInt();
  if (auto real = dyn_cast<FloatAttr>(value))
    return real.getValueAsDouble();
  return 0;
}

static momrt_rate rateOf(DictionaryAttr rate) {
  momrt_rate record = {};
  record.kind = llvm::StringSwitch<uint32_t>(rate.getAs<StringAttr>("kind").getValue())
                    .Case("warmup", MOMRT_RATE_WARMUP)
                    .Case("cosine", MOMRT_RATE_COSINE)
                    .Default(MOMRT_RATE_CONSTANT);
  auto get = [&](StringRef name) { return rate.get(name) ? number(rate.get(name)) : 0.0; };
  record.steps = get("steps");
  record.from = get("from");
  record.to = get("to");
  return record;
}

static void writeTraining(DictionaryAttr train, TableWriter &writer) {
  auto get = [&](StringRef name, double otherwise) {
    Attribute value = train.get(name);
    return value ? number(value) : otherwise;
  };
  writer.header.batch_streams = get("streams", 1);
  writer.header.batch_length = get("length", 512);
  writer.header.accumulate = get("accumulate", 1);
  writer.header.clip = get("clip", 0);
  writer.header.eps = get("eps", 1e-8);
  writer.header.beta1 = 0.9, writer.header.beta2 = 0.999;
  if (auto betas = train.getAs<ArrayAttr>("betas"); betas && betas.size() == 2)
    writer.header.beta1 = number(betas[0]), writer.header.beta2 = number(betas[1]);
  if (auto rates = train.getAs<ArrayAttr>("rates"))
    for (auto rate : rates.getAsRange<DictionaryAttr>())
      writer.rates.push_back(rateOf(rate));
}

uint32_t mom::typeOf(Type element) {
  if (element.isInteger(32))
    return MOMRT_I32;
  if (element.isInteger(64))
    return MOMRT_I64;
  return element.isBF16() ? MOMRT_BF16 : element.isF16() ? MOMRT_F16 : MOMRT_F32;
}

/// What the flat buffers hold; f32 unless mom-assign-storage said otherwise.
static void writeStorage(DictionaryAttr storage, TableWriter &writer) {
  auto type = [&](StringRef what) -> uint32_t {
    auto name = storage.getAs<StringAttr>(what);
    return llvm::StringSwitch<uint32_t>(name ? name.getValue() : "f32")
        .Case("bf16", MOMRT_BF16)
        .Case("f16", MOMRT_F16)
        .Default(MOMRT_F32);
  };
  writer.header.parameter_type = type("parameters");
  writer.header.gradient_type = type("gradients");
  writer.header.moment_type = type("moments");
  writer.header.copy_type = type("copies");
}

void mom::writeModuleFacts(ModuleOp module, TableWriter &writer) {
  if (auto windows = module->getAttrOfType<IntegerAttr>(attr::kWindows))
    writer.header.windows = windows.getInt();
  writer.header.accumulate = 1;
  if (auto storage = module->getAttrOfType<DictionaryAttr>(attr::kStorage))
    writeStorage(storage, writer);
  if (auto all = module->getAttrOfType<DictionaryAttr>(attr::kModalities); all && !all.empty())
    for (Attribute name : cast<ArrayAttr>(all.begin()->getValue()))
      writer.modalities.push_back(writer.text(cast<StringAttr>(name).getValue()));
  if (auto settings = module->getAttrOfType<DictionaryAttr>(attr::kSettings))
    for (NamedAttribute setting : settings)
      writer.settings.push_back(
          {writer.text(setting.getName().getValue()), number(setting.getValue())});
  if (auto train = module->getAttrOfType<DictionaryAttr>(attr::kTrain))
    writeTraining(train, writer);
}
