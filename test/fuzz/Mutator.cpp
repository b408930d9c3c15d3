#include "test/fuzz/Mutator.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mom::fuzz;
using llvm::StringRef;

/// Words, numbers and signs, with the space before each.
static std::vector<std::string> split(StringRef text) {
  std::vector<std::string> pieces;
  auto isWord = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    while (at < text.size() && llvm::isSpace(text[at]))
      ++at;
    if (at < text.size() && text[at] == '#')
      while (at < text.size() && text[at] != '\n')
        ++at;
    else if (at < text.size() && isWord(text[at]))
      while (at < text.size() && isWord(text[at]))
        ++at;
    else if (at < text.size())
      ++at;
    pieces.push_back(text.slice(begin, at).str());
  }
  return pieces;
}

Mutator::Mutator(llvm::ArrayRef<std::string> seeds) {
  for (const std::string &seed : seeds) {
    for (std::string &piece : split(seed))
      tokens.push_back(" " + StringRef(piece).trim().str());
    for (StringRef line : llvm::split(seed, '\n'))
      if (!line.trim().empty())
        statements.push_back(line.str() + "\n");
  }
#define KEYWORD(word) tokens.push_back(" " #word);
#define PUNCTUATION(name, spelling) tokens.push_back(spelling);
#include "frontend/Tokens.def"
#define FUNCTION(name) tokens.push_back(" " #name "(");
#include "frontend/Functions.def"
  for (const char *extreme :
       {" 0", " 1", " -1", " 9223372036854775807", " 268435456", " 1e308", " 0.5", " 1e-400", "\n",
        " where", " init:", " reverse", " kernel", " grad", " save", " on cpu", " when rows >=",
        "\xc3\xa9", "\x01", " token", " document", " stream", " normal", " uniform", " f32"})
    tokens.push_back(extreme);
}

static bool isName(StringRef piece) {
  piece = piece.trim();
  return !piece.empty() && (llvm::isAlpha(piece.front()) || piece.front() == '_');
}
static bool isNumber(StringRef piece) {
  piece = piece.trim();
  return !piece.empty() && llvm::isDigit(piece.front());
}

/// Where the line of a piece begins, and where the next one does.
static std::pair<size_t, size_t> lineOf(const std::vector<std::string> &pieces, size_t at) {
  auto breaks = [&](size_t i) { return StringRef(pieces[i]).contains('\n'); };
  size_t begin = at, end = at + 1;
  while (begin > 0 && !breaks(begin))
    --begin;
  while (end < pieces.size() && !breaks(end))
    ++end;
  return {begin, end};
}

/// One change that leaves the text's structure as it is, most of the time.
void Mutator::changeWithin(std::vector<std::string> &pieces, std::mt19937_64 &random) const {
  auto below = [&](size_t count) { return count ? random() % count : 0; };
  size_t at = below(pieces.size()), other = below(pieces.size());
  auto alike = [&](bool (*kind)(StringRef)) {
    for (size_t turn = 0; turn < pieces.size() && !kind(pieces[at]); ++turn)
      at = (at + 1) % pieces.size();
    for (size_t turn = 0; turn < pieces.size() && !kind(pieces[other]); ++turn)
      other = (other + 1) % pieces.size();
  };
  auto replace = [&](StringRef by) {
    StringRef old = pieces[at];
    pieces[at] = (old.take_until([](char c) { return !llvm::isSpace(c); }) + by).str();
  };
  auto [begin, end] = lineOf(pieces, at);
  std::vector<std::string> line(pieces.begin() + begin, pieces.begin() + end);
  switch (below(8)) {
  case 0:
  case 1: // a name for another
    alike(isName);
    return replace(StringRef(pieces[other]).trim());
  case 2: { // a number for another
    static constexpr StringRef numbers[] = {"0", "1", "2", "7", "0.5", "1e308", "268435456",
                                            "9223372036854775807"};
    alike(isNumber);
    return replace(below(2) ? numbers[below(std::size(numbers))]
                            : StringRef(pieces[other]).trim());
  }
  case 3: { // a sign for another
    static constexpr StringRef signs[] = {"+", "-", "*", "/", "==", "!=", "<", "and", "or"};
    alike([](StringRef piece) { return piece.trim() == "+" || piece.trim() == "*" ||
                                       piece.trim() == "-" || piece.trim() == "/"; });
    return replace((" " + signs[below(std::size(signs))] + " ").str());
  }
  case 4: { // a function round a name
    static constexpr StringRef functions[] = {
#define FUNCTION(name) #name,
#include "frontend/Functions.def"
    };
    alike(isName);
    return replace((functions[below(std::size(functions))] + "(" +
                    StringRef(pieces[at]).trim() + ")").str());
  }
  case 5: // a line less
    pieces.erase(pieces.begin() + begin, pieces.begin() + end);
    return;
  case 6: // a line twice
    pieces.insert(pieces.begin() + end, line.begin(), line.end());
    return;
  case 7: { // a line elsewhere
    size_t to = lineOf(pieces, other).first;
    pieces.insert(pieces.begin() + to, line.begin(), line.end());
    return;
  }
  }
}

std::string Mutator::mutate(StringRef text, std::mt19937_64 &random) const {
  auto below = [&](size_t count) { return count ? random() % count : 0; };
  std::vector<std::string> pieces = split(text);
  for (size_t turns = below(2) ? 1 : 1 + below(4); turns > 0; --turns) {
    if (!pieces.empty() && below(8)) {
      changeWithin(pieces, random);
      continue;
    }
    size_t at = below(pieces.size() + 1), from = below(pieces.size()), size = 1 + below(8);
    auto here = pieces.begin() + std::min(at, pieces.size());
    switch (below(5)) {
    case 0: // a token more
      pieces.insert(here, tokens[below(tokens.size())]);
      break;
    case 1: // another one
      if (here != pieces.end())
        *here = tokens[below(tokens.size())];
      break;
    case 2: { // some tokens again, elsewhere
      std::vector<std::string> copy(pieces.begin() + from,
                                    pieces.begin() + std::min(from + size, pieces.size()));
      pieces.insert(here, copy.begin(), copy.end());
      break;
    }
    case 3: // a statement of a seed
      pieces.insert(here, "\n" + statements[below(statements.size())]);
      break;
    case 4: // some tokens less
      pieces.erase(here, here + std::min<size_t>(size, pieces.end() - here));
      break;
    }
  }
  std::string result = llvm::join(pieces, "");
  if (result.size() > 20000)
    result.resize(20000);
  return result;
}
