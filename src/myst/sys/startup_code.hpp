// Code that only the start of a program needed.
#pragma once

namespace myst::sys {

/// Takes the program's code and constants, and those of its libraries, out of the resident set: what is still used
/// comes back from the page cache with the next fault, the rest (start, self-tests, tables of what is never called)
/// does not. Nothing that was written is touched, but for code that a debugger patched. Any thread; other threads may
/// run, and fault once more on their way.
void release_startup_code();

}  // namespace myst::sys
