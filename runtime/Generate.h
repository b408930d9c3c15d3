// Sequences that a model continues, a token at a time.
#pragma once

#include "runtime/Session.h"
#include <functional>
#include <string>
#include <vector>

namespace momrt {

/// How a token is drawn: by the softmax of logits / temperature.
struct Sampling {
  double temperature = 1; ///< 0: always the likeliest
  int64_t topK = 0;       ///< of so many likeliest ids only; 0: of all
  double topP = 1;        ///< of the likeliest ids that have this share together
  uint64_t seed = 1;
};

struct Prompt {
  std::vector<int32_t> id, modality; // [tokens], at least one
};

struct GenerateOptions {
  Sampling sampling;
  int64_t tokens = 256;            ///< new ones a prompt, at most
  std::vector<int32_t> stops;      ///< ids after which a sequence ends
  std::vector<int32_t> modalityOf; ///< [ids] of what is drawn, -1: never; empty: all the first
  /// Called for each new token, in the order of prompts; false ends the run.
  std::function<bool(int64_t prompt, int32_t id)> onToken;
};

struct Generated {
  std::vector<std::vector<int32_t>> id; ///< [prompts] the new tokens, with the stop
  double promptSeconds = 0, seconds = 0; ///< for the prompts; for the tokens after the first
  int64_t steps = 0;                     ///< that the latter took
};

/// Runs the entry "next": on all prompts side by side, some of their tokens at a time, then
/// on one token of each, which the entry "draw" drew. A GPU takes a step as one graph, and
/// the host reads what was drawn while the next step is under way. A sequence's tokens
/// depend on its number and its prompt, not on what is beside it.
Generated generate(Session &session, const std::vector<Prompt> &prompts,
                   const GenerateOptions &options);

/// The same for callers without exceptions: documents of a token file are prompts, and what
/// became of them is written to another. An error is a text, empty if there was none.
struct GenerateFileOptions {
  GenerateOptions generate;
  std::string prompts, out;
  std::string ids;        ///< token file whose ids, with their modalities, may be drawn
  std::string checkpoint; ///< of parameters; empty: initial ones
  uint64_t seed = 1;      ///< of those
  int64_t documents = 0;  ///< the first so many; 0: all
  int64_t prefix = 0;     ///< their first so many tokens; 0: all
};
std::string generateFile(const momrt_program *program, const SessionOptions &session,
                         const GenerateFileOptions &options, Generated &result) noexcept;

} // namespace momrt
