// Runs checks in processes of their own: a fault of the device ends one of them,
// which is reported, and the others go on.
#include "runtime/Error.h"
#include "test/gpu/Suite.h"
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <poll.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace suite;
using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

static std::string labelOf(const Check &check) {
  return fmt::format("{:<28} {:>12} {:<4}", check.name, check.size, check.storage);
}

static Outcome outcomeOf(const Check &check) {
  try {
    return check.run();
  } catch (...) {
    return {false, momrt::currentError().second};
  }
}

static void say(int file, std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  line += '\n';
  for (size_t at = 0; at < line.size();) {
    ssize_t written = write(file, line.data() + at, line.size() - at);
    if (written <= 0)
      _exit(1);
    at += size_t(written);
  }
}

/// The checks of a task from `first` on, each as a line "> LABEL" before it and
/// "+TEXT" or "-TEXT" after it.
static void work(const Task &task, size_t first, int file) {
  std::vector<Check> checks;
  try {
    checks = task.checks();
  } catch (...) {
    say(file, "> " + task.part);
    say(file, "-" + momrt::currentError().second);
    return;
  }
  for (size_t at = first; at < checks.size(); ++at) {
    say(file, "> " + labelOf(checks[at]));
    Outcome outcome = outcomeOf(checks[at]);
    say(file, (outcome.good ? "+" : "-") + outcome.text);
    // After a fault of the device nothing else runs in this process.
    if (!outcome.good && outcome.text.find("CUDA error") != std::string::npos)
      _exit(2);
  }
}

namespace {
class Pool {
public:
  Pool(const Options &options, const std::vector<Task> &tasks) : options(options), tasks(tasks) {}
  int run();

private:
  struct Worker {
    size_t task, done;
    pid_t process;
    int file;
    std::string buffer, label; ///< label: of the check under way
    Clock::time_point since, start;
  };

  void start(size_t task, size_t done);
  void read(Worker &worker);
  void line(Worker &worker, const std::string &text);
  void end(Worker &worker, const std::string &how);
  void report(bool good, const std::string &label, const std::string &text);

  const Options &options;
  const std::vector<Task> &tasks;
  std::vector<Worker> workers;
  std::vector<std::pair<size_t, size_t>> again; ///< tasks with a rest to run
  std::map<std::string, double> seconds;        ///< by part, of all processes
  size_t good = 0, bad = 0;
};
} // namespace

void Pool::report(bool isGood, const std::string &label, const std::string &text) {
  ++(isGood ? good : bad);
  std::printf("%s %s %s\n", isGood ? "ok    " : "FAILED", label.c_str(), text.c_str());
  std::fflush(stdout);
}

void Pool::start(size_t task, size_t done) {
  int ends[2];
  if (pipe(ends))
    momrt::fail(MOMRT_SYSTEM, "cannot make a pipe: {}", momrt::systemError());
  pid_t process = fork();
  if (process < 0)
    momrt::fail(MOMRT_SYSTEM, "cannot make a process: {}", momrt::systemError());
  if (process == 0) {
    close(ends[0]);
    work(tasks[task], done, ends[1]);
    _exit(0);
  }
  close(ends[1]);
  Clock::time_point now = Clock::now();
  workers.push_back({task, done, process, ends[0], "", "", now, now});
}

void Pool::line(Worker &worker, const std::string &text) {
  worker.since = Clock::now();
  if (text[0] == '>') {
    worker.label = text.substr(2);
    return;
  }
  report(text[0] == '+', worker.label, text.substr(1));
  worker.label.clear();
  ++worker.done;
}

void Pool::read(Worker &worker) {
  char bytes[4096];
  ssize_t count = ::read(worker.file, bytes, sizeof bytes);
  if (count <= 0) {
    int status = 0;
    waitpid(worker.process, &status, 0);
    std::string how;
    if (WIFSIGNALED(status))
      how = fmt::format("the process ended by signal {}", WTERMSIG(status));
    else if (WEXITSTATUS(status))
      how = "the device failed";
    end(worker, how);
    return;
  }
  worker.buffer.append(bytes, size_t(count));
  for (size_t stop; (stop = worker.buffer.find('\n')) != std::string::npos;) {
    line(worker, worker.buffer.substr(0, stop));
    worker.buffer.erase(0, stop + 1);
  }
}

