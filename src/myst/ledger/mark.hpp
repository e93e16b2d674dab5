// How far the journal has reached the disk, in a few bytes beside the ledger's file. SQLite stops reading its log at
// the first damaged page and takes what follows for a commit that a crash has cut off; the mark tells the two apart.
#pragma once

#include <cstdint>
#include <string>

#include "myst/sys/side_file.hpp"

namespace myst::ledger {

/// The number of the journal's last row. It is written after the commit that it is about and before anybody hears of
/// the commit, so it is never ahead of the disk. It needs no sync of its own: a killed process leaves it as it is; a
/// power failure may take it back to an older one, which claims less. Belongs to the ledger's own thread.
class Mark {
public:
    /// Opens or creates the file and reads it. A mark that is damaged counts as none.
    [[nodiscard]] static Result<Mark> open(const std::string& path, const std::string& vfs);

    /// The position written last, zero if there is none.
    [[nodiscard]] std::int64_t position() const { return position_; }
    /// Notes a position; nothing is written if it is the one that is there.
    [[nodiscard]] Result<> move_to(std::int64_t position);
    /// Returns when the mark is on disk.
    [[nodiscard]] Result<> sync();

private:
    Mark(sys::SideFile file, std::int64_t position) : file_(std::move(file)), position_(position) {}
    sys::SideFile file_;
    std::int64_t position_;
};

}  // namespace myst::ledger
