// Declarations and scopes.
#include "frontend/Sema.h"

#include "frontend/Parameters.h"
#include "frontend/SourceLocation.h"
#include "frontend/Suggest.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;
using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

LogicalResult mom::frontend::check(ast::Module &module, const Options &options,
                                   mlir::MLIRContext *context) {
  return Sema(module, options, context).check();
}

//===----------------------------------------------------------------------===//
// Messages and names
//===----------------------------------------------------------------------===//

mlir::Location Sema::at(StringRef slice) const { return locate(module.sources, slice, context); }

mlir::InFlightDiagnostic Sema::error(StringRef slice) {
  failed = true;
  return mlir::emitError(at(slice));
}

/// At the most telling place of a node: an operator, a name, else its start.
mlir::InFlightDiagnostic Sema::error(const Node *node) {
  if (auto *binary = llvm::dyn_cast<BinaryExpr>(node))
    return error(binary->op);
  if (auto *decl = llvm::dyn_cast<Decl>(node))
    return error(decl->name);
  failed = true;
  return mlir::emitError(locate(module.sources, node->range.Start, context));
}

mlir::InFlightDiagnostic Sema::warning(StringRef slice) { return mlir::emitWarning(at(slice)); }

Type Sema::invalid(mlir::InFlightDiagnostic) { return Type(); }

static bool isFunctionName(StringRef name) {
  return llvm::StringSwitch<bool>(name)
#define FUNCTION(name) .Case(#name, true)
#include "frontend/Functions.def"
      .Default(false);
}

/// Every name is bound once, in a layer and round it: what a name means is
/// never a matter of where one looks.
bool Sema::claim(StringRef name) {
  if (isFunctionName(name)) {
    error(name) << "'" << name << "' is a built-in function";
    return false;
  }
  StringRef first;
  if (Decl *decl = lookup(name))
    first = decl->name;
  else if (auto found = measures.find(name); found != measures.end())
    first = found->second;
  if (first.empty())
    return true;
  error(name).append("'", name, "' is bound twice").attachNote(at(first)) << "first bound here";
  return false;
}

void Sema::bind(Decl &decl) {
  bool isGlobal = llvm::isa<ConstantDecl, ModalityDecl, FunctionDecl>(decl);
  bool claimed = claim(decl.name);
  if (!isGlobal)
    locals[decl.name] = &decl; // after a message, what follows means the new one
  else if (claimed)
    globals[decl.name] = &decl;
}

Decl *Sema::lookup(StringRef name) const {
  if (Decl *decl = locals.lookup(name))
    return decl;
  return globals.lookup(name);
}

llvm::SmallVector<StringRef> Sema::namesIf(llvm::function_ref<bool(const Decl *)> accept) const {
  llvm::SmallVector<StringRef> names;
  for (auto *scope : {&locals, &globals})
    for (auto &[name, decl] : *scope)
      if (accept(decl))
        names.push_back(name);
  return names;
}

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

LogicalResult Sema::check() {
  checkSettingNames();
  for (Node *node : module.declarations) {
    if (auto *decl = llvm::dyn_cast<Decl>(node))
      decl->used = false;
    if (auto *decl = llvm::dyn_cast<ModalityDecl>(node))
      checkModality(*decl);
    else if (auto *decl = llvm::dyn_cast<ConstantDecl>(node))
      checkConstant(*decl);
    else if (auto *decl = llvm::dyn_cast<BatchDecl>(node))
      checkBatch(*decl);
    else if (auto *decl = llvm::dyn_cast<FunctionDecl>(node))
      checkFunction(*decl);
  }
  // These name functions, which may stand behind them.
  for (ExportDecl *decl : module.all<ExportDecl>())
    checkExport(*decl);
  for (ScheduleDecl *decl : module.all<ScheduleDecl>())
    checkSchedule(*decl);
  for (auto [index, decl] : llvm::enumerate(module.all<TrainDecl>())) {
    if (index)
      error(decl->model) << "expected one train block, but got a second";
    else if (!failed)
      checkTrain(*decl);
  }
  if (!failed)
    warnUnused();
  return failure(failed);
}

