/* A compiled model in a host program: its loss on a batch made here. */
#include "model.h"
#include <stdio.h>

#define TOKENS 24

static int check(momrt_result result) {
  if (result != MOMRT_OK)
    fprintf(stderr, "%s\n", momrt_last_error());
  return result == MOMRT_OK;
}

int main(void) {
  momrt_model *model = NULL;
  momrt_session *session = NULL;
  int32_t id[TOKENS], modality[TOKENS];
  momrt_segment segments[] = {{0, 9, -1, -1}, {9, TOKENS - 9, -1, -1}};
  momrt_batch batch = {1, 0, 2, TOKENS, modality, 2, segments};
  momrt_tensor ids = {id, MOMRT_I32, 0, 1, {TOKENS, 0, 0, 0}};
  float loss = 0;
  momrt_tensor out = {&loss, MOMRT_F32, 0, 1, {1, 0, 0, 0}};
  int at;
  for (at = 0; at < TOKENS; ++at) {
    id[at] = at * 37 % 1280;
    modality[at] = at / 5 % 3;
  }
  if (!check(momrt_open(&momc_program_mini, &model)) ||
      !check(momrt_session_create(model, NULL, &session)) ||
      !check(momrt_initialise(session, 1)) || !check(momrt_batch_set(session, &batch)) ||
      !check(momrt_input_set(session, "id", &ids)) || !check(momrt_run(session, "loss")) ||
      !check(momrt_output_get(session, "loss", MOMRT_OUTPUT_LOSS, "lm", &out)))
    return 1;
  printf("loss.lm: %.9g\n", loss);
  momrt_session_destroy(session);
  momrt_close(model);
  return 0;
}
