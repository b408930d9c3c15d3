// Random legal model texts, from a seed.
#include "compiler/tools/mom-random/RandomText.h"

#include "compiler/tools/mom-compare/Numbers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace mom;
using compare::below;
using llvm::formatv;

namespace {
/// A size as the text has it and as it is.
struct Size {
  std::string text;
  int64_t value;
};

/// A name, or an expression that binds as a name does, of token rows or document rows.
struct Rows {
  std::string text;
  Size channels;
};

class Writer {
public:
  explicit Writer(uint64_t seed) : random(seed), os(text) {}
  std::string write();

private:
  bool oneIn(int64_t n) { return below(n, random) == 0; }
  template <typename T> const T &pick(llvm::ArrayRef<T> all) {
    return all[size_t(below(int64_t(all.size()), random))];
  }
  std::string choose(std::initializer_list<const char *> words) {
    return pick(llvm::ArrayRef<const char *>(words.begin(), words.size()));
  }
  /// A name that nothing has yet.
  std::string fresh(const char *stem) { return (stem + llvm::Twine(++names)).str(); }
  Size size() { return oneIn(3) ? literal(1 + below(9, random)) : pick<Size>(sizes); }
  static Size literal(int64_t value) { return {std::to_string(value), value}; }
  /// The weights of a linear: one, one for each modality, or what a setting says.
  std::string bracket() {
    if (modalities.empty() || oneIn(3))
      return "";
    return oneIn(2) ? "[M]" : oneIn(2) ? "[M if split]" : "[M if split and depth >= 2]";
  }
  /// A layer that repeats others is not repeated itself.
  std::string times(const std::string &layer) {
    std::string times = repeating.contains(layer) ? "" : choose({"", " * 2", " * depth", " * 3"});
    repeats |= repeating.contains(layer) || !times.empty();
    return times;
  }
  std::string fields(llvm::StringRef prefix) {
    return formatv("{0}.{1}", prefix, pick<std::string>(numbers)).str();
  }

  void writeConstants();
  void writeBatch();
  void writeLayer();
  void writeModel();
  void writeTrain();

  // Statements; `known` has what there is so far.
  void statement(llvm::SmallVectorImpl<Rows> &known);
  void bind(llvm::SmallVectorImpl<Rows> &known, const Size &channels, const std::string &value);
  Rows linear(const Rows &x, const Size &to, bool routed = true);
  std::string unary(const Rows &x);
  std::string binary(const Rows &x, const Rows &y);
  void scan(llvm::SmallVectorImpl<Rows> &known);
  /// Rows of those channels: what is there, or a product.
  Rows of(llvm::ArrayRef<Rows> known, const Size &channels);
  /// A layer's part on what is there, now and then twice with the same weights.
  std::string calls(const std::string &part, llvm::ArrayRef<Rows> known);
  std::string condition(const char *what);

  std::mt19937_64 random;
  std::string text;
  llvm::raw_string_ostream os;
  int64_t names = 0;
  llvm::SmallVector<std::string> modalities, layers, numbers, losses;
  llvm::StringSet<> repeating; ///< layers that repeat others, or call one that does
  bool repeats = false;        ///< the layer that is being written does
  llvm::SmallVector<Size> sizes;
  Size width;             ///< D
  bool documents = false; ///< rows of documents exist
  bool labels = false;    ///< a document has a class
};
} // namespace

void Writer::writeConstants() {
  for (int64_t count = below(5, random); count > 0; --count)
    modalities.push_back(fresh("kind"));
  if (!modalities.empty()) {
    os << "modality M { ";
    llvm::interleaveComma(modalities, os);
    os << " }\n";
  }
  int64_t d = 2 + below(11, random), depth = 1 + below(3, random);
  os << formatv("setting D = {0}, depth = {1}{2}split = {3}\n", d, depth,
                choose({", ", "\nsetting "}), choose({"true", "false"}));
  int64_t states = 1 + below(9, random), ids = 3 + below(40, random);
  os << formatv("const E = {0}, N = {1}, R = ceil(D/{2}), V = {3}  # sizes\n",
                d % 2 ? "2*D" : "D + D/2", states, 4, ids);
  width = {"D", d};
  sizes = {width, {"E", d % 2 ? 2 * d : d + d / 2}, {"N", states}, {"R", (d + 3) / 4}};
}

