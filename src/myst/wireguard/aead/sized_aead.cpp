#include "myst/wireguard/aead/sized_aead.hpp"

#include <fmt/format.h>

namespace myst::wireguard {

SizedAead::SizedAead(std::unique_ptr<Aead> few, std::unique_ptr<Aead> many, std::size_t many_from)
    : few_(std::move(few)),
      many_(std::move(many)),
      many_from_(many_from),
      name_(fmt::format("{}, below {} packets {}", many_->name(), many_from, few_->name())) {}

Aead& SizedAead::choose(Group jobs) {
    const bool many = jobs.size() >= many_from_;
    (many ? many_used_ : few_used_) = true;
    return many ? *many_ : *few_;
}

void SizedAead::forget_keys() {
    if (few_used_) few_->forget_keys();
    if (many_used_) many_->forget_keys();
    few_used_ = many_used_ = false;
}

}  // namespace myst::wireguard
