// mom-add-update: AdamW as ops of the dialect, over flat parameter vectors.
//
// Every device then runs the same formula through its own pointwise emitter,
// and the interpreter is the optimizer's oracle too.
#include "dialect/Calculus.h"
#include "dialect/ParameterLayout.h"
#include "momrt/table.h"

namespace mom {
#define GEN_PASS_DECL_ADDUPDATEPASS
#define GEN_PASS_DEF_ADDUPDATEPASS
#include "compiler/Autodiff/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

namespace {
class AddUpdatePass : public mom::impl::AddUpdatePassBase<AddUpdatePass> {
public:
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto name = module->getAttrOfType<FlatSymbolRefAttr>(attr::kModel);
    if (!name || !module->hasAttr(attr::kTrain))
      return;
    auto model = module.lookupSymbol<func::FuncOp>(name.getValue());
    OpBuilder b = OpBuilder::atBlockEnd(module.getBody());
    layout = ParameterLayout(model);
    auto train = module->getAttrOfType<DictionaryAttr>(attr::kTrain);
    if (auto count = train.getAs<IntegerAttr>("accumulate"))
      batches = count.getInt();
    if (batches > 1)
      buildAccumulate(b, model);
    build(b, model);
  }

private:
  DictionaryAttr state(OpBuilder &b, StringRef space, int64_t offset) {
    return b.getDictionaryAttr({b.getNamedAttr(attr::kState, b.getStringAttr(space)),
                                b.getNamedAttr(attr::kOffset, b.getI64IntegerAttr(offset))});
  }

  Value argument(func::FuncOp func, OpBuilder &b, StringRef space, int64_t offset, int64_t size) {
    unsigned index = func.getNumArguments();
    auto type = RankedTensorType::get({size}, b.getF32Type());
    (void)func.insertArgument(index, type, state(b, space, offset),
                              NameLoc::get(b.getStringAttr(space), func.getLoc()));
    return func.getArgument(index);
  }

  static func::FuncOp declare(OpBuilder &b, func::FuncOp model, StringRef entry) {
    auto func = func::FuncOp::create(b, model.getLoc(), (model.getSymName() + "." + entry).str(),
                                     b.getFunctionType({}, {}));
    func->setAttr(attr::kEntry, b.getStringAttr(entry));
    func.addEntryBlock();
    return func;
  }

  static void finish(OpBuilder &body, func::FuncOp func, ArrayRef<Value> results,
                     ArrayRef<Attribute> attributes) {
    func::ReturnOp::create(body, func.getLoc(), results);
    func.setFunctionType(
        body.getFunctionType(func.getArgumentTypes(), TypeRange(ValueRange(results))));
    func.setResAttrsAttr(body.getArrayAttr(attributes));
  }

  /// sums' = keep * sums + gradients; `keep` is 0 for the first batch of a step.
  void buildAccumulate(OpBuilder &b, func::FuncOp model) {
    func::FuncOp func = declare(b, model, "accumulate");
    OpBuilder body = OpBuilder::atBlockEnd(&func.getBody().front());
    Calculus a{body, NameLoc::get(b.getStringAttr("accumulate"), model.getLoc())};
    Value keep = argument(func, b, "hyper", MOMRT_HYPER_KEEP, 1);
    SmallVector<Value> results;
    SmallVector<Attribute> attributes;
    for (const ParameterRange &range : layout.ranges) {
      Value sums = argument(func, b, "sums", range.offset, range.size);
      Value gradients = argument(func, b, "gradients", range.offset, range.size);
      results.push_back(a.add(a.mul(a.broadcast(keep, sums), sums), gradients));
      attributes.push_back(state(b, "sums", range.offset));
    }
    finish(body, func, results, attributes);
  }

  void build(OpBuilder &b, func::FuncOp model) {
    func::FuncOp func = declare(b, model, "update");
    OpBuilder body = OpBuilder::atBlockEnd(&func.getBody().front());
    Calculus a{body, NameLoc::get(b.getStringAttr("adamw"), model.getLoc())};
    auto scaled = [&](Value scalar, Value x) { return a.mul(a.broadcast(scalar, x), x); };
    auto hyper = [&](momrt_hyper which) { return argument(func, b, "hyper", which, 1); };
    Value rate = hyper(MOMRT_HYPER_RATE), beta1 = hyper(MOMRT_HYPER_BETA1),
          beta2 = hyper(MOMRT_HYPER_BETA2), eps = hyper(MOMRT_HYPER_EPS),
          bias1 = hyper(MOMRT_HYPER_BIAS1), bias2 = hyper(MOMRT_HYPER_BIAS2),
          clip = hyper(MOMRT_HYPER_CLIP);

    SmallVector<Value> gradients;
    Value squares;
    for (const ParameterRange &range : layout.ranges) {
      gradients.push_back(
          argument(func, b, batches > 1 ? "sums" : "gradients", range.offset, range.size));
      if (batches > 1) // a step's gradient is the mean of its batches'
        gradients.back() = a.affine(gradients.back(), 1.0 / double(batches), 0);
      Value sum = a.sum(a.mul(gradients.back(), gradients.back()));
      squares = squares ? a.add(squares, sum) : sum;
    }
    SmallVector<Value> results;
    SmallVector<Attribute> attributes;
    auto result = [&](Value value, DictionaryAttr attribute) {
      results.push_back(value);
      attributes.push_back(attribute);
    };
    if (squares) {
      // scale = min(1, clip / norm); the offset keeps a zero gradient finite.
      Value norm = a.sqrt(squares);
      Value one = a.affine(norm, 0, 1);
      Value factor =
          arith::MinimumFOp::create(body, a.loc, one, a.div(clip, a.affine(norm, 1, 1e-12)));
      for (auto [range, gradient] : llvm::zip_equal(layout.ranges, gradients)) {
        Value w = argument(func, b, "parameters", range.offset, range.size);
        Value m = argument(func, b, "moment1", range.offset, range.size);
        Value v = argument(func, b, "moment2", range.offset, range.size);
        Value g = scaled(factor, gradient);
        // m' = m + (1 - beta1) (g - m), v' likewise: exact where g = m
        Value m2 = a.add(m, scaled(a.affine(beta1, -1, 1), a.sub(g, m)));
        Value v2 = a.add(v, scaled(a.affine(beta2, -1, 1), a.sub(a.mul(g, g), v)));
        Value root = a.add(a.sqrt(scaled(bias2, v2)), a.broadcast(eps, v2));
        Value change = a.div(scaled(bias1, m2), root);
        if (range.decay != 0)
          change = a.add(change, a.affine(w, range.decay, 0));
        result(a.sub(w, scaled(rate, change)), state(b, "parameters", range.offset));
        result(m2, state(b, "moment1", range.offset));
        result(v2, state(b, "moment2", range.offset));
      }
      result(norm,
             b.getDictionaryAttr(b.getNamedAttr(attr::kOutput, b.getStringAttr("grad_norm"))));
    }
    finish(body, func, results, attributes);
  }

  ParameterLayout layout;
  int64_t batches = 1; ///< of a step
};
} // namespace
