// Safetensors: what is written is read back, and every kind of damage has a
// message that names the file.
#include "runtime/Safetensors.h"
#include "Check.h"
#include <cstring>
#include <fstream>
#include <sys/stat.h>

using namespace momrt;

static void writeFile(const std::string &path, const std::string &header, const std::string &data,
                      uint64_t length = UINT64_MAX) {
  if (length == UINT64_MAX)
    length = header.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char *>(&length), 8);
  file << header << data;
}

static void roundTrip(const TemporaryFolder &folder) {
  std::string path = folder / "whole.safetensors";
  std::vector<float> floats{1.5, -2, 3e-30f, 0, 7, 8};
  std::vector<uint8_t> bytes{1, 2, 3};
  std::vector<int64_t> longs{-5, INT64_MAX};
  uint16_t half[] = {0x3c00, 0xc000, 0x0001, 0x7c00};  // 1, -2, 2^-24, infinity
  uint16_t brain[] = {0x3f80, 0xc000, 0x0000, 0x4049}; // 1, -2, 0, 3.140625
  SafetensorsWriter writer;
  writer.setText("note", "with \"quotes\" and\nlines");
  writer.add("b.bytes", MOMRT_U8, {3}, bytes.data());
  writer.add("a.floats", MOMRT_F32, {2, 3}, floats.data());
  writer.add("empty", MOMRT_F32, {0, 4}, nullptr);
  writer.add("longs", MOMRT_I64, {2}, longs.data());
  writer.add("scalar", MOMRT_F32, {}, floats.data());
  writer.add("half", MOMRT_F16, {4}, half);
  writer.add("brain", MOMRT_BF16, {4}, brain);
  writer.write(path);
  SafetensorsReader reader(path);
  CHECK_EQ(reader.text("note"), "with \"quotes\" and\nlines");
  CHECK_EQ(reader.text("other", "none"), "none");
  CHECK_EQ(reader.tensors().size(), 7u);
  CHECK(reader.get("a.floats").shape == (std::vector<int64_t>{2, 3}));
  CHECK(!std::memcmp(reader.get("a.floats").data, floats.data(), 24));
  CHECK(!std::memcmp(reader.get("longs").data, longs.data(), 16));
  CHECK(!std::memcmp(reader.get("b.bytes").data, bytes.data(), 3));
  CHECK_EQ(reader.get("empty").elements(), 0);
  CHECK_EQ(reinterpret_cast<uintptr_t>(reader.get("longs").data) % 8, 0u);
  float got[4];
  toFloats(reader.get("half"), got);
  CHECK(got[0] == 1 && got[1] == -2 && got[2] == 0x1p-24f && got[3] > 1e38f);
  toFloats(reader.get("brain"), got);
  CHECK(got[0] == 1 && got[1] == -2 && got[2] == 0 && got[3] == 3.140625f);
  CHECK_FAILS("no tensor 'c'", reader.get("c"));
  CHECK_FAILS("floating-point numbers but got u8", toFloats(reader.get("b.bytes"), got));

  // Cut off at every length, the file is refused.
  std::ifstream file(path, std::ios::binary);
  std::string all((std::istreambuf_iterator<char>(file)), {});
  for (size_t length = 0; length < all.size(); length += 3) {
    std::ofstream(folder / "cut", std::ios::binary) << all.substr(0, length);
    CHECK_FAILS(folder / "cut", SafetensorsReader(folder / "cut"));
  }
}

static void damage(const TemporaryFolder &folder) {
  std::string path = folder / "bad";
  auto fails = [&](const std::string &part, const std::string &header, const std::string &data) {
    writeFile(path, header, data);
    CHECK_FAILS(part, SafetensorsReader reader(path));
    CHECK_FAILS(path, SafetensorsReader reader(path));
  };
  auto tensor = [](const std::string &type, const std::string &shape, const std::string &offsets) {
    return "{\"a\":{\"dtype\":\"" + type + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}}";
  };
  std::string four = "abcd";
  CHECK_FAILS("cannot open", SafetensorsReader(folder / "absent"));
  CHECK_FAILS("is not a file", SafetensorsReader reader(folder.path));
  writeFile(path, "{}", "", 1000);
  CHECK_FAILS("its header takes 1000 bytes of 2", SafetensorsReader reader(path));
  writeFile(path, "{}", "", UINT64_MAX - 8);
  CHECK_FAILS("no safetensors file, or cut off", SafetensorsReader reader(path));
  fails("damaged header", "{\"a\":", "");
  fails("damaged header", "[]", "");
  fails("damaged header", std::string("{\"\xff\":1}"), "");
  fails("damaged header", std::string(100000, '['), "");
  fails("metadata 'k' is no text", "{\"__metadata__\":{\"k\":1}}", "");
  fails("lacks a dtype", "{\"a\":3}", four);
  fails("lacks a dtype", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", four);
  fails("has the type Q4", tensor("Q4", "[1]", "[0,4]"), four);
  fails("has -1 where a size", tensor("F32", "[-1]", "[0,4]"), four);
  fails("has 1.5 where a size", tensor("F32", "[1.5]", "[0,4]"), four);
  fails("where a size", tensor("F32", "[18446744073709551615]", "[0,4]"), four);
  fails("is too large", tensor("F32", "[4294967296,4294967296]", "[0,4]"), four);
  fails("takes 8", tensor("F32", "[2]", "[0,4]"), four);
  fails("before its start at 4", tensor("F32", "[0]", "[4,0]"), four);
  fails("it is cut off", tensor("F32", "[2]", "[0,8]"), four);
  fails("end at byte 4, but it has 6 bytes", tensor("F32", "[1]", "[0,4]"), "abcdef");
  fails("starts at byte 4, but the one before ends at 0", tensor("F32", "[1]", "[4,8]"),
        "abcdefgh");
  std::string one = "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":";
  fails("starts at byte 0, but the one before ends at 4",
        "{\"a\":{" + one + "[0,4]},\"b\":{" + one + "[0,4]}}", four);
  fails("two tensors called 'a'", "{\"a\":{" + one + "[0,4]},\"a\":{" + one + "[4,8]}}",
        "abcdefgh");
}

/// A write that fails leaves the old file, and nothing else.
static void atomic(const TemporaryFolder &folder) {
  std::string inside = folder / "kept";
  makeFolder(inside);
  std::string path = inside + "/file";
  { FileWriter(path).write("half", 4); } // never committed
  CHECK_FAILS("cannot open", MappedFile file(path));
  FileWriter writer(path);
  writer.write("whole", 5);
  writer.commit();
  { FileWriter(path).write("other", 5); }
  CHECK_EQ(std::string(reinterpret_cast<const char *>(MappedFile(path).data()), 5), "whole");
  struct stat info;
  CHECK(stat(inside.c_str(), &info) == 0);
  CHECK_EQ(std::system(("test $(ls '" + inside + "' | wc -l) = 1").c_str()), 0);
  CHECK_FAILS("cannot write", FileWriter((folder / "nowhere") + "/file"));
  CHECK_FAILS("cannot make the folder", makeFolder(path));
}

int main() {
  TemporaryFolder folder;
  roundTrip(folder);
  damage(folder);
  atomic(folder);
  return finish();
}
