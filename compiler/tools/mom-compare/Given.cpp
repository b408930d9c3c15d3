// Arguments and results that a file tells, instead of random ones.
#include "compiler/tools/mom-compare/Given.h"

#include "compiler/tools/mom-compare/Inputs.h"
#include "runtime/RunFile.h"

#include "llvm/Support/WithColor.h"

using namespace mlir;
using namespace mom;
using namespace mom::compare;

FailureOr<GivenFile> GivenFile::open(const std::string &path) {
  GivenFile file;
  file.path = path;
  auto content = std::make_shared<momrt::Request>();
  if (std::string error = momrt::readRequest(path, *content); !error.empty()) {
    llvm::WithColor::error(llvm::errs(), "mom-compare") << error << "\n";
    return failure();
  }
  file.content = std::move(content);
  return file;
}

static const momrt::NamedTensor *find(const momrt::Request &request, const std::string &name) {
  auto found = llvm::find_if(request.tensors, [&](const auto &tensor) { return tensor.name == name; });
  return found == request.tensors.end() ? nullptr : &*found;
}

static reference::Value toValue(const momrt::NamedTensor &tensor) {
  reference::Tensor value;
  value.shape.assign(tensor.shape.begin(), tensor.shape.end());
  value.data = tensor.data;
  return value;
}

FailureOr<GivenCase> GivenFile::read(func::FuncOp func, StringRef name) const {
  std::string prefix = (name + ".").str();
  auto get = [&](const std::string &name) -> FailureOr<const momrt::NamedTensor *> {
    if (const momrt::NamedTensor *tensor = find(*content, prefix + name))
      return tensor;
    return func.emitError() << "'" << path << "' has no tensor '" << prefix << name << "'";
  };
  GivenCase given;
  std::shared_ptr<reference::Batch> batch;
  if (llvm::any_of(func.getArgumentTypes(), llvm::IsaPred<BatchType, RouteType>)) {
    auto counts = get("batch"), modality = get("modality"), segments = get("segments");
    if (failed(counts) || failed(modality) || failed(segments))
      return failure();
    if ((*counts)->data.size() != 3 || (*segments)->data.size() % 4)
      return func.emitError() << "'" << path << "': expected 3 counts and rows of 4 for segments";
    batch = std::make_shared<reference::Batch>();
    batch->tokens = (*counts)->data[0];
    batch->streams = (*counts)->data[1];
    batch->documents = (*counts)->data[2];
    batch->groups = countGroups(func);
    batch->modality.assign((*modality)->data.begin(), (*modality)->data.end());
    for (size_t i = 0; i < (*segments)->data.size(); i += 4) {
      const double *s = (*segments)->data.data() + i;
      batch->segments.push_back({int64_t(s[0]), int64_t(s[1]), int64_t(s[2]), int64_t(s[3])});
    }
    batch->fillRoute();
    if (std::string wrong = batch->check(); !wrong.empty())
      return func.emitError() << "'" << path << "': " << wrong;
  }
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes())) {
    if (isa<BatchType, RouteType>(type)) {
      given.arguments.push_back(std::shared_ptr<const reference::Batch>(batch));
      continue;
    }
    auto tensor = get("argument" + std::to_string(i));
    if (failed(tensor))
      return failure();
    given.arguments.push_back(toValue(**tensor));
  }
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    auto tensor = get("result" + std::to_string(i));
    if (failed(tensor))
      return failure();
    given.results.push_back(toValue(**tensor));
  }
  return given;
}
