// The compiler of Mixture-of-Mamba models as a C++ library: momc/momc.h with ownership
// and exceptions. Needs C++17 and nothing of LLVM.
#pragma once

#include "momc/momc.h"
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace momc {

/// How to compile; see momc_options.
struct Options {
  std::string target = "cpu", storage = "auto", cpu = "native";
  std::vector<std::string> settings; ///< "D=64"
  std::vector<std::string> entries;  ///< the loss and these; none: all there are
  std::string cache;                 ///< folder; empty: none
};

/// A compiled program, loaded into this process.
class Compiled {
public:
  /// Compiles model text; throws std::runtime_error with the model's mistakes.
  static Compiled text(const std::string &text, const std::string &name,
                       const Options &options = {}) {
    return make(options, [&](const momc_options &given, momc_compiled **compiled) {
      return momc_compile_text(text.c_str(), name.c_str(), &given, compiled);
    });
  }
  /// The same of a file.
  static Compiled file(const std::string &path, const Options &options = {}) {
    return make(options, [&](const momc_options &given, momc_compiled **compiled) {
      return momc_compile_file(path.c_str(), &given, compiled);
    });
  }

  /// For momrt_open; lives as long as this.
  const momrt_program *program() const { return momc_program_of(handle.get()); }
  std::string warnings() const { return momc_warnings(handle.get()); }
  bool fromCache() const { return momc_from_cache(handle.get()) != 0; }

private:
  explicit Compiled(momc_compiled *compiled) : handle(compiled, momc_release) {}

  template <typename Compile> static Compiled make(const Options &options, Compile compile) {
    std::vector<const char *> settings, entries;
    for (const std::string &setting : options.settings)
      settings.push_back(setting.c_str());
    for (const std::string &entry : options.entries)
      entries.push_back(entry.c_str());
    momc_options given = {};
    given.target = options.target.c_str();
    given.storage = options.storage.c_str();
    given.cpu = options.cpu.c_str();
    given.settings = settings.data();
    given.setting_count = int64_t(settings.size());
    given.entries = entries.data();
    given.entry_count = int64_t(entries.size());
    given.cache = options.cache.empty() ? nullptr : options.cache.c_str();
    momc_compiled *compiled = nullptr;
    if (compile(given, &compiled))
      throw std::runtime_error(momc_last_error());
    return Compiled(compiled);
  }

  std::unique_ptr<momc_compiled, void (*)(momc_compiled *)> handle;
};

} // namespace momc
