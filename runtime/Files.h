// Files that are whole or absent: what a crash, a full disk or a second run
// must not spoil.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace momrt {

/// Writes a file under a temporary name of its own in the same folder, makes it last
/// (fsync) and renames it. If anything fails, the old file stays. A pipe or a device
/// that has the name is written into.
class FileWriter {
public:
  explicit FileWriter(std::string path);
  ~FileWriter();
  void write(const void *data, int64_t bytes);
  /// Gives the file its name.
  void commit();

private:
  bool isRenamed() const { return written != path; }

  std::string path, written; // the latter is the file's name until it is renamed
  int file;
};

/// Writes a whole file so. For callers without exceptions: returns the text of an error,
/// empty if there was none.
std::string writeWhole(const std::string &path, const void *data, int64_t bytes) noexcept;

/// A file mapped for reading.
class MappedFile {
public:
  explicit MappedFile(const std::string &path);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  const uint8_t *data() const { return static_cast<const uint8_t *>(memory); }
  int64_t bytes() const { return size; }

private:
  void *memory = nullptr;
  int64_t size = 0;
};

/// Holds a folder for one run; throws if another process has it.
class FolderLock {
public:
  explicit FolderLock(const std::string &folder);
  ~FolderLock();
  FolderLock(const FolderLock &) = delete;
  FolderLock &operator=(const FolderLock &) = delete;

private:
  int file;
};

/// Removes what writers that were killed left in a folder that is locked.
void removePartialFiles(const std::string &folder);

/// Makes a folder and those above it.
void makeFolder(const std::string &folder);

} // namespace momrt
