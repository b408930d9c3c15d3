// The train block.
#include "frontend/Defaults.h"
#include "frontend/Parameters.h"
#include "frontend/Sema.h"
#include "frontend/Suggest.h"

#include <cmath>
#include <limits>

using namespace mom::frontend;
using namespace mom::frontend::ast;

static constexpr double kUnbounded = std::numeric_limits<double>::infinity();

void Sema::checkTrain(TrainDecl &decl) {
  auto *model = llvm::dyn_cast_or_null<FunctionDecl>(lookup(decl.model));
  if (!model || !model->isModel) {
    error(decl.model) << "unknown model '" << decl.model << "'"
                      << suggest(decl.model, namesIf([](const Decl *d) {
                                   auto *function = llvm::dyn_cast<FunctionDecl>(d);
                                   return function && function->isModel;
                                 }));
    return;
  }
  checkMinimize(decl, *model);
  if (!decl.streams)
    error(decl.model) << "expected 'batch STREAMS by LENGTH' in the train block, but got none";
  else {
    decl.streamCount = integer(decl.streams, "a number of streams").value_or(1);
    decl.tokenCount = integer(decl.length, "a length of streams").value_or(1);
  }
  decl.batches = 1;
  if (decl.accumulate)
    decl.batches = integer(decl.accumulate, "'accumulate'").value_or(1);

  // A number with its default and the interval it lies in.
  auto limited = [&](Expr *expr, double otherwise, StringRef what, double low, double high) {
    auto value = expr ? number(expr, what) : otherwise;
    if (expr && value && (*value < low || *value >= high)) {
      auto diagnostic = error(expr);
      diagnostic << "expected " << what << " of at least " << Constant::of(low).text();
      if (high != kUnbounded)
        diagnostic << " and below " << Constant::of(high).text();
      diagnostic << ", but got " << Constant::of(*value).text();
    }
    return value.value_or(otherwise);
  };
  decl.clipNorm = limited(decl.clip, defaults::kClip, "'clip norm'", 0, kUnbounded);
  if (decl.optimizer.empty()) {
    error(decl.model) << "expected an optimizer, as adamw(rate: ...), but got none";
    return;
  }
  if (decl.betas.size() != 2 && !decl.betas.empty())
    error(decl.betas.front()) << "expected 2 betas, but got " << decl.betas.size();
  bool betas = decl.betas.size() == 2;
  decl.beta1 = limited(betas ? decl.betas[0] : nullptr, defaults::kBeta1, "a beta", 0, 1);
  decl.beta2 = limited(betas ? decl.betas[1] : nullptr, defaults::kBeta2, "a beta", 0, 1);
  decl.epsValue = limited(decl.eps, defaults::kAdamEps, "'eps'", 0, kUnbounded);
  decl.decayRate = limited(decl.decay, defaults::kDecay, "'decay'", 0, kUnbounded);
  checkRate(decl);
  checkExcept(decl, *model);
}

/// minimize ::= a loss, or a sum of losses, each with a constant factor
void Sema::checkMinimize(TrainDecl &decl, const FunctionDecl &model) {
  llvm::SmallVector<StringRef> known;
  StringRef total;
  for (MeasureStmt *measure : model.all<MeasureStmt>()) {
    if (measure->isLoss)
      known.push_back(measure->name);
    if (measure->name == "total")
      total = measure->name;
  }
  decl.losses.clear();
  if (!decl.minimize)
    error(decl.model) << "expected 'minimize' and a loss in the train block, but got none";
  else if (addLosses(decl, decl.minimize, 1, known) && !decl.isOneLoss() && !total.empty())
    error(total) << "'total' is the name of the sum of losses that is minimized";
}

