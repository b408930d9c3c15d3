#include "frontend/Formatter.h"

#include "frontend/Lexer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mom::frontend;
using llvm::SmallVector;
using llvm::StringRef;

namespace {
/// One line of the text: tokens, and a comment at its end or alone.
struct Line {
  SmallVector<Token> tokens;
  StringRef comment;
  bool blankBefore = false;
  std::string text; ///< of the tokens, indented
  /// Spaces before some tokens, beyond the one that each has.
  SmallVector<std::pair<const Token *, size_t>, 2> pads;
};

/// An open brace, parenthesis or bracket.
struct Open {
  Token::Kind kind;
  bool list;     ///< a `{` of items: a comma ends one
  size_t column; ///< one past it, in the formatted text
};

class Formatter {
public:
  explicit Formatter(StringRef text) : text(text) {}

  void split(Lexer &lexer);
  std::string format();

private:
  void addComments(const char *from, const char *to);
  void formatLine(Line &line);
  size_t indentation(const Line &line) const;
  bool isCall(const Token &before) const;
  bool staysClose(const Token &token, const Token &before) const;
  void open(const Token &token, size_t column);
  static void alignRun(llvm::ArrayRef<Line *> run);
  void formatLines();
  void alignEquals();
  void alignComments();

  StringRef text;
  std::vector<Line> lines;
  SmallVector<Open> stack;
  bool continues = false; ///< the next line goes on with a statement
  StringRef statement;    ///< first word of the statement at hand
  StringRef declaration;  ///< and of the declaration
  const Token *last = nullptr;
};
} // namespace

//===----------------------------------------------------------------------===//
// Text to lines
//===----------------------------------------------------------------------===//

static unsigned countNewlines(const char *from, const char *to) {
  return llvm::count(StringRef(from, to - from), '\n');
}

/// The comments between two tokens.
void Formatter::addComments(const char *from, const char *to) {
  unsigned newlines = 0;
  for (const char *at = from; at != to; ++at) {
    if (*at == '\n')
      ++newlines;
    if (*at != '#')
      continue;
    const char *end = at;
    while (end != to && *end != '\n')
      ++end;
    StringRef comment = StringRef(at, end - at).rtrim();
    bool alone = newlines || lines.empty();
    if (alone)
      lines.emplace_back().blankBefore = newlines > 1;
    lines.back().comment = comment;
    at = end - 1;
    newlines = 0;
  }
}

void Formatter::split(Lexer &lexer) {
  const char *end = text.begin();
  for (Token token = lexer.lex(); ; token = lexer.lex()) {
    const char *begin = token.is(Token::eof) ? text.end() : token.spelling.begin();
    addComments(end, begin);
    if (token.is(Token::eof))
      return;
    StringRef gap(end, begin - end);
    size_t comment = gap.rfind('#');
    StringRef rest = comment == StringRef::npos ? gap : gap.drop_front(comment);
    if (lines.empty() || token.startsLine)
      lines.emplace_back().blankBefore = countNewlines(rest.begin(), rest.end()) > 1;
    lines.back().tokens.push_back(token);
    end = token.spelling.end();
  }
}

//===----------------------------------------------------------------------===//
// Lines to text
//===----------------------------------------------------------------------===//

/// Whether something must follow on the same statement.
static bool wantsMore(const Token &token) {
  switch (token.kind) {
  case Token::comma:
  case Token::equal:
  case Token::colon:
  case Token::arrow:
  case Token::plus:
  case Token::minus:
  case Token::star:
  case Token::slash:
  case Token::equal_equal:
  case Token::not_equal:
  case Token::less:
  case Token::less_equal:
  case Token::greater:
  case Token::greater_equal:
  case Token::kw_and:
  case Token::kw_or:
  case Token::kw_not:
  case Token::kw_by:
  case Token::kw_if:
    return true;
  default:
    return false;
  }
}

static bool isOperand(const Token &token) {
  return token.is(Token::identifier) || token.is(Token::number) || token.is(Token::r_paren) ||
         token.is(Token::r_square) || token.is(Token::kw_true) || token.is(Token::kw_false);
}

/// Whether the text had space between two tokens.
static bool hadSpace(const Token &a, const Token &b) {
  return a.spelling.end() != b.spelling.begin();
}

