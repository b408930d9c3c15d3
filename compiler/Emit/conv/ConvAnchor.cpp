// The convolution of a conv kernel, and what a gradient takes of it.
#include "compiler/Emit/conv/ConvAnchor.h"

#include "compiler/Emit/Pointwise.h"
#include "compiler/Emit/Sequence.h"

using namespace mlir;
using namespace mom;

FailureOr<ConvAnchor> mom::convAnchor(KernelBuilder &k) {
  Block &body = k.kernel.getBody().front();
  auto convs = llvm::to_vector(body.getOps<Conv1dOp>());
  auto grads = llvm::to_vector(body.getOps<Conv1dGradOp>());
  if (convs.empty() && grads.empty())
    return k.error() << "expected one convolution in a conv kernel, but got none";
  if (convs.size() > 1 || grads.size() > 1)
    return k.error() << "expected one convolution in a conv kernel, but got two";
  ConvAnchor anchor{convs.empty() ? Conv1dOp() : convs.front(),
                    grads.empty() ? Conv1dGradOp() : grads.front()};
  if (!anchor.conv || !anchor.grad)
    return anchor;
  Conv1dOp conv = anchor.conv;
  Conv1dGradOp grad = anchor.grad;
  if (conv.getX() != grad.getX() || conv.getWeights() != grad.getWeights() ||
      conv.getBatch() != grad.getBatch() || conv.getReverse() != grad.getReverse() ||
      conv.getInit() || conv.getFinal() || grad.getInit())
    return k.error() << "expected mom.conv1d beside mom.conv1d_grad to be the convolution that it "
                        "is a gradient of, without states";
  return anchor;
}

LogicalResult mom::checkGradient(KernelBuilder &k, const ConvAnchor &anchor) {
  Conv1dGradOp grad = anchor.grad;
  Conv1dOp conv = anchor.conv;
  if (!conv)
    return checkInputs(
        k, grad, {grad.getX(), grad.getWeights(), grad.getDy(), grad.getInit(), grad.getDfinal()});
  return failure(failed(checkInputs(k, grad, {grad.getX(), grad.getWeights(), grad.getDfinal()})) ||
                 failed(checkInputs(k, conv, {conv.getBias()})) ||
                 failed(checkPointwise(k, grad.getDy(), {conv.getY()})));
}
