/* Trains a compiled Mixture-of-Mamba for a few steps in a host program of one's own, on
 * tokens that count upwards: the next one can be learnt. */
#include "mixture.h"
#include <stdio.h>
#include <stdlib.h>

enum { TOKENS = 128, STEPS = 20 };

static void check(momrt_result result) {
  if (result == MOMRT_OK)
    return;
  fprintf(stderr, "%s\n", momrt_last_error());
  exit(1);
}

/* Two documents, whose modalities change every eight tokens. */
static void setBatch(momrt_session *session, int step) {
  static int32_t id[TOKENS], modality[TOKENS];
  momrt_segment documents[] = {{0, TOKENS / 2, -1, -1}, {TOKENS / 2, TOKENS / 2, -1, -1}};
  momrt_batch batch = {1, 0, 2, TOKENS, modality, 2, documents};
  momrt_tensor ids = {id, MOMRT_I32, MOMRT_HOST, 1, {TOKENS, 0, 0, 0}};
  for (int at = 0; at < TOKENS; ++at) {
    id[at] = (step * 7 + at) % 32;
    modality[at] = at / 8 % 3;
  }
  check(momrt_batch_set(session, &batch));
  check(momrt_input_set(session, "id", &ids));
}

int main(void) {
  momrt_model *model = NULL;
  momrt_session *session = NULL;
  float loss = 0;
  momrt_tensor out = {&loss, MOMRT_F32, MOMRT_HOST, 1, {1, 0, 0, 0}};
  check(momrt_open(&momc_program_mixture, &model));
  check(momrt_session_create(model, NULL, &session));
  check(momrt_initialise(session, 7));
  for (int step = 1; step <= STEPS; ++step) {
    setBatch(session, step);
    check(momrt_run(session, "gradient"));
    check(momrt_output_get(session, "gradient", MOMRT_OUTPUT_LOSS, "lm", &out));
    check(momrt_step_set(session, step, STEPS)); /* the train block's learning rate */
    check(momrt_run(session, "update"));
    printf("step %d: loss %.4f\n", step, loss);
  }
  check(momrt_save(session, "trained.safetensors"));
  momrt_session_destroy(session);
  momrt_close(model);
  return 0;
}