void Writer::writeBatch() {
  documents = oneIn(2);
  labels = documents && oneIn(2);
  os << "\nbatch {\n  token" << (modalities.empty() ? "" : " by M") << " {\n    id: index[V]\n";
  for (int64_t count = below(3, random); count > 0; --count) {
    std::string name = fresh("field");
    std::string of =
        modalities.empty() || oneIn(2) ? "" : pick<std::string>(modalities) + ": ";
    os << formatv("    {0}{1}: {2}[3]\n", of, name, choose({"f32", "normal", "uniform"}));
    numbers.push_back(name);
  }
  os << "  }\n";
  if (documents)
    os << "  document { time: uniform[1]" << (labels ? "; label: index[5]" : "") << " }\n";
  os << "}\n";
}

void Writer::bind(llvm::SmallVectorImpl<Rows> &known, const Size &channels,
                  const std::string &value) {
  std::string name = fresh("v");
  os << "  " << name << choose({" = ", "  = "}) << value << "\n";
  known.push_back({name, channels});
}

Rows Writer::linear(const Rows &x, const Size &to, bool routed) {
  std::string part = fresh("p");
  os << formatv("  part {0} = linear{1}({2} -> {3}{4})\n", part, routed ? bracket() : "",
                x.channels.text, to.text, choose({"", "", ", bias: zeros", ", bias: uniform(-0.5, 0.5)",
                                 ", init: normal(0.4)"}));
  return {part + "(" + x.text + ")", to};
}

Rows Writer::of(llvm::ArrayRef<Rows> known, const Size &channels) {
  llvm::SmallVector<Rows> fitting;
  for (const Rows &rows : known)
    if (rows.channels.value == channels.value)
      fitting.push_back(rows);
  if (!fitting.empty() && !oneIn(4))
    return pick<Rows>(fitting);
  return linear(pick<Rows>(known), channels);
}

std::string Writer::unary(const Rows &x) {
  switch (below(8, random)) {
  case 0: // one argument, anything
    return formatv("{0}({1})",
                   choose({"silu", "gelu", "relu", "softplus", "sigmoid", "tanh", "abs", "erf",
                           "sin", "cos"}),
                   x.text);
  case 1: // one that must be positive
    return formatv("{0}(softplus({1}) + 0.25)", choose({"log", "sqrt"}), x.text);
  case 2:
    return formatv("exp(tanh({0}))", x.text);
  case 3:
    return formatv("clamp({0}, -1.5, 1.5)", x.text);
  case 4:
    return formatv("{0}({1}, {2})", choose({"min", "max"}), x.text, choose({"0.5", "-0.25"}));
  case 5:
    return formatv("-{0}*{1} + {2}", x.text, choose({"0.5", "2", "0.125"}),
                   choose({"1", "0.5", "1e-2"}));
  case 6: { // a vector of weights
    std::string name = fresh("w");
    os << formatv("  weight {0}: f32[{1}] = {2}\n", name, x.channels.text,
                  choose({"1", "0.5", "normal(0.3)", "uniform(-1, 1)", "ones"}));
    return formatv("{0} {1} {2}", name, choose({"*", "+", "-"}), x.text);
  }
  default:
    return formatv("({0} - {1}) / 3", x.text, unary(x));
  }
}

std::string Writer::binary(const Rows &x, const Rows &y) {
  switch (below(5, random)) {
  case 0:
    return formatv("{0} / (softplus({1}) + 0.5)", x.text, y.text);
  case 1:
    return formatv("{0}({1}, {2})", choose({"min", "max"}), x.text, y.text);
  case 2:
    return formatv("{0} +\n      {1}*tanh({0})", x.text, y.text); // a line goes on
  default:
    return formatv("{0} {1} {2}", x.text, choose({"+", "-", "*"}), y.text);
  }
}

