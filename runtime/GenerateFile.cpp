// Prompts from a token file, and what became of them in another.
#include "runtime/Checkpoint.h"
#include "runtime/Error.h"
#include "runtime/Generate.h"
#include "runtime/RunFile.h"
#include "runtime/Safetensors.h"
#include <algorithm>
#include <cstring>

namespace momrt {
namespace {

/// A token file as generation sees it: ids of documents, with their modalities.
struct Tokens {
  std::vector<int64_t> id, modality, document;
  std::map<std::string, std::string> texts;
};

template <typename T>
std::vector<int64_t> widened(const StoredTensor &tensor) {
  std::vector<int64_t> values(size_t(tensor.elements()));
  for (size_t at = 0; at < values.size(); ++at) {
    T value;
    std::memcpy(&value, tensor.data + at * sizeof(T), sizeof(T)); // perhaps unaligned
    values[at] = int64_t(value);
  }
  return values;
}

std::vector<int64_t> integers(const SafetensorsReader &file, const std::string &name) {
  const StoredTensor &tensor = file.get(name);
  switch (tensor.type) {
  case MOMRT_U8:
    return widened<uint8_t>(tensor);
  case MOMRT_U16:
    return widened<uint16_t>(tensor);
  case MOMRT_I32:
    return widened<int32_t>(tensor);
  case MOMRT_I64:
    return widened<int64_t>(tensor);
  default:
    fail(MOMRT_BAD_FILE, "expected '{}' of '{}' to hold integers but got {}", name, file.path,
         typeName(tensor.type));
  }
}

Tokens readTokens(const std::string &path, const Table &table, const std::string &name) {
  SafetensorsReader file(path);
  if (file.text("format") != "momc tokens")
    fail(MOMRT_BAD_FILE, "'{}' is no token file: expected the format 'momc tokens' but got '{}'",
         path, file.text("format"));
  std::vector<std::string> names = table.modalities();
  std::string modalities = fmt::format("{}", fmt::join(names, ","));
  if (!names.empty() && file.text("modalities") != modalities)
    fail(MOMRT_BAD_FILE, "expected the modalities '{}' of model '{}', but '{}' has '{}'",
         modalities, table.model(), path, file.text("modalities"));
  Tokens tokens{integers(file, name), {}, integers(file, "document"), file.metadata()};
  if (names.empty())
    tokens.modality.assign(tokens.id.size(), 0);
  else
    tokens.modality = integers(file, "modality");
  int64_t size = int64_t(tokens.id.size());
  bool good = tokens.modality.size() == tokens.id.size() && !tokens.document.empty() &&
              tokens.document.front() == 0 && tokens.document.back() == size &&
              std::is_sorted(tokens.document.begin(), tokens.document.end());
  if (!good)
    fail(MOMRT_BAD_FILE, "the documents or modalities of '{}' do not fit its {} tokens", path,
         size);
  return tokens;
}

std::vector<Prompt> promptsOf(const Tokens &tokens, const GenerateFileOptions &options) {
  std::vector<Prompt> prompts;
  int64_t count = int64_t(tokens.document.size()) - 1;
  if (options.documents)
    count = std::min(count, options.documents);
  for (int64_t at = 0; at < count; ++at) {
    int64_t begin = tokens.document[size_t(at)], end = tokens.document[size_t(at) + 1];
    if (options.prefix)
      end = std::min(end, begin + options.prefix);
    prompts.push_back({{tokens.id.begin() + begin, tokens.id.begin() + end},
                       {tokens.modality.begin() + begin, tokens.modality.begin() + end}});
  }
  return prompts;
}

/// The modality of each id that the file has, -1 for others.
std::vector<int32_t> modalitiesOf(const Tokens &tokens, int64_t ids, const std::string &path) {
  std::vector<int32_t> modality(size_t(ids), -1);
  for (size_t at = 0; at < tokens.id.size(); ++at) {
    int64_t id = tokens.id[at];
    if (id < 0 || id >= ids)
      fail(MOMRT_BAD_FILE, "'{}' has the id {}, but the model knows ids below {}", path, id, ids);
    int32_t &known = modality[size_t(id)];
    if (known >= 0 && known != tokens.modality[at])
      fail(MOMRT_BAD_FILE, "'{}' has id {} in modalities {} and {}: which one a drawn token has "
                           "cannot be told",
           path, id, known, tokens.modality[at]);
    known = int32_t(tokens.modality[at]);
  }
  return modality;
}

void writeTokens(const std::string &path, const std::string &name,
                 const std::vector<Prompt> &prompts, const Generated &made,
                 const GenerateOptions &options, const std::map<std::string, std::string> &texts) {
  std::vector<uint16_t> id;
  std::vector<uint8_t> modality;
  std::vector<int64_t> document{0};
  for (size_t at = 0; at < prompts.size(); ++at) {
    id.insert(id.end(), prompts[at].id.begin(), prompts[at].id.end());
    modality.insert(modality.end(), prompts[at].modality.begin(), prompts[at].modality.end());
    for (int32_t drawn : made.id[at]) {
      id.push_back(uint16_t(drawn));
      modality.push_back(
          uint8_t(options.modalityOf.empty() ? 0 : options.modalityOf[size_t(drawn)]));
    }
    document.push_back(int64_t(id.size()));
  }
  SafetensorsWriter writer;
  for (auto &[key, text] : texts)
    writer.setText(key, text);
  writer.add(name, MOMRT_U16, {int64_t(id.size())}, id.data());
  writer.add("modality", MOMRT_U8, {int64_t(modality.size())}, modality.data());
  writer.add("document", MOMRT_I64, {int64_t(document.size())}, document.data());
  writer.write(path);
}

} // namespace

std::string generateFile(const momrt_program *program, const SessionOptions &sessionOptions,
                         const GenerateFileOptions &options, Generated &result) noexcept {
  return textOfError([&] {
    Session session(std::make_shared<Program>(program), sessionOptions);
    const Table &table = session.table();
    const momrt_entry &entry = table.entry("next");
    const momrt_output &output = table.outputsOf(entry)[0];
    if (output.channels > UINT16_MAX)
      fail(MOMRT_BAD_ARGUMENT, "token files hold ids below {}, but model '{}' has {}",
           UINT16_MAX + 1, table.model(), output.channels);
    std::string name = table.string(output.name);
    Tokens tokens = readTokens(options.prompts, table, name);
    std::vector<Prompt> prompts = promptsOf(tokens, options);
    GenerateOptions how = options.generate;
    if (!options.ids.empty())
      how.modalityOf =
          modalitiesOf(readTokens(options.ids, table, name), output.channels, options.ids);
    else if (table.groups() > 1)
      fail(MOMRT_BAD_ARGUMENT, "model '{}' has modalities: a token file must say which one an id "
                               "has",
           table.model());
    if (options.checkpoint.empty()) {
      session.initialise(options.seed);
    } else {
      std::string file, error = findCheckpoint(options.checkpoint, file);
      if (!error.empty())
        fail(MOMRT_BAD_FILE, "{}", error);
      loadParameters(session, file);
    }
    result = generate(session, prompts, how);
    if (!options.out.empty())
      writeTokens(options.out, name, prompts, result, how, tokens.texts);
  });
}

} // namespace momrt