/// `how` it ended, if not well: the check under way has failed, and those after it
/// get another process.
void Pool::end(Worker &worker, const std::string &how) {
  if (!worker.label.empty()) {
    report(false, worker.label, how.empty() ? "the process ended" : how);
    ++worker.done;
  } else if (!how.empty() && worker.done == 0) {
    report(false, tasks[worker.task].part, how); // before its first check
    ++worker.done;
  }
  if (!how.empty())
    again.push_back({worker.task, worker.done});
  seconds[tasks[worker.task].part] += secondsSince(worker.start);
  close(worker.file);
  worker.file = -1;
}

int Pool::run() {
  Clock::time_point begin = Clock::now();
  size_t next = 0;
  while (next < tasks.size() || !again.empty() || !workers.empty()) {
    while (int(workers.size()) < std::max(options.jobs, 1) && (next < tasks.size() || !again.empty())) {
      auto [task, done] = again.empty() ? std::pair(next, size_t(0)) : again.back();
      again.empty() ? void(++next) : again.pop_back();
      start(task, done);
    }
    std::vector<pollfd> files;
    for (Worker &worker : workers)
      files.push_back({worker.file, POLLIN, 0});
    poll(files.data(), files.size(), 1000);
    for (size_t at = 0; at < files.size(); ++at)
      if (files[at].revents)
        read(workers[at]);
      else if (secondsSince(workers[at].since) > options.seconds)
        kill(workers[at].process, SIGKILL);
    workers.erase(std::remove_if(workers.begin(), workers.end(),
                                 [](const Worker &worker) { return worker.file < 0; }),
                  workers.end());
  }
  std::string parts;
  for (auto &[part, time] : seconds)
    parts += fmt::format(", {} {:.0f} s", part, time);
  std::printf("%zu checks ok, %zu failed, in %.0f s%s\n", good, bad, secondsSince(begin),
              parts.c_str());
  return bad || !good;
}

/// All in this process, for tools that watch one.
static int runHere(const std::vector<Task> &tasks) {
  size_t good = 0, bad = 0;
  for (const Task &task : tasks)
    for (const Check &check : task.checks()) {
      Outcome outcome = outcomeOf(check);
      ++(outcome.good ? good : bad);
      std::printf("%s %s %s\n", outcome.good ? "ok    " : "FAILED", labelOf(check).c_str(),
                  outcome.text.c_str());
    }
  std::printf("%zu checks ok, %zu failed\n", good, bad);
  return bad || !good;
}

int suite::runTasks(const Options &options, const std::vector<Task> &tasks) {
  return options.jobs ? Pool(options, tasks).run() : runHere(tasks);
}

static std::vector<std::string> listOf(const std::string &text) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');)
    parts.push_back(part);
  return parts;
}

bool suite::isSelected(const Options &options, const Program &program) {
  std::string name =
      std::string(program.file) + "." + program.function + "." + program.storage;
  std::vector<std::string> wanted = listOf(options.select);
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string &part) {
           return name.find(part) != std::string::npos;
         });
}

static constexpr const char *kUsage =
    "usage: runner [--folder DIR] [--parts ops,models,large] [--select NAME,...]\n"
    "              [--sizes 0,129,...] [--jobs N (0: in this process)] [--seconds N a check]\n"
    "              [--large-rows N]\n";

int main(int argc, char **argv) {
  Options options;
  for (int at = 1; at < argc; at += 2) {
    std::string name = argv[at];
    if (at + 1 == argc) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    std::string value = argv[at + 1];
    if (name == "--folder")
      options.folder = value;
    else if (name == "--parts")
      options.parts = listOf(value);
    else if (name == "--select")
      options.select = value;
    else if (name == "--sizes")
      options.sizes = listOf(value);
    else if (name == "--jobs")
      options.jobs = std::atoi(value.c_str());
    else if (name == "--seconds")
      options.seconds = std::atoi(value.c_str());
    else if (name == "--large-rows")
      options.largeRows = std::atoll(value.c_str());
    else {
      std::fputs(kUsage, stderr);
      return 2;
    }
  }
  auto wants = [&](const char *part) {
    return options.parts.empty() ||
           std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
  };
  std::vector<Task> tasks;
  if (wants("ops"))
    addOps(options, tasks);
  if (wants("models"))
    addModels(options, tasks);
  if (wants("large"))
    addLarge(options, tasks);
  return runTasks(options, tasks);
}
