#pragma once

/// Elementary functions from IEEE additions, multiplications and divisions alone, hence the same
/// bits on every processor and in WebAssembly. The C library's differ in the last digit: glibc
/// takes fused multiply-adds where the processor has them, musl rounds log1p differently.
/// Within one unit in the last place.
namespace fathom::portable {

double exp(double x);
double log(double x);
double log1p(double x);
double log2(double x);  ///< exact for powers of two
double pow(double base, double exponent);

}  // namespace fathom::portable
