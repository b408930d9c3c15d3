// Which ops of a function share a kernel.
//
// Bytes that cross kernel boundaries are what fusion saves, so they are the
// cost: merges and moves are taken greedily while they lower it, and only where
// Anchors.cpp knows an emitter for the result. Functions have some hundred ops,
// so trying all pairs costs milliseconds.
#include "compiler/Fusion/Clusters.h"

#include "compiler/Fusion/Anchors.h"
#include "dialect/Views.h"

#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mom;

/// Rows are counted as this many, so that costs of rows and of parameters can
/// be compared.
static constexpr int64_t kTypicalRows = 4096;
/// A launch costs about as much as moving this many bytes.
static constexpr int64_t kLaunchBytes = 64 * 1024;

static int64_t bytesOf(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return 0;
  if (!isRows(type))
    return 4 * type.getNumElements();
  RowsAttr rows = rowsOf(type);
  int64_t count = rows.getSpace() == RowSpace::copy ? kTypicalRows * rows.getChunk() : kTypicalRows;
  return 4 * count * channelsOf(type);
}

namespace {
/// The ops of one function, each with the number of the kernel it is in.
class Clusters {
public:
  explicit Clusters(func::FuncOp func) {
    for (Operation &op : func.getBody().front()) {
      if (!isKernelWork(&op) && !isa<RepeatOp>(op))
        continue;
      index[&op] = ops.size();
      cluster.push_back(ops.size()); // a repetition stays alone, but orders the others
      ops.push_back(&op);
    }
    for (unsigned i = ops.size(); i-- > 0;) // users come first
      if (isCondition(ops[i]) && !ops[i]->use_empty())
        if (auto user = index.find(*ops[i]->user_begin());
            user != index.end() && isPointwise(user->first))
          cluster[i] = cluster[user->second];
  }

  /// Puts what an activation's gradient is made of into the kernel of the convolution's
  /// gradient, where nothing else reads it: merging one by one would not find that.
  void joinActivations() {
    for (unsigned i = 0; i < ops.size(); ++i) {
      auto grad = dyn_cast<Conv1dGradOp>(ops[i]);
      if (!grad)
        continue;
      Assignment joined = cluster;
      for (Operation *op : activationGradient(grad))
        joined[index[op]] = cluster[i];
      if (kernelAnchor(members(cluster[i], joined)) && sorted(joined))
        cluster = joined;
    }
  }

  void fuse() {
    while (mergeBest())
      ;
    while (moveBest() || mergeBest())
      ;
  }

  /// Kernels in an order that respects their dependences.
  SmallVector<SmallVector<Operation *>> inOrder() const {
    SmallVector<SmallVector<Operation *>> result;
    SmallVector<unsigned> order = *sorted(cluster);
    for (unsigned c : order)
      result.push_back(members(c, cluster));
    return result;
  }

private:
  using Assignment = SmallVector<unsigned>;                          // op -> cluster
  using Candidate = std::pair<Assignment, SmallVector<unsigned, 2>>; // and the clusters it changes

  SmallVector<Operation *> members(unsigned c, const Assignment &assignment) const {
    SmallVector<Operation *> result;
    for (auto [op, mine] : llvm::zip_equal(ops, assignment))
      if (mine == c)
        result.push_back(op);
    return result;
  }

  /// The number of the op that makes `value`, if it is one of `ops`.
  std::optional<unsigned> maker(Value value) const {
    Operation *op = sourceOf(value).getDefiningOp();
    if (auto route = dyn_cast_or_null<ComputedRouteOp>(op)) // a view of what one plan makes
      op = route.getOffsets().getDefiningOp();
    auto found = index.find(op);
    return found == index.end() ? std::nullopt : std::optional(found->second);
  }

  /// Cluster numbers in dependence order; none if they depend in a circle.
  std::optional<SmallVector<unsigned>> sorted(const Assignment &assignment) const {
    SmallVector<DenseSet<unsigned>> before(ops.size());
    SmallVector<unsigned> names;
    for (unsigned c : assignment)
      if (!llvm::is_contained(names, c))
        names.push_back(c);
    for (auto [op, c] : llvm::zip_equal(ops, assignment))
      for (Value operand : op->getOperands())
        if (auto from = maker(operand); from && assignment[*from] != c)
          before[c].insert(assignment[*from]);
    SmallVector<unsigned> result;
    DenseSet<unsigned> done;
    while (result.size() < names.size()) {
      // The first that is ready: keeps the order of the text where it can.
      auto ready = llvm::find_if(names, [&](unsigned c) {
        return !done.contains(c) &&
               llvm::all_of(before[c], [&](unsigned b) { return done.contains(b); });
      });
      if (ready == names.end())
        return std::nullopt;
      done.insert(*ready);
      result.push_back(*ready);
    }
    return result;
  }

