#include "runtime/Generate.h"
#include "runtime/Error.h"
#include "runtime/Philox.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

namespace momrt {

/// Logits of a run over prompts take at most so many elements.
static constexpr int64_t kMostLogits = INT64_C(1) << 26;

static const momrt_entry &nextEntry(const Table &table) {
  if (const momrt_entry *entry = table.findEntry("next"))
    return *entry;
  fail(MOMRT_BAD_ARGUMENT,
       "the program of model '{}' has no entry 'next': compile it with that entry", table.model());
}

namespace {
class Generation {
public:
  Generation(Session &session, const std::vector<Prompt> &prompts, const GenerateOptions &options);
  ~Generation();
  Generated run();

private:
  void findEntries();
  void checkOptions() const;
  void checkPrompts() const;
  void readPrompts();
  void forward(const std::vector<Prompt> &pieces, const std::vector<char> &isFirst);
  void takeLogits();
  void setSteps();
  void setDraw();
  void step();
  void fetch(int64_t token);
  bool read(int64_t token);
  double passed();

  int64_t count() const { return int64_t(prompts.size()); }
  int32_t *drawn(int64_t token) { // [prompts] of a token and the one after, in turn
    return reinterpret_cast<int32_t *>(host.data()) + token % 2 * count();
  }

  Session &session;
  Device &device;
  const std::vector<Prompt> &prompts;
  const GenerateOptions &options;
  const momrt_entry &entry;
  const momrt_input *input = nullptr;
  const momrt_output *output = nullptr;
  std::string name; // of both
  std::vector<std::string> entries; // of a step
  bool routesOnHost;                // between two steps
  std::vector<int64_t> last;        // [prompts] position of each one's last token
  Buffer logits;                    // f32 [prompts, ids]
  HostBuffer host;
  Mark marks[2] = {};               // when drawn(token) is there
  std::vector<char> ended;          // [prompts]
  Generated result;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
};
} // namespace

Generation::Generation(Session &session, const std::vector<Prompt> &prompts,
                       const GenerateOptions &options)
    : session(session), device(session.device()), prompts(prompts), options(options),
      entry(nextEntry(session.table())),
      host(device, 2 * std::max<int64_t>(count(), 1) * int64_t(sizeof(int32_t))),
      ended(prompts.size()) {
  findEntries();
  checkOptions();
  checkPrompts();
}

/// The session must not keep what was lent to it.
Generation::~Generation() {
  if (!logits.data())
    return;
  try {
    session.bindOutput(*output, nullptr);
    session.bindInput("draw.logits", MOMRT_F32, count(), output->channels, nullptr);
  } catch (...) { // of another batch: it has forgotten
  }
}

void Generation::findEntries() {
  const Table &table = session.table();
  for (const momrt_output &made : table.outputsOf(entry))
    if (!output) // a model may predict several; the first is drawn
      output = &made;
  if (!output || output->type != MOMRT_F32)
    fail(MOMRT_BAD_TABLE, "damaged launch table: entry 'next' gives no logits");
  name = table.string(output->name);
  for (const momrt_input &wanted : table.inputsOf(entry)) {
    if (name != table.string(wanted.name))
      fail(MOMRT_BAD_ARGUMENT,
           "only '{}' is drawn, but model '{}' also reads '{}' of each token: generate it by "
           "running the entry 'next'",
           name, table.model(), table.string(wanted.name));
    input = &wanted;
  }
  if (!input || input->count != MOMRT_COUNT_TOKEN || input->type != MOMRT_I32 ||
      input->channels != 1)
    fail(MOMRT_BAD_TABLE, "damaged launch table: entry 'next' predicts '{}', which is not ids of "
                          "tokens",
         name);
  const momrt_entry *plan = table.planEntry();
  if (plan)
    entries.push_back(table.string(plan->name));
  entries.insert(entries.end(), {"next", "draw"});
  routesOnHost = !plan && table.groups() > 1;
}

void Generation::checkOptions() const {
  const Sampling &how = options.sampling;
  if (!(how.temperature >= 0) || std::isinf(how.temperature))
    fail(MOMRT_BAD_ARGUMENT, "expected a temperature of at least 0 but got {}", how.temperature);
  if (how.topK < 0)
    fail(MOMRT_BAD_ARGUMENT, "expected a top-k of at least 0 but got {}", how.topK);
  if (!(how.topP > 0 && how.topP <= 1))
    fail(MOMRT_BAD_ARGUMENT, "expected a top-p above 0 and at most 1 but got {}", how.topP);
  if (options.tokens < 0)
    fail(MOMRT_BAD_ARGUMENT, "expected at least 0 new tokens but got {}", options.tokens);
  for (int32_t id : options.stops)
    if (id < 0 || id >= output->channels)
      fail(MOMRT_BAD_ARGUMENT, "expected ids to stop at from 0 to {} but got {}",
           output->channels - 1, id);
  const std::vector<int32_t> &of = options.modalityOf;
  if (of.empty())
    return;
  if (int64_t(of.size()) != output->channels)
    fail(MOMRT_BAD_ARGUMENT, "expected the modalities of {} ids but got {}", output->channels,
         of.size());
  if (std::all_of(of.begin(), of.end(), [](int32_t modality) { return modality < 0; }))
    fail(MOMRT_BAD_ARGUMENT, "none of {} ids may be drawn: their modalities are negative",
         of.size());
  if (int32_t most = *std::max_element(of.begin(), of.end()); most >= session.table().groups())
    fail(MOMRT_BAD_ARGUMENT, "expected modalities of ids below {} but got {}",
         session.table().groups(), most);
}

void Generation::checkPrompts() const {
  for (int64_t at = 0; at < count(); ++at) {
    const Prompt &prompt = prompts[size_t(at)];
    if (prompt.id.empty() || prompt.id.size() != prompt.modality.size())
      fail(MOMRT_BAD_ARGUMENT, "expected at least one token, with its modality, in prompt {}, but "
                               "it has {} and {}",
           at, prompt.id.size(), prompt.modality.size());
    for (int32_t id : prompt.id)
      if (id < 0 || (input->limit && id >= input->limit))
        fail(MOMRT_BAD_ARGUMENT, "expected ids below {} but prompt {} has {}", input->limit, at,
             id);
    checkModalities(prompt.modality, session.table().groups());
  }
}

double Generation::passed() {
  auto now = std::chrono::steady_clock::now();
  double seconds = std::chrono::duration<double>(now - begin).count();
  begin = now;
  return seconds;
}

/// Runs the entry on a piece of each sequence, which may be empty.
void Generation::forward(const std::vector<Prompt> &pieces, const std::vector<char> &isFirst) {
  BatchDescription batch;
  batch.streams = count();
  BatchInput ids{name, MOMRT_I32, 0, 1, {}};
  last.assign(pieces.size(), 0);
  std::vector<int32_t> all;
  for (size_t at = 0; at < pieces.size(); ++at) {
    const Prompt &piece = pieces[at];
    int64_t start = int64_t(all.size()), length = int64_t(piece.id.size());
    if (!length)
      continue;
    batch.segments.push_back({start, length, isFirst[at] ? -1 : int64_t(at), int64_t(at)});
    all.insert(all.end(), piece.id.begin(), piece.id.end());
    batch.modality.insert(batch.modality.end(), piece.modality.begin(), piece.modality.end());
    last[at] = start + length - 1;
  }
  ids.rows = int64_t(all.size());
  ids.bytes.resize(all.size() * sizeof(int32_t));
  std::memcpy(ids.bytes.data(), all.data(), ids.bytes.size());
  Batch whole(std::move(batch), session.table().groups());
  whole.inputs.push_back(std::move(ids));
  session.setBatch(whole);
  session.run("next");
}

/// All prompts end together, so that no state has to wait: one without a segment in a run
/// is not kept.
void Generation::readPrompts() {
  int64_t longest = 0;
  for (const Prompt &prompt : prompts)
    longest = std::max(longest, int64_t(prompt.id.size()));
  int64_t length = std::max<int64_t>(kMostLogits / output->channels / count(), 1);
  for (int64_t before = (longest + length - 1) / length * length; before > 0; before -= length) {
    std::vector<Prompt> pieces;
    std::vector<char> isFirst;
    for (const Prompt &prompt : prompts) {
      int64_t size = int64_t(prompt.id.size());
      int64_t from = std::max<int64_t>(size - before, 0);
      int64_t to = std::max<int64_t>(size - before + length, 0);
      pieces.push_back({{prompt.id.begin() + from, prompt.id.begin() + to},
                        {prompt.modality.begin() + from, prompt.modality.begin() + to}});
      isFirst.push_back(from == 0);
    }
    forward(pieces, isFirst);
  }
  session.checkStatus();
}

/// Brings the logits of the last tokens together: what "next" leaves moves with batches.
void Generation::takeLogits() {
  int64_t row = output->channels * int64_t(sizeof(float));
  logits = Buffer(device, count() * row);
  for (int64_t at = 0; at < count(); ++at)
    session.copyRows(*output, last[size_t(at)], 1, logits.data() + at * row);
}

/// The batch of all steps: a token of each sequence, which entries replace.
void Generation::setSteps() {
  BatchDescription batch;
  batch.streams = count();
  for (int64_t at = 0; at < count(); ++at)
    batch.segments.push_back({at, 1, at, at});
  batch.modality.assign(prompts.size(), 0);
  Batch whole(std::move(batch), session.table().groups());
  whole.inputs.push_back({name, MOMRT_I32, count(), 1,
                          std::vector<uint8_t>(prompts.size() * sizeof(int32_t))});
  session.setBatch(whole);
  session.bindOutput(*output, logits.data());
  session.bindInput("draw.logits", MOMRT_F32, count(), output->channels, logits.data());
  setDraw();
}

void Generation::setDraw() {
  const Sampling &how = options.sampling;
  bool likeliest = how.temperature == 0; // or so close to it that its inverse is none
  double scale = likeliest ? 1 : 1.442695040888963407 / how.temperature; // log2(e)
  likeliest |= scale > 1e30;
  float limits[] = {float(likeliest ? 1 : scale), float(how.topP)};
  int64_t top = std::min<int64_t>(likeliest ? 1 : how.topK, output->channels);
  int32_t words[] = {int32_t(how.seed), int32_t(how.seed >> 32), int32_t(top)};
  std::vector<int32_t> places; // [prompts, 3]
  for (int64_t at = 0; at < count(); ++at) {
    uint64_t purpose = hashName("sample/" + std::to_string(at));
    places.insert(places.end(), {int32_t(purpose), int32_t(purpose >> 32), 0});
  }
  std::vector<int32_t> groups = options.modalityOf;
  groups.resize(size_t(output->channels)); // of the first, if none are given
  session.setInput("draw.place", MOMRT_I32, count(), 3, places.data());
  session.setInput("draw.limits", MOMRT_F32, 1, 2, limits);
  session.setInput("draw.how", MOMRT_I32, 1, 3, words);
  session.setInput("draw.groups", MOMRT_I32, 1, output->channels, groups.data());
}

/// Reads the tokens that were drawn, and draws the next ones.
void Generation::step() {
  session.runTogether(entries);
  ++result.steps;
}

/// Begins to bring what was drawn last to the host.
void Generation::fetch(int64_t token) {
  device.copyOutLater(drawn(token), session.addressOf(*input),
                      count() * int64_t(sizeof(int32_t)));
  marks[token % 2] = device.mark();
}

/// Waits for a token of each sequence; false once no sequence wants more. One that has ended
/// is drawn on and forgotten, so that all steps are of one shape.
bool Generation::read(int64_t token) {
  device.await(marks[token % 2]);
  bool any = false;
  for (int64_t at = 0; at < count(); ++at) {
    if (ended[size_t(at)])
      continue;
    int32_t id = drawn(token)[at];
    result.id[size_t(at)].push_back(id);
    if (options.onToken && !options.onToken(at, id))
      return false;
    bool stops = std::find(options.stops.begin(), options.stops.end(), id) != options.stops.end();
    ended[size_t(at)] = stops;
    any |= !stops;
  }
  return any;
}

Generated Generation::run() {
  result.id.resize(prompts.size());
  if (prompts.empty() || !options.tokens)
    return std::move(result);
  readPrompts();
  takeLogits();
  setSteps();
  session.run("draw");
  fetch(0);
  // A GPU's next step is under way while the host reads this one.
  bool ahead = device.number() && !routesOnHost;
  for (int64_t token = 0; token < options.tokens; ++token) {
    bool last = token + 1 == options.tokens;
    if (ahead && !last) {
      step();
      fetch(token + 1);
    }
    bool more = read(token);
    if (token == 0)
      result.promptSeconds = passed();
    if (!more || last)
      break;
    if (ahead)
      continue;
    if (routesOnHost) {
      std::vector<int32_t> modality;
      for (int64_t at = 0; at < count(); ++at)
        modality.push_back(options.modalityOf.empty()
                               ? 0
                               : options.modalityOf[size_t(drawn(token)[at])]);
      session.setModality(modality.data(), /*onDevice=*/false);
    }
    step();
    fetch(token + 1);
  }
  session.checkStatus();
  result.seconds = passed();
  return std::move(result);
}

Generated generate(Session &session, const std::vector<Prompt> &prompts,
                   const GenerateOptions &options) {
  return Generation(session, prompts, options).run();
}

} // namespace momrt
