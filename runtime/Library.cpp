#include "runtime/Library.h"
#include "runtime/Error.h"
#include "runtime/Files.h"
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <map>
#include <mutex>
#include <sys/stat.h>

namespace momrt {

/// dlopen maps what a library's header says, and the process dies where a file that was cut
/// short has no such pages.
static void checkWhole(const std::string &path) {
  MappedFile file(path);
  uint64_t size = uint64_t(file.bytes());
  auto has = [&](uint64_t first, uint64_t bytes) { return first <= size && bytes <= size - first; };
  Elf64_Ehdr header;
  if (size < sizeof header)
    fail(MOMRT_BAD_FILE, "{}: expected a shared library, but it has {} bytes", path, size);
  std::memcpy(&header, file.data(), sizeof header);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
    return; // dlopen says what it is
  bool whole = has(header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)) &&
               has(header.e_shoff, header.e_shnum * sizeof(Elf64_Shdr));
  for (unsigned at = 0; whole && at < header.e_phnum; ++at) {
    Elf64_Phdr part;
    std::memcpy(&part, file.data() + header.e_phoff + at * sizeof part, sizeof part);
    whole = part.p_type != PT_LOAD || has(part.p_offset, part.p_filesz);
  }
  if (!whole)
    fail(MOMRT_BAD_FILE, "{}: the file was cut short: its {} bytes are not all of a library", path,
         size);
}

static std::shared_ptr<void> load(const std::string &path) {
  checkWhole(path);
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    fail(MOMRT_BAD_FILE, "{}", dlerror());
  return {library, dlclose};
}

/// Loads a library, or shares what is loaded. dlopen knows libraries by their paths: it would
/// give the old one again where a path names another file now.
static std::shared_ptr<void> find(const std::string &path) {
  struct Loaded {
    std::weak_ptr<void> handle;
    dev_t device;
    ino_t file;
  };
  static std::mutex mutex;
  static std::map<std::string, Loaded> all;
  std::lock_guard lock(mutex);
  struct stat info = {}; // where there is no file loading says so
  stat(path.c_str(), &info);
  Loaded &known = all[path];
  std::shared_ptr<void> handle = known.handle.lock();
  if (!handle) {
    handle = load(path);
    known = {handle, info.st_dev, info.st_ino};
  } else if (known.device != info.st_dev || known.file != info.st_ino) {
    fail(MOMRT_BAD_FILE,
         "{}: there is another file now than the one that is open; close its models and sessions "
         "first, or give the new one another name",
         path);
  }
  return handle;
}

Library::Library(const std::string &given) {
  // dlopen would search the system's folders for a name without one.
  std::string path = given.find('/') == std::string::npos ? "./" + given : given;
  handle = find(path);
  found = static_cast<const momrt_program *>(dlsym(handle.get(), "momc_program"));
  if (!found)
    fail(MOMRT_BAD_FILE, "{}: expected a library made by `momc compile --shared`, but it has no "
                         "symbol momc_program",
         path);
}

} // namespace momrt
