// Mixture-of-Mamba dialect: what the attributes of functions, arguments, results and modules
// hold (docs/Dialect.md). Passes read them without looking twice.
#include "dialect/Mom.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace mom;

namespace {
struct Rule {
  StringRef name, what;
  bool (*holds)(Attribute);
};
} // namespace

static bool isI64(Attribute attribute) {
  auto integer = dyn_cast<IntegerAttr>(attribute);
  return integer && integer.getType().isSignlessInteger(64);
}
static bool isF64(Attribute attribute) {
  auto number = dyn_cast<FloatAttr>(attribute);
  return number && number.getType().isF64();
}
static bool isString(Attribute attribute) { return isa<StringAttr>(attribute); }
static bool isUnit(Attribute attribute) { return isa<UnitAttr>(attribute); }
template <bool (*each)(Attribute)> static bool isArrayOf(Attribute attribute) {
  auto array = dyn_cast<ArrayAttr>(attribute);
  return array && llvm::all_of(array, each);
}
template <bool (*each)(Attribute)> static bool isDictionaryOf(Attribute attribute) {
  auto dictionary = dyn_cast<DictionaryAttr>(attribute);
  return dictionary &&
         llvm::all_of(dictionary, [](NamedAttribute field) { return each(field.getValue()); });
}
static bool isDictionary(Attribute attribute) { return isa<DictionaryAttr>(attribute); }

static constexpr StringLiteral kI64 = "a 64-bit integer", kF64 = "an f64", kString = "a string",
                               kUnit = "no value";

static const Rule kRules[] = {
    {attr::kLayer, kUnit, isUnit},
    {attr::kJoint, kUnit, isUnit},
    {attr::kExport, kUnit, isUnit},
    {attr::kAgain, kUnit, isUnit},
    {attr::kNarrow, kUnit, isUnit},
    {attr::kEntry, kString, isString},
    {attr::kJoins, kString, isString},
    {attr::kParam, kString, isString},
    {attr::kInput, kString, isString},
    {attr::kDraw, kString, isString},
    {attr::kState, kString, isString},
    {attr::kGradient, kString, isString},
    {attr::kOutput, kString, isString},
    {attr::kLoss, kString, isString},
    {attr::kSum, kString, isString},
    {attr::kCount, kString, isString},
    {attr::kCarried, kI64, isI64},
    {attr::kScratch, kI64, isI64},
    {attr::kThreads, kI64, isI64},
    {attr::kCluster, kI64, isI64},
    {attr::kShared, kI64, isI64},
    {attr::kLimit, kI64, isI64},
    {attr::kOnly, kI64, isI64},
    {attr::kOffset, kI64, isI64},
    {attr::kWindows, kI64, isI64},
    {attr::kDecay, kF64, isF64},
    {attr::kInit, "a #mom.init", [](Attribute a) { return isa<InitAttr>(a); }},
    {attr::kModel, "a symbol", [](Attribute a) { return isa<FlatSymbolRefAttr>(a); }},
    {attr::kModalities, "lists of names", isDictionaryOf<isArrayOf<isString>>},
    {attr::kSettings, "a dictionary", isDictionary},
    {attr::kTrain, "a dictionary", isDictionary},
    {attr::kStorage, "names of types", isDictionaryOf<isString>},
    {attr::kSchedules, "a list of dictionaries", isArrayOf<isDictionary>},
};

static const Rule kTrainRules[] = {
    {"streams", kI64, isI64},
    {"length", kI64, isI64},
    {"accumulate", kI64, isI64},
    {"clip", kF64, isF64},
    {"eps", kF64, isF64},
    {"betas", "two numbers of f64",
     [](Attribute a) { return isArrayOf<isF64>(a) && cast<ArrayAttr>(a).size() == 2; }},
    {"loss", kString, isString},
    {"precision", kString, isString},
    {"rates", "a list of dictionaries", isArrayOf<isDictionary>},
};

static const Rule kRateRules[] = {
    {"kind", kString, isString},
    {"steps", kI64, isI64},
    {"from", kF64, isF64},
    {"to", kF64, isF64},
};

/// Holds what rules name to them; `of`: what it is part of, or nothing.
static LogicalResult verify(Operation *op, NamedAttribute named, ArrayRef<Rule> rules,
                            const Twine &of = "") {
  const Rule *rule =
      llvm::find_if(rules, [&](const Rule &rule) { return rule.name == named.getName(); });
  if (rule == rules.end() || rule->holds(named.getValue()))
    return success();
  return op->emitError() << "expected " << rule->what << " as '" << named.getName().getValue()
                         << "'" << of << ", but got " << named.getValue();
}

static LogicalResult verifyTrain(Operation *op, DictionaryAttr train) {
  for (NamedAttribute field : train)
    if (failed(verify(op, field, kTrainRules, " of 'mom.train'")))
      return failure();
  if (auto rates = train.getAs<ArrayAttr>("rates"))
    for (auto rate : rates.getAsRange<DictionaryAttr>()) {
      if (!rate.get("kind"))
        return op->emitError("expected a 'kind' in each of the 'rates' of 'mom.train'");
      for (NamedAttribute field : rate)
        if (failed(verify(op, field, kRateRules, " of 'rates' of 'mom.train'")))
          return failure();
    }
  return success();
}

LogicalResult MomDialect::verifyOperationAttribute(Operation *op, NamedAttribute named) {
  if (failed(verify(op, named, kRules)))
    return failure();
  return named.getName() == attr::kTrain ? verifyTrain(op, cast<DictionaryAttr>(named.getValue()))
                                         : success();
}

LogicalResult MomDialect::verifyRegionArgAttribute(Operation *op, unsigned, unsigned,
                                                   NamedAttribute named) {
  return verify(op, named, kRules);
}

LogicalResult MomDialect::verifyRegionResultAttribute(Operation *op, unsigned, unsigned,
                                                      NamedAttribute named) {
  return verify(op, named, kRules);
}
