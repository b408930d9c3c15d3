// The C interface: sequences that a model continues.
#include "runtime/Abi.h"
#include "runtime/Generate.h"
#include <algorithm>

using namespace momrt;

static std::vector<Prompt> promptsOf(const momrt_generate_options &given) {
  if (given.prompts < 0)
    fail(MOMRT_BAD_ARGUMENT, "expected at least 0 prompts but got {}", given.prompts);
  std::vector<Prompt> prompts;
  const int32_t *id = given.id, *modality = given.modality;
  for (int64_t at = 0; at < given.prompts; ++at) {
    int64_t length = (&checked(given.lengths, "the prompts' lengths"))[at];
    if (length < 1)
      fail(MOMRT_BAD_ARGUMENT, "expected at least one token in prompt {} but got {}", at, length);
    checked(id, "the prompts' ids");
    Prompt prompt{{id, id + length}, std::vector<int32_t>(size_t(length), 0)};
    if (modality) {
      std::copy(modality, modality + length, prompt.modality.begin());
      modality += length;
    }
    id += length;
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

static GenerateOptions optionsOf(const momrt_generate_options &given) {
  GenerateOptions options;
  options.sampling = {given.temperature, given.top_k, given.top_p, given.seed};
  options.tokens = given.tokens;
  if (given.stop_count > 0) {
    const int32_t *stops = &checked(given.stops, "the ids to stop at");
    options.stops.assign(stops, stops + given.stop_count);
  }
  if (given.modality_of && given.ids > 0)
    options.modalityOf.assign(given.modality_of, given.modality_of + given.ids);
  if (given.token)
    options.onToken = [given](int64_t prompt, int32_t id) {
      return given.token(given.context, prompt, id) == 0;
    };
  return options;
}

momrt_result momrt_generate(momrt_session *session, const momrt_generate_options *options,
                            int32_t *drawn, int64_t *counts) {
  return onSession(session, [&](Session &target) {
    const momrt_generate_options &given = checked(options, "options");
    Generated made = generate(target, promptsOf(given), optionsOf(given));
    for (size_t at = 0; at < made.id.size(); ++at) {
      if (drawn)
        std::copy(made.id[at].begin(), made.id[at].end(), drawn + int64_t(at) * given.tokens);
      if (counts)
        counts[at] = int64_t(made.id[at].size());
    }
  });
}
