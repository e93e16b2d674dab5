# Build rules shared by every folder of src/myst and cmd: one target per layer,
# warnings as errors, sanitizers, hardening, precompiled headers.

set(MYST_SANITIZER "" CACHE STRING "Value for -fsanitize=, empty for none")

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
# Sanitizer builds are about finding faults soon: -O0 compiles in two thirds of the time, and line numbers suffice.
set(debug_optimisation -Og)
if(MYST_SANITIZER)
  set(debug_optimisation -O0 -gline-tables-only)
endif()

add_library(myst_options INTERFACE)
target_compile_features(myst_options INTERFACE cxx_std_20)
target_include_directories(myst_options INTERFACE "${PROJECT_SOURCE_DIR}/src")
target_compile_options(myst_options INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror
  -fstack-protector-strong -fstack-clash-protection -fcf-protection
  -Winvalid-pch $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
  "$<$<CONFIG:Debug>:${debug_optimisation}>")
# GCC 12 reports false positives of these inside coroutine frames and std::string at -O2.
target_compile_options(myst_options INTERFACE
  "$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized;-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread>"
  "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-array-bounds;-Wno-mismatched-new-delete>")
target_compile_definitions(myst_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE
  $<$<CONFIG:Release>:_FORTIFY_SOURCE=3>
  $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
target_link_options(myst_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_PCH_WARN_INVALID ON)

if(MYST_SANITIZER)
  target_compile_options(myst_options INTERFACE
    -fsanitize=${MYST_SANITIZER} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(myst_options INTERFACE -fsanitize=${MYST_SANITIZER})
endif()
if(MYST_SANITIZER MATCHES thread)
  # The thread sanitizer does not understand fences; without them Asio relies on its mutexes, which it does.
  target_compile_definitions(myst_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
endif()

# myst_library(<layer> SOURCES … PUBLIC … PRIVATE … TESTS … TEST_LIBS … [HEAVY])
#   Library myst_<layer> (alias myst::<layer>) and, if TESTS is given, the test
#   program myst_<layer>_test. HEAVY precompiles Asio for folders full of coroutines.
function(myst_library layer)
  cmake_parse_arguments(arg "HEAVY" "" "SOURCES;PUBLIC;PRIVATE;TESTS;TEST_LIBS" ${ARGN})
  set(target myst_${layer})
  set(kind plain)
  if(arg_HEAVY)
    set(kind async)
  endif()
  if(arg_SOURCES)
    add_library(${target} STATIC ${arg_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(${target} PUBLIC myst_options ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
    myst_precompile(${target} ${kind})
  else()
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE myst_options ${arg_PUBLIC})
  endif()
  add_library(myst::${layer} ALIAS ${target})
  if(arg_TESTS AND BUILD_TESTING)
    add_executable(${target}_test ${arg_TESTS})
    target_link_libraries(${target}_test PRIVATE ${target} GTest::gmock GTest::gtest_main ${arg_PRIVATE} ${arg_TEST_LIBS})
    target_compile_definitions(${target}_test PRIVATE
      MYST_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MYST_VECTORS_DIR="${PROJECT_SOURCE_DIR}/tests/vectors")
    myst_precompile(${target}_test ${kind} TEST)
    add_test(NAME ${layer} COMMAND ${target}_test)
    set_tests_properties(${layer} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()

# Precompiled headers are shared by kind of code: `plain` has the standard library and fmt, `async` also Asio's
# awaitables; tests have GoogleTest besides. Programs and libraries differ in -fPIE and -fPIC, so tests are programs.
set(plain_headers
  <algorithm> <array> <chrono> <cstdint> <functional> <map> <memory> <optional> <span>
  <string> <string_view> <tuple> <unordered_map> <variant> <vector>
  <fmt/format.h> <tl/expected.hpp>)
set(async_headers ${plain_headers} "${PROJECT_SOURCE_DIR}/cmake/asio_pch.hpp")
set(MYST_PCH_ANCHOR "${PROJECT_SOURCE_DIR}/cmake/pch_anchor.cpp")

function(myst_add_precompiled_headers)
  foreach(kind plain async)
    add_library(myst_${kind}_pch OBJECT EXCLUDE_FROM_ALL "${MYST_PCH_ANCHOR}")
    add_executable(myst_${kind}_test_pch EXCLUDE_FROM_ALL "${MYST_PCH_ANCHOR}")
    target_precompile_headers(myst_${kind}_pch PRIVATE ${${kind}_headers})
    target_precompile_headers(myst_${kind}_test_pch PRIVATE ${${kind}_headers} <gmock/gmock.h> <gtest/gtest.h>)
    foreach(target myst_${kind}_pch myst_${kind}_test_pch)
      target_link_libraries(${target} PRIVATE myst_options fmt::fmt tl::expected Boost::headers Threads::Threads)
    endforeach()
    target_link_libraries(myst_${kind}_test_pch PRIVATE GTest::gmock)
  endforeach()
endfunction()

# myst_precompile(<target> plain|async [TEST])
function(myst_precompile target kind)
  set(suffix "")
  if("TEST" IN_LIST ARGN)
    set(suffix _test)
  endif()
  target_precompile_headers(${target} REUSE_FROM myst_${kind}${suffix}_pch)
endfunction()
