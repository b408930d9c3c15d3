// The tree as canonical text: one declaration a line, one blank line between
// kinds. What it prints parses to the same tree.
#include "frontend/Frontend.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mom::frontend;
using namespace mom::frontend::ast;

namespace {
class Printer {
public:
  explicit Printer(llvm::raw_ostream &os) : os(os) {}
  void print(const Module &module);

private:
  /// How tightly an expression binds; parentheses go round looser ones.
  enum Strength { Or, And, Not, Compare, Sum, Product, Prefix };
  static Strength strengthOf(StringRef op);

  void print(const Node *node);
  void print(const BatchDecl &decl);
  void print(const FunctionDecl &decl);
  void print(const TrainDecl &decl);
  void print(const ScheduleDecl &decl);
  void print(const RatePhase &phase);
  void printStatement(const Node *node);
  void print(const PartDecl &part);
  void print(const TypeSyntax &type);
  void print(const Expr *expr, Strength needed = Or);
  template <typename List> void list(const List &items) {
    llvm::interleaveComma(items, os, [&](const auto &item) { print(item); });
  }
  void names(ArrayRef<StringRef> items) { llvm::interleaveComma(items, os); }

  llvm::raw_ostream &os;
};
} // namespace

Printer::Strength Printer::strengthOf(StringRef op) {
  return llvm::StringSwitch<Strength>(op)
      .Case("or", Or)
      .Case("and", And)
      .Cases({"+", "-"}, Sum)
      .Cases({"*", "/"}, Product)
      .Default(Compare);
}

void Printer::print(const Expr *expr, Strength needed) {
  llvm::TypeSwitch<const Expr *>(expr)
      .Case([&](const NumberExpr *number) { os << number->spelling; })
      .Case([&](const BooleanExpr *boolean) { os << (boolean->value ? "true" : "false"); })
      .Case([&](const NameExpr *name) { os << name->name; })
      .Case([&](const MemberExpr *member) {
        print(member->base);
        os << "." << member->member;
      })
      .Case([&](const CallExpr *call) {
        os << call->callee;
        if (!call->by.empty())
          os << "[" << call->by << "]";
        os << "(";
        llvm::interleaveComma(call->arguments, os, [&](const CallExpr::Argument &argument) {
          if (!argument.label.empty())
            os << argument.label << ": ";
          print(argument.value);
          if (argument.where) {
            os << " where ";
            print(argument.where);
          }
        });
        os << ")";
      })
      .Case([&](const NegateExpr *negate) {
        os << "-";
        print(negate->operand, Prefix);
      })
      .Case([&](const NotExpr *negation) {
        os << (Not < needed ? "(not " : "not ");
        print(negation->operand, Not);
        if (Not < needed)
          os << ")";
      })
      .Case([&](const BinaryExpr *binary) {
        Strength own = strengthOf(binary->op);
        if (own < needed)
          os << "(";
        print(binary->lhs, own);
        os << " " << binary->op << " ";
        print(binary->rhs, static_cast<Strength>(own + 1));
        if (own < needed)
          os << ")";
      })
      .Case([&](const RangeExpr *range) {
        print(range->first);
        os << "..";
        print(range->last);
      });
}

void Printer::print(const TypeSyntax &type) {
  os << type.name;
  if (!type.bracketed)
    return;
  os << "[";
  list(type.sizes);
  os << "]";
}

void Printer::print(const PartDecl &part) {
  os << "part " << part.name << " = " << part.maker;
  if (part.bracketed) {
    os << "[";
    print(part.route);
    if (part.condition) {
      os << " if ";
      print(part.condition);
    }
    os << "]";
  }
  if (part.hasArguments) {
    os << "(";
    list(part.inputs);
    if (part.hasArrow) {
      os << " -> ";
      list(part.outputs);
    }
    bool first = part.inputs.empty();
    for (const PartDecl::Option &option : part.options) {
      os << (first ? "" : ", ") << option.label << ": ";
      print(option.value);
      first = false;
    }
    os << ")";
  }
  if (part.times) {
    os << " * ";
    print(part.times, Prefix);
  }
}

void Printer::printStatement(const Node *node) {
  llvm::TypeSwitch<const Node *>(node)
      .Case([&](const PartDecl *part) { print(*part); })
      .Case([&](const WeightDecl *weight) {
        os << "weight " << weight->name << ": ";
        print(weight->syntax);
        os << " = ";
        print(weight->value);
      })
      .Case([&](const BindStmt *bind) {
        if (bind->isRoute)
          os << "route ";
        llvm::interleaveComma(bind->names, os, [&](const ValueDecl *value) { os << value->name; });
        os << " = ";
        print(bind->value);
      })
      .Case([&](const ReturnStmt *statement) {
        os << "return ";
        list(statement->values);
      })
      .Case([&](const MeasureStmt *measure) {
        os << (measure->isLoss ? "loss " : "metric ") << measure->name << " = ";
        print(measure->value);
        if (measure->by) {
          os << " by ";
          print(measure->by);
        }
      });
}

