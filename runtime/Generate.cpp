#include "runtime/Generate.h"
#include "runtime/Error.h"
#include "runtime/ThreadPool.h"
#include <algorithm>
#include <chrono>
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
  Generated run();

private:
  using Piece = std::vector<int32_t>;
  void checkPrompts() const;
  void readPrompts();
  void forward(const std::vector<Prompt> &pieces, const std::vector<char> &isFirst);
  bool draw(int64_t step);
  void drawAll(int64_t step);
  void step();
  double passed();

  int64_t count() const { return int64_t(prompts.size()); }
  int32_t modalityOf(int32_t id) const {
    return options.modalityOf.empty() ? 0 : options.modalityOf[size_t(id)];
  }

  Session &session;
  const std::vector<Prompt> &prompts;
  const GenerateOptions &options;
  const momrt_entry &entry;
  const momrt_input *input = nullptr;
  const momrt_output *output = nullptr;
  std::string name; // of both
  std::vector<char> allowed;     // [ids], empty: all
  std::vector<Sampler> samplers; // [prompts]
  std::optional<ThreadPool> pool; // where the session has no threads of its own
  std::vector<int32_t> drawn;     // [prompts]
  std::vector<int64_t> last;  // [prompts] position of each one's last token, or -1
  std::vector<float> logits;  // [prompts, ids]
  std::vector<char> ended;    // [prompts]
  Generated result;
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
};
} // namespace

Generation::Generation(Session &session, const std::vector<Prompt> &prompts,
                       const GenerateOptions &options)
    : session(session), prompts(prompts), options(options), entry(nextEntry(session.table())),
      drawn(prompts.size()), ended(prompts.size()) {
  const Table &table = session.table();
  for (const momrt_output &made : table.outputsOf(entry))
    if (!output) // a model may predict several; the first is drawn
      output = &made;
  if (!output)
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
  if (!options.modalityOf.empty()) {
    if (int64_t(options.modalityOf.size()) != output->channels)
      fail(MOMRT_BAD_ARGUMENT, "expected the modalities of {} ids but got {}", output->channels,
           options.modalityOf.size());
    for (int32_t modality : options.modalityOf)
      allowed.push_back(modality >= 0);
  }
  for (int64_t at = 0; at < count(); ++at)
    samplers.emplace_back(options.sampling, allowed);
  if (count() > 1 && session.device().number())
    pool.emplace(int(std::min<int64_t>(count(), availableCores())));
  checkPrompts();
}

void Generation::checkPrompts() const {
  if (options.tokens < 0)
    fail(MOMRT_BAD_ARGUMENT, "expected at least 0 new tokens but got {}", options.tokens);
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
  last.assign(pieces.size(), -1);
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

/// An id for each sequence that has not ended, from its logits.
void Generation::drawAll(int64_t step) {
  int64_t ids = output->channels;
  std::vector<std::exception_ptr> errors(prompts.size());
  auto one = [&](int64_t at) noexcept {
    try {
      if (!ended[size_t(at)])
        drawn[size_t(at)] = samplers[size_t(at)].draw(logits.data() + at * ids, ids, at, step);
    } catch (...) {
      errors[size_t(at)] = std::current_exception();
    }
  };
  using One = decltype(one);
  if (pool)
    pool->run(count(), [](void *body, int64_t at, void *) { (*static_cast<One *>(body))(at); },
              &one);
  for (int64_t at = 0; at < count() && !pool; ++at)
    one(at);
  for (const std::exception_ptr &error : errors)
    if (error)
      std::rethrow_exception(error);
}

/// A new token for each sequence that has not ended; false once none is left.
bool Generation::draw(int64_t step) {
  int64_t ids = output->channels;
  logits.resize(size_t(count() * ids));
  bool dense = last.front() == 0 && last.back() == count() - 1;
  if (dense)
    session.readRows(*output, 0, count(), logits.data());
  for (int64_t at = 0; at < count() && !dense; ++at)
    session.readRows(*output, last[size_t(at)], 1, logits.data() + at * ids);
  drawAll(step);
  bool any = false;
  for (int64_t at = 0; at < count(); ++at) {
    if (ended[size_t(at)])
      continue;
    int32_t id = drawn[size_t(at)];
    result.id[size_t(at)].push_back(id);
    if (options.onToken && !options.onToken(at, id))
      return false;
    bool stops = std::find(options.stops.begin(), options.stops.end(), id) != options.stops.end();
    ended[size_t(at)] = stops;
    any |= !stops;
  }
  return any;
}

/// One token of each sequence. Those that have ended repeat their last one, so that all
/// steps are of one shape, and so one graph on a GPU.
void Generation::step() {
  std::vector<Prompt> pieces;
  for (const std::vector<int32_t> &made : result.id)
    pieces.push_back({{made.back()}, {modalityOf(made.back())}});
  forward(pieces, std::vector<char>(pieces.size()));
}

Generated Generation::run() {
  result.id.resize(prompts.size());
  if (prompts.empty() || !options.tokens)
    return std::move(result);
  readPrompts();
  bool more = draw(0);
  result.promptSeconds = passed();
  for (int64_t token = 1; more && token < options.tokens; ++token) {
    step();
    more = draw(token);
    ++result.steps;
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