void Sema::checkModality(ModalityDecl &decl) {
  bind(decl);
  for (auto [index, member] : llvm::enumerate(decl.members)) {
    auto first = llvm::find(decl.members, member);
    if (first != decl.members.begin() + index)
      error(member).append("'", member, "' is named twice").attachNote(at(*first))
          << "first named here";
  }
}

void Sema::checkSettingNames() {
  llvm::SmallVector<StringRef> settings;
  for (ConstantDecl *decl : module.all<ConstantDecl>())
    if (decl->isSetting)
      settings.push_back(decl->name);
  for (const auto &entry : options.settings) {
    StringRef name = entry.getKey();
    if (llvm::is_contained(settings, name))
      continue;
    failed = true;
    auto diagnostic = mlir::emitError(mlir::UnknownLoc::get(context));
    auto constants = module.all<ConstantDecl>();
    auto found = llvm::find_if(constants, [&](ConstantDecl *decl) { return decl->name == name; });
    if (found == constants.end()) {
      std::string hint = suggest(name, settings);
      if (hint.empty())
        hint = settings.empty() ? "; the model has none"
                                : "; the model has " + llvm::join(settings, ", ");
      diagnostic << "unknown setting '" << name << "'" << hint;
    } else
      diagnostic.append("'", name, "' is a constant: only settings can be set")
              .attachNote(at((*found)->name))
          << "declared here";
  }
}

void Sema::checkConstant(ConstantDecl &decl) {
  decl.constant = constant(decl.value, decl.isSetting ? "a setting" : "a constant");
  if (decl.isSetting)
    if (auto given = options.settings.find(decl.name); given != options.settings.end())
      applySetting(decl, given->second);
  bind(decl);
}

void Sema::applySetting(ConstantDecl &decl, StringRef text) {
  if (!decl.constant)
    return;
  Constant::Kind kind = decl.constant->kind;
  int64_t whole;
  double real;
  if (kind == Constant::Integer && !text.getAsInteger(10, whole))
    decl.constant = Constant::of(whole);
  else if (kind == Constant::Float && !text.getAsDouble(real) && std::isfinite(real))
    decl.constant = Constant::of(real);
  else if (kind == Constant::Boolean && (text == "true" || text == "false"))
    decl.constant = Constant::of(text == "true");
  else
    error(decl.name) << "setting '" << decl.name << "' is " << describe(kind) << ", but is set to '"
                     << text << "'";
}

void Sema::checkBatch(BatchDecl &decl) {
  if (batch) {
    error(&decl) << "expected one batch declaration, but got a second";
    return;
  }
  batch = &decl;
  decl.modality = nullptr;
  if (decl.groups.empty()) {
    error(&decl) << "expected a batch with a group of fields, but got none";
    return;
  }
  for (auto [index, group] : llvm::enumerate(decl.groups)) {
    static constexpr StringRef spaces[] = {"token", "document", "stream"};
    if (!llvm::is_contained(spaces, group.space))
      error(group.space) << "expected fields of a 'token', 'document' or 'stream', but got '"
                         << group.space << "'" << suggest(group.space, spaces);
    for (BatchDecl::Group &other : llvm::MutableArrayRef(decl.groups).take_front(index))
      if (other.space == group.space)
        error(group.space)
                .append("expected one group of fields of a '", group.space, "', but got a second")
                .attachNote(at(other.space))
            << "the first one";
    if (!group.route.empty() && group.space != "token")
      error(group.route) << "expected 'by' on fields of a token only, but those of a "
                         << group.space << " have one";
    else if (!group.route.empty())
      decl.modality = findModality(group.route);
  }
  for (BatchDecl::Group &group : decl.groups)
    checkFields(group);
}

