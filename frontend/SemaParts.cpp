// Parts, weights and their initial values.
#include "frontend/Defaults.h"
#include "frontend/Sema.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

static std::optional<PartKind> partKindNamed(StringRef name) {
  return llvm::StringSwitch<std::optional<PartKind>>(name)
      .Case("rms_norm", PartKind::RmsNorm)
      .Case("linear", PartKind::Linear)
      .Case("conv1d", PartKind::Conv1d)
      .Case("embedding", PartKind::Embedding)
      .Default(std::nullopt);
}

void Sema::checkPart(PartDecl &part) {
  part.used = false;
  part.in = 0;
  part.out.clear();
  part.modality = nullptr;
  part.layer = nullptr;
  part.count = 1;
  part.bias.reset();
  if (auto kind = partKindNamed(part.maker)) {
    part.partKind = *kind;
    // Not short of each other: each has its own messages.
    bool routed = checkRoute(part), sized = checkPartSizes(part);
    if (!routed || !sized)
      part.out.clear();
    if (part.times)
      error(part.times) << "expected a layer to repeat, but '" << part.maker << "' is not one";
  } else if (auto *layer = llvm::dyn_cast_or_null<FunctionDecl>(lookup(part.maker));
             layer && !layer->isModel) {
    layer->used = true;
    part.partKind = PartKind::Layer;
    if (checkLayerPart(part, *layer))
      part.layer = layer;
  } else {
    auto known = namesIf([](const Decl *d) { return llvm::isa<FunctionDecl>(d); });
    known.append({"rms_norm", "linear", "conv1d", "embedding"});
    error(part.maker) << "unknown kind of part or layer '" << part.maker << "'"
                      << suggest(part.maker, known);
  }
  bind(part);
}

bool Sema::checkLayerPart(PartDecl &part, FunctionDecl &layer) {
  if (part.bracketed || part.hasArguments) {
    error(part.maker) << "expected layer '" << part.maker
                      << "' without brackets: its sizes are its own";
    return false;
  }
  if (part.times) {
    auto count = integer(part.times, "a number of repetitions");
    if (!count)
      return false;
    part.count = *count;
  }
  bool same = layer.arguments.size() == layer.results.size();
  for (auto [argument, result] : llvm::zip(layer.arguments, layer.results))
    same = same && (argument->type.kind == Type::Invalid || result.kind == Type::Invalid ||
                    argument->type.matches(result));
  if (!same)
    error(part.maker)
            .append("expected a layer whose results have the types of its arguments, but '",
                    part.maker, "' has others")
            .attachNote(at(layer.name))
        << "declared here";
  return same;
}

/// The bracket says how many weights a part has: `[M]` one for each modality, `[8]` eight,
/// of which a computed route chooses; `[M if condition]` only where the condition holds.
bool Sema::checkRoute(PartDecl &part) {
  part.experts = 0;
  part.callsName = false;
  if (!part.bracketed)
    return true;
  if (part.partKind != PartKind::Linear) {
    error(part.maker) << "expected a bracket on 'linear' only, but '" << part.maker << "' has one";
    return false;
  }
  bool routed = true;
  if (part.condition) {
    auto condition = constant(part.condition, "a condition");
    if (!condition)
      return false;
    if (condition->kind != Constant::Boolean) {
      error(part.condition) << "expected a condition to be true or false, but got "
                            << condition->text();
      return false;
    }
    routed = condition->integer;
  }
  auto *name = llvm::dyn_cast<NameExpr>(part.route);
  if (name && !llvm::isa_and_nonnull<ConstantDecl>(lookup(name->name)))
    return checkModality(part, *name, routed);
  auto experts = integer(part.route, "a number of experts", /*least=*/2);
  if (!experts)
    return false;
  if (*experts > kMostExperts) {
    error(part.route) << "expected at most " << kMostExperts << " experts, but got " << *experts;
    return false;
  }
  part.callsName = true;
  if (routed)
    part.experts = *experts;
  return true;
}