void Writer::scan(llvm::SmallVectorImpl<Rows> &known) {
  Rows u = pick<Rows>(known);
  Size states = oneIn(2) ? Size{"N", 0} : literal(1 + below(5, random));
  for (const Size &size : sizes)
    if (size.text == states.text)
      states.value = size.value;
  Rows delta = of(known, u.channels), B = of(known, states), C = of(known, states);
  std::string A = fresh("A");
  bool log = oneIn(2);
  os << formatv("  weight {0}: f32[{1}, {2}] = {3}\n", A, u.channels.text, states.text,
                log ? formatv("log(iota(1..{0}))", states.text).str() : "uniform(-1.5, -0.1)");
  bind(known, u.channels,
       formatv("scan({0}, softplus({1}), {2}, {3}, {4}{5})", u.text, delta.text,
               log ? "-exp(" + A + ")" : A, B.text, C.text, oneIn(3) ? ", reverse" : ""));
}

void Writer::statement(llvm::SmallVectorImpl<Rows> &known) {
  const Rows x = oneIn(2) ? known.back() : pick<Rows>(known);
  switch (below(10, random)) {
  case 0: {
    Size to = size();
    return bind(known, to, linear(x, to).text);
  }
  case 1: { // two results of one product
    Size a = size(), b = size();
    std::string part = fresh("p"), one = fresh("v"), two = fresh("v");
    os << formatv("  part {0} = linear{1}({2} -> {3}, {4})\n  {5}, {6} = {0}({7})\n", part,
                  bracket(), x.channels.text, a.text, b.text, one, two, x.text);
    known.push_back({one, a});
    known.push_back({two, b});
    return;
  }
  case 2:
    return bind(known, x.channels, unary(x));
  case 3:
    return bind(known, x.channels, binary(x, of(known, x.channels)));
  case 4: { // of few channels a norm is a sign
    if (x.channels.value < 4)
      return;
    std::string part = fresh("p");
    os << formatv("  part {0} = rms_norm({1}{2})\n", part, x.channels.text,
                  choose({"", ", eps: 1e-3"}));
    return bind(known, x.channels, part + "(" + x.text + ")");
  }
  case 5: {
    std::string part = fresh("p");
    os << formatv("  part {0} = conv1d({1}, width: {2}{3})\n", part, x.channels.text,
                  1 + below(5, random), choose({"", ", bias: zeros", ", bias: normal(0.2)"}));
    return bind(known, x.channels,
                part + "(" + x.text + (oneIn(3) ? ", reverse)" : ")"));
  }
  case 6:
  case 7:
    return scan(known);
  case 8: // channels side by side, or one of them
    if (oneIn(2) && x.channels.value < 40) {
      Rows y = pick<Rows>(known);
      return bind(known,
                  {"(" + x.channels.text + " + " + y.channels.text + ")",
                   x.channels.value + y.channels.value},
                  "concat(" + x.text + ", " + y.text + ")");
    }
    return bind(known, x.channels, formatv("{0} * sigmoid(sum({0})*0.25)", x.text));
  default: // a layer within
    if (layers.empty())
      return;
    std::string part = fresh("p");
    std::string layer = pick<std::string>(layers);
    os << formatv("  part {0} = {1}{2}\n", part, layer, times(layer));
    return bind(known, width, calls(part, known));
  }
}

std::string Writer::calls(const std::string &part, llvm::ArrayRef<Rows> known) {
  std::string once = part + "(" + of(known, width).text + ")";
  switch (below(6, random)) {
  case 0:
    return part + "(" + once + ")";
  case 1:
    return once + " + " + part + "(-" + of(known, width).text + ")";
  default:
    return once;
  }
}

void Writer::writeLayer() {
  std::string name = fresh("layer");
  repeats = false;
  os << "\nlayer " << name << "(x: token[D]) -> token[D] {\n";
  llvm::SmallVector<Rows> known = {{"x", width}};
  for (int64_t count = 1 + below(6, random); count > 0; --count)
    statement(known);
  Rows last = known.back();
  std::string value =
      last.channels.value == width.value ? last.text : linear(last, width).text;
  os << "  return " << (oneIn(4) ? "" : "x + ") << "tanh(" << value << ")\n}\n";
  layers.push_back(name);
  if (repeats)
    repeating.insert(name);
}

