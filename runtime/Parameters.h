// Parameters as a checkpoint names them: the layout comes from the table, each
// copy of a repeated parameter under its own name.
#pragma once

#include "runtime/Table.h"
#include <map>

namespace momrt {

struct Parameter {
  std::string name;           ///< `{}` filled with the round
  std::vector<int64_t> shape; ///< that of a checkpoint
  int64_t offset, size;       ///< elements
  const momrt_parameter *source;
};

class Parameters {
public:
  explicit Parameters(const Table &table);

  const std::vector<Parameter> &all() const { return list; }
  const Parameter *find(const std::string &name) const;
  /// Throws, naming the model.
  const Parameter &get(const std::string &name) const;
  /// Elements of the space, padding with them.
  int64_t elements() const { return total; }
  /// Elements without padding.
  int64_t count() const;

private:
  std::string model;
  std::vector<Parameter> list;
  std::map<std::string, size_t> index;
  int64_t total;
};

/// Writes initial values: they depend on seed, name and index only.
void initialise(const Parameter &parameter, uint64_t seed, float *values);

/// "[3, 512, 128]"
std::string shapeText(const std::vector<int64_t> &shape);

} // namespace momrt
