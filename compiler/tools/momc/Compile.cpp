// momc compile: a program as an object file or a shared library, and a header that says
// what is in it.
#include "compiler/Schedule/Knobs.h"
#include "compiler/Target/LaunchTable.h"
#include "compiler/tools/momc/Verbs.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace mom;
using namespace mom::tool;
namespace cl = llvm::cl;

namespace mom::tool {
cl::OptionCategory artefactOptions("Objects");
} // namespace mom::tool
static cl::opt<std::string> header("header",
                                   cl::desc("header to write (default: beside the object)"),
                                   cl::value_desc("file"), cl::cat(artefactOptions));
static cl::opt<std::string>
    programName("name", cl::desc("the symbol is momc_program_NAME (default: the model's name)"),
                cl::value_desc("name"), cl::cat(artefactOptions));

static cl::opt<std::string> shared("shared",
                                   cl::desc("shared library to write, for momrt_open_file"),
                                   cl::value_desc("file"), cl::cat(artefactOptions));

static constexpr StringLiteral kTypes[] = {"f32", "bf16", "f16", "i32", "i64", "u8", "u16", "f64"};
static constexpr StringLiteral kRows[] = {"",          "tokens",   "streams",
                                       "documents", "segments", "window"};
static constexpr StringLiteral kKinds[] = {"LOSS", "SUM", "COUNT", "ROWS", "TENSOR"};

namespace {
/// Prints the facts of a table, as the comment of a header.
class HeaderWriter {
public:
  explicit HeaderWriter(const momrt_table &table) : table(table), os(text) {}
  std::string write(StringRef symbol, StringRef target);

private:
  template <typename T> ArrayRef<T> array(const momrt_range &range) const {
    return {reinterpret_cast<const T *>(reinterpret_cast<const char *>(&table) + range.offset),
            size_t(range.count)};
  }
  StringRef string(uint64_t offset) const {
    return reinterpret_cast<const char *>(&table) + table.strings.offset + offset;
  }
  void writeSettings();
  void writeEntry(const momrt_entry &entry);
  void writeParameter(const momrt_parameter &parameter);
  /// "f32[tokens, 128]"
  std::string shape(uint32_t type, uint32_t count, int64_t channels) const {
    StringRef rows = kRows[count];
    return llvm::formatv("{0}[{1}{2}{3}]", kTypes[type], rows, rows.empty() ? "" : ", ", channels);
  }

  const momrt_table &table;
  std::string text;
  llvm::raw_string_ostream os;
};
} // namespace

void HeaderWriter::writeSettings() {
  ArrayRef<momrt_setting> settings = array<momrt_setting>(table.settings);
  if (!settings.empty()) {
    os << " *\n * Settings: ";
    llvm::interleaveComma(settings, os, [&](const momrt_setting &setting) {
      os << string(setting.name) << " = " << llvm::format("%g", setting.value);
    });
    os << ".\n";
  }
  ArrayRef<uint64_t> modalities = array<uint64_t>(table.modalities);
  if (!modalities.empty()) {
    os << " * Modalities: ";
    llvm::interleaveComma(modalities, os, [&](uint64_t name) { os << string(name); });
    os << ".\n";
  }
}

void HeaderWriter::writeEntry(const momrt_entry &entry) {
  os << " *   \"" << string(entry.name) << "\"\n";
  for (const momrt_input &input :
       array<momrt_input>(table.inputs).slice(entry.inputs.offset, entry.inputs.count)) {
    os << " *     input  \"" << string(input.name)
       << "\": " << shape(input.type, input.count, input.channels);
    if (input.limit)
      os << " below " << input.limit;
    os << "\n";
  }
  for (const momrt_output &output :
       array<momrt_output>(table.outputs).slice(entry.outputs.offset, entry.outputs.count))
    os << " *     output MOMRT_OUTPUT_" << kKinds[output.kind] << " \"" << string(output.name)
       << "\": " << shape(output.type, output.count, output.channels) << "\n";
}

void HeaderWriter::writeParameter(const momrt_parameter &parameter) {
  os << " *   \"" << string(parameter.name) << "\": f32[";
  llvm::interleaveComma(ArrayRef(parameter.shape, parameter.rank), os);
  os << "]";
  if (parameter.indexed)
    os << ", {} = 0 .. " << parameter.repeat - 1;
  os << "\n";
}

std::string HeaderWriter::write(StringRef symbol, StringRef target) {
  std::string guard = StringRef(symbol).upper() + "_H";
  os << "/* The Mixture-of-Mamba program " << string(table.name) << ", compiled by momc for "
     << target << ".\n * momrt/momrt.h says how it is run: momrt_open(&" << symbol
     << ", &model) ...\n";
  writeSettings();
  os << " *\n * Entries; rows of inputs and outputs are by position:\n";
  for (const momrt_entry &entry : array<momrt_entry>(table.entries))
    writeEntry(entry);
  if (table.parameters.count)
    os << " *\n * Parameters, as momrt_parameter_set takes them and checkpoints hold them:\n";
  for (const momrt_parameter &parameter : array<momrt_parameter>(table.parameters))
    writeParameter(parameter);
  os << " */\n#ifndef " << guard << "\n#define " << guard << "\n\n#include <momrt/momrt.h>\n\n"
     << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\nextern const momrt_program " << symbol
     << ";\n\n#ifdef __cplusplus\n}\n#endif\n#endif\n";
  return text;
}

