// Mixture-of-Mamba model text to the mom dialect: text -> tree -> IR.
//
// Every message goes through MLIR's diagnostic engine, from the lexer on, so a
// SourceMgrDiagnosticHandler draws the carets.
#pragma once

#include "frontend/Ast.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/SourceMgr.h"

#include <memory>

namespace mom::frontend {

struct Options {
  /// Values for settings, as text: `--set depth=8`.
  llvm::StringMap<std::string> settings;
};

/// Reads the main buffer of `sources`, which must outlive the tree: names are
/// slices of it. Null after errors were emitted.
std::unique_ptr<ast::Module> parse(llvm::SourceMgr &sources, mlir::MLIRContext *context);

/// Adds the schedules of another buffer of the module's sources.
mlir::LogicalResult parseSchedules(ast::Module &module, unsigned buffer,
                                   mlir::MLIRContext *context);

/// Resolves names, evaluates constants, checks shapes and row spaces, and
/// writes what it finds into the tree. May be called again with other settings.
mlir::LogicalResult check(ast::Module &module, const Options &options, mlir::MLIRContext *context);

/// The checked tree as a module of the mom dialect. Null after errors.
mlir::OwningOpRef<mlir::ModuleOp> generate(ast::Module &module, mlir::MLIRContext *context);

/// The tree as canonical model text, which parses to the same tree.
void printAst(const ast::Module &module, llvm::raw_ostream &os);

} // namespace mom::frontend
