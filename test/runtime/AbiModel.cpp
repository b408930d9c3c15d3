// The small model's program for a test that is written in C.
#include "TinyModel.h"

extern "C" const momrt_program *tinyProgram() {
  static tiny::Model model;
  return &model.program;
}
