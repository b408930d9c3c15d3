// The parameters of a layer or model: one order for arguments, checkpoints
// and patterns.
#pragma once

#include "frontend/Ast.h"

namespace mom::frontend {

/// One parameter of a function.
struct Parameter {
  std::string name;            ///< full: `layers.{}.in_proj.weight`
  std::string local;           ///< within the layer that declares it: `in_proj.weight`
  ast::Decl *owner = nullptr;  ///< the function's part or weight that it belongs to
  ast::Decl *source = nullptr; ///< where it is declared, maybe in another layer
  llvm::SmallVector<int64_t, 3> shape;
  llvm::SmallVector<int64_t, 1> stacks; ///< calls of layers round it, outermost first
  ast::Init init;
};

/// The parameters of the parts in the order of their declarations, then the
/// weights. Needs a checked function.
std::vector<Parameter> parametersOf(const ast::FunctionDecl &function);

/// Whether an `except` pattern names the parameter, by its full or local name;
/// `*` stands for any characters.
bool matches(llvm::StringRef pattern, const Parameter &parameter);

/// AdamW's decay for a parameter: the rate of the train block, 0 where a
/// pattern excepts it or nothing is trained.
double decayOf(const Parameter &parameter, const ast::TrainDecl *train);

} // namespace mom::frontend