  /// Bytes that cross boundaries, plus the launches.
  int64_t cost(const Assignment &assignment) const {
    int64_t bytes = 0;
    DenseSet<unsigned> kernels(assignment.begin(), assignment.end());
    DenseSet<std::pair<Value, unsigned>> loads;
    DenseSet<Value> stores;
    for (auto [op, c] : llvm::zip_equal(ops, assignment)) {
      for (OpOperand &operand : op->getOpOperands()) {
        if (auto broadcast = dyn_cast<BroadcastOp>(op);
            broadcast && operand.getOperandNumber() == 1)
          continue; // `like` is read for its shape
        Value value = operand.get();
        auto from = maker(value);
        if (from && assignment[*from] == c)
          continue;
        if (loads.insert({value, c}).second)
          bytes += bytesOf(value);
        if (from && stores.insert(sourceOf(value)).second)
          bytes += bytesOf(sourceOf(value));
      }
      for (Value result : op->getResults())
        if (escapes(result) && stores.insert(result).second)
          bytes += bytesOf(result);
    }
    return bytes + kLaunchBytes * kernels.size();
  }

  /// Whether a value is read by something that is not kernel work.
  bool escapes(Value value) const {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      if (auto split = dyn_cast<SplitOp>(user))
        return llvm::any_of(split.getParts(), [&](Value part) { return escapes(part); });
      return !index.contains(user);
    });
  }

  bool isLegal(unsigned c, const Assignment &assignment) const {
    SmallVector<Operation *> inside = members(c, assignment);
    if (inside.empty() || inside.size() == 1)
      return true;
    if (llvm::any_of(inside, [](Operation *op) { return isa<RepeatOp>(op); }))
      return false;
    return kernelAnchor(inside).has_value();
  }

  /// Takes the candidate that lowers the cost most.
  bool take(ArrayRef<Candidate> candidates) {
    int64_t best = cost(cluster);
    const Assignment *chosen = nullptr;
    for (const Candidate &candidate : candidates) {
      const Assignment &assignment = candidate.first;
      if (!llvm::all_of(candidate.second, [&](unsigned c) { return isLegal(c, assignment); }))
        continue;
      int64_t now = cost(assignment);
      if (now < best && sorted(assignment)) {
        best = now;
        chosen = &assignment;
      }
    }
    if (!chosen)
      return false;
    Assignment copy = *chosen;
    cluster = copy;
    return true;
  }

  /// Pairs of clusters joined by a value, or reading the same one.
  SetVector<std::pair<unsigned, unsigned>> neighbours() const {
    SetVector<std::pair<unsigned, unsigned>> pairs;
    DenseMap<Value, SmallVector<unsigned>> readers;
    auto add = [&](unsigned a, unsigned b) {
      if (a != b)
        pairs.insert({std::min(a, b), std::max(a, b)});
    };
    for (auto [op, c] : llvm::zip_equal(ops, cluster))
      for (Value operand : op->getOperands()) {
        if (auto from = maker(operand))
          add(cluster[*from], c);
        if (!isa<RankedTensorType>(operand.getType()))
          continue;
        for (unsigned other : readers[sourceOf(operand)])
          add(other, c);
        readers[sourceOf(operand)].push_back(c);
      }
    return pairs;
  }

  bool mergeBest() {
    SmallVector<Candidate> candidates;
    for (auto [a, b] : neighbours()) {
      Assignment merged = cluster;
      for (unsigned &c : merged)
        if (c == b)
          c = a;
      candidates.push_back({std::move(merged), {a}});
    }
    return take(candidates);
  }

  bool moveBest() {
    SmallVector<Candidate> candidates;
    for (unsigned i = 0; i < ops.size(); ++i) {
      auto joins = [](Value v) { return v.getDefiningOp() && isCondition(v.getDefiningOp()); };
      if (!isPointwise(ops[i]) || isCondition(ops[i]) || llvm::any_of(ops[i]->getOperands(), joins))
        continue;
      SetVector<unsigned> targets;
      for (Value operand : ops[i]->getOperands())
        if (auto from = maker(operand))
          targets.insert(cluster[*from]);
      for (Operation *user : ops[i]->getUsers())
        if (auto found = index.find(user); found != index.end())
          targets.insert(cluster[found->second]);
      targets.remove(cluster[i]);
      for (unsigned target : targets)
        for (const SmallVector<unsigned> &together : {SmallVector<unsigned>{i}, treeOf(i)}) {
          Assignment moved = cluster;
          for (unsigned op : together)
            moved[op] = target;
          candidates.push_back({std::move(moved), {target, cluster[i]}});
        }
    }
    return take(candidates);
  }

  /// An op and the pointwise ops of its kernel that work for it alone.
  SmallVector<unsigned> treeOf(unsigned root) const {
    SmallVector<unsigned> tree = {root};
    for (unsigned i = 0; i < tree.size(); ++i)
      for (Value operand : ops[tree[i]]->getOperands()) {
        auto from = maker(operand);
        if (from && cluster[*from] == cluster[root] && isPointwise(ops[*from]) &&
            !llvm::is_contained(tree, *from) &&
            llvm::all_of(ops[*from]->getUsers(), [&](Operation *user) {
              auto found = index.find(user);
              return found != index.end() && llvm::is_contained(tree, found->second);
            }))
          tree.push_back(*from);
      }
    return tree;
  }

  SmallVector<Operation *> ops;
  DenseMap<Operation *, unsigned> index;
  Assignment cluster;
};
} // namespace

SmallVector<SmallVector<Operation *>> mom::clusterOps(func::FuncOp func, bool fuse) {
  Clusters clusters(func);
  if (fuse) {
    clusters.joinActivations();
    clusters.fuse();
  }
  return clusters.inOrder();
}
