// The same for libFuzzer: build momc-libfuzzer with -DMOMC_FUZZ=ON, in a build folder of its
// own, and run momc-libfuzzer FOLDER, where FOLDER holds texts to begin with, as examples/*.mom.
#include "test/fuzz/Check.h"
#include "test/fuzz/Mutator.h"

#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  (void)mom::fuzz::check(llvm::StringRef(reinterpret_cast<const char *>(data), size));
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
  std::mt19937_64 random(seed);
  if (random() % 8 == 0)
    return LLVMFuzzerMutate(data, size, most);
  std::string text(reinterpret_cast<const char *>(data), size);
  text = mom::fuzz::Mutator({text}).mutate(text, random);
  size = std::min(text.size(), most);
  std::memcpy(data, text.data(), size);
  return size;
}
