// Looks for keys in all of this process's memory, without being found itself.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/check.hpp"
#include "myst/base/secret.hpp"

namespace myst::wireguard::test {

/// A key that is not there: each of its bytes is changed.
class Masked {
public:
    /// Without the first and last byte, where private keys have bits that are fixed.
    [[nodiscard]] static Masked key(std::span<const std::uint8_t, 32> bytes) { return Masked(bytes.subspan(1, 30)); }
    /// As it stands in requests.
    [[nodiscard]] static Masked hex_of(std::span<const std::uint8_t, 32> bytes) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        Secret<60> digits;
        auto at = digits.expose_mutable().begin();
        for (const auto byte : bytes.subspan(1, 30)) {
            *at++ = static_cast<std::uint8_t>(kDigits[byte >> 4]);
            *at++ = static_cast<std::uint8_t>(kDigits[byte & 15]);
        }
        return Masked(digits.expose());
    }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    void unmask_into(std::uint8_t* out) const {
        for (const auto byte : bytes_) *out++ = static_cast<std::uint8_t>(byte ^ kMask);
    }

private:
    static constexpr std::uint8_t kMask = 0xa7;
    explicit Masked(BytesView bytes) : bytes_(bytes.begin(), bytes.end()) {
        // No copy of the key itself may be made on the way; so mask in place, in the memory that stays.
        for (auto& byte : bytes_) byte ^= kMask;
    }
    Bytes bytes_;
};

/// Sanitizers make `mlock` do nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLocksMemory = false;
#elif defined(__has_feature)
constexpr bool kLocksMemory = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kLocksMemory = true;
#endif

/// Where a key was found.
struct Traces {
    std::size_t locked = 0;  ///< in pages that are locked and not part of core files
    std::size_t other = 0;
};

/// Searches what is readable and in memory; areas above 4 GiB are the sanitizer's bookkeeping.
class MemorySearch {
public:
    MemorySearch() : memory_(::open("/proc/self/mem", O_RDONLY | O_CLOEXEC)) { CHECK(memory_ >= 0); }
    ~MemorySearch() { ::close(memory_); }
    MemorySearch(const MemorySearch&) = delete;
    MemorySearch& operator=(const MemorySearch&) = delete;

    [[nodiscard]] Traces look_for(const Masked& key) { return look_for(std::vector{key}).front(); }
    /// For several at once.
    [[nodiscard]] std::vector<Traces> look_for(const std::vector<Masked>& keys) {
        CHECK(keys.size() <= room_->patterns.size());
        for (std::size_t i = 0; i < keys.size(); ++i) keys[i].unmask_into(room_->patterns[i].data());
        std::vector<Traces> traces(keys.size());
        for (const auto& area : areas()) search(area, keys, traces);
        for (auto& pattern : room_->patterns) secure_wipe(pattern);
        secure_wipe(room_->copy);
        return traces;
    }

private:
    struct Area {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        bool readable = false;
        bool present = false;
        bool locked = false;
    };
    /// What the search itself needs, in one place, which is left out.
    struct Room {
        std::array<std::array<std::uint8_t, 64>, 16> patterns{};
        std::array<std::uint8_t, 1 << 20> copy{};
    };

    static std::vector<Area> areas() {
        std::vector<Area> areas;
        std::ifstream file("/proc/self/smaps");
        std::string line;
        while (std::getline(file, line)) {
            Area area;
            std::array<char, 5> rights{};
            if (std::sscanf(line.c_str(), "%lx-%lx %4s", &area.begin, &area.end, rights.data()) == 3) {
                area.readable = rights[0] == 'r' && line.find("[v") == std::string::npos;
                areas.push_back(area);
            } else if (line.starts_with("Rss:")) {
                areas.back().present = line.find(" 0 kB") == std::string::npos;
            } else if (line.starts_with("VmFlags:")) {
                const auto has = [&line](const char* flag) { return line.find(flag) != std::string::npos; };
                areas.back().locked = has(" dd") && (has(" lo") || !kLocksMemory);
            }
        }
        std::erase_if(areas, [](const Area& area) {
            return !area.readable || !area.present || area.end - area.begin > std::uintptr_t{1} << 32;
        });
        return areas;
    }

    void search(const Area& area, const std::vector<Masked>& keys, std::vector<Traces>& traces) {
        const auto step = room_->copy.size() - room_->patterns[0].size();
        for (auto at = area.begin; at < area.end; at += step) {
            const auto wanted = std::min<std::size_t>(room_->copy.size(), area.end - at);
            const auto got = ::pread(memory_, room_->copy.data(), wanted, static_cast<off_t>(at));
            const auto size = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
            for (std::size_t i = 0; i < keys.size(); ++i) {
                const auto found = count(at, size, {room_->patterns[i].data(), keys[i].size()});
                (area.locked ? traces[i].locked : traces[i].other) += found;
            }
        }
    }
    /// In the copy of what lies from `at` on.
    [[nodiscard]] std::size_t count(std::uintptr_t at, std::size_t size, BytesView pattern) const {
        const auto own = reinterpret_cast<std::uintptr_t>(room_.get());
        const auto* const end = room_->copy.data() + size;
        const auto* from = room_->copy.data();
        std::size_t found = 0;
        for (;; ++from) {
            from = static_cast<const std::uint8_t*>(
                ::memmem(from, static_cast<std::size_t>(end - from), pattern.data(), pattern.size()));
            if (from == nullptr) return found;
            const auto place = at + static_cast<std::uintptr_t>(from - room_->copy.data());
            if (place < own || place >= own + sizeof(Room)) ++found;
        }
    }

    int memory_;
    std::unique_ptr<Room> room_ = std::make_unique<Room>();
};

}  // namespace myst::wireguard::test
