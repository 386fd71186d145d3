#include "calib/import.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "calib/csv.hpp"
#include "catch.hpp"
#include "core/error.hpp"

using namespace fathom;
using namespace fathom::calib;
namespace fs = std::filesystem;

namespace {

/// A folder of tables that goes away with the test.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("fathom_import_" + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  fs::path write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream{path_ / name, std::ios::binary} << text;
    return path_ / name;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string complaint(const Folder& folder) {
  try {
    import_directory(folder.path());
  } catch (const InputError& error) {
    return error.what();
  }
  return "accepted";
}

const std::string kGemm = "kernel_source,gemm_dtype,m,n,k,latency\n";
const std::string kGeneric = "op,device,stack,dtype,m,n,k,latency_us\n";

}  // namespace

TEST_CASE("a gemm table becomes rows in seconds with their shape", "[calib][import]") {
  const Folder folder;
  folder.write("h100_sxm/gemm.csv", kGemm +
                                        "torch_flow,bfloat16,128,7168,2048,0.0125\n"
                                        "torch_flow,fp8_block,64,7168,2048,0.01\n");
  const auto data = import_directory(folder.path());
  REQUIRE(data.size() == 1);
  CHECK(data[0].family == "gemm");
  CHECK(data[0].device == "h100-sxm");
  REQUIRE(data[0].rows.size() == 2);
  const Measurement& row = data[0].rows[0];
  CHECK(row.group == "bf16");
  CHECK(row.shape == std::vector<double>{128, 7168, 2048});
  CHECK(row.latency_s == 0.0125 * 1e-3);
  CHECK(row.line == 2);
  CHECK(row.flag.empty());
  CHECK(row.axes == std::vector<double>{7168, 2048});
  CHECK(row.exact == std::vector<double>{128});
  // One shape of all dtypes is one slice; labels keep dtypes apart.
  CHECK(row.slice == data[0].rows[1].slice);
  CHECK(row.labels != data[0].rows[1].labels);
}

TEST_CASE("message sizes in elements become bytes, and must agree with message_bytes",
          "[calib][import]") {
  const std::string header =
      "op_name,kernel_source,nccl_dtype,num_gpus,message_size,latency,message_bytes\n";
  const Folder folder;
  folder.write("h200_sxm/nccl.csv", header +
                                        "all_gather,NCCL,half,8,1024,0.02,2048\n"
                                        "all_gather,NCCL,int8,8,1024,0.02,1024\n");
  const auto data = import_directory(folder.path());
  CHECK(data[0].rows[0].shape == std::vector<double>{8, 2048});
  CHECK(data[0].rows[1].shape == std::vector<double>{8, 1024});
  folder.write("h200_sxm/nccl.csv", header + "all_gather,NCCL,half,8,1024,0.02,1024\n");
  CHECK(complaint(folder) ==
        "h200_sxm/nccl.csv:2:message_bytes: found 1024; expected 2048, message_size in elements of "
        "2 B");
}

TEST_CASE("experts of the most loaded rank are drawn from the distribution", "[calib][import]") {
  const Folder folder;
  folder.write("b200_sxm/moe.csv",
               "kernel_source,moe_dtype,num_tokens,hidden_size,inter_size,topk,num_experts,"
               "moe_tp_size,moe_ep_size,distribution,latency\n"
               "deepgemm,fp8_block,1024,7168,2048,8,256,2,32,balanced,0.1\n"
               "deepgemm,fp8_block,1024,7168,2048,8,256,2,32,power_law_1.2,0.2\n");
  const auto data = import_directory(folder.path());
  const auto& rows = data[0].rows;
  CHECK(rows[0].group == "fp8_block/deepgemm");
  CHECK(rows[0].transfer_group == "fp8_block");
  // tokens, hidden, inter / tp, experts / ep, active, pairs / ep
  CHECK(std::vector<double>(rows[0].shape.begin(), rows[0].shape.begin() + 6) ==
        std::vector<double>{1024, 7168, 1024, 8, 8, 1024.0 * 8 / 32});
  CHECK(rows[1].shape[5] > rows[0].shape[5]);
  CHECK(rows[0].slice == rows[1].slice);
  CHECK(rows[0].labels != rows[1].labels);
}

TEST_CASE("one file of an exchange holds two families", "[calib][import]") {
  const Folder folder;
  folder.write("h100_sxm/deepep_normal.csv",
               "kernel_source,node_num,hidden_size,num_token,num_topk,num_experts,dispatch_sms,"
               "dispatch_transmit_us,dispatch_notify_us,combine_sms,combine_transmit_us,"
               "combine_notify_us\n"
               "deepep,2,7168,128,8,256,20,100,5,24,200,0\n");
  const auto data = import_directory(folder.path());
  REQUIRE(data.size() == 2);
  CHECK(data[0].family == "deepep_normal_combine");
  CHECK(data[0].rows[0].shape == std::vector<double>{128, 7168, 8, 256, 16, 2, 24});
  CHECK(data[1].rows[0].latency_s == Approx(105e-6).epsilon(1e-12));
}

