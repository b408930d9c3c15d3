// Compiled programs on disk, by the content that they were made from.
#include "compiler/api/Cache.h"

#include "runtime/Files.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"
#include "llvm/TargetParser/Host.h"

#include <link.h>

using namespace llvm;

static constexpr StringLiteral kMagic = "momc-cache-1\n";
static constexpr size_t kHash = 32;

//===----------------------------------------------------------------------===//
// What compiles
//===----------------------------------------------------------------------===//

namespace {
/// The build id of the loaded object that an address lies in.
struct IdSearch {
  uintptr_t address;
  std::string id;
};
} // namespace

static int visitObject(dl_phdr_info *info, size_t, void *context) {
  auto &search = *static_cast<IdSearch *>(context);
  ArrayRef<ElfW(Phdr)> headers(info->dlpi_phdr, info->dlpi_phnum);
  bool holds = any_of(headers, [&](const ElfW(Phdr) &header) {
    return header.p_type == PT_LOAD &&
           search.address - (info->dlpi_addr + header.p_vaddr) < header.p_memsz;
  });
  if (!holds)
    return 0;
  for (const ElfW(Phdr) &header : headers) {
    if (header.p_type != PT_NOTE)
      continue;
    const char *at = reinterpret_cast<const char *>(info->dlpi_addr + header.p_vaddr);
    const char *end = at + header.p_memsz;
    while (at + sizeof(ElfW(Nhdr)) <= end) {
      auto *note = reinterpret_cast<const ElfW(Nhdr) *>(at);
      const char *name = at + sizeof *note, *content = name + alignTo(note->n_namesz, 4);
      if (note->n_type == NT_GNU_BUILD_ID &&
          StringRef(name, note->n_namesz) == StringRef("GNU\0", 4))
        search.id = toHex(StringRef(content, note->n_descsz));
      at = content + alignTo(note->n_descsz, 4);
    }
  }
  return 1;
}

static std::string buildIdAt(const void *address) {
  IdSearch search{reinterpret_cast<uintptr_t>(address), ""};
  dl_iterate_phdr(visitObject, &search);
  return search.id;
}

std::string mom::buildId() {
  static const std::string id = [] {
    std::string ours = buildIdAt(reinterpret_cast<const void *>(&visitObject));
    std::string llvm = buildIdAt(reinterpret_cast<const void *>(&sys::getDefaultTargetTriple));
    return ours.empty() || llvm.empty() ? "" : ours + "-" + llvm;
  }();
  return id;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

std::string mom::Cache::key(StringRef material) {
  return toHex(SHA256::hash(arrayRefFromStringRef(material)), /*LowerCase=*/true);
}

std::string mom::Cache::path(StringRef key) const {
  SmallString<128> path(folder);
  sys::path::append(path, key + ".program");
  return path.str().str();
}

static StringRef asText(ArrayRef<uint8_t> bytes) {
  return StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

std::optional<SmallVector<char>> mom::Cache::find(StringRef key) const {
  auto file = MemoryBuffer::getFile(path(key), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return std::nullopt;
  StringRef content = (*file)->getBuffer();
  if (!content.consume_front(kMagic) || content.size() < kHash)
    return std::nullopt;
  StringRef stored = content.take_back(kHash), bytes = content.drop_back(kHash);
  auto hash = SHA256::hash(arrayRefFromStringRef(bytes));
  if (stored != asText(hash))
    return std::nullopt;
  return SmallVector<char>(bytes.begin(), bytes.end());
}

bool mom::Cache::store(StringRef key, ArrayRef<char> bytes) const {
  if (sys::fs::create_directories(folder))
    return false;
  // Not LLVM's TempFile, which would take a host's signals for itself.
  StringRef content(bytes.data(), bytes.size());
  auto hash = SHA256::hash(arrayRefFromStringRef(content));
  std::string file = (kMagic + content + asText(hash)).str();
  return momrt::writeWhole(path(key), file.data(), int64_t(file.size())).empty();
}
