// Drawing of ids: each option against what it should leave, and shares against the softmax.
#include "Check.h"
#include "runtime/Sample.h"
#include <cmath>
#include <map>

using namespace momrt;

static const std::vector<float> kLogits = {0, 2, 1, -1, 2, -INFINITY};

static const std::vector<char> kAll;

/// How often each id is drawn.
static std::map<int32_t, int> counts(const Sampling &how, const std::vector<char> &allowed = {},
                                     int draws = 20000) {
  Sampler sampler(how, allowed);
  std::map<int32_t, int> found;
  for (int at = 0; at < draws; ++at)
    ++found[sampler.draw(kLogits.data(), int64_t(kLogits.size()), at % 7, at / 7)];
  return found;
}

static void shares() {
  for (double temperature : {0.5, 1.0, 3.0}) {
    double total = 0;
    for (float logit : kLogits)
      total += std::exp(logit / temperature);
    std::map<int32_t, int> found = counts({temperature, 0, 1, 3});
    CHECK(found.count(5) == 0);
    for (int32_t id = 0; id < 5; ++id)
      CHECK(std::abs(found[id] / 20000.0 - std::exp(kLogits[size_t(id)] / temperature) / total) <
            0.02);
  }
}

static void limits() {
  CHECK((counts({0, 0, 1, 3}).size() == 1 && counts({0, 0, 1, 3}).count(1))); // of equals the first
  std::map<int32_t, int> two = counts({1, 2, 1, 3});
  CHECK(two.size() == 2 && two.count(1) && two.count(4));
  CHECK(std::abs(two[1] - two[4]) < 600);
  // exp(2) twice are 14.8 of 19.0 in all: one of them is not 0.5 of it, both are
  CHECK(counts({1, 0, 0.3, 3}).size() == 1);
  CHECK(counts({1, 0, 0.5, 3}).size() == 2);
  CHECK(counts({1, 0, 0.8, 3}).size() == 3);
  CHECK(counts({1, 3, 0.5, 3}).size() == 2);
  std::map<int32_t, int> some = counts({1, 0, 1, 3}, {1, 0, 0, 1, 0, 1});
  CHECK(some.size() == 2 && some.count(0) && some.count(3));
}

static void functions() {
  auto ids = [](uint64_t seed, int64_t sequence) {
    Sampler sampler({1, 0, 1, seed}, kAll);
    std::vector<int32_t> drawn;
    for (int64_t at = 0; at < 50; ++at)
      drawn.push_back(sampler.draw(kLogits.data(), int64_t(kLogits.size()), sequence, at));
    return drawn;
  };
  CHECK(ids(1, 0) == ids(1, 0));
  CHECK(ids(1, 0) != ids(2, 0));
  CHECK(ids(1, 0) != ids(1, 1));
}

static void messages() {
  CHECK_FAILS("temperature of at least 0 but got -1", Sampler({-1, 0, 1, 1}, kAll));
  CHECK_FAILS("top-k of at least 0 but got -2", Sampler({1, -2, 1, 1}, kAll));
  CHECK_FAILS("top-p above 0 and at most 1 but got 0", Sampler({1, 0, 0, 1}, kAll));
  float bad[] = {0, NAN};
  CHECK_FAILS("the logit of id 1 is nan", Sampler({}, kAll).draw(bad, 2, 0, 0));
  std::vector<char> none = {0, 0};
  CHECK_FAILS("none of 2 ids may be drawn", Sampler({}, none).draw(kLogits.data(), 2, 0, 0));
}

int main() {
  shares();
  limits();
  functions();
  messages();
  return finish();
}
