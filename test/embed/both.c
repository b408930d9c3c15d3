/* One program for two targets in one process: both learn the same from the same start, and
 * go on with the same sequence. Without a GPU the message says what there is no device for. */
#include "both.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 24, TOKENS = 192, STEPS = 60, NEW = 12 };

typedef struct {
  float first, last; /* losses */
  int32_t drawn[NEW];
} Outcome;

static int check(momrt_result result) {
  if (result != MOMRT_OK)
    fprintf(stderr, "%s\n", momrt_last_error());
  return result == MOMRT_OK;
}

static int step(momrt_session *session, int number, float *loss) {
  static int32_t id[TOKENS], modality[TOKENS];
  momrt_segment document = {0, TOKENS, -1, -1};
  momrt_batch batch = {1, 0, 1, TOKENS, modality, 1, &document};
  momrt_tensor ids = {id, MOMRT_I32, MOMRT_HOST, 1, {TOKENS, 0, 0, 0}};
  momrt_tensor out = {loss, MOMRT_F32, MOMRT_HOST, 1, {1, 0, 0, 0}};
  for (int at = 0; at < TOKENS; ++at) {
    id[at] = (number * 7 + at) % IDS;
    modality[at] = id[at] / 8;
  }
  return check(momrt_batch_set(session, &batch)) && check(momrt_input_set(session, "id", &ids)) &&
         check(momrt_run(session, "gradient")) &&
         check(momrt_output_get(session, "gradient", MOMRT_OUTPUT_LOSS, "lm", &out)) &&
         check(momrt_step_set(session, number, STEPS)) && check(momrt_run(session, "update"));
}

static int run(momrt_model *model, Outcome *outcome) {
  momrt_session *session = NULL;
  momrt_generate_options options = {0};
  momrt_value logits;
  const int32_t prompt[] = {3, 4, 5}, kinds[] = {0, 0, 0};
  const int64_t length = 3;
  int good = check(momrt_session_create(model, NULL, &session)) &&
             check(momrt_initialise(session, 7)) &&
             check(momrt_output_describe(model, "next", 0, &logits));
  for (int number = 1; good && number <= STEPS; ++number) {
    good = step(session, number, &outcome->last);
    if (number == 1)
      outcome->first = outcome->last;
  }
  if (good) {
    int32_t *modality = malloc((size_t)logits.channels * sizeof *modality);
    for (int64_t id = 0; id < logits.channels; ++id)
      modality[id] = id < IDS ? (int32_t)id / 8 : -1;
    options.prompts = 1;
    options.lengths = &length;
    options.id = prompt;
    options.modality = kinds;
    options.top_p = 1;
    options.tokens = NEW; /* at temperature 0 */
    options.modality_of = modality;
    options.ids = logits.channels;
    good = check(momrt_generate(session, &options, outcome->drawn, NULL));
    free(modality);
  }
  momrt_session_destroy(session);
  return good;
}

static void print(const char *where, const Outcome *outcome) {
  printf("%s: loss %.4f, then %.4f; after 5:", where, outcome->first, outcome->last);
  for (int at = 0; at < NEW; ++at)
    printf(" %d", outcome->drawn[at]);
  printf("\n");
}

int main(void) {
  momrt_model *any = NULL, *host = NULL, *gpu = NULL;
  momrt_model_info info;
  Outcome here, there;
  if (!check(momrt_open(&momc_program_both, &any)) || !check(momrt_model_describe(any, &info)) ||
      !check(momrt_open_on(&momc_program_both, MOMRT_HOST, &host)) || !run(host, &here))
    return 1;
  printf("opened for %s\n", info.target ? "a GPU" : "the CPU");
  print("the CPU", &here);
  momrt_result result = momrt_open_on(&momc_program_both, MOMRT_GPU(0), &gpu);
  if (result != MOMRT_OK) {
    printf("GPU 0: %s\n", momrt_last_error());
    momrt_close(host);
    momrt_close(any);
    return result == MOMRT_DEVICE && !info.target ? 0 : 1;
  }
  if (!run(gpu, &there))
    return 1;
  print("GPU 0", &there);
  momrt_close(gpu);
  momrt_close(host);
  momrt_close(any);
  int same = fabsf(here.first - there.first) < 0.02f * here.first &&
             fabsf(here.last - there.last) < 0.1f * here.first &&
             !memcmp(here.drawn, there.drawn, sizeof here.drawn);
  printf("%s\n", same ? "both agree" : "they differ");
  return !same;
}
