#include "frontend/SymbolIndex.h"

#include "frontend/Parameters.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

//===----------------------------------------------------------------------===//
// Descriptions
//===----------------------------------------------------------------------===//

static int64_t sizeOf(const Parameter &parameter) {
  int64_t size = 1;
  for (int64_t axis : parameter.shape)
    size *= axis;
  for (int64_t count : parameter.stacks)
    size *= count;
  return size;
}

/// "; weight f32[64, 16]; 1024 parameters", of those that belong to `owner`, or all.
static void printParameters(const FunctionDecl &function, const Decl *owner,
                            llvm::raw_ostream &os) {
  int64_t total = 0;
  for (const Parameter &parameter : parametersOf(function)) {
    if (owner && parameter.owner != owner)
      continue;
    total += sizeOf(parameter);
    if (owner && parameter.source == owner)
      os << "; " << StringRef(parameter.name).split('.').second << " "
         << Type::weights(parameter.shape).text();
  }
  os << "; " << total << (total == 1 ? " parameter" : " parameters");
}

/// The layer or model that a part or weight stands in.
static const FunctionDecl *functionOf(const Decl &decl, const Module &module) {
  for (const FunctionDecl *function : module.all<FunctionDecl>())
    if (llvm::is_contained(function->body, static_cast<const Node *>(&decl)))
      return function;
  return nullptr;
}

/// Whether all parts and weights were understood, so that parameters are known.
static bool isWhole(const FunctionDecl &function) {
  return llvm::all_of(function.all<PartDecl>(),
                      [](PartDecl *part) {
                        return !part->out.empty() || (part->layer && isWhole(*part->layer));
                      }) &&
         llvm::all_of(function.all<WeightDecl>(),
                      [](WeightDecl *weight) { return weight->type.kind == Type::Static; });
}

static void print(const FunctionDecl &function, llvm::raw_ostream &os) {
  os << (function.isModel ? "model " : "layer ") << function.name << "(";
  llvm::interleaveComma(function.arguments, os, [&](const ValueDecl *argument) {
    os << argument->name << ": " << argument->type.text();
  });
  os << ")";
  if (!function.results.empty())
    os << " -> ";
  llvm::interleaveComma(function.results, os, [&](const Type &type) { os << type.text(); });
  if (isWhole(function))
    printParameters(function, nullptr, os);
}

std::string mom::frontend::describe(const Decl &decl, const Module &module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::TypeSwitch<const Decl *>(&decl)
      .Case([&](const ConstantDecl *constant) {
        os << (constant->isSetting ? "setting " : "const ") << constant->name;
        if (constant->constant)
          os << " = " << constant->constant->text();
      })
      .Case([&](const ModalityDecl *modality) {
        os << "modality " << modality->name << " { ";
        llvm::interleaveComma(modality->members, os);
        os << " }";
      })
      .Case([&](const FieldDecl *field) {
        os << "field " << field->name << ": " << field->type.text();
        if (!field->draw.empty())
          os << ", drawn " << field->draw;
        if (!field->only.empty())
          os << ", of " << field->only << " only";
      })
      .Case([&](const ValueDecl *value) { os << value->name << ": " << value->type.text(); })
      .Case([&](const WeightDecl *weight) {
        os << "weight " << weight->name << ": " << weight->type.text();
      })
      .Case([&](const PartDecl *part) {
        os << "part " << part->name << " = " << part->maker;
        if (part->modality)
          os << "[" << part->modality->name << "]";
        if (part->experts)
          os << "[" << part->experts << "]";
        if (part->layer && part->times)
          os << " * " << part->count;
        const FunctionDecl *function = functionOf(decl, module);
        if (function && isWhole(*function))
          printParameters(*function, part, os);
      })
      .Case([&](const FunctionDecl *function) { print(*function, os); });
  return text;
}

//===----------------------------------------------------------------------===//
// The index
//===----------------------------------------------------------------------===//

void SymbolIndex::addName(StringRef name, const Decl *decl) {
  if (!name.empty())
    symbols.push_back({name, decl, decl ? describe(*decl, module) : "built in"});
}

void SymbolIndex::addDecl(const Decl *decl) { addName(decl->name, decl); }

void SymbolIndex::add(const Expr *expr) {
  if (!expr)
    return;
  llvm::TypeSwitch<const Expr *>(expr)
      .Case([&](const NameExpr *name) {
        if (name->decl)
          addName(name->name, name->decl);
      })
      .Case([&](const MemberExpr *member) {
        add(member->base);
        if (member->field)
          addName(member->member, member->field);
      })
      .Case([&](const CallExpr *call) {
        if (call->part || call->function)
          addName(call->callee, call->part);
        if (call->byDecl)
          addName(call->by, call->byDecl);
        for (const CallExpr::Argument &argument : call->arguments) {
          add(argument.value);
          add(argument.where);
        }
      })
      .Case([&](const NegateExpr *negate) { add(negate->operand); })
      .Case([&](const NotExpr *negation) { add(negation->operand); })
      .Case([&](const BinaryExpr *binary) {
        add(binary->lhs);
        add(binary->rhs);
      })
      .Case([&](const RangeExpr *range) {
        add(range->first);
        add(range->last);
      });
}

