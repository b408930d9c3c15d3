/* Teaches a compiled Mixture-of-Mamba to count, in a host program of one's own, and lets it
 * go on with sequences: two side by side, each token on the device that the program runs on.
 * A program for several targets takes a GPU if there is one that it is compiled for. */
#include "counter.h"
#include <stdio.h>
#include <stdlib.h>

enum { IDS = 24, TOKENS = 192, STEPS = 150, NEW = 9 };

static void check(momrt_result result) {
  if (result == MOMRT_OK)
    return;
  fprintf(stderr, "%s\n", momrt_last_error());
  exit(1);
}

/* An id says which modality, and so which weights, its token has. */
static int32_t modalityOf(int32_t id) { return id / 8; }

static float trainStep(momrt_session *session, int step) {
  static int32_t id[TOKENS], modality[TOKENS];
  float loss = 0;
  momrt_segment documents[] = {{0, TOKENS / 2, -1, -1}, {TOKENS / 2, TOKENS / 2, -1, -1}};
  momrt_batch batch = {1, 0, 2, TOKENS, modality, 2, documents};
  momrt_tensor ids = {id, MOMRT_I32, MOMRT_HOST, 1, {TOKENS, 0, 0, 0}};
  momrt_tensor out = {&loss, MOMRT_F32, MOMRT_HOST, 1, {1, 0, 0, 0}};
  for (int at = 0; at < TOKENS; ++at) {
    id[at] = (step * 7 + at) % IDS;
    modality[at] = modalityOf(id[at]);
  }
  check(momrt_batch_set(session, &batch));
  check(momrt_input_set(session, "id", &ids));
  check(momrt_run(session, "gradient"));
  check(momrt_output_get(session, "gradient", MOMRT_OUTPUT_LOSS, "lm", &out));
  check(momrt_step_set(session, step, STEPS));
  check(momrt_run(session, "update"));
  return loss;
}

/* Called as soon as a token is drawn; anything but 0 would end the run. */
static int announce(void *context, int64_t prompt, int32_t id) {
  (void)id;
  return ++((int64_t *)context)[prompt] > NEW;
}

int main(void) {
  momrt_model *model = NULL;
  momrt_session *session = NULL;
  momrt_model_info info;
  momrt_value logits;
  check(momrt_open(&momc_program_counter, &model));
  check(momrt_model_describe(model, &info));
  check(momrt_output_describe(model, "next", 0, &logits));
  check(momrt_session_create(model, NULL, &session));
  check(momrt_initialise(session, 7));
  float loss = 0;
  for (int step = 1; step <= STEPS; ++step)
    loss = trainStep(session, step);
  printf("on %s, loss %.3f\n", info.target ? "a GPU" : "the CPU", loss);

  /* Ids that the model knows but the counting has not are never drawn. */
  int32_t *modality = malloc((size_t)logits.channels * sizeof *modality);
  for (int64_t id = 0; id < logits.channels; ++id)
    modality[id] = id < IDS ? modalityOf((int32_t)id) : -1;
  const int32_t prompt[] = {3, 4, 5, 6, 20, 21}, kinds[] = {0, 0, 0, 0, 2, 2};
  const int64_t lengths[] = {4, 2};
  int64_t seen[2] = {0, 0}, counts[2];
  int32_t drawn[2][NEW];
  momrt_generate_options options = {0};
  options.prompts = 2;
  options.lengths = lengths;
  options.id = prompt;
  options.modality = kinds;
  options.temperature = 0.2;
  options.top_k = 4;
  options.top_p = 0.95;
  options.seed = 1;
  options.tokens = NEW;
  options.modality_of = modality;
  options.ids = logits.channels;
  options.token = announce;
  options.context = seen;
  check(momrt_generate(session, &options, &drawn[0][0], counts));
  for (int at = 0; at < 2; ++at) {
    printf("after %d:", prompt[at ? 5 : 3]);
    for (int64_t token = 0; token < counts[at]; ++token)
      printf(" %d", drawn[at][token]);
    printf("\n");
  }
  free(modality);
  momrt_session_destroy(session);
  momrt_close(model);
  return seen[0] == NEW && seen[1] == NEW ? 0 : 1;
}