bool Sema::checkModality(PartDecl &part, const NameExpr &name, bool routed) {
  ModalityDecl *modality = findModality(name.name);
  if (!modality)
    return false;
  modality->used = true;
  if (batch && batch->modality != modality) {
    auto diagnostic = error(name.name);
    diagnostic << "the batch's tokens have ";
    if (batch->modality)
      diagnostic << "modality '" << batch->modality->name << "', not '" << name.name << "'";
    else
      diagnostic << "no modality";
    return false;
  }
  if (routed)
    part.modality = modality;
  return true;
}

bool Sema::checkPartSizes(PartDecl &part) {
  bool isLinear = part.partKind == PartKind::Linear;
  size_t sizes = part.partKind == PartKind::Embedding ? 2 : 1;
  if (isLinear != part.hasArrow || part.inputs.size() != sizes ||
      (isLinear && part.outputs.empty())) {
    StringRef form = llvm::StringSwitch<StringRef>(part.maker)
                         .Case("linear", "linear(in -> out, ...)")
                         .Case("embedding", "embedding(rows, channels)")
                         .Case("conv1d", "conv1d(channels)")
                         .Default("rms_norm(channels)");
    error(part.maker) << "expected sizes as in " << form;
    return false;
  }
  auto in = integer(part.inputs[0], "a size");
  if (!in)
    return false;
  part.in = *in;
  llvm::SmallVector<int64_t> out;
  for (Expr *expr : isLinear ? part.outputs : part.inputs) {
    auto size = integer(expr, "a size");
    if (!size)
      return false;
    out.push_back(*size);
  }
  if (part.partKind == PartKind::Embedding)
    out.erase(out.begin());
  part.out.assign(out.begin(), out.end());

  part.eps = defaults::kNormEps;
  part.width = defaults::kConvWidth;
  bool ok = true;
  for (auto [index, option] : llvm::enumerate(part.options)) {
    bool twice = false;
    for (const PartDecl::Option &other : llvm::ArrayRef(part.options).take_front(index))
      twice |= other.label == option.label;
    if (twice)
      error(option.label) << "'" << option.label << "' is given twice";
    else
      ok &= checkPartOption(part, option);
    ok &= !twice;
  }
  if (llvm::none_of(part.options, [](const PartDecl::Option &o) { return o.label == "init"; }))
    part.init = part.partKind == PartKind::Embedding ? defaults::kEmbedding
                : part.partKind == PartKind::Conv1d  ? defaults::product(part.width)
                                                     : defaults::product(part.in);
  return ok;
}

bool Sema::checkPartOption(PartDecl &part, PartDecl::Option &option) {
  PartKind kind = part.partKind;
  bool isProduct = kind == PartKind::Linear || kind == PartKind::Conv1d;
  if (option.label == "eps" && kind == PartKind::RmsNorm) {
    auto eps = number(option.value, "'eps'");
    if (eps && *eps < 0)
      error(option.value) << "expected 'eps' of at least 0, but got " << Constant::of(*eps).text();
    part.eps = eps.value_or(0);
    return eps && *eps >= 0;
  }
  if (option.label == "width" && kind == PartKind::Conv1d) {
    auto width = integer(option.value, "'width'");
    part.width = width.value_or(1);
    return width.has_value();
  }
  if (option.label == "bias" && isProduct) {
    int64_t channels = 0;
    for (int64_t size : part.out)
      channels += size;
    part.bias = resolveInit(option.value, Type::weights({channels}));
    return part.bias.has_value();
  }
  if (option.label == "init" && kind != PartKind::RmsNorm) {
    auto init =
        resolveInit(option.value, Type::weights({kind == PartKind::Conv1d      ? part.width
                                                 : kind == PartKind::Embedding ? part.out.front()
                                                                               : part.in}));
    part.init = init.value_or(Init());
    return init.has_value();
  }
  llvm::SmallVector<StringRef> known;
  if (kind == PartKind::RmsNorm)
    known = {"eps"};
  else if (kind == PartKind::Embedding)
    known = {"init"};
  else
    known = {"bias", "init"};
  if (kind == PartKind::Conv1d)
    known.push_back("width");
  error(option.label) << "unknown option '" << option.label << "' of '" << part.maker << "'"
                      << suggest(option.label, known);
  return false;
}