void SymbolIndex::add(const FunctionDecl &function) {
  auto addType = [&](const TypeSyntax &type) {
    for (const Expr *size : type.sizes)
      add(size);
  };
  addDecl(&function);
  for (const ValueDecl *argument : function.arguments) {
    addDecl(argument);
    addType(argument->syntax);
  }
  for (const TypeSyntax &type : function.resultSyntax)
    addType(type);
  for (const Node *node : function.body) {
    if (auto *part = llvm::dyn_cast<PartDecl>(node)) {
      addDecl(part);
      addName(part->maker, part->layer);
      if (auto *route = llvm::dyn_cast_or_null<NameExpr>(part->route); route && part->modality)
        addName(route->name, part->modality);
      else
        add(part->route);
      add(part->condition);
      for (auto list : {&part->inputs, &part->outputs})
        for (const Expr *expr : *list)
          add(expr);
      for (const PartDecl::Option &option : part->options)
        add(option.value);
      add(part->times);
    } else if (auto *weight = llvm::dyn_cast<WeightDecl>(node)) {
      addDecl(weight);
      addType(weight->syntax);
      add(weight->value);
    } else if (auto *bind = llvm::dyn_cast<BindStmt>(node)) {
      for (const ValueDecl *value : bind->names)
        addDecl(value);
      add(bind->value);
    } else if (auto *statement = llvm::dyn_cast<ReturnStmt>(node)) {
      for (const Expr *value : statement->values)
        add(value);
    } else if (auto *measure = llvm::dyn_cast<MeasureStmt>(node)) {
      add(measure->value);
      add(measure->by);
    }
  }
}

SymbolIndex::SymbolIndex(const Module &module) : module(module) {
  auto function = [&](StringRef name) -> const Decl * {
    for (const FunctionDecl *decl : module.all<FunctionDecl>())
      if (decl->name == name)
        return decl;
    return nullptr;
  };
  auto addFunction = [&](StringRef name) {
    if (const Decl *decl = function(name))
      addName(name, decl);
  };
  for (const Node *node : module.declarations) {
    if (auto *decl = llvm::dyn_cast<FunctionDecl>(node)) {
      add(*decl);
    } else if (auto *constant = llvm::dyn_cast<ConstantDecl>(node)) {
      addDecl(constant);
      add(constant->value);
    } else if (auto *decl = llvm::dyn_cast<Decl>(node)) {
      addDecl(decl);
    } else if (auto *batch = llvm::dyn_cast<BatchDecl>(node)) {
      for (const FieldDecl *field : batch->fields()) {
        addDecl(field);
        for (const Expr *size : field->syntax.sizes)
          add(size);
      }
    } else if (auto *train = llvm::dyn_cast<TrainDecl>(node)) {
      addFunction(train->model);
    } else if (auto *exported = llvm::dyn_cast<ExportDecl>(node)) {
      for (StringRef name : exported->names)
        addFunction(name);
    } else if (auto *schedule = llvm::dyn_cast<ScheduleDecl>(node)) {
      addFunction(schedule->name.split('.').first);
    }
  }
}

const Symbol *SymbolIndex::at(const char *place) const {
  for (const Symbol &symbol : symbols)
    if (symbol.name.begin() <= place && place <= symbol.name.end())
      return &symbol;
  return nullptr;
}

const FunctionDecl *SymbolIndex::functionAt(const char *place) const {
  for (const FunctionDecl *function : module.all<FunctionDecl>())
    if (function->range.Start.getPointer() <= place && place <= function->range.End.getPointer())
      return function;
  return nullptr;
}

std::vector<Symbol> SymbolIndex::visibleAt(const char *place) const {
  std::vector<Symbol> found;
  auto see = [&](const Decl *decl) {
    if (!decl->name.empty())
      found.push_back({decl->name, decl, describe(*decl, module)});
  };
  for (const Node *node : module.declarations)
    if (auto *decl = llvm::dyn_cast<Decl>(node))
      see(decl);
  const FunctionDecl *function = functionAt(place);
  if (!function)
    return found;
  for (const ValueDecl *argument : function->arguments)
    see(argument);
  for (const Node *node : function->body) {
    if (node->range.Start.getPointer() > place)
      break;
    if (auto *decl = llvm::dyn_cast<Decl>(node))
      see(decl);
    if (auto *bind = llvm::dyn_cast<BindStmt>(node))
      for (const ValueDecl *value : bind->names)
        see(value);
  }
  return found;
}

std::vector<Symbol> SymbolIndex::fieldsOf(StringRef base, const char *place) const {
  std::vector<Symbol> found;
  const FunctionDecl *function = functionAt(place);
  const auto *batch = module.first<BatchDecl>();
  if (!function || !batch)
    return found;
  for (const ValueDecl *argument : function->arguments)
    for (const BatchDecl::Group &group : batch->groups)
      if (argument->name == base && argument->type.kind == Type::Record &&
          nameOf(argument->type.space) == group.space)
        for (const FieldDecl *field : group.fields)
          found.push_back({field->name, field, describe(*field, module)});
  return found;
}
