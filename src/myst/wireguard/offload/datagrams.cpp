#include "myst/wireguard/offload/datagrams.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/check.hpp"

namespace myst::wireguard {

Datagrams::Datagrams(std::span<std::uint8_t> bytes, std::size_t segment_size)
    : bytes_(bytes),
      segment_size_(segment_size),
      size_(bytes.empty() ? 1 : (bytes.size() + segment_size - 1) / segment_size) {}

std::span<std::uint8_t> Datagrams::operator[](std::size_t index) const {
    CHECK(index < size_);
    const auto at = index * segment_size_;
    return bytes_.subspan(at, std::min(segment_size_, bytes_.size() - at));
}

Result<Datagrams> split_gro(const GroMessage& message) {
    if (!message.segment_size) return Datagrams(message.bytes, std::max<std::size_t>(message.bytes.size(), 1));
    if (*message.segment_size <= 0) {
        return fail(ErrorCode::invalid_data, fmt::format("received message: segment size {}", *message.segment_size));
    }
    Datagrams result(message.bytes, static_cast<std::size_t>(*message.segment_size));
    if (result.size() > kMaxGroDatagrams) {
        return fail(ErrorCode::invalid_data, fmt::format("received message: {} datagrams", result.size()));
    }
    return result;
}

std::size_t gso_run(std::span<const std::size_t> sizes, const GsoLimits& limits) {
    if (sizes.empty()) return 0;
    const auto segment = sizes.front();
    auto bytes = segment;
    std::size_t count = 1;
    while (count < sizes.size() && count < limits.max_datagrams && segment != 0) {
        const auto next = sizes[count];
        if (next == 0 || next > segment || bytes + next > limits.max_bytes) break;
        bytes += next;
        ++count;
        if (next < segment) break;
    }
    return count;
}

}  // namespace myst::wireguard