void Sema::checkWeight(WeightDecl &weight) {
  weight.used = false;
  weight.type = Type();
  if (auto type = resolveType(weight.syntax)) {
    if (type->kind != Type::Static)
      error(weight.syntax.name) << "expected weights, as f32[...], but got " << type->text();
    else if (auto init = resolveInit(weight.value, *type)) {
      weight.type = *type;
      weight.init = *init;
    }
  }
  bind(weight);
}

/// init ::= 'zeros' | 'ones' | expr | 'normal' '(' expr ')' | 'uniform' '(' expr ',' expr ')'
///        | 'dt_init' '(' (expr ',' expr)? ')' | 'log' '(' 'iota' '(' range ')' ')'
/// `of` is the shape that it fills.
std::optional<Init> Sema::resolveInit(Expr *expr, const Type &of) {
  if (auto *name = llvm::dyn_cast<NameExpr>(expr); name && !lookup(name->name)) {
    if (name->name == "zeros" || name->name == "ones")
      return Init{Init::Constant, name->name == "ones" ? 1.0 : 0.0, 0};
    auto known = namesIf([](const Decl *d) { return llvm::isa<ConstantDecl>(d); });
    known.append({"zeros", "ones", "normal", "uniform", "dt_init"});
    error(name->name) << "unknown initial value '" << name->name << "'"
                      << suggest(name->name, known);
    return std::nullopt;
  }
  auto *call = llvm::dyn_cast<CallExpr>(expr);
  if (call && call->callee == "log" && call->arguments.size() == 1) {
    auto *iota = llvm::dyn_cast<CallExpr>(call->arguments[0].value);
    if (iota && iota->callee == "iota") {
      auto *range = iota->arguments.size() == 1
                        ? llvm::dyn_cast<RangeExpr>(iota->arguments[0].value)
                        : nullptr;
      if (!range) {
        error(iota->callee) << "expected a range, as in iota(1..N)";
        return std::nullopt;
      }
      auto first = integer(range->first, "the start of a range"),
           last = integer(range->last, "the end of a range");
      if (!first || !last)
        return std::nullopt;
      if (*last - *first + 1 != of.channels()) {
        error(range) << "expected a range of " << of.channels() << " numbers, the last size of "
                     << of.text() << ", but got " << *first << ".." << *last;
        return std::nullopt;
      }
      return Init{Init::LogIota, double(*first), 0};
    }
  }
  bool random = call && llvm::is_contained({"normal", "uniform", "dt_init"}, call->callee);
  if (!random) {
    auto value = number(expr, "an initial value");
    return value ? std::optional(Init{Init::Constant, *value, 0}) : std::nullopt;
  }
  if (call->callee == "dt_init" && call->arguments.empty())
    return Init{Init::Dt, defaults::kDtLow, defaults::kDtHigh};
  if (!expectArguments(*call, call->callee == "normal" ? 1 : 2))
    return std::nullopt;
  auto a = number(call->arguments[0].value, "an initial value");
  auto b = call->callee == "normal" ? a : number(call->arguments[1].value, "an initial value");
  if (!a || !b)
    return std::nullopt;
  if (call->callee == "normal") {
    if (*a < 0) {
      error(call->arguments[0].value)
          << "expected a deviation of at least 0, but got " << Constant::of(*a).text();
      return std::nullopt;
    }
    return Init{Init::Normal, 0, *a};
  }
  bool isDt = call->callee == "dt_init";
  if (*a > *b || (isDt && *a <= 0)) {
    error(call->callee) << "expected " << call->callee
                        << (isDt ? "(low, high) with 0 < low <= high"
                                 : "(low, high) with low <= high")
                        << ", but got " << Constant::of(*a).text() << " and "
                        << Constant::of(*b).text();
    return std::nullopt;
  }
  return Init{isDt ? Init::Dt : Init::Uniform, *a, *b};
}
