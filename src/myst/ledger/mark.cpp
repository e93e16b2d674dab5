#include "myst/ledger/mark.hpp"

#include "myst/base/failpoint.hpp"
#include "myst/ledger/row.hpp"

namespace myst::ledger {

Result<Mark> Mark::open(const std::string& path, const std::string& vfs) {
    auto file = sys::SideFile::open(path, vfs);
    if (!file) return forward_error(file);
    auto content = file->read(encode_position(0).size());
    if (!content) return forward_error(content);
    return Mark(std::move(*file), decode_position(*content).value_or(0));
}

Result<> Mark::sync() {
    if (auto synced = file_.sync(); !synced) return synced;
    failpoint("ledger: mark synced");
    return {};
}

Result<> Mark::move_to(std::int64_t position) {
    if (position == position_) return {};
    if (auto written = file_.write(encode_position(position)); !written) return written;
    failpoint("ledger: mark written");
    position_ = position;
    return {};
}

}  // namespace myst::ledger