void Printer::print(const FunctionDecl &decl) {
  os << (decl.isModel ? "model " : "layer ") << decl.name << "(";
  llvm::interleaveComma(decl.arguments, os, [&](const ValueDecl *argument) {
    os << argument->name << ": ";
    print(argument->syntax);
  });
  os << ")";
  if (!decl.isModel) {
    os << " -> ";
    list(decl.resultSyntax);
  }
  os << " {\n";
  for (const Node *node : decl.body) {
    os << "  ";
    printStatement(node);
    os << "\n";
  }
  os << "}\n";
}

void Printer::print(const BatchDecl &decl) {
  os << "batch {\n";
  for (const BatchDecl::Group &group : decl.groups) {
    os << "  " << group.space;
    if (!group.route.empty())
      os << " by " << group.route;
    os << " {\n";
    for (const FieldDecl *field : group.fields) {
      os << "    ";
      if (!field->only.empty())
        os << field->only << ": ";
      os << field->name << ": ";
      print(field->syntax);
      os << "\n";
    }
    os << "  }\n";
  }
  os << "}\n";
}

void Printer::print(const RatePhase &phase) {
  if (!phase.name.empty())
    os << phase.name << "(";
  print(phase.first);
  if (phase.last) {
    os << " -> ";
    print(phase.last);
  }
  if (phase.steps) {
    os << ", ";
    print(phase.steps);
  }
  if (!phase.name.empty())
    os << ")";
}

void Printer::print(const TrainDecl &decl) {
  os << "train " << decl.model << " {\n";
  auto line = [&](StringRef word, const Expr *value) {
    if (!value)
      return;
    os << "  " << word << " ";
    print(value);
    os << "\n";
  };
  line("minimize", decl.minimize);
  if (decl.streams) {
    os << "  batch ";
    print(decl.streams);
    os << " by ";
    print(decl.length);
    os << "\n";
  }
  line("accumulate", decl.accumulate);
  line("clip norm", decl.clip);
  if (!decl.precision.empty())
    os << "  precision " << decl.precision << "\n";
  if (!decl.optimizer.empty()) {
    StringRef separator = "";
    auto option = [&](StringRef label) {
      os << separator << label << ": ";
      separator = ", ";
    };
    os << "  " << decl.optimizer << "(";
    if (!decl.rate.empty()) {
      option("rate");
      llvm::interleave(
          decl.rate, os, [&](const RatePhase &phase) { print(phase); }, " then ");
    }
    if (!decl.betas.empty()) {
      option("betas");
      os << "(";
      list(decl.betas);
      os << ")";
    }
    if (decl.eps) {
      option("eps");
      print(decl.eps);
    }
    if (decl.decay) {
      option("decay");
      print(decl.decay);
    }
    if (!decl.except.empty()) {
      os << " except (";
      names(decl.except);
      os << ")";
    }
    os << ")\n";
  }
  os << "}\n";
}

void Printer::print(const ScheduleDecl &decl) {
  os << "schedule " << decl.name;
  if (!decl.target.empty())
    os << " on " << decl.target;
  if (decl.rows) {
    os << " when rows " << decl.comparison << " ";
    print(decl.rows, Sum);
  }
  os << " {\n";
  for (const ScheduleDecl::Item &item : decl.items) {
    os << "  " << item.kind << " ";
    names(item.names);
    StringRef separator = ": ";
    for (const ScheduleDecl::Knob &knob : item.knobs) {
      os << separator << knob.name << " ";
      print(knob.value, Sum);
      separator = ", ";
    }
    os << "\n";
  }
  os << "}\n";
}

void Printer::print(const Node *node) {
  llvm::TypeSwitch<const Node *>(node)
      .Case([&](const ModalityDecl *decl) {
        os << "modality " << decl->name << " { ";
        names(decl->members);
        os << " }\n";
      })
      .Case([&](const ConstantDecl *decl) {
        os << (decl->isSetting ? "setting " : "const ") << decl->name << " = ";
        print(decl->value);
        os << "\n";
      })
      .Case([&](const BatchDecl *decl) { print(*decl); })
      .Case([&](const FunctionDecl *decl) { print(*decl); })
      .Case([&](const TrainDecl *decl) { print(*decl); })
      .Case([&](const ExportDecl *decl) {
        os << "export ";
        names(decl->names);
        os << "\n";
      })
      .Case([&](const ScheduleDecl *decl) { print(*decl); });
}

void Printer::print(const Module &module) {
  const Node *previous = nullptr;
  for (const Node *node : module.declarations) {
    bool together = previous && previous->kind() == node->kind() &&
                    llvm::isa<ConstantDecl, ModalityDecl, ExportDecl>(node);
    if (previous && !together)
      os << "\n";
    print(node);
    previous = node;
  }
}

void mom::frontend::printAst(const Module &module, llvm::raw_ostream &os) {
  Printer(os).print(module);
}
