#include "TinyModel.h"
#include <algorithm>
#include <cmath>

namespace tiny {
namespace {

constexpr int64_t kTile = 4;

template <typename T> T *as(void *const *buffers, int at) { return static_cast<T *>(buffers[at]); }

/// The rows of a block, by the true count.
struct Rows {
  int64_t begin, end;
  Rows(const int64_t *counts, int64_t block)
      : begin(block * kTile), end(std::min(begin + kTile, counts[MOMRT_COUNT_TOKEN])) {}
};

/// prediction[row] = embed[id of its position]; ids must be below the vocabulary
void embed(void *const *buffers, int64_t block, void *) {
  const int32_t *id = as<int32_t>(buffers, 1), *position = as<int32_t>(buffers, 2);
  const float *weight = as<float>(buffers, 3);
  int64_t vocabulary = *as<int64_t>(buffers, 5);
  auto *status = as<momrt_status>(buffers, 6);
  for (auto [row, end] = Rows(as<int64_t>(buffers, 0), block); row < end; ++row) {
    int32_t index = id[position[row]];
    if (index < 0 || index >= vocabulary) {
      int32_t none = 0;
      if (__atomic_compare_exchange_n(&status->code, &none, MOMRT_ERROR_INDEX, false,
                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        status->row = row;
        status->value = index;
      }
      continue;
    }
    as<float>(buffers, 4)[row] = weight[index];
  }
}

/// Leaves the vocabulary where `embed` reads it, through the worker's scratch.
template <int64_t vocabulary> void constant(void *const *buffers, int64_t, void *scratch) {
  *static_cast<int64_t *>(scratch) = vocabulary;
  *as<int64_t>(buffers, 0) = *static_cast<int64_t *>(scratch);
}

/// next[row] = prediction[row] + shift[modality]
void layer(void *const *buffers, int64_t block, void *) {
  const int32_t *position = as<int32_t>(buffers, 1), *modality = as<int32_t>(buffers, 2);
  for (auto [row, end] = Rows(as<int64_t>(buffers, 0), block); row < end; ++row)
    as<float>(buffers, 5)[row] =
        as<float>(buffers, 4)[row] + as<float>(buffers, 3)[modality[position[row]]];
}

/// Sums of squares by modality in the order of rows, and d loss / d prediction.
void loss(void *const *buffers, int64_t, void *) {
  int64_t tokens = as<int64_t>(buffers, 0)[MOMRT_COUNT_TOKEN];
  const int64_t *offsets = as<int64_t>(buffers, 1);
  const int32_t *position = as<int32_t>(buffers, 2), *id = as<int32_t>(buffers, 3);
  const float *prediction = as<float>(buffers, 4);
  float *sums = as<float>(buffers, 5), *counts = sums + kModalities, *total = counts + kModalities;
  total[0] = 0;
  for (int64_t group = 0; group < kModalities; ++group) {
    sums[group] = 0;
    counts[group] = float(offsets[group + 1] - offsets[group]);
    for (int64_t row = offsets[group]; row < offsets[group + 1]; ++row) {
      float lack = prediction[row] - float(id[position[row]] % 4);
      sums[group] += lack * lack;
      as<float>(buffers, 6)[row] = 2 * lack / float(tokens);
    }
    total[0] += sums[group];
  }
  total[1] = float(tokens);
  total[2] = total[0] / total[1];
}

/// gradient[modality] = sum of a group's rows
void layerGradient(void *const *buffers, int64_t, void *) {
  const int64_t *offsets = as<int64_t>(buffers, 0);
  for (int64_t group = 0; group < kModalities; ++group) {
    float sum = 0;
    for (int64_t row = offsets[group]; row < offsets[group + 1]; ++row)
      sum += as<float>(buffers, 1)[row];
    as<float>(buffers, 2)[group] = sum;
  }
}

/// Block v sums the rows with id v.
void embedGradient(void *const *buffers, int64_t block, void *) {
  int64_t tokens = as<int64_t>(buffers, 0)[MOMRT_COUNT_TOKEN];
  float sum = 0;
  for (int64_t position = 0; position < tokens; ++position)
    if (as<int32_t>(buffers, 1)[position] == block)
      sum += as<float>(buffers, 3)[as<int32_t>(buffers, 2)[position]];
  as<float>(buffers, 4)[block] = sum;
}

/// Predictions by position, for the caller.
void unsort(void *const *buffers, int64_t block, void *) {
  for (auto [at, end] = Rows(as<int64_t>(buffers, 0), block); at < end; ++at)
    as<float>(buffers, 3)[at] = as<float>(buffers, 2)[as<int32_t>(buffers, 1)[at]];
}

/// AdamW over all elements, and the gradient's norm.
template <int64_t elements> void update(void *const *buffers, int64_t, void *) {
  float *weight = as<float>(buffers, 0), *gradient = as<float>(buffers, 1);
  float *first = as<float>(buffers, 2), *second = as<float>(buffers, 3);
  const float *hyper = as<float>(buffers, 4);
  float square = 0;
  for (int64_t at = 0; at < elements; ++at)
    square += gradient[at] * gradient[at];
  float norm = std::sqrt(square), scale = std::min(1.0f, hyper[MOMRT_HYPER_CLIP] / norm);
  *as<float>(buffers, 5) = norm;
  float beta1 = hyper[MOMRT_HYPER_BETA1], beta2 = hyper[MOMRT_HYPER_BETA2];
  for (int64_t at = 0; at < elements; ++at) {
    float slope = gradient[at] * scale;
    first[at] = beta1 * first[at] + (1 - beta1) * slope;
    second[at] = beta2 * second[at] + (1 - beta2) * slope * slope;
    weight[at] -= hyper[MOMRT_HYPER_RATE] * first[at] * hyper[MOMRT_HYPER_BIAS1] /
                  (std::sqrt(second[at] * hyper[MOMRT_HYPER_BIAS2]) + hyper[MOMRT_HYPER_EPS]);
  }
}

constexpr int64_t kShifts = 32, kElements = 48; // elements: of `shift`, of all with padding

const momrt_cpu_kernel kKernels[] = {
    constant<kVocabulary>, embed,         layer,  loss,
    layerGradient,         embedGradient, unsort, update<kElements>};

/// Slots and the ops up to the loss, which "loss" and "gradient" share.
struct Forward {
  uint32_t limit, rows, sums, slope, byPosition, norm;

  void launch(TableBuilder &table) const {
    using T = TableBuilder;
    // Predictions alternate between two halves of a slot, one round to the next.
    auto half = [&](int64_t phase) {
      momrt_arg arg = T::arg(MOMRT_SPACE_ARENA, rows);
      arg.stride.bytes[MOMRT_COUNT_TOKEN] = 4;
      arg.phase = phase;
      arg.modulus = 2;
      return arg;
    };
    auto counts = T::arg(MOMRT_SPACE_COUNTS), position = T::arg(MOMRT_SPACE_ROUTE_POSITION);
    auto id = T::arg(MOMRT_SPACE_INPUT, 0), last = half(kLayers);
    table.launch(0, MOMRT_COUNT_ONE, 1, {T::arg(MOMRT_SPACE_ARENA, limit)});
    table.launch(1, MOMRT_COUNT_TOKEN, kTile,
                 {counts, id, position, T::arg(MOMRT_SPACE_PARAMETERS), half(0),
                  T::arg(MOMRT_SPACE_ARENA, limit),
                  T::arg(MOMRT_SPACE_STATUS, 0, table.ops.size() * sizeof(momrt_status))});
    table.repeat(kLayers);
    table.launch(2, MOMRT_COUNT_TOKEN, kTile,
                 {counts, position, T::arg(MOMRT_SPACE_MODALITY),
                  T::turning(MOMRT_SPACE_PARAMETERS, kShifts * 4, kModalities * 4, kLayers),
                  half(0), half(1)});
    table.end();
    table.launch(3, MOMRT_COUNT_ONE, 1,
                 {counts, T::arg(MOMRT_SPACE_ROUTE_OFFSETS), position, id, last,
                  T::arg(MOMRT_SPACE_ARENA, sums), T::arg(MOMRT_SPACE_ARENA, slope)});
    table.launch(
        6, MOMRT_COUNT_TOKEN, kTile,
        {counts, T::arg(MOMRT_SPACE_ROUTE_ROW), last, T::arg(MOMRT_SPACE_ARENA, byPosition)});
    auto at = [&](int64_t element) { return T::arg(MOMRT_SPACE_ARENA, sums, element * 4); };
    table.output("square", MOMRT_OUTPUT_LOSS, 1, at(2 * kModalities + 2));
    table.output("square", MOMRT_OUTPUT_SUM, 1, at(2 * kModalities));
    table.output("square", MOMRT_OUTPUT_COUNT, 1, at(2 * kModalities + 1));
    table.output("squares", MOMRT_OUTPUT_SUM, kModalities, at(0));
    table.output("squares", MOMRT_OUTPUT_COUNT, kModalities, at(kModalities));
    table.output("prediction", MOMRT_OUTPUT_ROWS, 1, T::arg(MOMRT_SPACE_ARENA, byPosition),
                 MOMRT_COUNT_TOKEN);
  }
};

} // namespace

Model::Model(int64_t vocabulary, uint32_t target) {
  using T = TableBuilder;
  TableBuilder table;
  table.header.name = table.text("tiny");
  table.header.digest = table.text("0123abcd");
  table.settings = {{table.text("V"), double(vocabulary)}, {table.text("split"), 1}};
  table.modalities = {table.text("text"), table.text("image")};
  table.parameters = {{table.text("embed.weight"),
                       0,
                       vocabulary,
                       1,
                       1,
                       {vocabulary},
                       MOMRT_INIT_NORMAL,
                       0,
                       0,
                       0.5,
                       0.1},
                      {table.text("layers.{}.shift"),
                       kShifts,
                       kModalities,
                       kLayers,
                       1,
                       {kModalities},
                       MOMRT_INIT_UNIFORM,
                       1,
                       -0.1,
                       0.1,
                       0}};
  table.header.parameter_elements = kElements;
  table.inputs = {{table.text("id"), MOMRT_I32, MOMRT_COUNT_TOKEN, 1, vocabulary, 0, 0}};
  const char *names[] = {"constant",       "embed",          "layer",  "loss",
                         "layer_gradient", "embed_gradient", "unsort", "update"};
  for (const char *name : names)
    table.kernels[table.kernel(name, 64)].threads = target ? 32 : 0;
  if (target) {
    table.header.target = target;
    table.ptx = ".version 8.0\n.target sm_" + std::to_string(target) + "\n";
    table.cubin = "cubin";
  }
  Forward forward{table.slot({8}),    table.slot({0, 8}), table.slot({64}),
                  table.slot({0, 4}), table.slot({0, 4}), table.slot({4})};

  forward.launch(table);
  table.entry("loss", {0, 1});

  forward.launch(table);
  auto slope = T::arg(MOMRT_SPACE_ARENA, forward.slope);
  table.repeat(kLayers, true);
  table.launch(4, MOMRT_COUNT_ONE, 1,
               {T::arg(MOMRT_SPACE_ROUTE_OFFSETS), slope,
                T::turning(MOMRT_SPACE_GRADIENTS, kShifts * 4, kModalities * 4, kLayers)});
  table.end();
  table.launch(5, MOMRT_COUNT_ONE, 1,
               {T::arg(MOMRT_SPACE_COUNTS), T::arg(MOMRT_SPACE_INPUT, 0),
                T::arg(MOMRT_SPACE_ROUTE_ROW), slope, T::arg(MOMRT_SPACE_GRADIENTS)});
  table.ops.back().grid_factor = vocabulary;
  table.entry("gradient", {0, 1});

  table.launch(7, MOMRT_COUNT_ONE, 1,
               {T::arg(MOMRT_SPACE_PARAMETERS), T::arg(MOMRT_SPACE_GRADIENTS),
                T::arg(MOMRT_SPACE_MOMENT1), T::arg(MOMRT_SPACE_MOMENT2), T::arg(MOMRT_SPACE_HYPER),
                T::arg(MOMRT_SPACE_ARENA, forward.norm)});
  table.output("grad_norm", MOMRT_OUTPUT_TENSOR, 1, T::arg(MOMRT_SPACE_ARENA, forward.norm));
  table.entry("update", {0, 0});

  table.rates = {{MOMRT_RATE_WARMUP, 0, 5, 0, 0}, {MOMRT_RATE_COSINE, 0, 0, 0.05, 0.005}};
  table.header.batch_streams = 2;
  table.header.batch_length = 16;
  table.header.beta1 = 0.9;
  table.header.beta2 = 0.95;
  table.header.eps = 1e-8;
  table.header.clip = 1;
  words = table.build();
  program = {reinterpret_cast<const momrt_table *>(words.data()), kKernels, nullptr};
}

} // namespace tiny
