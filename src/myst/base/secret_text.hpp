// Text that may hold keys: leaves no copy behind when it grows, moves or goes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "myst/base/secret.hpp"

namespace myst {

/// Cannot be copied by accident; does not convert to what could be logged by accident, either.
class SecretText {
public:
    SecretText() = default;
    explicit SecretText(std::string_view text) { append(text); }
    SecretText(SecretText&& other) noexcept
        : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)), room_(std::exchange(other.room_, 0)) {}
    SecretText& operator=(SecretText&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        std::swap(size_, other.size_);
        std::swap(room_, other.room_);
        return *this;
    }
    SecretText(const SecretText&) = delete;
    SecretText& operator=(const SecretText&) = delete;
    ~SecretText() { wipe(); }

    SecretText& append(std::string_view text) {
        reserve(size_ + text.size());
        std::copy(text.begin(), text.end(), bytes_.get() + size_);
        size_ += text.size();
        return *this;
    }
    /// In lower-case digits, which exist nowhere else.
    SecretText& append_hex(std::span<const std::uint8_t> bytes) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        reserve(size_ + 2 * bytes.size());
        for (const auto byte : bytes) {
            bytes_[size_++] = kDigits[byte >> 4];
            bytes_[size_++] = kDigits[byte & 15];
        }
        return *this;
    }
    void reserve(std::size_t room) {
        if (room <= room_) return;
        const auto larger = std::max({room, 2 * room_, std::size_t{64}});
        std::unique_ptr<char[]> bytes(new char[larger]);
        std::copy(bytes_.get(), bytes_.get() + size_, bytes.get());
        wipe();
        bytes_ = std::move(bytes);
        room_ = larger;
    }
    /// Wipes the text and keeps the room.
    void clear() {
        wipe();
        size_ = 0;
    }

    /// Valid until the text changes.
    [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] bool operator==(std::string_view text) const { return view() == text; }

private:
    void wipe() { secure_wipe({reinterpret_cast<std::uint8_t*>(bytes_.get()), size_}); }

    std::unique_ptr<char[]> bytes_;
    std::size_t size_ = 0;
    std::size_t room_ = 0;
};

}  // namespace myst