/// The declaration of a set of modalities; null after a message.
ModalityDecl *Sema::findModality(StringRef name) {
  if (auto *modality = llvm::dyn_cast_or_null<ModalityDecl>(lookup(name)))
    return modality;
  error(name) << "unknown modality declaration '" << name << "'"
              << suggest(name, namesIf([](const Decl *d) { return llvm::isa<ModalityDecl>(d); }));
  return nullptr;
}

void Sema::checkFields(BatchDecl::Group &group) {
  for (FieldDecl *field : group.fields) {
    // The data file has one name space for all of them.
    for (FieldDecl *other : batch->fields()) {
      if (other == field)
        break;
      if (other->name == field->name) {
        error(field->name)
                .append("'", field->name, "' is bound twice")
                .attachNote(at(other->name))
            << "first bound here";
        break;
      }
    }
    static constexpr StringRef taken[] = {"modality", "document", "initial", "final"};
    if (llvm::is_contained(taken, field->name))
      error(field->name) << "'" << field->name
                         << "' is a name that data files have for the batch itself";
    checkField(*field, group);
  }
}

void Sema::checkField(FieldDecl &field, const BatchDecl::Group &group) {
  field.used = false;
  field.type = Type();
  field.onlyIndex = -1;
  field.draw = {};
  if (!field.only.empty()) {
    llvm::ArrayRef<StringRef> members;
    if (batch->modality)
      members = batch->modality->members;
    auto found = llvm::find(members, field.only);
    if (group.space != "token")
      error(field.only) << "expected a field of one modality's tokens, but it is a "
                        << group.space << "'s";
    else if (found == members.end())
      error(field.only) << "unknown modality '" << field.only << "' of the batch's tokens"
                        << suggest(field.only, members);
    else
      field.onlyIndex = found - members.begin();
  }
  std::optional<Type> type = resolveFieldType(field);
  if (!type)
    return;
  type->space = group.space == "document" ? Space::Document
                : group.space == "stream" ? Space::Stream
                                          : Space::Token;
  if (type->space == Space::Stream && type->kind != Type::Rows)
    error(field.syntax.name) << "expected a stream's field of type f32[...], but got "
                             << type->text();
  else if (type->space == Space::Stream && !field.draw.empty())
    error(field.syntax.name) << "expected a stream's field of type f32[...], but got one that is "
                                "drawn for each token or document";
  else if (type->kind == Type::Labels && field.onlyIndex >= 0)
    error(field.only) << "expected a field of one modality's tokens to be of f32, since others "
                         "have 0, but got "
                      << type->text();
  else
    field.type = *type;
}

/// index[limit], f32[C], or numbers that the reader draws: normal[C], uniform[C].
std::optional<Type> Sema::resolveFieldType(FieldDecl &field) {
  const TypeSyntax &syntax = field.syntax;
  bool drawn = syntax.name == "normal" || syntax.name == "uniform";
  if (drawn || syntax.name == "f32") {
    if (syntax.sizes.size() != 1) {
      error(syntax.name) << "expected 1 size of a field '" << syntax.name << "', but got "
                         << syntax.sizes.size();
      return std::nullopt;
    }
    auto channels = integer(syntax.sizes[0], "a size");
    if (!channels)
      return std::nullopt;
    if (drawn)
      field.draw = syntax.name;
    return Type::rows(Space::Token, *channels);
  }
  if (syntax.name == "index")
    return resolveType(syntax);
  error(syntax.name) << "expected a field of type index[...], f32[...], normal[...] or "
                        "uniform[...], but got '"
                     << syntax.name << "'"
                     << suggest(syntax.name, {"index", "f32", "normal", "uniform"});
  return std::nullopt;
}