/// Whether an opening parenthesis calls what stands before it.
bool Formatter::isCall(const Token &before) const {
  // Words of a train block and of a schedule are names elsewhere.
  static constexpr StringRef words[] = {"except", "then", "minimize", "accumulate", "norm",
                                        "rows",   "f32",  "bf16",     "f16"};
  bool isWord = (declaration == "train" || declaration == "schedule") &&
                llvm::is_contained(words, before.spelling);
  return before.is(Token::r_square) || before.is(Token::kw_modality) ||
         (before.is(Token::identifier) && !isWord && before.spelling != "where");
}

/// Whether a token never has space before it.
bool Formatter::staysClose(const Token &token, const Token &before) const {
  switch (token.kind) {
  case Token::comma:
  case Token::semicolon:
  case Token::colon:
  case Token::dot:
  case Token::dots:
  case Token::r_paren:
  case Token::r_square:
  case Token::l_square:
    return true;
  case Token::l_paren:
    return isCall(before);
  default:
    return false;
  }
}

void Formatter::open(const Token &token, size_t column) {
  if (token.is(Token::l_brace))
    stack.push_back({token.kind, statement == "train" || statement == "batch" ||
                                     statement == "modality" ||
                                     (!stack.empty() && stack.back().list),
                     column});
  else if (token.is(Token::l_paren) || token.is(Token::l_square))
    stack.push_back({token.kind, false, column});
  else if ((token.is(Token::r_brace) || token.is(Token::r_paren) || token.is(Token::r_square)) &&
           !stack.empty())
    stack.pop_back();
}

size_t Formatter::indentation(const Line &line) const {
  size_t braces = llvm::count_if(stack, [](const Open &o) { return o.kind == Token::l_brace; });
  bool closes = !line.tokens.empty() && line.tokens.front().is(Token::r_brace);
  if (!stack.empty() && stack.back().kind != Token::l_brace)
    return stack.back().column; // below what the bracket holds
  return 2 * (braces - (closes && braces)) + (continues && !closes ? 4 : 0);
}

void Formatter::formatLine(Line &line) {
  line.text.assign(indentation(line), ' ');
  bool tight = true; // nothing stands between the indentation and the first token
  for (auto [index, token] : llvm::enumerate(line.tokens)) {
    const Token *next = index + 1 < line.tokens.size() ? &line.tokens[index + 1] : nullptr;
    bool operand = last && isOperand(*last), factor = token.is(Token::star) ||
                                                      token.is(Token::slash);
    bool space = !tight && !(last && staysClose(token, *last));
    tight = token.is(Token::l_paren) || token.is(Token::l_square) || token.is(Token::dot) ||
            token.is(Token::dots) || (token.is(Token::minus) && !operand);
    if (factor && operand) { // close or apart, as its author wrote it
      bool apart = hadSpace(*last, token) || (next && hadSpace(token, *next));
      space = space && apart;
      tight = !apart;
    } else if (factor) { // `*.bias` is a pattern, and so is `e.weight*`
      space = space && !(last->isKeyword() && !hadSpace(*last, token));
      tight = next && !hadSpace(token, *next);
    }
    for (auto [padded, spaces] : line.pads)
      if (padded == &token)
        line.text.append(spaces, ' ');
    if (space)
      line.text += ' ';
    line.text += token.spelling;
    if (!continues && (stack.empty() || stack.back().kind == Token::l_brace) &&
        (!last || last->is(Token::l_brace) || last->is(Token::semicolon) || index == 0))
      statement = token.spelling;
    if (stack.empty())
      declaration = statement;
    open(token, line.text.size());
    continues = false;
    last = &token;
  }
  if (!line.tokens.empty())
    continues = wantsMore(*last) &&
                !(last->is(Token::comma) && !stack.empty() && stack.back().list);
}

//===----------------------------------------------------------------------===//
// What stays below one another
//===----------------------------------------------------------------------===//

/// The token before which a line of a body is padded: the `=` of `a, b = f(x)`, and in
/// `loss lm = mean(x)` the name too; null if it is another statement.
static const Token *equalOf(const Line &line) {
  llvm::ArrayRef<Token> names(line.tokens);
  if (!names.empty() && (names.front().is(Token::kw_loss) || names.front().is(Token::kw_metric)))
    names = names.drop_front();
  auto isName = [](const Token &token) {
    return token.is(Token::identifier) || token.is(Token::comma);
  };
  const Token *equal = llvm::find_if_not(names, isName);
  bool binds = equal != names.begin() && equal != names.end() && equal->is(Token::equal) &&
               names.front().is(Token::identifier);
  return binds ? equal : nullptr;
}