/// Adds the losses of `expr` times `factor`. False after a message.
bool Sema::addLosses(TrainDecl &decl, Expr *expr, double factor, llvm::ArrayRef<StringRef> known) {
  if (auto *name = llvm::dyn_cast<NameExpr>(expr)) {
    if (!llvm::is_contained(known, name->name)) {
      error(name->name) << "unknown loss '" << name->name << "'" << suggest(name->name, known);
      return false;
    }
    for (auto &[other, weight] : decl.losses)
      if (other == name->name) {
        error(name->name) << "loss '" << name->name << "' is minimized twice";
        return false;
      }
    decl.losses.push_back({name->name, factor});
    return true;
  }
  auto *binary = llvm::dyn_cast<BinaryExpr>(expr);
  if (binary && binary->op == "+")
    return addLosses(decl, binary->lhs, factor, known) &&
           addLosses(decl, binary->rhs, factor, known);
  if (binary && (binary->op == "*" || binary->op == "/")) {
    auto isLoss = [&](Expr *side) {
      auto *name = llvm::dyn_cast<NameExpr>(side);
      return (name && llvm::is_contained(known, name->name)) ||
             (llvm::isa<BinaryExpr>(side) && llvm::cast<BinaryExpr>(side)->op == "+");
    };
    bool onLeft = isLoss(binary->lhs);
    Expr *loss = onLeft ? binary->lhs : binary->rhs;
    if (onLeft || binary->op == "*") {
      auto value = number(onLeft ? binary->rhs : binary->lhs, "a factor of a loss");
      if (!value)
        return false;
      double scaled = binary->op == "*" ? factor * *value : factor / *value;
      if (*value < 0 || !std::isfinite(scaled)) {
        error(binary) << "expected a loss with a factor of at least 0, but got "
                      << Constant::of(*value).text();
        return false;
      }
      return addLosses(decl, loss, scaled, known);
    }
  }
  error(expr) << "expected a sum of losses with factors, as lm + 0.5 * picture";
  return false;
}

/// Phases follow one another; only the last may leave its length open.
void Sema::checkRate(TrainDecl &decl) {
  if (decl.rate.empty()) {
    error(decl.optimizer) << "expected a 'rate' of adamw, but got none";
    return;
  }
  StringRef before;
  for (RatePhase &phase : decl.rate) {
    checkPhase(phase, &phase == &decl.rate.back());
    if (before == "warmup" && phase.name == "warmup")
      error(phase.name) << "expected a rate after a warmup, which rises to it, but got another "
                           "warmup";
    before = phase.name;
  }
}

void Sema::checkPhase(RatePhase &phase, bool last) {
  auto rate = [&](Expr *expr) {
    auto value = number(expr, "a rate");
    if (value && *value < 0)
      error(expr) << "expected a rate of at least 0, but got " << Constant::of(*value).text();
    return value.value_or(0);
  };
  phase.from = phase.to = 0;
  phase.stepCount = 0;
  if (phase.name == "warmup") {
    if (phase.last || phase.steps)
      error(phase.name) << "expected warmup(steps)";
    else
      phase.stepCount = integer(phase.first, "a number of steps").value_or(1);
    if (last)
      error(phase.name) << "expected another phase after warmup(...), which rises to its rate";
    return;
  }
  bool isCosine = phase.name == "cosine";
  if (isCosine != (phase.last != nullptr)) {
    error(phase.name) << (isCosine ? "expected cosine(from -> to)" : "expected constant(rate)");
    return;
  }
  phase.from = phase.to = rate(phase.first);
  if (isCosine)
    phase.to = rate(phase.last);
  if (phase.steps)
    phase.stepCount = integer(phase.steps, "a number of steps").value_or(1);
  else if (!last)
    error(phase.first)
        << "expected a number of steps: only the last phase may last for the rest of the run";
}

void Sema::checkExcept(TrainDecl &decl, const FunctionDecl &model) {
  if (failed || decl.except.empty())
    return;
  auto parameters = parametersOf(model);
  llvm::SmallVector<StringRef> names;
  for (const Parameter &parameter : parameters)
    names.push_back(parameter.local);
  for (StringRef pattern : decl.except)
    if (llvm::none_of(parameters, [&](const Parameter &p) { return matches(pattern, p); }))
      warning(pattern) << "'" << pattern << "' names no parameter" << suggest(pattern, names);
}