static bool isIdentifierEnd(StringRef name) {
  return !name.empty() && llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

/// Links an object into a shared library by the system's compiler. Besides the program's
/// own symbol it has `momc_program`, so that who opens it need not know the name.
static int link(StringRef object, StringRef symbol, StringRef path) {
  llvm::ErrorOr<std::string> linker = llvm::sys::findProgramByName("cc");
  for (const char *other : {"clang", "gcc"})
    if (!linker)
      linker = llvm::sys::findProgramByName(other);
  if (!linker)
    return fail("--shared needs cc, clang or gcc on the PATH to link with");
  llvm::SmallString<128> file;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("momc", "o", file))
    return fail("cannot create a temporary file: " + code.message());
  llvm::FileRemover remover(file);
  if (int status = writeFile(file, object))
    return status;
  std::string alias = ("-Wl,--defsym=momc_program=" + symbol).str();
  std::string name = ("-Wl,-soname," + llvm::sys::path::filename(path)).str();
  StringRef arguments[] = {*linker, "-shared", "-o", path, file, alias, name, "-lm"};
  std::string problem;
  int status = llvm::sys::ExecuteAndWait(*linker, arguments, std::nullopt, {}, 0, 0, &problem);
  return status
             ? fail(*linker + " could not link " + path + (problem.empty() ? "" : ": ") + problem)
             : 0;
}

/// Reads the model once for each of --target's. What is said about it is said once.
static int loadTargets(std::vector<std::unique_ptr<ModelFile>> &models) {
  FailureOr<std::vector<std::string>> entries = entriesToKeep(Stage::Lowered);
  if (failed(entries))
    return 1;
  for (StringRef name : llvm::split(target, ',')) {
    bool again = llvm::any_of(
        models, [&](auto &other) { return other->target() == compiledTarget(name); });
    if (name.empty() || again)
      return fail("expected --target as cpu, sm_90a or several, each once, but got " + target);
    models.push_back(std::make_unique<ModelFile>(*entries, name));
    ModelFile &model = *models.back();
    if (models.size() > 1)
      model.keepQuiet();
    if (!model || failed(model->load()))
      return 1;
    model->setName(programName);
  }
  return 0;
}

static LogicalResult objectOf(ArrayRef<std::unique_ptr<ModelFile>> models,
                              SmallVectorImpl<char> &bytes) {
  SmallVector<Compiler *> targets;
  for (const std::unique_ptr<ModelFile> &model : models)
    targets.push_back(model->operator->());
  return Compiler::objectOf(targets, bytes);
}

/// Where the header goes; empty: nowhere, as a library describes itself.
static std::string headerPath(bool wantsObject) {
  if (!header.empty() || !wantsObject)
    return header;
  llvm::SmallString<128> path(StringRef(output.getValue()));
  llvm::sys::path::replace_extension(path, "h");
  return path.str().str();
}

/// Whether two of what is written would be one file.
static bool isSameFile(StringRef one, StringRef other) {
  auto whole = [](StringRef path) {
    llvm::SmallString<128> text(path);
    (void)llvm::sys::fs::make_absolute(text);
    llvm::sys::path::remove_dots(text, /*remove_dot_dot=*/true);
    return text;
  };
  return !one.empty() && !other.empty() && whole(one) == whole(other);
}

int mom::tool::compile() {
  bool wantsObject = output.getNumOccurrences() || shared.empty();
  if (wantsObject && !StringRef(output).ends_with(".o"))
    return fail("expected -o FILE.o or --shared FILE.so");
  std::string object = wantsObject ? output.getValue() : "", declared = headerPath(wantsObject);
  for (auto [one, other] : {std::pair(&object, &declared),
                            {&object, &shared.getValue()},
                            {&declared, &shared.getValue()}})
    if (isSameFile(*one, *other))
      return fail("expected a file each for -o, --header and --shared, but two are " + *one);
  if (shared == "-")
    return fail(
        "expected --shared FILE.so, but got -: a library is not written to standard output");
  if (programName.getNumOccurrences() && !isIdentifierEnd(programName))
    return fail("expected --name of letters, digits and underscores, but got '" + programName +
                "'");
  std::vector<std::unique_ptr<ModelFile>> models;
  SmallVector<char> bytes;
  if (loadTargets(models) || failed(objectOf(models, bytes)))
    return 1;
  ModelFile &model = *models.front();
  FailureOr<LaunchTable> facts = buildLaunchTable(model->module(), model->digest());
  if (failed(facts))
    return 1;
  std::string text =
      HeaderWriter(*reinterpret_cast<const momrt_table *>(facts->bytes.data()))
          .write(model->symbol(), llvm::join(llvm::split(target, ','), " and "));
  StringRef content(bytes.data(), bytes.size());
  if (!shared.empty())
    if (int status = link(content, model->symbol(), shared))
      return status;
  if (wantsObject)
    if (int status = writeFile(object, content))
      return status;
  return declared.empty() ? 0 : writeFile(declared, text);
}