/// Spaces that the text had before a token.
static size_t spacesBefore(const Token &token) {
  size_t count = 0;
  while (token.spelling.begin()[-1 - static_cast<ptrdiff_t>(count)] == ' ')
    ++count;
  return count;
}

/// Pads the lines of a run, at a token of each, where one of them was padded. `column` is
/// where the token stands in a line's text.
static void pad(llvm::ArrayRef<Line *> run, llvm::ArrayRef<const Token *> tokens,
                llvm::function_ref<size_t(const Line &)> column) {
  if (llvm::none_of(tokens, [](const Token *token) { return spacesBefore(*token) > 1; }))
    return;
  size_t widest = 0;
  for (Line *line : run)
    widest = std::max(widest, column(*line));
  for (auto [line, token] : llvm::zip(run, tokens)) {
    size_t spaces = widest - column(*line);
    line->text.insert(column(*line), spaces, ' ');
    line->pads.push_back({token, spaces});
  }
}

void Formatter::alignRun(llvm::ArrayRef<Line *> run) {
  SmallVector<const Token *> equals, names;
  for (Line *line : run) {
    equals.push_back(equalOf(*line));
    if (!line->tokens.front().is(Token::identifier))
      names.push_back(&line->tokens[1]);
  }
  if (names.size() == run.size()) // losses and metrics
    pad(run, names, [](const Line &line) {
      return line.text.find(line.tokens[0].spelling.str()) + line.tokens[0].spelling.size();
    });
  pad(run, equals, [](const Line &line) { return line.text.find(" ="); });
}

void Formatter::alignEquals() {
  SmallVector<Line *> run;
  auto flush = [&] {
    if (run.size() > 1)
      alignRun(run);
    run.clear();
  };
  for (Line &line : lines) {
    bool measure = !line.tokens.empty() && !line.tokens.front().is(Token::identifier);
    bool sameKind = run.empty() || measure != run.back()->tokens.front().is(Token::identifier);
    if (!equalOf(line) || line.blankBefore || !sameKind)
      flush();
    if (equalOf(line))
      run.push_back(&line);
  }
  flush();
}

/// Comments at the ends of consecutive lines keep one column, if they had one.
void Formatter::alignComments() {
  auto columnIn = [&](const Line &line) {
    StringRef before(text.begin(), line.comment.begin() - text.begin());
    return before.size() - (before.rfind('\n') + 1);
  };
  for (size_t at = 0; at < lines.size();) {
    size_t end = at;
    auto isAtEnd = [&](const Line &line) { return !line.comment.empty() && !line.tokens.empty(); };
    while (end < lines.size() && isAtEnd(lines[end]) &&
           columnIn(lines[end]) == columnIn(lines[at]))
      ++end;
    size_t widest = 0;
    for (size_t i = at; i < end; ++i)
      widest = std::max(widest, lines[i].text.size());
    for (size_t i = at; i < end; ++i)
      lines[i].text.append(widest + 2 - lines[i].text.size(), ' ').append(lines[i].comment);
    if (end == at && isAtEnd(lines[at]))
      lines[at].text.append("  ").append(lines[at].comment);
    at = std::max(end, at + 1);
  }
}

void Formatter::formatLines() {
  stack.clear();
  continues = false;
  last = nullptr;
  for (Line &line : lines)
    formatLine(line);
}

std::string Formatter::format() {
  formatLines();
  alignEquals();
  formatLines(); // lines that go on lie below what alignment has moved
  alignComments();
  std::string result;
  const Line *previous = nullptr;
  for (const Line &line : lines) {
    bool opened = previous && !previous->tokens.empty() &&
                  previous->tokens.back().is(Token::l_brace);
    bool closes = !line.tokens.empty() && line.tokens.front().is(Token::r_brace);
    if (previous && line.blankBefore && !opened && !closes)
      result += '\n';
    result += line.text;
    if (line.tokens.empty())
      result += line.comment;
    result += '\n';
    previous = &line;
  }
  return result;
}

std::optional<std::string> mom::frontend::format(llvm::SourceMgr &sources,
                                                 mlir::MLIRContext *context) {
  bool good = true;
  mlir::ScopedDiagnosticHandler watch(context, [&](mlir::Diagnostic &) {
    good = false;
    return mlir::failure(); // for the next handler
  });
  unsigned buffer = sources.getMainFileID();
  Lexer lexer(sources, buffer, context);
  Formatter formatter(sources.getMemoryBuffer(buffer)->getBuffer());
  formatter.split(lexer);
  return good ? std::optional(formatter.format()) : std::nullopt;
}