TEST_CASE("InferSim tables carry their layout in the name, with or without a header",
          "[calib][import]") {
  const Folder folder;
  folder.write("bench_data/mha/decode/h20/64-8-128.csv", "bf16,bf16,1,1024,25.5,0.009\n");
  folder.write("bench_data/mla/decode/h800/128-512-64.csv",
               "dtype,kv_dtype,batch_size,kv_len,latency_us,mfu\nbf16,bf16,4,1024,30,0.038\n");
  const auto data = import_directory(folder.path());
  REQUIRE(data.size() == 2);
  CHECK(data[0].family == "infersim_mha_decode");
  CHECK(data[0].rows[0].shape == std::vector<double>{1, 1, 1024, 64, 8, 128, 128});
  CHECK(data[0].rows[0].line == 1);
  CHECK(data[1].rows[0].shape == std::vector<double>{4, 1, 1024, 128, 1, 576, 512});
}

TEST_CASE("a stated utilisation that contradicts the latency flags the row", "[calib][import]") {
  // H20: 4 x 32 x 128 x 8192 x 64 FLOP in 639.371 us is 0.091 of 148 TFLOP/s, not 0.165.
  const Folder folder;
  folder.write("bench_data/mha/decode/h20/32-4-128.csv",
               "dtype,kv_dtype,batch_size,kv_len,latency_us,mfu\nbf16,bf16,64,8192,639.371,0.165\n"
               "bf16,bf16,64,4096,320,0.091\n");
  const auto rows = import_directory(folder.path())[0].rows;
  CHECK(rows[0].flag == "latency means mfu 0.091, stated 0.165");
  CHECK(rows[1].flag.empty());
}

TEST_CASE("a generic table names op, device, stack, dtype and the form's columns",
          "[calib][import]") {
  const Folder folder;
  folder.write("mine.csv",
               "op,device,stack,dtype,kv_dtype,batch,context_tokens,heads,kv_heads,qk_dim,v_dim,"
               "latency_ms\r\n"
               "generation_mla,h800,\"FlashMLA, head\",bf16,fp8,64,4096,128,1,576,512,0.2\r\n");
  const auto data = import_directory(folder.path());
  REQUIRE(data.size() == 1);
  CHECK(data[0].device == "h800");
  CHECK(data[0].stack == "FlashMLA, head");
  CHECK(data[0].rows[0].group == "kv_fp8");
  CHECK(data[0].rows[0].shape == std::vector<double>{64, 1, 4096, 128, 1, 576, 512});
  CHECK(data[0].rows[0].latency_s == Approx(0.2e-3).epsilon(1e-12));
}

TEST_CASE("repeated shapes and impossible times are flagged, not refused", "[calib][import]") {
  const Folder folder;
  folder.write("t.csv", kGeneric +
                            "gemm,h100-sxm,x,bf16,1,64,64,3\n"
                            "gemm,h100-sxm,x,bf16,1,64,64,4\n"
                            "gemm,h100-sxm,x,bf16,2,64,64,0.1\n");
  const auto rows = import_directory(folder.path())[0].rows;
  CHECK(rows[0].flag.empty());
  CHECK(rows[1].flag == "repeats line 2");
  CHECK(rows[2].flag == "shorter than any kernel launch");
}

TEST_CASE("bad rows are named by file, line and column", "[calib][import]") {
  struct Bad {
    std::string rows;
    std::string complaint;
  };
  const std::vector<Bad> all{
      {"gemm,h100-sxm,x,bf16,1,64,64,-3\n",
       "t.csv:2:latency_us: found -3; expected a number above "
       "zero"},
      {"gemm,h100-sxm,x,bf16,1,64,64,0\n",
       "t.csv:2:latency_us: found 0; expected a number above "
       "zero"},
      {"gemm,h100-sxm,x,bf16,1,64,64,3\ngemm,h100-sxm,x,bf16,one,64,64,3\n",
       "t.csv:3:m: found 'one'; expected a number"},
      {"gemm,h100-sxm,x,bf16,nan,64,64,3\n", "t.csv:2:m: found 'nan'; expected a number"},
      {"gemm,h1000,x,bf16,1,64,64,3\n", "t.csv:2:device: unknown device 'h1000'"},
      {"gem,h100-sxm,x,bf16,1,64,64,3\n",
       "t.csv:2:op: unknown kernel family 'gem'; did you mean "
       "'gemm'?"},
      {"gemm,h100-sxm,x,bfloat61,1,64,64,3\n",
       "t.csv:2:dtype: unknown number format 'bfloat61'; "
       "did you mean 'bfloat16'?"},
      {"gemm,h100-sxm,x,bf16,1,64,3\n", "t.csv:2: found 7 fields; expected 8, as in the header"},
      {"gemm,h100-sxm,\"x,bf16,1,64,64,3\n", "t.csv:2: a quote that never closes"}};
  for (const Bad& bad : all) {
    const Folder folder;
    folder.write("t.csv", kGeneric + bad.rows);
    CAPTURE(bad.rows);
    CHECK(complaint(folder).rfind(bad.complaint, 0) == 0);
  }
}