void Sema::checkSignature(FunctionDecl &decl) {
  for (ValueDecl *argument : decl.arguments) {
    argument->used = false;
    argument->type = Type();
    if (auto type = resolveType(argument->syntax)) {
      Type::Kind expected = decl.isModel ? Type::Record : Type::Rows;
      if (type->kind != expected)
        error(argument->syntax.name)
            << (decl.isModel
                    ? "expected a model's argument to be a token, document or stream of the batch, "
                      "but got "
                    : "expected rows, as token[...], but got ")
            << type->text();
      else
        argument->type = *type;
    }
    bind(*argument);
  }
  if (decl.isModel)
    for (auto [index, argument] : llvm::enumerate(decl.arguments))
      for (ValueDecl *other : llvm::ArrayRef(decl.arguments).take_front(index))
        if (argument->type.kind == Type::Record && other->type.kind == Type::Record &&
            other->type.space == argument->type.space)
          error(argument->name)
                  .append("expected one argument for the fields of a ",
                          nameOf(argument->type.space), ", but got a second")
                  .attachNote(at(other->name))
              << "the first one";
  decl.results.clear();
  for (const TypeSyntax &syntax : decl.resultSyntax) {
    auto type = resolveType(syntax);
    bool isRows = type && type->kind == Type::Rows;
    if (type && !isRows)
      error(syntax.name) << "expected rows, as token[...], but got " << type->text();
    decl.results.push_back(isRows ? *type : Type());
  }
}

void Sema::checkFunction(FunctionDecl &decl) {
  decl.exported = false;
  locals.clear();
  measures.clear();
  for (FunctionDecl *other : module.all<FunctionDecl>())
    if (decl.isModel && other->isModel && globals.lookup(other->name) == other) {
      error(decl.name)
              .append("expected one model in a file, but got a second")
              .attachNote(at(other->name))
          << "the first one";
      return;
    }
  checkSignature(decl);
  bool returned = false, lost = false;
  for (Node *node : decl.body) {
    if (returned) {
      error(node) << "expected nothing after 'return'";
      break;
    }
    if (auto *part = llvm::dyn_cast<PartDecl>(node)) {
      checkPart(*part);
    } else if (auto *weight = llvm::dyn_cast<WeightDecl>(node)) {
      checkWeight(*weight);
    } else if (auto *statement = llvm::dyn_cast<BindStmt>(node)) {
      checkBind(*statement);
    } else if (auto *statement = llvm::dyn_cast<ReturnStmt>(node)) {
      checkReturn(decl, *statement);
      returned = true;
    } else {
      auto *measure = llvm::cast<MeasureStmt>(node);
      if (!decl.isModel)
        error(measure->name) << "expected " << (measure->isLoss ? "a loss" : "a metric")
                             << " in a model only, but '" << decl.name << "' is a layer";
      else
        checkMeasure(*measure);
      lost |= measure->isLoss;
    }
  }
  if (!decl.isModel && !returned)
    error(decl.name) << "expected a 'return' at the end of layer '" << decl.name << "'";
  if (decl.isModel && !lost)
    error(decl.name) << "expected a loss in model '" << decl.name << "', but got none";
  if (!failed)
    for (auto &[name, local] : locals)
      if (!local->used && !name.starts_with("_"))
        warning(local->name) << "'" << name << "' is never used";
  locals.clear();
  measures.clear();
  bind(decl); // after its body: a layer cannot call itself
}

void Sema::checkExport(ExportDecl &decl) {
  for (StringRef name : decl.names) {
    auto *function = llvm::dyn_cast_or_null<FunctionDecl>(lookup(name));
    if (function)
      function->exported = function->used = true;
    else
      error(name) << "unknown layer or model '" << name << "'"
                  << suggest(name,
                             namesIf([](const Decl *d) { return llvm::isa<FunctionDecl>(d); }));
  }
}

void Sema::warnUnused() {
  for (auto &[name, decl] : globals) {
    bool counts = llvm::isa<ConstantDecl>(decl);
    if (auto *function = llvm::dyn_cast<FunctionDecl>(decl))
      counts = !function->isModel;
    if (counts && !decl->used && !name.starts_with("_"))
      warning(decl->name) << "'" << name << "' is never used";
  }
}
