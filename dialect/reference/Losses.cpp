// Reference loops of the losses, and of ids drawn from logits.
#include "dialect/reference/Frame.h"

#include <algorithm>
#include <array>
#include <cmath>

using namespace mlir;
using namespace mom;
using namespace mom::reference;

/// The target of row i, or -1 where it is absent or past the last channel.
static int64_t targetOf(const Tensor &target, int64_t i, int64_t channels) {
  double t = target.data[i];
  return t >= 0 && t < channels ? int64_t(t) : -1;
}

// lse[i] = log(sum over v of exp(x[i, v])), nll[i] = lse[i] - x[i, target[i]]
void reference::evaluate(CrossEntropyOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits()); // [rows, V]
  const Tensor &target = frame.tensor(op.getTarget()); // [rows, 1]
  Tensor nll = Tensor::zeros(target.shape), lse = Tensor::zeros(target.shape);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const double *x = logits.row(i);
    double largest = *std::max_element(x, x + logits.channels()), sum = 0.0;
    for (int64_t v = 0; v < logits.channels(); ++v)
      sum += std::exp(x[v] - largest);
    lse.data[i] = largest + std::log(sum);
    if (int64_t t = targetOf(target, i, logits.channels()); t >= 0)
      nll.data[i] = lse.data[i] - x[t];
  }
  frame.set(op.getNll(), std::move(nll));
  frame.set(op.getLse(), std::move(lse));
}

// dx[i, v] = dnll[i] (exp(x[i, v] - lse[i]) - [v = target[i]])
void reference::evaluate(CrossEntropyGradOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits()); // [rows, V]
  const Tensor &target = frame.tensor(op.getTarget()); // [rows, 1]
  const Tensor &lse = frame.tensor(op.getLse()), &dnll = frame.tensor(op.getDnll());
  Tensor dlogits = Tensor::zeros(logits.shape);
  for (int64_t i = 0; i < logits.rows(); ++i) {
    int64_t t = targetOf(target, i, logits.channels());
    if (t < 0)
      continue;
    for (int64_t v = 0; v < logits.channels(); ++v)
      dlogits.row(i)[v] = dnll.data[i] * (std::exp(logits.row(i)[v] - lse.data[i]) - (v == t));
  }
  frame.set(op.getDlogits(), std::move(dlogits));
}

/// Number n of a seed and a purpose, in (0, 1): Philox4x32-10.
static double uniformAt(uint64_t seed, uint64_t purpose, uint32_t n) {
  std::array<uint32_t, 4> c = {n / 4, 0, uint32_t(purpose), uint32_t(purpose >> 32)};
  uint32_t key0 = uint32_t(seed), key1 = uint32_t(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * c[0], b = uint64_t(0xCD9E8D57u) * c[2];
    c = {uint32_t(b >> 32) ^ c[1] ^ key0, uint32_t(b), uint32_t(a >> 32) ^ c[3] ^ key1,
         uint32_t(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return (c[n % 4] + 0.5) * 0x1p-32;
}

static uint64_t wordsOf(const double *low) { // two i32 elements
  return uint64_t(uint32_t(int64_t(low[1]))) << 32 | uint32_t(int64_t(low[0]));
}

/// The candidates of a row that stay, in their order.
static SmallVector<int64_t> candidatesOf(const double *x, const Tensor &groups, double scale,
                                         double share, int64_t top) {
  SmallVector<int64_t> all;
  for (int64_t v = 0; v < int64_t(groups.data.size()); ++v)
    if (groups.data[v] >= 0 && x[v] != -INFINITY)
      all.push_back(v);
  llvm::sort(all, [&](int64_t v, int64_t w) { return x[v] != x[w] ? x[v] > x[w] : v < w; });
  if (top && top < int64_t(all.size()))
    all.truncate(top);
  double total = 0.0, sum = 0.0;
  for (int64_t v : all)
    total += std::exp2(scale * (x[v] - x[all[0]]));
  size_t kept = 0;
  while (kept < all.size() && (share >= 1.0 || sum < share * total))
    sum += std::exp2(scale * (x[all[kept++]] - x[all[0]]));
  all.truncate(kept);
  return all;
}

// p[v] = 2^(scale (x[i, v] - largest)); the id at u of the sum of all p that stay
void reference::evaluate(DrawOp op, Frame &frame) {
  const Tensor &logits = frame.tensor(op.getLogits()), &place = frame.tensor(op.getPlace());
  const Tensor &limits = frame.tensor(op.getLimits()), &how = frame.tensor(op.getHow());
  const Tensor &groups = frame.tensor(op.getGroups()); // [V]
  Tensor id = Tensor::zeros({logits.rows(), 1}), group = id, next = place;
  for (int64_t i = 0; i < logits.rows(); ++i) {
    const double *x = logits.row(i); // [V]
    auto n = uint32_t(int64_t(place.row(i)[2]));
    next.row(i)[2] = double(int32_t(n + 1));
    SmallVector<int64_t> all = candidatesOf(x, groups, limits.data[0], limits.data[1],
                                            int64_t(how.data[2]));
    if (all.empty()) {
      group.data[i] = groups.data[0];
      continue;
    }
    double largest = x[all[0]], total = 0.0;
    for (int64_t v : all)
      total += std::exp2(limits.data[0] * (x[v] - largest));
    double left = total * uniformAt(wordsOf(how.data.data()), wordsOf(place.row(i)), n);
    llvm::sort(all);
    size_t at = 0;
    while (at + 1 < all.size() &&
           (left -= std::exp2(limits.data[0] * (x[all[at]] - largest))) >= 0)
      ++at;
    id.data[i] = double(all[at]);
    group.data[i] = groups.data[all[at]];
  }
  frame.set(op.getId(), std::move(id));
  frame.set(op.getGroup(), std::move(group));
  frame.set(op.getNext(), std::move(next));
}