TEST_CASE("missing columns, two units and unknown folders are named", "[calib][import]") {
  const Folder folder;
  folder.write("t.csv", "op,device,stack,dtype,m,n,latency_us\ngemm,h100-sxm,x,bf16,1,64,3\n");
  CHECK(complaint(folder) == "t.csv:1:k: the column is missing");
  folder.write("t.csv",
               "op,device,stack,dtype,m,n,k,latency_us,latency_ms\n"
               "gemm,h100-sxm,x,bf16,1,64,64,3,0.003\n");
  CHECK(complaint(folder) ==
        "t.csv:2:latency_ms: a second latency column beside latency_us; expected one unit");
  fs::remove(folder.path() / "t.csv");
  folder.write("h100_sxn/gemm.csv", kGemm + "torch_flow,bfloat16,1,64,64,0.003\n");
  CHECK(complaint(folder).rfind("h100_sxn/gemm.csv: unknown device 'h100_sxn'", 0) == 0);
  fs::remove_all(folder.path() / "h100_sxn");
  folder.write("notes.csv", "a,b\n1,2\n");
  CHECK(complaint(folder).find("no table of measurements") != std::string::npos);
}

TEST_CASE("a table copied under another device is skipped", "[calib][import]") {
  const Folder folder;
  const std::string text = kGemm + "torch_flow,bfloat16,128,7168,2048,0.0125\n";
  folder.write("h100_sxm/gemm.csv", text);
  folder.write("h200_sxm/gemm.csv", text);
  const Import result = import_tables(folder.path());
  CHECK(result.datasets.size() == 1);
  CHECK(result.skipped ==
        std::vector<std::string>{"h200_sxm/gemm.csv: a copy of h100_sxm/gemm.csv"});
}

TEST_CASE("more rows than a fit can use are refused before they fill the memory",
          "[calib][import]") {
  const Folder folder;
  std::string text = "a\n";
  for (std::int64_t i = 0; i <= kMaxCsvRows; ++i) text += "1\n";
  const auto path = folder.write("t.csv", text);
  std::int64_t seen = 0;
  CHECK_THROWS_AS(for_each_row(path, "t.csv", [&](const CsvRow&) { ++seen; }), InputError);
  CHECK(seen == kMaxCsvRows);
}

TEST_CASE("quoted fields may hold commas, quotes and line ends", "[calib][csv]") {
  const Folder folder;
  const auto path = folder.write("t.csv",
                                 "\xEF\xBB\xBF"
                                 "a,b\r\n\"x,\"\"y\"\"\nz\",2\r\n\r\n3,4");
  std::vector<std::string> texts;
  std::vector<std::int64_t> lines;
  for_each_row(path, "t.csv", [&](const CsvRow& row) {
    texts.emplace_back(row.text("a"));
    lines.push_back(row.line);
  });
  CHECK(texts == std::vector<std::string>{"x,\"y\"\nz", "3"});
  CHECK(lines == std::vector<std::int64_t>{2, 5});
}

TEST_CASE("the published tables import whole", "[calib][import][measured]") {
  const char* given = std::getenv("FATHOM_MEASURED");
  const fs::path dir = given != nullptr
                           ? fs::path{given}
                           : fs::path{FATHOM_SOURCE_DIR} / ".." / "shared" / "measured";
  if (!fs::is_directory(dir / "aiconfigurator")) return;  // the tables are not part of the project
  const Import result = import_tables(dir);
  std::size_t rows = 0;
  std::size_t flagged = 0;
  for (const Dataset& data : result.datasets) {
    rows += data.rows.size();
    flagged += static_cast<std::size_t>(std::count_if(
        data.rows.begin(), data.rows.end(), [](const Measurement& m) { return !m.flag.empty(); }));
  }
  CHECK(result.datasets.size() > 70);
  CHECK(rows > 200000);
  // Whole DSA tables of one device were collected twice; little else is in doubt.
  CHECK(flagged < rows / 10);
}
