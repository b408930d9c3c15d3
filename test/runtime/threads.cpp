// Threads that share a program, each with a session of its own and one of them with
// helpers: built with the thread sanitizer, which reports a race by ending with 1.
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Session.h"
#include <array>
#include <thread>

using namespace momrt;

/// Some steps of training; the last loss.
static float train(std::shared_ptr<const Program> program, int threads, int64_t first) {
  SessionOptions options;
  options.threads = threads;
  Session session(std::move(program), options);
  session.initialise(7);
  for (int64_t step = 1; step <= 5; ++step) {
    session.setBatch(tiny::batchOf(200 + step, first));
    session.run("gradient");
    session.checkStatus();
    session.setHypers(hypersOf(session.table().header(), step, 1e-2));
    session.run("update");
  }
  std::vector<float> loss = session.readFloats("gradient", MOMRT_OUTPUT_LOSS, "square");
  return loss.at(0);
}

int main() {
  tiny::Model model;
  std::shared_ptr<const Program> program = model.open();
  std::array<float, 4> losses{};
  std::vector<std::thread> threads;
  for (size_t at = 0; at < losses.size(); ++at)
    threads.emplace_back([&, at] { losses[at] = train(program, at % 2 ? 3 : 1, int64_t(at / 2)); });
  for (std::thread &thread : threads)
    thread.join();
  CHECK_EQ(losses[0], losses[1]); // however many threads it has
  CHECK_EQ(losses[2], losses[3]);
  CHECK(losses[0] != losses[2]);
  return finish();
}
