#include "frontend/Parameters.h"

#include "frontend/Defaults.h"
#include "llvm/ADT/STLExtras.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

static void addPart(PartDecl &part, std::vector<Parameter> &list) {
  std::string prefix = part.name.str() + ".";
  auto add = [&](StringRef name, ArrayRef<int64_t> shape, Init init) {
    Parameter &parameter = list.emplace_back();
    parameter.name = parameter.local = prefix + name.str();
    parameter.owner = parameter.source = &part;
    if (part.modality)
      parameter.shape.push_back(part.modality->members.size()); // one for each modality
    if (part.experts)
      parameter.shape.push_back(part.experts);
    parameter.shape.append(shape.begin(), shape.end());
    parameter.init = init;
  };
  switch (part.partKind) {
  case PartKind::RmsNorm:
    return add("scale", {part.in}, defaults::kScale);
  case PartKind::Linear: {
    int64_t out = 0;
    for (int64_t channels : part.out)
      out += channels;
    add("weight", {out, part.in}, part.init); // [groups?, out, in]
    if (part.bias)
      add("bias", {out}, *part.bias); // [groups?, out]
    return;
  }
  case PartKind::Conv1d:
    add("weight", {part.in, part.width}, part.init);
    if (part.bias)
      add("bias", {part.in}, *part.bias);
    return;
  case PartKind::Embedding:
    return add("weight", {part.in, part.out.front()}, part.init);
  case PartKind::Layer:
    for (Parameter parameter : parametersOf(*part.layer)) {
      parameter.name = prefix + (part.times ? "{}." : "") + parameter.name;
      parameter.owner = &part;
      parameter.stacks.insert(parameter.stacks.begin(), part.count);
      list.push_back(std::move(parameter));
    }
    return;
  }
}

std::vector<Parameter> mom::frontend::parametersOf(const FunctionDecl &function) {
  std::vector<Parameter> list;
  for (PartDecl *part : function.all<PartDecl>())
    addPart(*part, list);
  for (WeightDecl *weight : function.all<WeightDecl>()) {
    Parameter &parameter = list.emplace_back();
    parameter.name = parameter.local = weight->name.str();
    parameter.owner = parameter.source = weight;
    parameter.shape.assign(weight->type.shape.begin(), weight->type.shape.end());
    parameter.init = weight->init;
  }
  return list;
}

/// `*` may stand for dots too: `layers.*` is all of the layers.
static bool matchesName(StringRef pattern, StringRef name) {
  auto [head, rest] = pattern.split('*');
  if (head.size() == pattern.size())
    return name == pattern;
  if (!name.consume_front(head))
    return false;
  for (size_t skip = 0; skip <= name.size(); ++skip)
    if (matchesName(rest, name.drop_front(skip)))
      return true;
  return false;
}

bool mom::frontend::matches(StringRef pattern, const Parameter &parameter) {
  return matchesName(pattern, parameter.local) || matchesName(pattern, parameter.name);
}

double mom::frontend::decayOf(const Parameter &parameter, const TrainDecl *train) {
  if (!train ||
      llvm::any_of(train->except, [&](StringRef pattern) { return matches(pattern, parameter); }))
    return 0;
  return train->decayRate;
}