std::string Writer::condition(const char *what) {
  if (modalities.empty() || oneIn(3))
    return formatv("{0} {1} {2}", what, choose({"==", "!="}), below(3, random));
  std::string first = formatv("modality({0}) {1} {2}", what, choose({"==", "!="}),
                              pick<std::string>(modalities));
  return oneIn(3) ? first + choose({" and ", " or "}) + "not (" + condition(what) + ")" : first;
}

void Writer::writeModel() {
  os << "\nmodel speaker(t: token" << (documents ? ", d: document" : "") << ") {\n"
     << "  part embed = embedding(V, D" << choose({")", ", init: normal(0.7))"}) << "\n";
  llvm::SmallVector<Rows> known = {{"embed(t.id)", width}};
  for (const std::string &number : numbers)
    known.push_back({"t." + number, literal(3)});
  if (documents)
    bind(known, literal(1), choose({"spread(d.time)", "spread(cos(d.time*1.5))"}));
  for (int64_t count = 1 + below(4, random); count > 0; --count)
    statement(known);
  std::string part = fresh("p");
  os << formatv("  part {0} = {1}{2}\n", part, layers.back(), times(layers.back()));
  bind(known, width, calls(part, known));
  Rows state = known.back();
  for (int64_t count = below(3, random); count > 0; --count)
    statement(known);

  Rows logits = linear(state, {"V", 0});
  os << "  target = next(t.id)\n  nll = cross_entropy(" << logits.text << ", target)\n";
  os << "  loss lm = mean(nll" << (oneIn(3) ? " where " + condition("target") : "") << ")\n";
  os << "  metric bits = mean(nll / log(2))"
     << (modalities.empty() ? "" : choose({" by modality(target)", ""})) << "\n";
  losses.push_back("lm");
  if (!numbers.empty()) {
    Rows guess = of(known, literal(3));
    os << "  loss close = mean(mse(" << guess.text << ", " << fields("t") << ")"
       << (oneIn(2) ? " where " + condition("t.id") : "") << ")\n";
    losses.push_back("close");
  }
  if (labels) {
    // A document has no modality.
    Rows guess = linear({"pool(" + state.text + ")", width}, literal(5), /*routed=*/false);
    os << "  loss class = mean(cross_entropy(" << guess.text << ", d.label))\n";
    losses.push_back("class");
  }
  if (oneIn(2))
    os << "  metric size = mean(sum(" << pick<Rows>(known).text << ")*0.1)\n";
  os << "}\n";
}

void Writer::writeTrain() {
  if (oneIn(4))
    return;
  os << "\ntrain speaker {\n  minimize " << losses.front();
  for (const std::string &loss : llvm::drop_begin(losses))
    os << " + " << choose({"", "0.5*", "2*"}) << loss;
  os << formatv("\n  batch {0} by {1}{2}{3}\n", 1 + below(4, random), 8 + below(40, random),
                choose({"", ", accumulate 2"}), choose({"; clip norm 1.0", "", "; clip norm 0"}));
  os << "  adamw(rate: "
     << choose({"1e-3", "warmup(3) then cosine(1e-2 -> 1e-3)", "constant(1e-3)"})
     << choose({"", ", betas: (0.8, 0.95)"})
     << choose({")", ", decay: 0.1 except (*.bias, *.scale))", ", decay: 0.01)"}) << "\n}\n";
}

std::string Writer::write() {
  os << "# A random model.\n";
  writeConstants();
  writeBatch();
  for (int64_t count = 1 + below(3, random); count > 0; --count)
    writeLayer();
  writeModel();
  writeTrain();
  if (oneIn(2))
    os << "\nexport " << layers.front() << (oneIn(2) ? ", speaker" : "") << "\n";
  return text;
}

std::string mom::random::makeText(uint64_t seed) { return Writer(seed).write(); }
