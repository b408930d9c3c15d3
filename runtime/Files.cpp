#include "runtime/Files.h"
#include "runtime/Error.h"
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace momrt {

static constexpr const char *kPartial = ".partial";

/// A pipe or a device keeps its name.
static bool isWrittenInto(const std::string &path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

FileWriter::FileWriter(std::string name) : path(std::move(name)), written(path) {
  static std::atomic<int64_t> count{0}; // threads may write one file
  if (!isWrittenInto(path))
    written = fmt::format("{}.{}-{}{}", path, getpid(), count++, kPartial);
  int create = isRenamed() ? O_CREAT | O_TRUNC : 0;
  file = open(written.c_str(), O_WRONLY | O_CLOEXEC | create, 0644);
  if (file < 0)
    fail(MOMRT_SYSTEM, "cannot write '{}': {}", written, systemError());
}

FileWriter::~FileWriter() {
  if (file < 0)
    return;
  close(file);
  if (isRenamed())
    unlink(written.c_str());
}

void FileWriter::write(const void *data, int64_t bytes) {
  const char *from = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t done = ::write(file, from, size_t(std::min<int64_t>(bytes, 1 << 30)));
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      fail(MOMRT_SYSTEM, "cannot write '{}': {}", written, systemError());
    from += done;
    bytes -= done;
  }
}

void FileWriter::commit() {
  if (!isRenamed()) {
    close(std::exchange(file, -1));
    return;
  }
  if (fsync(file) != 0)
    fail(MOMRT_SYSTEM, "cannot write '{}': {}", written, systemError());
  if (rename(written.c_str(), path.c_str()) != 0)
    fail(MOMRT_SYSTEM, "cannot rename '{}' to '{}': {}", written, path, systemError());
  close(file);
  file = -1;
  // The name is in the folder, which lasts only once it is synced as well.
  std::string folder = std::filesystem::path(path).parent_path().string();
  int handle = open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0 || fsync(handle) != 0) {
    std::string text = systemError();
    if (handle >= 0)
      close(handle);
    fail(MOMRT_SYSTEM, "cannot sync the folder of '{}': {}", path, text);
  }
  close(handle);
}

std::string writeWhole(const std::string &path, const void *data, int64_t bytes) noexcept {
  return textOfError([&] {
    FileWriter file(path);
    file.write(data, bytes);
    file.commit();
  });
}

MappedFile::MappedFile(const std::string &path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    fail(MOMRT_SYSTEM, "cannot open '{}': {}", path, systemError());
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) {
    close(file);
    fail(MOMRT_BAD_FILE, "'{}' is not a file", path);
  }
  size = info.st_size;
  if (size > 0) {
    memory = mmap(nullptr, size_t(size), PROT_READ, MAP_PRIVATE, file, 0);
    if (memory == MAP_FAILED) {
      std::string text = systemError();
      close(file);
      fail(MOMRT_SYSTEM, "cannot map '{}': {}", path, text);
    }
  }
  close(file);
}

MappedFile::~MappedFile() {
  if (memory)
    munmap(memory, size_t(size));
}

FolderLock::FolderLock(const std::string &folder) {
  std::string path = folder + "/.lock";
  file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0)
    fail(MOMRT_SYSTEM, "cannot open '{}': {}", path, systemError());
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    int error = errno;
    close(file);
    if (error == EWOULDBLOCK)
      fail(MOMRT_SYSTEM, "another run is using the folder '{}'", folder);
    errno = error;
    fail(MOMRT_SYSTEM, "cannot lock '{}': {}", path, systemError());
  }
}

FolderLock::~FolderLock() { close(file); }

void removePartialFiles(const std::string &folder) {
  std::error_code ignored; // one that stays does no harm
  for (const auto &entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == kPartial)
      std::filesystem::remove(entry.path(), ignored);
}

void makeFolder(const std::string &folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error || !std::filesystem::is_directory(folder))
    fail(MOMRT_SYSTEM, "cannot make the folder '{}': {}", folder,
         error ? error.message() : "a file has its name");
}

} // namespace momrt
