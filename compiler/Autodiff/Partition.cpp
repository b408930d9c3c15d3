// mom-partition: cuts joint functions into forward and backward (Cut.h). Entries of exported
// layers stay whole.
#include "compiler/Autodiff/Cut.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"

namespace mom {
#define GEN_PASS_DECL_PARTITIONPASS
#define GEN_PASS_DEF_PARTITIONPASS
#include "compiler/Autodiff/Passes.h.inc"
} // namespace mom

using namespace mlir;
using namespace mom;

namespace {
class PartitionPass : public mom::impl::PartitionPassBase<PartitionPass> {
public:
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    // An inner layer's tape must be explicit values before the outer function
    // can save them, so callees come first.
    SmallVector<func::FuncOp> joints;
    for (auto func : module.getOps<func::FuncOp>())
      if (func->hasAttr(attr::kJoint))
        visit(func, symbols, joints);
    for (func::FuncOp joint : joints) {
      replaceCalls(joint);
      Cut cut(joint, {recompute, sequence}, savedBy(joint));
      if (!cut)
        return signalPassFailure();
      record(joint, cut.savedNames());
      halves[joint.getSymNameAttr()] = cut.build(symbols);
    }
    if (!saves.empty())
      module->setAttr(attr::kSchedules, withSaves(module));
    for (auto func : module.getOps<func::FuncOp>()) {
      replaceCalls(func);
      if (func->hasAttr(attr::kCarried) && !func->hasAttr(attr::kJoint)) // an exported layer's
        Cut(func, {recompute, sequence}, nullptr).repeatInPlace();
    }
    for (func::FuncOp joint : joints)
      symbols.erase(joint);
  }

private:
  static StringRef layerOf(func::FuncOp joint) {
    return joint.getSymName().drop_back(StringRef(".joint").size());
  }

  /// The last `save` among the schedules of a layer, or null.
  DictionaryAttr savedBy(func::FuncOp joint) {
    DictionaryAttr found;
    if (auto all = getOperation()->getAttrOfType<ArrayAttr>(attr::kSchedules))
      for (auto schedule : all.getAsRange<DictionaryAttr>())
        if (schedule.getAs<StringAttr>("name").getValue() == layerOf(joint))
          for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>())
            if (item.getAs<StringAttr>("kind").getValue() == "save")
              found = item;
    return found;
  }

  /// What a layer saves, as a schedule says it: for those who print the whole schedule.
  void record(func::FuncOp joint, const llvm::SetVector<StringRef> &names) {
    Builder b(&getContext());
    auto item = b.getDictionaryAttr({b.getNamedAttr("kind", b.getStringAttr("save")),
                                     b.getNamedAttr("names",
                                                    b.getStrArrayAttr(names.getArrayRef()))});
    saves.push_back(b.getDictionaryAttr({b.getNamedAttr("name", b.getStringAttr(layerOf(joint))),
                                         b.getNamedAttr("items", b.getArrayAttr({item}))}));
  }

  /// The schedules with what is saved now in place of what was to be.
  ArrayAttr withSaves(ModuleOp module) {
    Builder b(&getContext());
    SmallVector<Attribute> all;
    if (auto given = module->getAttrOfType<ArrayAttr>(attr::kSchedules))
      for (auto schedule : given.getAsRange<DictionaryAttr>()) {
        SmallVector<Attribute> items;
        for (auto item : schedule.getAs<ArrayAttr>("items").getAsRange<DictionaryAttr>())
          if (item.getAs<StringAttr>("kind").getValue() != "save")
            items.push_back(item);
        NamedAttrList rest(schedule);
        rest.set("items", b.getArrayAttr(items));
        all.push_back(rest.getDictionary(&getContext()));
      }
    llvm::append_range(all, saves);
    return b.getArrayAttr(all);
  }

  SmallVector<Attribute> saves;

  void visit(func::FuncOp joint, SymbolTable &symbols, SmallVectorImpl<func::FuncOp> &order) {
    if (llvm::is_contained(order, joint))
      return;
    joint.walk(
        [&](ForwardOp op) { visit(symbols.lookup<func::FuncOp>(op.getCallee()), symbols, order); });
    order.push_back(joint);
  }

  void replaceCalls(func::FuncOp func) {
    for (auto op : llvm::to_vector(func.getOps<ForwardOp>()))
      replaceCall(op);
  }

  void replaceCall(ForwardOp op) {
    auto found = halves.find(op.getCalleeAttr().getAttr());
    assert(found != halves.end() && "callees are cut first");
    Halves &half = found->second;
    OpBuilder b(op);
    SmallVector<Type> types(op.getOutputs().getTypes()), stacks;
    for (Type type : half.saved)
      stacks.push_back(StackType::get(op.getContext(), op.getCount(), type));
    llvm::append_range(types, stacks);
    auto forward =
        RepeatOp::create(b, op.getLoc(), types, half.forward.getSymName(), op.getCount(),
                         op.getCarried(), op.getShared(), op.getEach(), /*reverse=*/false);
    for (Operation *user : llvm::make_early_inc_range(op.getTape().getUsers())) {
      auto old = cast<BackwardOp>(user);
      b.setInsertionPoint(old);
      SmallVector<Value> each(old.getEach());
      llvm::append_range(each, forward.getStackedResults());
      auto backward = RepeatOp::create(b, old.getLoc(), old.getOutputs().getTypes(),
                                       half.backward.getSymName(), old.getCount(),
                                       old.getGradients(), old.getShared(), each, /*reverse=*/true);
      old.replaceAllUsesWith(backward.getOutputs());
      old.erase();
    }
    op.getOutputs().replaceAllUsesWith(forward.getCarriedResults());
    op.erase();
  }

  DenseMap<StringAttr, Halves> halves;
};
} // namespace
