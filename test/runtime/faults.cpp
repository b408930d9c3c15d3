// Faults while the small model trains. Killed at random moments, a run loses no
// checkpoint that was there, leaves no partial one, and ends with the bits of a run
// that was left alone, whatever the number of threads. Where the n-th write, sync
// or rename fails, for every n, there is one message, and the same holds.
//   momrt-test-faults [KILLS [SEED]]
#include "Check.h"
#include "TinyModel.h"
#include "runtime/Safetensors.h"
#include "runtime/Train.h"
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <dlfcn.h>
#include <filesystem>
#include <random>
#include <sys/wait.h>

using namespace momrt;

//===----------------------------------------------------------------------===//
// Calls that fail: a program's own functions go before those of libc
//===----------------------------------------------------------------------===//

static std::atomic<int> callsUntilFault{0}; ///< 0: none is to come

static bool fails() {
  if (callsUntilFault == 0 || --callsUntilFault > 0)
    return false;
  errno = ENOSPC;
  return true;
}

template <typename Call> static Call original(const char *name) {
  return reinterpret_cast<Call>(dlsym(RTLD_NEXT, name));
}

extern "C" ssize_t write(int file, const void *data, size_t bytes) {
  static auto call = original<ssize_t (*)(int, const void *, size_t)>("write");
  if (file > 2 && fails())
    return -1;
  return call(file, data, bytes);
}
extern "C" int fsync(int file) {
  static auto call = original<int (*)(int)>("fsync");
  return fails() ? -1 : call(file);
}
extern "C" int rename(const char *from, const char *to) noexcept {
  static auto call = original<int (*)(const char *, const char *)>("rename");
  return fails() ? -1 : call(from, to);
}

//===----------------------------------------------------------------------===//

static TrainOptions usual(const TemporaryFolder &folder, const std::string &run, int64_t steps) {
  TrainOptions options;
  options.data = folder / "tokens";
  options.validation = folder / "held-out";
  options.folder = folder / run;
  options.steps = steps;
  options.saveEvery = 1;
  options.evaluateEvery = 7;
  options.seed = 42;
  options.resume = true;
  options.progress = ProgressMode::Silent;
  return options;
}

static std::vector<float> trainTiny(int threads, const TrainOptions &options) {
  tiny::Model model;
  Session session(model.open(), {threads, 0, true});
  train(session, options);
  return session.readSpace(MOMRT_SPACE_PARAMETERS);
}

/// The step of the folder's last checkpoint, 0 if there is none; every checkpoint
/// must be whole.
static int64_t lastStep(const std::string &folder) {
  tiny::Model model;
  Session session(model.open());
  int64_t last = 0;
  std::error_code none;
  for (const auto &entry : std::filesystem::directory_iterator(folder, none)) {
    if (entry.path().extension() != ".safetensors")
      continue;
    try {
      last = std::max(last, loadRun(session, entry.path().string()).step);
    } catch (const Error &error) {
      ++failures;
      fmt::print("a damaged checkpoint: {}\n", error.what());
    }
  }
  return last;
}

static size_t filesIn(const std::string &folder) {
  size_t count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    count += entry.is_regular_file();
  return count;
}

static void killed(const TemporaryFolder &folder, int kills, std::mt19937_64 &random) {
  TrainOptions options = usual(folder, "killed", 1'000'000);
  int64_t last = 0, killedAt = 0;
  for (int kill = 0; kill < kills; ++kill) {
    pid_t process = fork();
    if (process == 0) {
      try {
        trainTiny(1 + kill % 3, options);
      } catch (const Error &error) {
        fmt::print("run {}: {}\n", kill, error.what());
        std::fflush(stdout);
        _exit(1);
      }
      _exit(0);
    }
    usleep(useconds_t(random() % 40'000));
    ::kill(process, SIGKILL);
    int status = 0;
    waitpid(process, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    int64_t now = lastStep(options.folder);
    if (now < last)
      ++failures, fmt::print("kill {}: the last checkpoint was of step {}, now of {}\n", kill, last, now);
    killedAt += now > last;
    last = now;
  }
  fmt::print("{} runs killed, {} of them after checkpoints of their own; step {}\n", kills, killedAt, last);
  CHECK(killedAt > kills / 20); // few on a busy machine
  // A little further, beside a run that was left alone; what was left behind is gone.
  options.onStep = [&](const StepReport &report) { return report.step < last + 5; };
  options.ahead = 0;
  std::vector<float> resumed = trainTiny(2, options);
  options.folder = folder / "alone";
  CHECK(resumed == trainTiny(1, options));
  options.folder = folder / "killed";
  CHECK_EQ(filesIn(options.folder), filesIn(folder / "alone"));
}

static void fullDisk(const TemporaryFolder &folder) {
  const int64_t half = 3, steps = 6;
  std::vector<float> whole = trainTiny(1, usual(folder, "whole", steps));
  int faults = 0;
  for (bool failed = true; failed; ++faults) {
    std::string run = fmt::format("full{}", faults);
    trainTiny(1, usual(folder, run, half));
    callsUntilFault = faults + 1;
    failed = false;
    try {
      trainTiny(1, usual(folder, run, steps));
    } catch (const Error &error) {
      failed = true;
      std::string text = error.what();
      if (text.find("No space left on device") == std::string::npos || text.find('\n') != std::string::npos)
        ++failures, fmt::print("fault {}: expected one line about the device, but got '{}'\n", faults, text);
    }
    callsUntilFault = 0;
    CHECK(lastStep(folder / run) >= half);
    CHECK(trainTiny(1, usual(folder, run, steps)) == whole);
    CHECK(filesIn(folder / run) <= filesIn(folder / "whole") + 1); // an old checkpoint too many
  }
  fmt::print("{} calls failed, one after the other\n", faults - 1);
  CHECK(faults > 10);
}

int main(int argc, char **argv) {
  int kills = argc > 1 ? std::atoi(argv[1]) : 20;
  uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  fmt::print("seed {}\n", seed);
  std::fflush(stdout);
  std::mt19937_64 random(seed);
  // In memory, where a sync takes no time and a kill meets all of a run.
  TemporaryFolder folder(access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  tiny::writeTokens(folder / "tokens", {50, 3, 40, 1, 77, 10});
  tiny::writeTokens(folder / "held-out", {60, 15});
  killed(folder, kills, random);
  fullDisk(folder);
  return finish();
}
