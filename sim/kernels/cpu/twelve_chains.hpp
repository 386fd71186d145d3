#pragma once

// Twelve independent chains of one instruction, enough to hide its latency on two units. Spelled
// out because a loop in C++ spills or is folded, and a ceiling has to be what it says. Operands 0
// to 11 accumulate, operand 12 is multiplied with itself.
#define FATHOM_TWELVE_CHAINS(instruction)                                                         \
  instruction " %12,%12,%0\n" instruction " %12,%12,%1\n" instruction " %12,%12,%2\n" instruction \
              " %12,%12,%3\n" instruction " %12,%12,%4\n" instruction " %12,%12,%5\n" instruction \
              " %12,%12,%6\n" instruction " %12,%12,%7\n" instruction " %12,%12,%8\n" instruction \
              " %12,%12,%9\n" instruction " %12,%12,%10\n" instruction " %12,%12,%11\n"
