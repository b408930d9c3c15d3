// momc-fuzz: mutated model texts into the frontend.
//
//   momc-fuzz SEED.mom ... --runs 1000000 --seed 7
//
// Texts that parse are kept now and then as new ones to mutate. A text that breaks a rule of
// Check.h is printed and ends the run; a text that takes longer than a second is reported.
#include "test/fuzz/Check.h"
#include "test/fuzz/Mutator.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <ctime>

using namespace mom::fuzz;
namespace cl = llvm::cl;

static cl::list<std::string> seeds(cl::Positional, cl::OneOrMore, cl::desc("SEED..."));
static cl::opt<uint64_t> runs("runs", cl::desc("texts to try"), cl::init(1000));
static cl::opt<uint64_t> seed("seed", cl::desc("of the mutations"), cl::init(1));
static cl::opt<std::string> last("last", cl::desc("each text is written here before it is tried"));

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Mutated Mixture-of-Mamba texts into the frontend\n");
  std::vector<std::string> texts;
  for (const std::string &path : seeds) {
    auto buffer = llvm::MemoryBuffer::getFile(path);
    if (!buffer) {
      llvm::errs() << "momc-fuzz: error: cannot read " << path << "\n";
      return 1;
    }
    texts.push_back((*buffer)->getBuffer().str());
  }
  const size_t given = texts.size();
  for (const std::string &text : texts)
    (void)check(text); // among them what earlier runs found
  Mutator mutator(texts);
  std::mt19937_64 random(seed);
  uint64_t parsed = 0, checked = 0, slow = 0;
  for (uint64_t run = 0; run < runs; ++run) {
    size_t from = random() % 2 ? given : texts.size();
    std::string text = mutator.mutate(texts[random() % from], random);
    if (!last.empty()) {
      std::error_code code;
      llvm::raw_fd_ostream(last, code) << text;
    }
    std::clock_t start = std::clock(); // of the processor: the machine may be busy
    Outcome outcome = check(text);
    if (std::clock() - start > CLOCKS_PER_SEC) {
      ++slow;
      llvm::errs() << "momc-fuzz: a text of " << text.size() << " bytes took over a second\n"
                   << text << "\n";
    }
    parsed += outcome.parsed;
    checked += outcome.checked;
    if (!outcome.checked && (!outcome.parsed || random() % 16))
      continue; // most of those that are kept are models
    if (texts.size() < given + 200)
      texts.push_back(std::move(text));
    else
      texts[given + random() % 200] = std::move(text);
  }
  llvm::outs() << runs << " texts, " << parsed << " parsed, " << checked << " without an error, "
               << slow << " slow\n";
  return slow > 0;
}
