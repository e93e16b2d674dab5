// The EVM's 256-bit word. Arithmetic that overflows throws in this checked form, so it cannot pass unnoticed;
// code on input paths compares before it computes.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>

namespace myst {

using Uint256 = boost::multiprecision::checked_uint256_t;

}  // namespace myst
