// What each name of a checked text means: for editors.
#pragma once

#include "frontend/Ast.h"

#include <string>
#include <vector>

namespace mom::frontend {

/// A name as it stands somewhere, and what it stands for.
struct Symbol {
  llvm::StringRef name;                ///< a slice of the text
  const ast::Decl *decl = nullptr;     ///< where it is declared; null: built in
  std::string about;                   ///< its type, value or parameters, in one line
};

class SymbolIndex {
public:
  /// Of a tree that was checked, with or without errors.
  explicit SymbolIndex(const ast::Module &module);

  /// The symbol at an address of the text; null if there is none.
  const Symbol *at(const char *place) const;
  /// The layer or model round an address, or null.
  const ast::FunctionDecl *functionAt(const char *place) const;
  /// Declarations that can be named there, with what they are.
  std::vector<Symbol> visibleAt(const char *place) const;
  /// The fields of the batch that `base.` can go on with there.
  std::vector<Symbol> fieldsOf(llvm::StringRef base, const char *place) const;

private:
  void add(const ast::FunctionDecl &function);
  void add(const ast::Expr *expr);
  void addDecl(const ast::Decl *decl);
  void addName(llvm::StringRef name, const ast::Decl *decl);

  const ast::Module &module;
  std::vector<Symbol> symbols;
};

/// "weight A_log: f32[128, 16], 2048 parameters"
std::string describe(const ast::Decl &decl, const ast::Module &module);

} // namespace mom::frontend
