// A damaged table is an error, never a crash: each word of a good one is
// replaced by several bad values, and the whole is then opened and printed.
#include "Check.h"
#include "TinyModel.h"
#include "runtime/PrintTable.h"
#include "runtime/Session.h"

using namespace momrt;

static const momrt_table *tableOf(const std::vector<uint64_t> &words) {
  return reinterpret_cast<const momrt_table *>(words.data());
}

/// Opens, plans and walks nothing: what a table may still claim must fit.
static bool opens(const std::vector<uint64_t> &words, const momrt_program &whole) {
  momrt_program program = {tableOf(words), whole.kernels};
  printTable(*program.table);
  try {
    Program opened(&program);
    for (const momrt_entry &entry : opened.table.entries())
      checkRecipes(opened.table, entry, {1, 16, 2, 2, 2}, [](auto &) { return INT64_MAX; });
    return true;
  } catch (const Error &) {
    return false;
  }
}

static void damagedWords() {
  tiny::Model model;
  std::vector<uint64_t> words = model.words;
  CHECK(opens(words, model.program));
  size_t kernels = tableOf(words)->kernels.count, refused = 0;
  for (size_t at = 0; at < words.size(); ++at) {
    uint64_t good = words[at];
    for (uint64_t bad : {~UINT64_C(0), UINT64_C(1) << 63, UINT64_C(0xffffffff), UINT64_C(1) << 32,
                         good + 1, good - 1, good ^ (UINT64_C(1) << 40), UINT64_C(0)}) {
      words[at] = bad;
      // Its own size, its target and how many functions it has are facts that
      // a table cannot know to be wrong.
      const momrt_table *table = tableOf(words);
      if (table->bytes <= words.size() * 8 && !table->target && table->kernels.count <= kernels)
        refused += !opens(words, model.program);
    }
    words[at] = good;
  }
  CHECK(refused > words.size());
}

static void messages() {
  tiny::Model model;
  std::vector<uint64_t> words = model.words;
  auto *table = reinterpret_cast<momrt_table *>(words.data());
  momrt_program program = {table, model.program.kernels};
  CHECK_FAILS("null pointer", Program(nullptr));
  table->version = 99;
  CHECK_FAILS("version 99, but this runtime reads version 7", Program opened(&program));
  table->version = MOMRT_TABLE_VERSION;
  table->magic = 0;
  CHECK_FAILS("magic number", Program opened(&program));
  table->magic = MOMRT_TABLE_MAGIC;
  table->extensions = UINT64_C(3) << 62;
  CHECK_FAILS("for a processor with extension 62, extension 63, which this one lacks",
              Program opened(&program));
  table->extensions = 0;
  auto *entries =
      reinterpret_cast<momrt_entry *>(reinterpret_cast<char *>(table) + table->entries.offset);
  entries[0].ops.count = 3;
  CHECK_FAILS("a repetition of entry 'loss' does not end", Program opened(&program));
  program.kernels = nullptr;
  entries[0].ops.count = 7;
  CHECK_FAILS("kernel 'constant' of a CPU program has no function", Program opened(&program));
}

static void printed() {
  tiny::Model model;
  std::string text = printTable(*tableOf(model.words));
  for (const char *line :
       {"model tiny, launch table version 7, target cpu, ", "settings V = 24, split = 1\n",
        "modalities text, image\n", "rate warmup, 5 steps\n",
        "rate cosine 0.05 -> 0.005, the rest\n",
        "  layers.{}.shift: f32[2] x 3 at 32 = uniform(-0.1, 0.1), decay 0\n",
        "  %1: 8 * tokens bytes\n", "entry gradient\n", "  repeat 3 reverse {\n",
        "    layer <ceil(tokens / 4)> (counts, position, modality, parameters + 128 + (8) * (round "
        "mod 3), %1 + (4 * tokens) * (round mod 2), %1 + (4 * tokens) * ((round + 1) mod 2))  // "
        "3: "
        "model.mom:4:3\n",
        "  rows prediction: f32[tokens, 1] = %4\n", "  input id: i32[tokens, 1] below 24\n"})
    if (text.find(line) == std::string::npos) {
      ++failures;
      fmt::print("expected '{}' in:\n{}", line, text);
    }
}

int main() {
  damagedWords();
  messages();
  printed();
  return finish();
}
